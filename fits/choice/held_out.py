"""Accuracy of a choice on problems that it was not made on (cross-fitting), and the folds that separate them.

The best of several options looks better on the problems it was chosen on than it is (the winner's curse). Therefore
the problems are split into folds repeatedly; each fold is scored under an option chosen on the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.bootstrap import compute_t_interval
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.ties import choose_cheapest
from isocompute.fits.groups import code_problem_groups

FOLD_COUNT = 5
SPLIT_COUNT = 20
"""The number of times that the problems are split into folds."""
FOLD_SEED = 128


@dataclass(frozen=True, eq=False)
class Folds:
    """F pairs of problems to choose on and other problems to score the choice on.

    Args:
        train: (F, P) booleans: the problems of each choice.
        test: (F, P) booleans: the problems scored under it, which must not be among those of the choice.

    Raises:
        DataError: a problem that is scored under a choice made on it, or a choice made on no problem.
    """

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.train.shape != self.test.shape or self.train.ndim != 2:
            raise DataError(f"folds must be (F, P) twice; got {self.train.shape} and {self.test.shape}.")
        both = np.argwhere(self.train & self.test)
        if len(both):
            fold, problem = both[0]
            raise DataError(f"problem {problem} of fold {fold} would be scored under a choice that was made on it.")
        if not self.train.any(axis=1).all():
            raise DataError("a choice must be made on at least one problem; a fold leaves none.")

    def split_by_level(self, levels: ArrayLike) -> Folds:
        """Split the folds by level, so that a choice is made and scored on problems of one level.

        If a fold leaves no problem of a level to choose on, the level takes the choice made on all levels.

        Args:
            levels: (P,) level of each problem.

        Example:
            >>> inside = split_folds(4, parts=2, splits=1).split_by_level([1, 1, 2, 2])
            >>> inside.test.sum(), (inside.train & inside.test).any()
            (np.int64(4), np.False_)
        """
        level = np.asarray(levels)
        inside = level == np.unique(level)[:, None, None]  # (levels, 1, P)
        test = (self.test & inside).reshape(-1, len(level))
        own = (self.train & inside).reshape(-1, len(level))
        train = np.where(own.any(axis=1, keepdims=True), own, np.tile(self.train, (len(inside), 1)))
        used = test.any(axis=1)  # a fold that scores no problem of a level is left out
        return Folds(train[used], test[used])

    def stack_copies(self, times: int) -> Folds:
        """Return the same folds for a table that concatenates several copies of all problems."""
        return Folds(np.tile(self.train, (1, times)), np.tile(self.test, (1, times)))


@dataclass(frozen=True, eq=False)
class AllocationChoices:
    """The best allocation of each of n strategies, and the best strategy, on each of R weighted sets of problems.

    Args:
        accuracy: (n, R, nC) mean on the problems of the choice, which is optimistic; NaN where nothing is affordable.
        allocation_index: (n, R, nC) index of the best allocation; -1 where nothing is affordable.
        strategy_index: (R, nC) index of the best strategy; ties (see `isocompute.fits.choice.ties`) go to the cheapest.
    """

    accuracy: NDArray[np.float64]
    allocation_index: NDArray[np.int64]
    strategy_index: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoredChoices:
    """Choices, and each problem's accuracy under them.

    Args:
        choices: R choices.
        accuracy: (n + 1, P, nC) accuracy of each problem: a row for each strategy at its best allocation, and a last
            row for the best strategy. A problem that is scored under several choices has their mean; NaN where nothing
            is affordable.
    """

    choices: AllocationChoices
    accuracy: NDArray[np.float64]


def split_folds(
    problems: int,
    parts: int = FOLD_COUNT,
    splits: int = SPLIT_COUNT,
    seed: int = FOLD_SEED,
    clusters: ArrayLike | None = None,
) -> Folds:
    """Split problems repeatedly into folds whose sizes differ by at most one; clusters stay whole.

    Args:
        problems: P ≥ 2.
        parts: number of folds per split, ≥ 2; at most P are made.
        splits: number of splits.
        seed: seed of the splits.
        clusters: (P,) label of each problem's cluster, whose number the folds then differ by at most one in; None if
            each problem is its own.

    Returns:
        parts · splits folds; each split holds every problem out once.

    Raises:
        DataError: fewer than two problems or clusters.

    Example:
        >>> split_folds(6, parts=3, splits=1).test.sum(axis=1)
        array([2, 2, 2])
        >>> split_folds(4, parts=2, splits=1, clusters=["a", "a", "b", "b"]).test.astype(int)
        array([[0, 0, 1, 1],
               [1, 1, 0, 0]])
    """
    groups = code_problem_groups(problems, clusters=clusters)
    if groups.clusters < 2:
        what = "problems" if clusters is None else "clusters of problems"
        raise DataError(f"holding {what} out needs at least 2 of them; got {groups.clusters}.")
    parts = min(parts, groups.clusters)
    rng = np.random.default_rng(seed)
    part_of_problem = np.stack([(rng.permutation(groups.clusters) % parts)[groups.cluster] for _ in range(splits)])
    test = np.concatenate([part_of_problem == part for part in range(parts)])
    return Folds(~test, test)


def choose_strategies(options: Sequence[AllocationOptions], rows: ArrayLike, budgets: ArrayLike) -> AllocationChoices:
    """Choose each strategy's best allocation within each budget, and the best strategy, for weighted means of problems.

    Args:
        options: options of n strategies, on the same problems.
        rows: (R, P) weights ≥ 0 of the problems; each row is normalised to sum to 1.
        budgets: (nC,) compute per problem, in x.

    Raises:
        DataError: options and weights for different numbers of problems.
    """
    weights = np.asarray(rows, dtype=float)
    for option in options:
        if len(option.accuracy) != weights.shape[1]:
            raise DataError(
                f"all options must cover the same problems; {option.strategy} has {len(option.accuracy)} "
                f"of {weights.shape[1]}."
            )
    weights = weights / weights.sum(axis=1, keepdims=True)
    choices = [option.choose_allocations(weights, budgets) for option in options]
    accuracy = np.stack([best for best, _ in choices])
    chosen = np.stack([chosen for _, chosen in choices])
    costs = np.stack([option.grid.cost[row] for option, row in zip(options, chosen, strict=True)])
    errors = np.array([option.error for option in options])[:, None, None]
    return AllocationChoices(accuracy, chosen, choose_cheapest(accuracy, costs, errors))


def score_held_out(options: Sequence[AllocationOptions], budgets: ArrayLike, problems: Folds) -> ScoredChoices:
    """Score each problem under the choices made without it, which gives the accuracy to expect on new problems.

    Args:
        options: options of n strategies, on the same problems.
        budgets: (nC,) compute per problem, in x.
        problems: the folds, which hold the problems to choose on and those to score.

    Example:
        >>> from isocompute.fits.choice.options import build_voting_options
        >>> options = build_voting_options([[0.5, 0.9], [0.5, 0.1]], [1, 2])  # S = 2 helps one problem only
        >>> score_held_out([options], [2], split_folds(2)).accuracy[0].ravel()  # each takes the other's best S
        array([0.5, 0.1])
    """
    choices = choose_strategies(options, problems.train, budgets)
    return ScoredChoices(choices, _score_choices(options, choices, problems.test))


def score_in_sample(
    options: Sequence[AllocationOptions], budgets: ArrayLike, levels: ArrayLike | None = None
) -> ScoredChoices:
    """Score each problem under the choice made on all problems: the choice to run, with an optimistic accuracy.

    Args:
        options: options of n strategies, on the same problems.
        budgets: (nC,) compute per problem, in x.
        levels: (P,) level of each problem, to choose in each level, in ascending order; one choice for all if not
            given.
    """
    level = np.zeros(len(options[0].accuracy)) if levels is None else np.asarray(levels)
    inside = level == np.unique(level)[:, None]
    choices = choose_strategies(options, inside, budgets)
    return ScoredChoices(choices, _score_choices(options, choices, inside))


def compute_enclosing_interval(
    held_out: ArrayLike, in_sample: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute an interval of the accuracy of the truly best choices, from held-out and in-sample values.

    Held-out accuracy is slightly too low, because the choice is made on fewer problems; in-sample accuracy is slightly
    too high. The true value lies between, so the interval runs from the lower of the two low ends to the higher of the
    two high ends (`compute_t_interval`).

    Args:
        held_out: (P, …) per-problem values, held out.
        in_sample: (P, …) per-problem values, in sample.
        level: coverage probability, in (0, 1).

    Example:
        >>> low, high = compute_enclosing_interval([0.4, 0.5], [0.6, 0.5])
        >>> float(low.round(2)), float(high.round(2))
        (-0.19, 1.19)
    """
    low, high = compute_t_interval(held_out, level)
    other_low, other_high = compute_t_interval(in_sample, level)
    return np.minimum(low, other_low), np.maximum(high, other_high)


def _score_choices(
    options: Sequence[AllocationOptions], choices: AllocationChoices, scored: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the mean accuracy of each problem over the choices that it is scored under, see `ScoredChoices`.

    Args:
        options: options of n strategies.
        choices: R choices.
        scored: (R, P) booleans: the problems that are scored under each choice.

    Returns:
        (n + 1, P, nC) accuracies.
    """
    tables, columns = [], []
    for option, chosen in zip(options, choices.allocation_index, strict=True):
        taken, column = np.unique(chosen, return_inverse=True)  # choices repeat, so each allocation is computed once
        tables.append(option.compute_accuracies(taken))
        columns.append(column.reshape(chosen.shape))
    total = np.zeros((len(options) + 1, scored.shape[1], choices.strategy_index.shape[1]))
    for row, problems in enumerate(scored):
        accuracy = np.stack([table[problems][:, at[row]] for table, at in zip(tables, columns, strict=True)])
        total[:-1, problems] += accuracy
        total[-1, problems] += np.take_along_axis(accuracy, choices.strategy_index[row][None, None], axis=0)[0]
    return np.asarray(total / scored.sum(axis=0)[:, None])
