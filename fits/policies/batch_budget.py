"""One budget for a batch of problems, which all share a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.bootstrap import compute_percentile_interval, draw_bootstrap_weights
from isocompute.fits.policies.estimate import PolicyEstimate
from isocompute.fits.policies.threshold_choice import (
    ThresholdChoice,
    check_budget,
    describe_choice,
    find_most_accurate,
)

SIMULATED_BATCHES = 2000
"""Number of simulated batches."""


@dataclass(frozen=True)
class BatchChoice:
    """The threshold for a batch, with the prediction of the batch's total compute.

    Args:
        choice: the threshold, with its means of a problem; or why there is none.
        total: predicted total compute of the batch, in solutions' worth; None without a threshold, as the next two.
        interval: 95 % prediction interval of the total.
        within: probability that the total stays within the budget.
    """

    choice: ThresholdChoice
    total: float | None = None
    interval: tuple[float, float] | None = None
    within: float | None = None


def choose_threshold_for_batch(
    estimate: PolicyEstimate,
    budget: float,
    problems: int,
    confidence: float = 0.95,
    clusters: ArrayLike | None = None,
    seed: int = 0,
) -> BatchChoice:
    """Choose the most accurate threshold with which a batch's total compute stays within one budget.

    All problems of the batch use the same threshold, so that the solutions go where they are needed. A threshold
    qualifies if the total stays within the budget with at least the given confidence; see `predict_totals`.

    Args:
        estimate: the rule under several thresholds, on problems from the same source.
        budget: compute of the whole batch, in solutions' worth, > 0.
        problems: number of problems of the batch, ≥ 1.
        confidence: the least probability of staying within the budget, in (0, 1).
        clusters: (P,) label of each estimated problem's cluster; None if all are independent.
        seed: seed of the simulated batches.

    Raises:
        DataError: a budget, a number of problems or a confidence out of range, or fewer than two problems or clusters.

    Example:
        >>> from isocompute.fits import Pool
        >>> from isocompute.fits.policies.orders import draw_orders
        >>> from isocompute.fits.policies.replay import estimate_stop_rule
        >>> from isocompute.fits.policies.rules.window import WINDOW
        >>> pool = Pool([[0, 0, 0, 0], [0, 1, 0, 1]], [0, 0])
        >>> found = estimate_stop_rule(pool, WINDOW, [2, 3, 4], draw_orders(pool, draws=8, seed=0))
        >>> chosen = choose_threshold_for_batch(found, budget=400, problems=100)
        >>> chosen.choice.threshold, chosen.within
        (2.0, 1.0)
    """
    check_budget(budget)
    if not 0 < confidence < 1:
        raise DataError(f"confidence must lie between 0 and 1; got {confidence}.")
    totals = predict_totals(estimate, problems, clusters, seed)
    within = (totals <= budget).mean(axis=0)
    if within.max() < confidence:
        cheapest = int(np.argmin(totals.mean(axis=0)))
        reason = (
            f"Even with the cheapest threshold of {estimate.rule}, {estimate.thresholds[cheapest]:g}, a batch of "
            f"{problems} stays within {budget:g}x with a probability of {within[cheapest]:.2f}; its expected total is "
            f"{totals[:, cheapest].mean():.0f}x."
        )
        return BatchChoice(ThresholdChoice(estimate.rule, None, reason=reason))
    position = find_most_accurate(estimate, within >= confidence)
    low, high = compute_percentile_interval(totals[:, position])
    return BatchChoice(
        describe_choice(estimate, position),
        float(totals[:, position].mean()),
        (float(low), float(high)),
        float(within[position]),
    )


def predict_totals(estimate: PolicyEstimate, problems: int, clusters: ArrayLike | None = None, seed: int = 0) -> Floats:
    """Simulate the total compute of a batch of new problems under each threshold.

    Each replicate resamples the estimated problems, because their mean is uncertain, and draws the batch from them,
    each problem with one of its orders. The draws are the same for all thresholds.

    Args:
        estimate: the rule under T thresholds.
        problems: number of problems of the batch, ≥ 1.
        clusters: (P,) label of each estimated problem's cluster, which are resampled whole.
        seed: seed of the draws.

    Returns:
        (2000, T) totals, in solutions' worth.

    Raises:
        DataError: no problems in the batch, or fewer than two estimated problems or clusters.
    """
    if problems < 1:
        raise DataError(f"a batch must hold at least 1 problem; got {problems}.")
    source, draws, columns = estimate.costs.shape
    resampling, drawing = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(drawing)
    totals = np.empty((SIMULATED_BATCHES, columns))
    for row, weights in zip(
        totals, draw_bootstrap_weights(source, SIMULATED_BATCHES, resampling, clusters=clusters), strict=True
    ):
        drawn = rng.choice(source, problems, p=weights)
        row[:] = estimate.costs[drawn, rng.integers(draws, size=problems)].sum(axis=0, dtype=float)
    return totals
