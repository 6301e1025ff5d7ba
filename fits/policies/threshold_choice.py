"""Choice of a rule's threshold and limit for an average budget, from what they reach and cost on other problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits.policies.estimate import PolicyEstimate

_TIE = 1e-12  # accuracies that differ by less are equal


@dataclass(frozen=True)
class ThresholdChoice:
    """The setting that was chosen, with its means over the problems it was chosen on; or why there is none.

    Args:
        rule: the rule's name.
        threshold: the threshold; None if none qualifies, and then the next five are None too.
        limit: the most solutions under it.
        position: its position among the estimate's settings.
        accuracy: mean accuracy.
        same: mean probability that the answer is that of the full budget.
        compute: mean compute of a problem, in solutions' worth.
        reason: why there is no threshold, in a sentence; None if there is one.
    """

    rule: str
    threshold: float | None
    limit: int | None = None
    position: int | None = None
    accuracy: float | None = None
    same: float | None = None
    compute: float | None = None
    reason: str | None = None


def choose_threshold_for_budget(estimate: PolicyEstimate, budget: float) -> ThresholdChoice:
    """Choose the setting of highest mean accuracy whose mean compute is at most the budget; the cheapest of equals.

    Only the estimated settings are candidates: between two of them accuracy and compute are not known, and are not
    interpolated. What is left of the budget is the distance to the next setting, so a finer grid leaves less; see
    `StopRule.list_settings`. If even the cheapest setting costs more than the budget, none is chosen, and the
    reason says so. The means are those of the problems given; what the choice reaches and costs is to be told on
    others, where its mean compute may be above the budget by chance. `choose_threshold_for_batch` keeps to a total.

    Args:
        estimate: the rule under several settings, on the problems to choose on.
        budget: mean compute of a problem, in solutions' worth, > 0.

    Raises:
        DataError: a budget that is not positive and finite.

    Example:
        >>> from isocompute.fits import Pool
        >>> from isocompute.fits.policies.orders import draw_orders
        >>> from isocompute.fits.policies.replay import estimate_stop_rule
        >>> from isocompute.fits.policies.rules.window import WINDOW
        >>> pool = Pool([[0, 0, 0, 0]], [0])
        >>> found = estimate_stop_rule(pool, WINDOW, [2, 3, 4], draw_orders(pool, draws=8, seed=0))
        >>> choose_threshold_for_budget(found, 3.5).threshold  # all are as accurate
        2.0
        >>> choose_threshold_for_budget(found, 1).reason
        'Even the cheapest threshold of window, 2, costs 2.00x a problem on average, above the budget of 1x.'
    """
    check_budget(budget)
    compute = estimate.compute.mean(axis=0)
    if compute.min() > budget:
        cheapest = int(np.argmin(compute))
        reason = (
            f"Even the cheapest threshold of {estimate.rule}, {estimate.thresholds[cheapest]:g}, costs "
            f"{compute[cheapest]:.2f}x a problem on average, above the budget of {budget:g}x."
        )
        return ThresholdChoice(estimate.rule, None, reason=reason)
    return describe_choice(estimate, find_most_accurate(estimate, compute <= budget))


def find_most_accurate(estimate: PolicyEstimate, is_allowed: NDArray[np.bool_]) -> int:
    """Return the position of the most accurate allowed setting, the cheapest of those that are equally accurate."""
    accuracy = np.where(is_allowed, estimate.accuracy.mean(axis=0), -np.inf)
    best = np.flatnonzero(accuracy >= accuracy.max() - _TIE)
    return int(best[np.argmin(estimate.compute.mean(axis=0)[best])])


def describe_choice(estimate: PolicyEstimate, position: int) -> ThresholdChoice:
    """Return the choice of the setting at a position, with its means over problems."""
    accuracy, same, compute = (
        float(column[:, position].mean()) for column in (estimate.accuracy, estimate.same, estimate.compute)
    )
    threshold, limit = float(estimate.thresholds[position]), int(estimate.limits[position])
    return ThresholdChoice(estimate.rule, threshold, limit, position, accuracy, same, compute)


def check_budget(budget: float) -> None:
    """Raise a DataError unless a budget is positive and finite."""
    if not (np.isfinite(budget) and budget > 0):
        raise DataError(f"budget must be a positive number; got {budget}.")
