"""Cascades: a small model votes first, and a problem on which its votes are not settled goes to a larger model.

Every attempt is charged. Given the problem, the solutions of the two models are independent, so that a cascade's
accuracy on a problem is exactly P(settled and right) + P(not settled) times the larger model's accuracy.

A plan expects of each allocation what was measured, shrunk towards what is usual. So that a cascade is compared on the
same terms, it is moved by as much as its two stages are, each by its share of the problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.held_out import split_folds
from isocompute.fits.estimators.needed_votes import count_needed_votes
from isocompute.planner.costs.models import RequestCosts
from isocompute.planner.models.candidates import Candidate, PricedModel
from isocompute.planner.strategies.registry import STRATEGIES

CASCADE = "cascade"
_ROUNDING = 1 + 1e-12


@dataclass(frozen=True, eq=False)
class CascadeOptions:
    """Cascades of two models over P problems.

    Args:
        models: names of the smaller and the larger model.
        numbers: numbers of each of the A cascades: S and votes of the smaller model, and those of the larger one.
        settings: (A,) the cascades in words.
        accuracy: (P, A) accuracy of each problem.
        cost: (P, A) cost of each problem, in the unit of the cost model.
        shift: (A,) what is expected of a cascade's mean accuracy on new problems minus what was measured.
    """

    models: tuple[str, str]
    numbers: Sequence[dict[str, int]]
    settings: Sequence[str]
    accuracy: Floats
    cost: Floats
    shift: Floats


@dataclass(frozen=True, eq=False)
class _SecondStage:
    """An allocation of the larger model: its accuracy and cost on each problem, and the shift of its mean accuracy."""

    strategy: str
    numbers: dict[str, int]
    accuracy: Floats
    cost: Floats
    shift: float


def build_cascades(small: PricedModel, large: PricedModel) -> CascadeOptions | None:
    """Build the cascades of two models: each S and share of votes, with each power of two of the larger model.

    Args:
        small: the model that is asked first; its profile says how often its votes are settled.
        large: the model that is asked about the rest, with votes or verified votes.

    Returns:
        The cascades; None if the profile does not say how often votes are settled, or a cost is unknown.
    """
    part = small.profile.settled
    if part is None or "solver" not in small.costs.each:
        return None
    settled, right = np.array(part.settled), np.array(part.right)
    needed = count_needed_votes(part.solutions, part.shares)
    first = [(i, j) for i in range(len(part.solutions)) for j in range(len(part.shares)) if _is_new(needed, i, j)]
    second = _list_second_stages(large)
    votes_shift = _interpolate_votes_shift(small, part.solutions)
    accuracy, cost, shift, numbers, settings = [], [], [], [], []
    for i, j in first:
        S, votes = part.solutions[i], int(needed[i, j])
        rest = 1 - settled[:, i, j]
        for stage in second:
            accuracy.append(right[:, i, j] + rest * stage.accuracy)
            cost.append(S * small.costs.each["solver"] + rest * stage.cost)
            shift.append((1 - rest.mean()) * votes_shift[i] + rest.mean() * stage.shift)
            numbers.append({"S": S, "votes": votes, **{f"large_{key}": n for key, n in stage.numbers.items()}})
            words = " ".join(f"{key}={n}" for key, n in stage.numbers.items())
            settings.append(f"S={S}, {votes} votes settle; else {stage.strategy} {words}")
    if not accuracy:
        return None
    return CascadeOptions(
        (small.name, large.name),
        numbers,
        settings,
        np.stack(accuracy, axis=1),
        np.stack(cost, axis=1),
        np.array(shift),
    )


def choose_cascade(options: CascadeOptions, budget: float, clusters: ArrayLike | None = None) -> Candidate | None:
    """Choose the best cascade within a budget, and score it on problems that it was not chosen on.

    The problems are split into folds repeatedly; the cascade for a fold is chosen on the other folds. The accuracy of
    the candidate is the mean over held-out problems, with the shift of the cascades that were chosen, and its
    allocation the one that all problems choose.

    Args:
        options: the cascades.
        budget: mean cost per problem, in the unit of the cost model.
        clusters: (P,) cluster of each problem, held out whole; None if each is its own.

    Returns:
        The candidate; None if the budget pays for no cascade.
    """
    everything = np.ones(len(options.accuracy), dtype=bool)
    chosen = _choose_best(options, everything, budget)
    if chosen is None:
        return None
    folds = split_folds(len(options.accuracy), clusters=clusters)
    total, times, shift = (np.zeros(len(options.accuracy)) for _ in range(3))
    for train, test in zip(folds.train, folds.test, strict=True):
        best = _choose_best(options, train, budget)
        if best is not None:
            total[test] += options.accuracy[test, best]
            shift[test] += options.shift[best]
            times[test] += 1
    values = np.where(times > 0, total / np.maximum(times, 1), options.accuracy[:, chosen])
    shift = np.where(times > 0, shift / np.maximum(times, 1), options.shift[chosen])
    return Candidate(
        model=" → ".join(options.models),
        strategy=CASCADE,
        numbers=options.numbers[chosen],
        settings=options.settings[chosen],
        cost=float(options.cost[:, chosen].mean()),
        accuracy=float(np.clip(values.mean() + shift.mean(), 0, 1)),
        values=values,
    )


def _choose_best(options: CascadeOptions, problems: np.ndarray, budget: float) -> int | None:
    """Return the index of the cascade within a budget of which most is expected; ties go to the cheapest."""
    cost = options.cost[problems].mean(axis=0)
    paid = np.flatnonzero(cost <= budget * _ROUNDING)
    if not len(paid):
        return None
    accuracy = (options.accuracy[problems].mean(axis=0) + options.shift)[paid]
    near = paid[accuracy >= accuracy.max() - 1e-9]
    return int(near[np.argmin(cost[near])])


def _is_new(needed: np.ndarray, i: int, j: int) -> bool:
    """Return whether a share asks for other votes than the one before, with at least two solutions."""
    return bool(needed[i, j] > 1 and (j == 0 or needed[i, j] != needed[i, j - 1]))


def _interpolate_votes_shift(model: PricedModel, S: Sequence[int]) -> Floats:
    """Return (nS,) what is expected of a model's vote over S solutions minus what was measured, linear in log S."""
    table, expected = model.tables[0], model.expected[0]
    sizes = table.grid.numbers["S"]
    shift = expected - table.compute_accuracies(np.arange(len(sizes))).mean(axis=0)
    return np.asarray(np.interp(np.log(S), np.log(sizes), shift))


