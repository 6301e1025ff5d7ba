"""Comparison of limits on the length of solutions within a budget, by self-consistency at equal compute.

C = S·T(1 + λV): a lower limit makes a solution cheaper, so that the same budget pays for more of them. Each limit gets
all solutions that the budget pays for, and is compared with the run's own limit on the same problems. What the best
limit gains is measured on other problems than those that it was chosen on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.allocation_grid import compute_knot_weights
from isocompute.fits.choice.held_out import split_folds
from isocompute.fits.mean_intervals import compute_difference_interval, compute_mean_interval
from isocompute.planner.profile import LengthCaps, Profile
from isocompute.planner.strategy_option import ConfidenceInterval

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
        held_out_gain: gain of the best limit over the run's own, on problems that it was not chosen on; None without
            intervals.
        held_out_interval: its 95 % interval.
    """

    budget: float
    own_limit: int | None
    options: list[CapOption]
    held_out_gain: float | None
    held_out_interval: ConfidenceInterval | None

    @property
    def best(self) -> CapOption:
        """The limit with the highest accuracy; of equal ones the highest."""
        return max(self.options, key=lambda option: (round(option.accuracy, 9), option.limit))

    @property
    def is_settled(self) -> bool | None:
        """True if the best limit beats the run's own, or this one all lower ones, beyond chance.

        None without intervals.
        """
        if self.held_out_interval is None:
            return None
        return not self._open_limits if self.best is self.options[-1] else self.held_out_interval[0] > 0

    @property
    def _open_limits(self) -> list[int]:
        """The lower limits that may be as good as the run's own."""
        ends = [(option.limit, option.joint_interval) for option in self.options]
        return [limit for limit, interval in ends if interval is not None and interval[1] >= 0]

    def describe_best(self) -> str:
        """Return a sentence on the limit that is best at the budget, and on whether that is settled."""
        at, unknown = f"At {self.budget:,.6g}x", "a profile of means does not tell whether that is chance"
        if self.best is self.options[-1]:
            text = f"{at} no lower limit gives SC a higher accuracy than the run's own"
            if self.is_settled is None:
                return f"{text}; {unknown}."
            if self.is_settled:
                return f"{text}; that is settled: each of them is worse beyond chance."
            limits = ", ".join(f"{limit:,}" for limit in self._open_limits)
            counted = "" if len(self.options) == 2 else f", with all {len(self.options) - 1} lower limits counted"
            return f"{text}; that is not settled: with {limits} tokens the difference may be chance{counted}."
        text = f"{at} a limit of {self.best.limit:,} tokens gives SC the highest accuracy"
        if self.held_out_gain is None or self.held_out_interval is None:
            return f"{text}; {unknown}."
        low, high = (f"{100 * end:+.1f}" for end in self.held_out_interval)
        return (
            f"{text}. Chosen on other problems, the best limit gains {100 * self.held_out_gain:+.1f} points over the "
            f"run's own, 95 % interval [{low}, {high}], so that is {'settled' if self.is_settled else 'not settled'}."
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
    values: Floats = np.einsum("pls,ls->pl", caps.array, weights)
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
    held_out = score_chosen_limits(values, profile.clusters) if joint is not None else None
    held_out_interval = None
    if held_out is not None:
        low, high = compute_difference_interval(held_out, profile.strata, profile.clusters, CONFIDENCE)
        held_out_interval = float(low), float(high)
    gain = None if held_out is None else float(held_out.mean())
    return CapComparison(budget, caps.own_limit, options, gain, held_out_interval)


def score_chosen_limits(values: Floats, clusters: ArrayLike | None = None) -> Floats:
    """Return what each problem gains over the last limit by the best limit on other problems, the mean over folds.

    Args:
        values: (P, L) accuracies of P ≥ 2 problems.
        clusters: (P,) cluster of each problem, held out whole; None if each is its own.

    >>> score_chosen_limits(np.array([[0.9, 0.5], [0.1, 0.5]]))  # each takes the other's best limit
    array([ 0. , -0.4])
    """
    folds = split_folds(len(values), clusters=clusters)
    gains = values - values[:, -1:]
    means = folds.train.astype(float) @ gains / folds.train.sum(axis=1, keepdims=True)
    chosen = means.shape[1] - 1 - np.argmax(means.round(9)[:, ::-1], axis=1)  # of equal ones the highest
    scores = np.where(folds.test, gains[:, chosen].T, 0.0)
    return np.asarray(scores.sum(axis=0) / folds.test.sum(axis=0))


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
    profile: Profile, values: Floats
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
