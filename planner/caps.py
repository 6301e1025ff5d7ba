"""Comparison of limits on the length of solutions within a budget, by self-consistency at equal compute.

C = S·T(1 + λV): a lower limit makes a solution cheaper, so that the same budget pays for more of them. Each limit gets
all solutions that the budget pays for, and is compared with the run's own limit on the same problems.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits.choice.allocation_grid import compute_knot_weights
from isocompute.fits.mean_intervals import compute_difference_interval, compute_mean_interval
from isocompute.planner.compare import ConfidenceInterval
from isocompute.planner.profile import LengthCaps, Profile

CONFIDENCE = 0.95


@dataclass(frozen=True)
class CapOption:
    """Self-consistency under one limit, with all solutions that the budget pays for.

    Args:
        limit: T, the most completion tokens of a solution.
        cut: share of the solutions that are cut.
        tokens: mean completion tokens of a solution.
        cost: cost of a solution, in x: its tokens over those under the run's own limit.
        solutions: S, the number of solutions that the budget pays for, at most those that were measured.
        at_limit: whether the budget pays for more solutions than were measured.
        accuracy: mean over the measured problems.
        interval: 95 % interval of the accuracy; None without per-problem values, or of one problem.
        gain: accuracy minus that under the run's own limit; None for that one itself.
        gain_interval: 95 % interval of the gain, paired over problems; None likewise.
        joint_interval: interval of the gain that holds for all limits at once with 95 % (Bonferroni); None likewise.
    """

    limit: int
    cut: float
    tokens: float
    cost: float
    solutions: int
    at_limit: bool
    accuracy: float
    interval: ConfidenceInterval | None
    gain: float | None
    gain_interval: ConfidenceInterval | None
    joint_interval: ConfidenceInterval | None


@dataclass(frozen=True, eq=False)
class CapComparison:
    """The limits within one budget.

    Args:
        budget: compute per problem, in x: one x is a solution under the run's own limit.
        own_limit: the run's own ``max_tokens``; None if it is unknown.
        options: the limits, increasing. The last one is the length of the longest solution, which changes nothing.
    """

    budget: float
    own_limit: int | None
    options: list[CapOption]

    @property
    def best(self) -> CapOption:
        """The limit with the highest accuracy; of equal ones the highest."""
        return max(self.options, key=lambda option: (round(option.accuracy, 9), option.limit))

    @property
    def is_settled(self) -> bool | None:
        """Whether the best limit differs from the run's own, or this one from all lower ones, beyond chance.

        None without intervals.
        """
        *lower, own = self.options
        if any(option.joint_interval is None for option in lower):
            return None
        if self.best is own:
            return all(option.joint_interval[1] < 0 for option in lower if option.joint_interval)
        return self.best.joint_interval is not None and self.best.joint_interval[0] > 0

    def describe_best(self) -> str:
        """Return a sentence on the limit that is best at the budget, and on whether that is settled."""
        lower = self.options[:-1]
        best, at = self.best, f"At {self.budget:,.6g}x"
        if best.gain is None:
            text = f"{at} no lower limit gives SC a higher accuracy than the run's own"
            if self.is_settled is None:
                return f"{text}; a profile of means does not tell whether that is chance."
            if self.is_settled:
                return f"{text}; that is settled: each of them is worse beyond chance."
            open_limits = ", ".join(f"{o.limit:,}" for o in lower if o.joint_interval and o.joint_interval[1] >= 0)
            return f"{text}; that is not settled: with {open_limits} tokens the difference may be chance."
        text = f"{at} a limit of {best.limit:,} tokens gives SC the highest accuracy"
        if best.joint_interval is None:
            return f"{text}; a profile of means does not tell whether that is chance."
        low, high = (f"{100 * end:+.1f}" for end in best.joint_interval)
        verdict = "settled" if self.is_settled else "not settled"
        counted = "" if len(lower) == 1 else f", with the choice among {len(self.options)} limits counted"
        return (
            f"{text}; that it beats the run's own is {verdict}: {100 * best.gain:+.1f} points, "
            f"95 % interval [{low}, {high}]{counted}."
        )

    def describe_limits(self) -> str | None:
        """Return a sentence on the limits under which the budget pays for more than was measured; None without any."""
        limited = [option for option in self.options if option.at_limit]
        if not limited:
            return None
        limits = ", ".join(f"{option.limit:,}" for option in limited)
        return (
            f"Only {limited[0].solutions:,} solutions of a problem were measured; where the budget pays for more "
            f"(limits {limits}), accuracies are not compared at equal compute."
        )


def compare_caps(profile: Profile, budget: float) -> CapComparison:
    """Compare self-consistency under each limit within a budget.

    Under a limit the budget pays for S = ⌊C / c⌋ solutions, where c is a solution's mean completion tokens over those
    under the run's own limit. Between measured S, accuracies are interpolated in log S.

    Args:
        profile: the measurements.
        budget: C, compute per problem, in x; at least 1.

    Raises:
        DataError: the profile holds no caps.
    """
    caps = require_caps(profile)
    costs = [tokens / caps.tokens[-1] for tokens in caps.tokens]
    paid = [math.floor(budget / cost + 1e-9) for cost in costs]
    solutions = [min(S, caps.solutions[-1]) for S in paid]
    weights = compute_knot_weights(np.array(solutions), np.array(caps.solutions), "S")
    values: NDArray[np.float64] = np.einsum("pls,ls->pl", caps.array, weights)
    intervals, gains, joint = enclose_caps(profile, values)
    options = [
        CapOption(
            limit=limit,
            cut=caps.cut[i],
            tokens=caps.tokens[i],
            cost=costs[i],
            solutions=solutions[i],
            at_limit=paid[i] > solutions[i],
            accuracy=float(values[:, i].mean()),
            interval=None if intervals is None else intervals[i],
            gain=None if limit == caps.limits[-1] else float((values[:, i] - values[:, -1]).mean()),
            gain_interval=None if gains is None or limit == caps.limits[-1] else gains[i],
            joint_interval=None if joint is None or limit == caps.limits[-1] else joint[i],
        )
        for i, limit in enumerate(caps.limits)
    ]
    return CapComparison(budget, caps.own_limit, options)


def require_caps(profile: Profile) -> LengthCaps:
    """Return the part of a profile on caps.

    Raises:
        DataError: there is none; the sentence says how to make one.
    """
    if profile.caps is None:
        raise DataError(
            f"The profile '{profile.name}' holds no caps on length: fit its run again, with answers to vote on and "
            "completion tokens of every solution."
        )
    return profile.caps


def enclose_caps(
    profile: Profile, values: NDArray[np.float64]
) -> tuple[list[ConfidenceInterval] | None, list[ConfidenceInterval] | None, list[ConfidenceInterval] | None]:
    """Return the intervals of the accuracies, of the gains over the last column, and of all gains at once.

    Args:
        profile: the measurements, with the groups of the problems.
        values: (P, L) accuracies.
    """
    if profile.independent_problems < 2:
        return None, None, None
    groups = profile.strata, profile.clusters
    gains = values[:, :-1] - values[:, -1:]
    joint_level = 1 - (1 - CONFIDENCE) / max(gains.shape[1], 1)
    pairs = (
        compute_mean_interval(values, *groups, level=CONFIDENCE),
        compute_difference_interval(gains, *groups, level=CONFIDENCE),
        compute_difference_interval(gains, *groups, level=joint_level),
    )
    intervals, plain, joint = ([(float(low), float(high)) for low, high in zip(*ends, strict=True)] for ends in pairs)
    return intervals, plain, joint
