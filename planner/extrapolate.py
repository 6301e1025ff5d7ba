"""Accuracies beyond the measured numbers of solutions: into a profile, and from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from isocompute.fits import Extrapolation, Pool, compute_t_interval, extrapolate_accuracy, extrapolate_coverage
from isocompute.fits.groups import compute_cluster_values
from isocompute.fits.laws.extrapolation import EXTRAPOLATION_METHODS, MIN_EXTRAPOLATED_SOLUTIONS
from isocompute.planner.profile import ACCURACY_DIGITS, Curve, ExtrapolatedCurve, Profile, round_accuracies

EXTRAPOLATED_REACH = 4
"""Accuracies are extrapolated up to so many times the measured solutions, as far as the models are checked."""
RISE_THRESHOLD = 0.0025
"""A curve that gains less than a quarter of a point in a doubling has flattened."""
EXTRAPOLATORS: dict[str, Callable[[Pool, ArrayLike], Extrapolation]] = {
    "sc": extrapolate_accuracy,
    "coverage": extrapolate_coverage,
}
"""The functions that extrapolate, by what they extrapolate. Strategies with verdicts or scores have none."""


@dataclass(frozen=True, eq=False)
class ExtrapolatedAccuracy:
    """An accuracy beyond what was measured.

    Args:
        solutions: S.
        accuracy: mean over problems; of a plan, moved to what is expected on new problems.
        interval: 95 % interval over problems, widened by the method's error; None without per-problem values.
        error: the method's error in the mean accuracy where it could be checked.
        method: one of ``fits.laws.extrapolation.EXTRAPOLATION_METHODS``.
        measured_to: the largest measured number of solutions.
        by_problem: (P,) accuracy of each problem, to be paired with other strategies; never moved.
    """

    solutions: int
    accuracy: float
    interval: tuple[float, float] | None
    error: float
    method: str
    measured_to: int
    by_problem: NDArray[np.float64]

    def describe(self, name: str) -> str:
        """Return the accuracy in words, marked as extrapolated.

        Args:
            name: of the strategy, such as "SC".
        """
        ends = "" if self.interval is None else " [{:.1f}, {:.1f}]".format(*(100 * end for end in self.interval))
        return (
            f"{name} at S={self.solutions:,}: {100 * self.accuracy:.1f} %{ends}, extrapolated from S up to "
            f"{self.measured_to:,} by {EXTRAPOLATION_METHODS.get(self.method, self.method)}, which was off by "
            f"{100 * self.error:.1f} points where it could be checked."
        )


def extrapolate_pool(pool: Pool) -> dict[str, ExtrapolatedCurve]:
    """Return the extrapolated curves of a pool, up to four times its solutions; none if it has too few solutions."""
    N = pool.solutions
    if N < MIN_EXTRAPOLATED_SOLUTIONS:
        return {}
    S = [N * 3 // 2, 2 * N, 3 * N, EXTRAPOLATED_REACH * N]
    curves = {}
    for name, extrapolate in EXTRAPOLATORS.items():
        found = extrapolate(pool, S)
        curves[name] = ExtrapolatedCurve(
            method=found.method,
            error=round(found.error, ACCURACY_DIGITS),
            errors={method: round(error, ACCURACY_DIGITS) for method, error in found.errors.items()},
            measured_to=N,
            solutions=S,
            accuracy=round_accuracies(found.accuracy),
        )
    return curves


def predict_extrapolated_accuracy(profile: Profile, name: str, S: int) -> ExtrapolatedAccuracy | None:
    """Return a profile's accuracy at S solutions beyond its measurements, interpolated in log S.

    Args:
        profile: the profile.
        name: ``sc`` or ``coverage``.
        S: number of solutions.

    Returns:
        None if the profile has no extrapolation of it, or S is measured, or beyond the extrapolated range.
    """
    curve, part = profile.extrapolations.get(name), profile.coverage if name == "coverage" else profile.self_consistency
    if curve is None or part is None or not curve.measured_to < S <= curve.solutions[-1]:
        return None
    on, table = [*curve.solutions], curve.array
    if part.solutions[-1] == curve.measured_to:
        on, table = [curve.measured_to, *on], np.concatenate([part.array[:, -1:], table], axis=1)
    weights = np.array([np.interp(np.log(S), np.log(on), row) for row in np.eye(len(on))])
    values = table @ weights
    interval = None
    if profile.independent_problems > 1:
        low, high = compute_t_interval(compute_cluster_values(values, profile.clusters))
        reach = float(np.hypot((high - low) / 2, ndtri(0.975) * curve.error))
        interval = max(float(values.mean()) - reach, 0.0), min(float(values.mean()) + reach, 1.0)
    return ExtrapolatedAccuracy(S, float(values.mean()), interval, curve.error, curve.method, curve.measured_to, values)


def extrapolate_voting(profile: Profile, x: float, measured: float, expected: float) -> ExtrapolatedAccuracy | None:
    """Return SC's accuracy with all the solutions that a budget pays for, up to the extrapolated range.

    The extrapolation goes on from measured means, while a plan shows what is expected on new problems. So it is moved
    by the difference of the two. Where votes did not lose accuracy over the last measured doubling, it is at least what
    is expected within the measured range.

    Args:
        profile: the profile.
        x: the budget, in x.
        measured: SC's measured accuracy at the allocation that a plan shows.
        expected: its expected accuracy there.

    Returns:
        None within the measured range, or if the profile has no extrapolation.
    """
    curve = profile.extrapolations.get("sc")
    if curve is None:
        return None
    found = predict_extrapolated_accuracy(profile, "sc", min(int(x), curve.solutions[-1]))
    if found is None:
        return None
    accuracy = min(max(found.accuracy + expected - measured, 0.0), 1.0)
    if measure_last_rise(profile.self_consistency) > -RISE_THRESHOLD:
        accuracy = max(accuracy, expected)
    shift = accuracy - found.accuracy
    ends = found.interval and (max(found.interval[0] + shift, 0.0), min(found.interval[1] + shift, 1.0))
    return replace(found, accuracy=accuracy, interval=ends)


def measure_last_rise(curve: Curve) -> float:
    """Return how much the mean accuracy gained over the last doubling of the measured solutions; 0 with fewer than 4.

    >>> round(measure_last_rise(Curve(solutions=[1, 2, 4], accuracy=[[0.5, 0.5, 0.6]])), 6)
    0.1
    """
    sizes, means = np.array(curve.solutions), curve.array.mean(axis=0)
    if sizes[-1] < 4:
        return 0.0
    return float(means[-1] - np.interp(np.log(sizes[-1] / 2), np.log(sizes), means))
