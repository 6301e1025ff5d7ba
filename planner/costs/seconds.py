"""Latency of one answer: the slowest of the requests that run side by side, and the stages one after the other.

SC waits for the slowest of S solutions. A verified strategy then waits for the slowest of S·V verifications, and a
scored one for the slowest of S scores, as stages that start when the one before is complete. A search waits for each of
its rounds, and its measured rows include that. The expected maximum is that of independent draws from the measured
rows, so it holds at the load under which they ran.

Where rows ran at several loads, a throughput law is fitted, and the requests of a stage are taken to start together: a
token takes longer the more of them are still at work, see `isocompute.fits.laws.throughput`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits.arrays import Floats
from isocompute.fits.laws.throughput import ThroughputLaw, fit_throughput
from isocompute.planner.costs.usage import REQUESTS, RoleUsage, UnknownCostError
from isocompute.planner.profile import TIME_LEVELS, Profile, TimeSpread


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


def fit_role_throughput(spread: TimeSpread | None) -> ThroughputLaw | None:
    """Fit a role's seconds of a token against the number of requests at once; None if they ran at one load only."""
    if spread is None or not spread.loads or spread.lengths is None:
        return None
    return fit_throughput(
        [point.concurrency for point in spread.loads],
        [point.token_seconds for point in spread.loads],
        [point.rows for point in spread.loads],
    )


def compute_slowest_request(profile: Profile, usage: RoleUsage, counts: ArrayLike, batch: int | None = None) -> Floats:
    """Compute the expected seconds of the slowest of n requests of a role on the same problem, mean over problems.

    Args:
        profile: the profile, with the spread of times around each problem's mean.
        usage: the role's mean times by problem.
        counts: (n,) numbers of requests, ≥ 1.
        batch: requests at once on the machine, these among them, where rows ran at several loads; None if there are no
            others. Where they ran at one load only, the seconds hold at that one.

    Raises:
        UnknownCostError: the rows have no times, or the profile does not hold their spread.
    """
    mean = float(usage.require_tokens("seconds").mean())
    spread = profile.timings.get(usage.role)
    if spread is None:
        raise UnknownCostError(
            f"the profile does not hold how the times of {REQUESTS[usage.role]} spread; fit the run again"
        )
    law, n = fit_role_throughput(spread), np.asarray(counts, dtype=float)
    if law is None or spread.lengths is None:
        return mean * compute_expected_maximum(spread.ratios, TIME_LEVELS, n)
    tokens = float(usage.require_tokens("completion").mean())
    longest = tokens * compute_expected_maximum(spread.lengths, TIME_LEVELS, n)
    others = np.maximum((batch or 0) - n, 0)
    return law.compute_batch_seconds(longest, n * tokens, others)


def compute_machine_seconds(profile: Profile, usage: RoleUsage, batch: int | None = None) -> Floats:
    """Compute (P,) the seconds of the machine that a request takes: its wall time over the requests that share it.

    Problems share the total by their completion tokens, where a role samples any: the wall time of a row depends on how
    long it waited too.

    Args:
        profile: the profile, with the number of requests at once.
        usage: the role's mean times by problem.
        batch: requests at once, where rows ran at several loads; the run's mean number if not given.

    Raises:
        UnknownCostError: the rows have no times, or not all say when they started.
    """
    seconds = usage.require_tokens("seconds")
    spread = profile.timings.get(usage.role)
    if spread is None or spread.concurrency is None:
        raise UnknownCostError(f"the profile does not hold how many requests of the {usage.role} ran at once")
    tokens, law = usage.completion, fit_role_throughput(spread)
    if tokens is None or not tokens.any():
        return seconds / spread.concurrency
    if law is None or batch is None:
        return np.asarray(tokens / tokens.mean() * (seconds.mean() / spread.concurrency))
    return np.asarray(tokens / float(law.compute_throughput(batch)))


def compute_latency(
    profile: Profile,
    usage: dict[str, RoleUsage],
    S: ArrayLike,
    V: ArrayLike,
    scored: bool,
    batch: int | None = None,
) -> Floats:
    """Compute the expected seconds until an answer, for allocations over a pool.

    Args:
        profile: the profile.
        usage: its usage by role.
        S: (A,) solutions.
        V: (A,) verifications of each; 0 without.
        scored: whether each solution is scored once.
        batch: requests at once, as in `compute_slowest_request`.

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
        total += compute_slowest_request(profile, usage[role], np.maximum(distinct, 1), batch)[place]
    return total


def describe_load(profile: Profile, batch: int | None = None) -> str:
    """Say at which numbers of requests at once latencies hold.

    Args:
        profile: the profile.
        batch: requests at once, as in `compute_slowest_request`.
    """
    laws = {role: fit_role_throughput(spread) for role, spread in profile.timings.items()}
    fitted = [_describe_law(role, law) for role, law in laws.items() if law is not None]
    loads = [
        f"{_format_count(spread.concurrency)} for the {role} ({_format_count(spread.rows / spread.busy)} done a second)"
        for role, spread in profile.timings.items()
        if spread.concurrency and spread.busy and laws[role] is None
    ]
    sentences = []
    if fitted:
        others = "an answer's own" if batch is None else f"{batch:,} in all, or an answer's own if more"
        sentences.append(
            f"Latencies are at as many requests at once as {others}, by throughput fitted from {', '.join(fitted)}."
        )
    if loads:
        sentences.append(f"Latencies hold at the load of the run; requests at once: {', '.join(loads)}.")
    if not sentences:
        sentences.append("Latencies hold at the load of the run, whose number of requests at once is unknown.")
    if profile.searches:
        sentences.append(
            "A search takes as long as it took in the run, beside all other searches and not beside the solutions, so "
            "that its latency may be of another load."
        )
    return " ".join(sentences)


def _describe_law(role: str, law: ThroughputLaw) -> str:
    """Say from which numbers of requests at once a role's throughput is fitted, and how well."""
    most = f", saturating at {_format_count(1 / law.shared)} tokens a second" if law.shared else ""
    measured = f"{_format_count(law.lowest)} to {_format_count(law.highest)}"
    return f"{measured} for the {role} (off by {100 * law.error:.0f} % at most{most})"


def _format_count(number: float) -> str:
    """Return a number with three significant digits, or as a whole number from 100 on."""
    return f"{number:,.0f}" if number >= 99.5 else f"{number:.3g}"
