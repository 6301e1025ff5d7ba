"""What does a choice reach on problems that it was not made on? Folds, and cross-fitted accuracies.

The best of several options on some problems looks better there than it is: the winner's curse. So the problems are
split into folds again and again; an option is chosen on the others, and a fold's problems are scored under it.
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

FOLD_COUNT = 5
SPLIT_COUNT = 20
"""How often the problems are split into folds anew."""
FOLD_SEED = 128


@dataclass(frozen=True, eq=False)
class Folds:
    """Which problems a choice is made on, and which others it is scored on, F times.

    Args:
        train: (F, P) the problems of each choice.
        test: (F, P) the problems that are scored under it; none of its own.

    Raises:
        DataError: a problem that is scored under a choice it had a part in, or a choice made on no problem.
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
        """The same folds inside each level: chosen on a level's problems, scored on its others.

        Where a fold leaves no problem of a level to choose on, the level takes the choice for all.

        Args:
            levels: (P,) each problem's level.

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
        used = test.any(axis=1)
        return Folds(train[used], test[used])

    def stack_copies(self, times: int) -> Folds:
        """The same folds of a table that holds each problem several times, one copy of them all after another."""
        return Folds(np.tile(self.train, (1, times)), np.tile(self.test, (1, times)))


@dataclass(frozen=True, eq=False)
class AllocationChoices:
    """What each of n strategies would run, and which of them, chosen on each of R weighted sets of problems.

    Args:
        accuracy: (n, R, nC) mean on the problems of the choice, which flatters; NaN where nothing is affordable.
        chosen: (n, R, nC) which allocation; -1 where nothing is affordable.
        best: (R, nC) which strategy is ahead there; ties go to the cheapest, see `ties`.
    """

    accuracy: NDArray[np.float64]
    allocation_index: NDArray[np.int64]
    strategy_index: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoredChoices:
    """Choices, and each problem's accuracy under them.

    Args:
        choices: R of them.
        accuracy: (n + 1, P, nC) of each strategy at its best allocation, and last of the strategy that was ahead,
            averaged over the choices that a problem is scored under; NaN where nothing is affordable.
    """

    choices: AllocationChoices
    accuracy: NDArray[np.float64]


def split_folds(problems: int, parts: int = FOLD_COUNT, splits: int = SPLIT_COUNT, seed: int = FOLD_SEED) -> Folds:
    """Problems in folds of equal size, to within one, split anew several times.

    Args:
        problems: P ≥ 2.
        parts: folds of a split, ≥ 2; as many as problems if these are fewer.
        splits: how often.
        seed: of the splits.

    Returns:
        parts · splits of them; each problem is held out once a split.

    Raises:
        DataError: fewer than two problems, of which none can be held out.

    Example:
        >>> split_folds(6, parts=3, splits=1).test.sum(axis=1)
        array([2, 2, 2])
    """
    if problems < 2:
        raise DataError(f"holding problems out needs at least 2 of them; got {problems}.")
    parts = min(parts, problems)
    rng = np.random.default_rng(seed)
    place = np.stack([rng.permutation(problems) % parts for _ in range(splits)])
    test = np.concatenate([place == part for part in range(parts)])
    return Folds(~test, test)


def choose_strategies(options: Sequence[AllocationOptions], rows: ArrayLike, budgets: ArrayLike) -> AllocationChoices:
    """Each strategy's best allocation within each budget, and the best strategy, for weighted means of problems.

    Args:
        options: of n strategies, on the same problems.
        rows: (R, P) weights ≥ 0 of the problems; they are made to sum to 1.
        budgets: (nC,) compute per problem, in x.

    Raises:
        DataError: options on other problems than the weights'.
    """
    weights = np.asarray(rows, dtype=float)
    for option in options:
        if len(option.accuracy) != weights.shape[1]:
            raise DataError(
                f"all options must cover the same problems; {option.strategy} has {len(option.accuracy)} "
                f"of {weights.shape[1]}."
            )
    weights = weights / weights.sum(axis=1, keepdims=True)
    found = [option.choose_allocations(weights, budgets) for option in options]
    accuracy = np.stack([best for best, _ in found])
    chosen = np.stack([chosen for _, chosen in found])
    costs = np.stack([option.grid.cost[row] for option, row in zip(options, chosen, strict=True)])
    errors = np.array([option.error for option in options])[:, None, None]
    return AllocationChoices(accuracy, chosen, choose_cheapest(accuracy, costs, errors))


def score_held_out(options: Sequence[AllocationOptions], budgets: ArrayLike, problems: Folds) -> ScoredChoices:
    """Each problem under the choices that were made without it: what they can be expected to reach.

    Args:
        options: of n strategies, on the same problems.
        budgets: (nC,) compute per problem, in x.
        problems: which are chosen on, and which are scored.

    Example:
        >>> from isocompute.fits.choice.options import build_voting_options
        >>> lucky = build_voting_options([[0.5, 0.9], [0.5, 0.1]], [1,
        ... 2])  # two votes help one problem and hurt the other
        >>> score_held_out([lucky], [2], split_folds(2)).accuracy[0].ravel()  # neither is told by the other
        array([0.5, 0.1])
    """
    choices = choose_strategies(options, problems.train, budgets)
    return ScoredChoices(choices, _score_choices(options, choices, problems.test))


def score_in_sample(
    options: Sequence[AllocationOptions], budgets: ArrayLike, levels: ArrayLike | None = None
) -> ScoredChoices:
    """Each problem under the choice that was made on it with all others: what is run, with an optimistic number.

    Args:
        options: of n strategies, on the same problems.
        budgets: (nC,) compute per problem, in x.
        levels: (P,) for a choice in each level, in their order; one choice for all if not given.
    """
    level = np.zeros(len(options[0].accuracy)) if levels is None else np.asarray(levels)
    inside = level == np.unique(level)[:, None]
    choices = choose_strategies(options, inside, budgets)
    return ScoredChoices(choices, _score_choices(options, choices, inside))


def compute_enclosing_interval(
    honest: ArrayLike, flattering: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of what the truly best choices reach, from what is reached held out and in sample.

    Held out, a choice is a little too low, since what is chosen on fewer problems is not quite the best; in sample it
    is a little too high. The truth lies between, so the interval is from the lower of the two low ends to the higher
    of the two high ends (`compute_t_interval`).

    Args:
        honest: (P, …) per-problem values, held out.
        flattering: (P, …) the same in sample.
        level: probability that is to be covered, in (0, 1).

    Example:
        >>> low, high = compute_enclosing_interval([0.4, 0.5], [0.6, 0.5])
        >>> float(low.round(2)), float(high.round(2))
        (-0.19, 1.19)
    """
    low, high = compute_t_interval(honest, level)
    other_low, other_high = compute_t_interval(flattering, level)
    return np.minimum(low, other_low), np.maximum(high, other_high)


def _score_choices(
    options: Sequence[AllocationOptions], choices: AllocationChoices, scored: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n + 1, P, nC) of each problem under the choices it is scored under, (R, P), averaged."""
    total = np.zeros((len(options) + 1, scored.shape[1], choices.strategy_index.shape[1]))
    for row, problems in enumerate(scored):
        under = np.stack(
            [
                o.compute_accuracies(chosen[row], problems)
                for o, chosen in zip(options, choices.allocation_index, strict=True)
            ]
        )
        total[:-1, problems] += under
        total[-1, problems] += np.take_along_axis(under, choices.strategy_index[row][None, None], axis=0)[0]
    return np.asarray(total / scored.sum(axis=0)[:, None])
