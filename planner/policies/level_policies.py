"""The policies of a profile by level of difficulty: what each reaches there, and where it spends its mean compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.bootstrap import compute_percentile_interval, resample_means
from isocompute.planner.policies.prices import build_profile_prices
from isocompute.planner.policies.profile_rules import ScoredRule, list_priced_rules
from isocompute.planner.profile import Profile
from isocompute.planner.strategy_option import ConfidenceInterval


@dataclass(frozen=True)
class LevelSpending:
    """A policy on the problems of one level: means with 95 % intervals.

    Args:
        level: number of the level, 1 is the easiest; None for all problems.
        problem_share: share of the problems.
        accuracy, interval: accuracy, 0 … 1.
        compute, compute_interval: mean compute, in x.
    """

    level: int | None
    problem_share: float
    accuracy: float
    interval: ConfidenceInterval
    compute: float
    compute_interval: ConfidenceInterval


@dataclass(frozen=True)
class LevelPolicy:
    """A rule that stops early at a mean budget, by level. It does not know the level, and pays nothing for it.

    Args:
        rule: name of the rule.
        budget: the mean budget over all problems, in x.
        threshold: the threshold chosen on all problems; each problem is scored under settings chosen on others.
        limit: the most solutions that were chosen with it.
        whole: what it reaches and spends on all problems.
        levels: likewise on those of each level.
    """

    rule: str
    budget: float
    threshold: float
    limit: int
    whole: LevelSpending
    levels: list[LevelSpending]


def measure_level_policies(
    profile: Profile, levels: Ints, budgets: Sequence[float], weights: Floats
) -> list[LevelPolicy]:
    """Return the rules of a profile at each mean budget up to their full one, by level, the most accurate first.

    Args:
        profile: the profile.
        levels: (R, P) level of each problem in each draw.
        budgets: mean compute over all problems, in x.
        weights: (B, P) from `draw_bootstrap_weights`, for the intervals.
    """
    rules = list(list_priced_rules(profile, build_profile_prices(profile)))
    found = []
    for budget in budgets:
        within = [rule for rule in rules if budget < 2 * rule.compute.mean(axis=0).max()]
        scored = [rule for each in within if (rule := each.score_budget(budget)) is not None]
        scored.sort(key=lambda rule: (-rule.accuracy.mean(), rule.compute.mean()))
        found += [describe_level_policy(rule, budget, levels, weights) for rule in scored]
    return found


def describe_level_policy(rule: ScoredRule, budget: float, levels: Ints, weights: Floats) -> LevelPolicy:
    """Return what a rule reaches and spends on each level; a problem counts for a level as often as it is in it."""
    shares = {int(level): (levels == level).mean(axis=0) for level in np.unique(levels)}
    parts = [measure_level(rule, level, share, weights) for level, share in shares.items()]
    whole = measure_level(rule, None, np.ones(levels.shape[1]), weights)
    return LevelPolicy(rule.name, float(budget), rule.threshold, rule.limit, whole, parts)


def measure_level(rule: ScoredRule, level: int | None, shares: Floats, weights: Floats) -> LevelSpending:
    """Return the means of a rule over problems that belong to a level with (P,) some shares."""
    counts = resample_means(shares, weights)
    means, intervals = [], []
    for column in (rule.accuracy, rule.compute):
        replicates = np.full(len(weights), np.nan)  # NaN if a replicate draws no problem of the level
        np.divide(resample_means(column * shares, weights), counts, out=replicates, where=counts > 0)
        low, high = compute_percentile_interval(replicates)
        means.append(float((column * shares).sum() / shares.sum()))
        intervals.append((float(low), float(high)))
    return LevelSpending(level, float(shares.mean()), means[0], intervals[0], means[1], intervals[1])