def _list_second_stages(large: PricedModel) -> list[_SecondStage]:
    """Return the larger model's allocations at powers of two whose cost is known."""
    stages = []
    for table, expected, informative in zip(large.tables, large.expected, large.informative, strict=True):
        numbers = table.grid.numbers
        if not informative or table.strategy not in STRATEGIES:
            continue
        columns = np.stack(list(numbers.values()))
        for at in np.flatnonzero(((columns & (columns - 1)) == 0).all(axis=0)):
            allocation = {name: int(column[at]) for name, column in numbers.items()}
            cost = _price_allocation(large.costs, table.strategy, allocation)
            if cost is not None:
                values = table.compute_accuracies(np.array([at]))[:, 0]
                stages.append(_SecondStage(table.strategy, allocation, values, cost, expected[at] - values.mean()))
    return stages


def _price_allocation(costs: RequestCosts, strategy: str, allocation: dict[str, int]) -> Floats | None:
    """Return (P,) the cost of an allocation on each problem; None if it is unknown."""
    S, V = allocation["S"], allocation.get("V", 0)
    requests = {"solver": S, "verifier": S * V, "scorer": S if STRATEGIES[strategy].needs == "scores" else 0}
    asked = {role: count for role, count in requests.items() if count}
    if any(role not in costs.each for role in asked):
        return None
    return np.asarray(sum(count * costs.each[role] for role, count in asked.items()))
