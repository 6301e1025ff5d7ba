"""Power of a paired comparison of two strategies, and the number of problems it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import nctdtrinc, ndtri

from isocompute.errors import DataError

CONFIDENCE_LEVEL = 0.95
"""Confidence level of intervals; without a gap, a test is significant with probability 1 - CONFIDENCE_LEVEL."""
PROBLEM_LIMIT = 1_000_000
"""A larger number of needed problems is reported as None."""

_MIN_PROBLEMS = 3  # a spread estimated from two problems is useless
_CERTAIN_EFFECT = 5.0  # effect in standard deviations that the fewest problems detect
_ROUNDING_EFFECT = 20.0  # effect beyond which quantiles of the noncentral t suffer from rounding


@dataclass(frozen=True)
class PairedPower:
    """The power of a two-sided paired t test between two strategies on the same problems.

    Args:
        gap: mean over problems of the difference of their accuracies.
        standard_deviation: standard deviation of the difference over problems.
        problems: P, the number of measured problems.
        needed: number of problems that give the test this power if the true gap and spread are the measured ones; None
            if there is no gap, if it exceeds `PROBLEM_LIMIT`, or if the differences have no spread.
        needed_interval: interval of `needed`, from the interval of gap / standard deviation; an end is None if it
            exceeds `PROBLEM_LIMIT`.
        smallest_gap: the smallest gap that P problems detect with this power; None without a spread.
        power: probability that the test detects a true gap.
    """

    gap: float
    standard_deviation: float
    problems: int
    needed: int | None
    needed_interval: tuple[int | None, int | None]
    smallest_gap: float | None
    power: float


def compute_paired_power(differences: ArrayLike, power: float = 0.8) -> PairedPower:
    """Compute the number of problems needed to distinguish two strategies, from measured differences.

    This is the smallest N at which a paired t test detects a true effect δ = gap / standard deviation,

        P(|T| > t) ≥ power,   T noncentral t with N - 1 degrees of freedom and noncentrality √N·δ,

    where t is the quantile at (1 + L)/2 = 0.975 of Student's t (Cohen 1988, §2; `statsmodels.stats.power.TTestPower`).
    For large N it is (z_{0.975} + z_power)² / δ². The interval of δ contains the noncentralities under which the
    measured t is neither too high nor too low (Steiger & Fouladi 1997), in the direction of the gap.

    N holds for problems and pools like the measured ones: with smaller pools the differences spread more, and more
    problems are needed. The measured gap is uncertain, often widely; see the interval.

    Args:
        differences: (P,) accuracy of one strategy minus that of the other on each problem, P ≥ 2.
        power: probability of detecting the effect, in [0.5, 1).

    Raises:
        DataError: fewer than 2 problems, values that are not finite, or a power out of range.

    Example:
        >>> found = compute_paired_power([0.3, -0.1, 0.1, 0.2, 0.0, 0.1])
        >>> round(found.gap, 2), found.needed, found.needed_interval
        (0.1, 18, (6, None))
    """
    values = np.asarray(differences, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise DataError(f"differences must be finite numbers of at least 2 problems; got the shape {values.shape}.")
    if not 0.5 <= power < 1:
        raise DataError(f"power must be at least 0.5 and below 1; got {power}.")
    gap, spread, problems = float(values.mean()), float(values.std(ddof=1)), len(values)
    if np.ptp(values) == 0:
        return PairedPower(gap, 0.0, problems, None, (None, None), None, power)
    effect = abs(gap) / spread
    low, high = _compute_effect_interval(effect, problems)
    return PairedPower(
        gap=gap,
        standard_deviation=spread,
        problems=problems,
        needed=count_needed_problems(effect, power),
        needed_interval=(count_needed_problems(high, power), count_needed_problems(low, power)),
        smallest_gap=spread * _solve_effect(problems, power),
        power=power,
    )


def _compute_effect_interval(effect: float, problems: int) -> tuple[float, float]:
    """Return the interval of gap / standard deviation, in the direction of the gap.

    For a large effect only the spread is uncertain, so the ends are proportional to the effect.
    """
    near, tail = min(effect, _ROUNDING_EFFECT), (1 - CONFIDENCE_LEVEL) / 2
    low, high = nctdtrinc(problems - 1, [1 - tail, tail], math.sqrt(problems) * near) / math.sqrt(problems)
    scale = effect / near if effect else 1.0
    return float(low * scale), float(high * scale)


def count_needed_problems(effect: float, power: float) -> int | None:
    """Count the problems with which a paired t test detects an effect, see `compute_paired_power`.

    Args:
        effect: mean of the differences over their standard deviation.
        power: probability of detecting it.

    Returns:
        None without an effect, or beyond `PROBLEM_LIMIT`.

    Example:
        >>> count_needed_problems(0.5, 0.8)
        34
    """
    from statsmodels.stats.power import TTestPower  # slow to import, as it imports scipy.stats

    if effect <= 0:
        return None
    normal = float(((ndtri((1 + CONFIDENCE_LEVEL) / 2) + ndtri(power)) / effect) ** 2)  # Student's t needs a few more
    if normal > PROBLEM_LIMIT:
        return None
    test, effect = TTestPower(), min(effect, _CERTAIN_EFFECT)
    return next(
        n for n in count(max(_MIN_PROBLEMS, int(normal) - 2)) if test.power(effect, n, 1 - CONFIDENCE_LEVEL) >= power
    )


def _solve_effect(problems: int, power: float) -> float:
    """Return the smallest effect that a number of problems detects."""
    from statsmodels.stats.power import TTestPower

    return float(np.squeeze(TTestPower().solve_power(nobs=problems, alpha=1 - CONFIDENCE_LEVEL, power=power)))
