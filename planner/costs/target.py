"""A target accuracy: the cheapest allocation that reaches it on new problems with 90 % probability."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from isocompute.errors import BudgetError
from isocompute.fits.choice.recommendation import exclude_needless_sizes
from isocompute.fits.mean_intervals import compute_mean_interval
from isocompute.planner.compare import ExpectedAccuracies
from isocompute.planner.profile import Profile
from isocompute.runners.parsing.printable import format_error_value

TARGET_PROBABILITY = 0.9
"""The probability with which an allocation must reach the target."""
_PERCENT = re.compile(r"\s*(\d{1,3}(?:\.\d{1,6})?)\s*%\s*", re.ASCII)
_FRACTION = re.compile(r"\s*([+-]?\d{0,3}(?:\.\d{1,9})?)\s*", re.ASCII)


@dataclass(frozen=True)
class TargetAllocation:
    """The allocation with which a target is reached.

    Args:
        strategy: its strategy.
        cost: its cost, in x.
        bound: the accuracy that it reaches with `TARGET_PROBABILITY`.
    """

    strategy: str
    cost: float
    bound: float


def read_target(target: object) -> float:
    """Return a target accuracy: a fraction such as 0.6, or a text such as ``60%``.

    Raises:
        BudgetError: it is not between 0 and 1.

    >>> read_target("60%"), read_target(0.6)
    (0.6, 0.6)
    """
    value = math.nan
    if isinstance(target, str):
        if match := _PERCENT.fullmatch(target):
            value = float(match[1]) / 100
        elif (match := _FRACTION.fullmatch(target)) and match[1] not in ("", "+", "-"):
            value = float(match[1])
    elif isinstance(target, int | float) and not isinstance(target, bool) and 0 < target < 1:
        value = float(target)
    if not 0 < value < 1:
        raise BudgetError(
            f"The target {format_error_value(target)} must be an accuracy between 0 and 1, such as 0.6 or 60%."
        )
    return value


def find_target_allocation(
    profile: Profile, expected: ExpectedAccuracies, target: float, most: float
) -> TargetAllocation:
    """Find the cheapest allocation that reaches a target with 90 % probability.

    An allocation reaches it if the lower end of the 80 % interval of its expected accuracy does, since a tenth lies
    below that end. At a size that was not run, the interval includes the interpolation's error. Tried are the
    allocations that are expected to do better than every cheaper one of their strategy.

    Args:
        profile: the profile.
        expected: the expected accuracies.
        target: the accuracy.
        most: the highest cost, in x.

    Raises:
        BudgetError: the profile holds no per-problem values, or no allocation reaches the target; the message says
            what is reached at most.
    """
    if expected.posterior is None:
        raise BudgetError(
            "A target needs the probability of reaching it, and the profile holds means or a single problem only."
        )
    found: list[TargetAllocation] = []
    for table, accuracy in zip(expected.tables, expected.accuracy, strict=True):
        taken = exclude_needless_sizes(table, accuracy)
        before = np.concatenate([[-np.inf], np.maximum.accumulate(taken)[:-1]])
        rising = np.flatnonzero((taken > before) & (table.grid.cost <= most * (1 + 1e-12)))
        if not len(rising):
            continue
        values = table.compute_accuracies(rising)
        low, _ = compute_mean_interval(values, profile.strata, profile.clusters, level=2 * TARGET_PROBABILITY - 1)
        missed = ndtri(TARGET_PROBABILITY) * np.array([table.get_interpolation_error(at) for at in rising])
        reach = np.hypot(values.mean(axis=0) - low, missed)
        bounds = np.where(low == 0, 0.0, np.clip(accuracy[rising] - reach, 0, 1))
        found += [
            TargetAllocation(table.strategy, float(table.grid.cost[at]), float(bound))
            for at, bound in zip(rising, bounds, strict=True)
        ]
    reaching = [each for each in found if each.bound >= target]
    if reaching:
        return min(reaching, key=lambda each: (each.cost, -each.bound))
    best = max(found, key=lambda each: (each.bound, -each.cost))
    raise BudgetError(
        f"No allocation up to {most:,.6g}x reaches {100 * target:.4g} % with 90 % probability; the most is "
        f"{100 * best.bound:.1f} %, by {best.strategy} at {best.cost:,.4g}x."
    )
