"""The allocation with which a cheaper model is as accurate as a dearer one, and the ratio of their costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits.arrays import Floats
from isocompute.fits.bootstrap import compute_percentile_interval, draw_bootstrap_weights
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN
from isocompute.planner.models.candidates import Candidate, PricedModel

REPLICATES, SEED = 500, 2508


@dataclass(frozen=True, eq=False)
class EqualAccuracy:
    """The cheapest allocation of one model that is expected to be as accurate as a reference of another.

    Args:
        model: the cheaper model.
        reference: the dearer model's allocation: one answer, or its best vote.
        candidate: the cheapest allocation that reaches it; None if none does.
        ratio: its cost over the reference's; infinite if none reaches it.
        interval: 95 % interval of the ratio over problems; an end is infinite where none reaches it.
    """

    model: str
    reference: Candidate
    candidate: Candidate | None
    ratio: float
    interval: tuple[float, float]


def compare_at_equal_accuracy(models: Sequence[PricedModel], clusters: ArrayLike | None = None) -> list[EqualAccuracy]:
    """Compare each model with every dearer one at equal accuracy: with one of its answers, and with its best vote.

    The best vote is the cheapest that is expected to be within half a point of the most accurate one. A larger vote
    would make every other allocation look cheap.

    Args:
        models: the models, on the same problems and under the same cost model.
        clusters: (P,) cluster of each problem; None if each is its own.
    """
    ordered = sorted(models, key=lambda model: model.tables[0].lowest_cost)
    weights = draw_bootstrap_weights(len(ordered[0].tables[0].accuracy), REPLICATES, SEED, clusters=clusters)
    found = []
    for at, dear in enumerate(ordered):
        votes, expected = dear.tables[0], dear.expected[0]
        single, best = 0, int(np.argmax(expected >= expected.max() - EQUIVALENCE_MARGIN))
        for cheap in ordered[:at]:
            for place in dict.fromkeys((single, best)):
                reference = dear.describe_allocation(votes, expected, place)
                found.append(_find_equal(cheap, reference, weights))
    return found


def _find_equal(model: PricedModel, reference: Candidate, weights: Floats) -> EqualAccuracy:
    """Find the cheapest allocation that reaches a reference, and the interval of the ratio of their costs."""
    needed = reference.accuracy + weights @ reference.values - reference.values.mean()
    cheapest, costs = None, np.full(len(weights), np.inf)
    for table, expected, informative in zip(model.tables, model.expected, model.informative, strict=True):
        if not informative:
            continue
        before = np.concatenate([[-np.inf], np.maximum.accumulate(expected)[:-1]])
        rising = np.flatnonzero(expected > before)
        values = table.compute_accuracies(rising)
        resampled = expected[rising] + weights @ values - values.mean(axis=0)
        reached = resampled >= needed[:, None]
        price = table.grid.cost[rising]
        costs = np.minimum(costs, np.where(reached, price, np.inf).min(axis=1))
        enough = rising[expected[rising] >= reference.accuracy]
        if len(enough):
            candidate = model.describe_allocation(table, expected, int(enough[0]))
            if cheapest is None or candidate.cost < cheapest.cost:
                cheapest = candidate
    low, high = compute_percentile_interval(costs / reference.cost)
    ratio = math.inf if cheapest is None else cheapest.cost / reference.cost
    return EqualAccuracy(model.name, reference, cheapest, ratio, (float(low), float(high)))
