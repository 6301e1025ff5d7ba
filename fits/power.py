"""How many problems are needed to tell two strategies apart: the power of their paired comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import nctdtrinc, ndtri

from isocompute.errors import DataError

CONFIDENCE_LEVEL = 0.95
"""Of intervals; a test is wrong with a probability of 1 - LEVEL where there is no gap."""
PROBLEM_LIMIT = 1_000_000
"""More problems than this are as good as without end."""

_MIN_PROBLEMS = 3  # problems; of two, a spread says next to nothing
_CERTAIN_EFFECT = 5.0  # standard deviations, which the fewest problems tell
_ROUNDING_EFFECT = 20.0  # standard deviations, beyond which quantiles of the noncentral t are lost to rounding


@dataclass(frozen=True)
class PairedPower:
    """What it takes to tell two strategies apart on the same problems, by a two-sided paired t test.

    Args:
        gap: mean over problems of the difference of their accuracies.
        standard_deviation: of the difference over problems.
        problems: P, how many were measured.
        needed: how many problems give the test its power if the true gap and spread are these; None if there is no
            gap, if they are more than `PROBLEM_LIMIT`, or if the differences have no spread, so that nothing says how
            they vary.
        needed_interval: of `needed`, from the interval of gap / standard deviation; None at an end is "without end".
        smallest_gap: the gap that P problems tell from 0 with that power; None without a spread.
        power: probability that the test tells a gap that is there.
    """

    gap: float
    standard_deviation: float
    problems: int
    needed: int | None
    needed_interval: tuple[int | None, int | None]
    smallest_gap: float | None
    power: float


def compute_paired_power(differences: ArrayLike, power: float = 0.8) -> PairedPower:
    """Problems needed to tell two strategies apart, from the differences measured on some.

    The least N at which a paired t test finds a true difference δ = gap / standard deviation in either direction,

        P(|T| > t) ≥ power,   T noncentral t with N - 1 degrees of freedom and noncentrality √N·δ,

    t being the quantile at (1 + L)/2 = 0.975 of Student's t (Cohen 1988, §2; `statsmodels.stats.power.TTestPower`). For
    large N it is (z_{0.975} + z_power)² / δ². The interval of δ is that of the noncentrality at which the t that
    was measured is just not too high or too low (Steiger & Fouladi 1997), in the direction of the gap.

    N is for problems like these, each measured as these were: with smaller pools the differences spread more, and
    more problems are needed. The gap that was measured is itself uncertain, often widely: see the interval.

    Args:
        differences: (P,) accuracy of one strategy minus that of the other on each problem, P ≥ 2.
        power: in [0.5, 1).

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
        needed=_count_problems(effect, power),
        needed_interval=(_count_problems(high, power), _count_problems(low, power)),
        smallest_gap=spread * _solve_effect(problems, power),
        power=power,
    )


def _compute_effect_interval(effect: float, problems: int) -> tuple[float, float]:
    """Return the ends of the interval of gap / standard deviation, in the direction of the gap.

    Far from 0 only the spread is uncertain, and the ends are proportional to the effect.
    """
    near, tail = min(effect, _ROUNDING_EFFECT), (1 - CONFIDENCE_LEVEL) / 2
    low, high = nctdtrinc(problems - 1, [1 - tail, tail], math.sqrt(problems) * near) / math.sqrt(problems)
    scale = effect / near if effect else 1.0
    return float(low * scale), float(high * scale)


def _count_problems(effect: float, power: float) -> int | None:
    """Return how many problems tell an effect; None without one, or where they are more than `PROBLEM_LIMIT`."""
    from statsmodels.stats.power import TTestPower  # scipy.stats comes with it

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
    """Return the effect that so many problems tell."""
    from statsmodels.stats.power import TTestPower

    return float(np.squeeze(TTestPower().solve_power(nobs=problems, alpha=1 - CONFIDENCE_LEVEL, power=power)))
