"""Latency of one answer: the slowest of the requests that run side by side, and the stages one after the other.

SC waits for the slowest of S solutions. A verified strategy then waits for the slowest of S·V verifications, and a
scored one for the slowest of S scores, as stages that start when the one before is complete. A search waits for each of
its rounds, and its measured rows include that. The expected maximum is that of independent draws from the measured
rows, so it holds at the load under which they ran.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits.arrays import Floats
from isocompute.planner.costs.usage import REQUESTS, RoleUsage, UnknownCostError
from isocompute.planner.profile import TIME_LEVELS, Profile


def compute_expected_maximum(quantiles: ArrayLike, levels: ArrayLike, counts: ArrayLike) -> Floats:
    """Compute the expected maximum of n independent draws from a distribution, E = ∫ Q(u) d(uⁿ).

    Q is linear between the quantiles, so the integral is exact: over a piece from u₀ to u₁ with slope b it is
    Q(u₁)u₁ⁿ - Q(u₀)u₀ⁿ - b(u₁ⁿ⁺¹ - u₀ⁿ⁺¹)/(n + 1).

    Args:
        quantiles: (m,) values of Q at the levels.
        levels: (m,) from 0 to 1, increasing.
        counts: (n,) numbers of draws, ≥ 1.

    Example:
        >>> compute_expected_maximum([0.0, 1.0], [0.0, 1.0], [1, 3]).tolist()
        [0.5, 0.75]
    """
    values, at, n = np.asarray(quantiles, float), np.asarray(levels, float), np.asarray(counts, float)
    slopes = np.diff(values) / np.diff(at)
    powers = at[:, None] ** (n + 1) / (n + 1)
    return np.asarray(values[-1] - slopes @ np.diff(powers, axis=0))


def compute_slowest_request(profile: Profile, usage: RoleUsage, counts: ArrayLike) -> Floats:
    """Compute the expected seconds of the slowest of n requests of a role on the same problem, mean over problems.

    Args:
        profile: the profile, with the spread of times around each problem's mean.
        usage: the role's mean times by problem.
        counts: (n,) numbers of requests, ≥ 1.

    Raises:
        UnknownCostError: the rows have no times, or the profile does not hold their spread.
    """
    mean = float(usage.require_tokens("seconds").mean())
    spread = profile.timings.get(usage.role)
    if spread is None:
        raise UnknownCostError(
            f"the profile does not hold how the times of {REQUESTS[usage.role]} spread; fit the run again"
        )
    return mean * compute_expected_maximum(spread.ratios, TIME_LEVELS, counts)


def compute_latency(profile: Profile, usage: dict[str, RoleUsage], S: ArrayLike, V: ArrayLike, scored: bool) -> Floats:
    """Compute the expected seconds until an answer, for allocations over a pool.

    Args:
        profile: the profile.
        usage: its usage by role.
        S: (A,) solutions.
        V: (A,) verifications of each; 0 without.
        scored: whether each solution is scored once.

    Raises:
        UnknownCostError: a time is unknown.
    """
    solutions, verifications = np.asarray(S, dtype=np.int64), np.asarray(V, dtype=np.int64)
    stages = [("solver", solutions)]
    if verifications.any():
        stages.append(("verifier", solutions * verifications))
    if scored:
        stages.append(("scorer", solutions))
    total = np.zeros(len(solutions))
    for role, counts in stages:
        if role not in usage:
            raise UnknownCostError(f"the profile does not hold the seconds of {REQUESTS[role]}")
        distinct, place = np.unique(counts, return_inverse=True)
        total += compute_slowest_request(profile, usage[role], np.maximum(distinct, 1))[place]
    return total


def describe_load(profile: Profile) -> str:
    """Say under which load the times were measured: requests at once, and how many of them end in a second."""
    loads = [
        f"{spread.concurrency:,.3g} for the {role} ({spread.rows / spread.busy:,.3g} done a second)"
        for role, spread in profile.timings.items()
        if spread.concurrency and spread.busy
    ]
    if not loads:
        return "Latencies hold at the load of the run, whose number of requests at once is unknown."
    return f"Latencies hold at the load of the run; requests at once: {', '.join(loads)}."
