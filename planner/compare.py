"""Comparison of the strategies within a budget, with intervals.

The allocations to run are chosen on all problems, but their accuracies are cross-fitted: the problems are split into
folds repeatedly, the allocation is chosen on the other folds, and each problem is scored under an allocation that was
chosen without it. The strategy with the highest cross-fitted accuracy is recommended. That strategy is ahead partly by
luck, so for the expected accuracy the strategy, too, is chosen again without the problem that is scored. Intervals
resample per-problem scores, paired across strategies, see `enclose_intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from isocompute.fits.arrays import Floats
from isocompute.fits.bootstrap import compute_percentile_interval, draw_bootstrap_weights, resample_means
from isocompute.fits.choice.held_out import score_held_out, score_in_sample, split_folds
from isocompute.fits.choice.ties import choose_cheapest, find_ties
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_doubling_budgets, list_strategy_options
from isocompute.planner.strategies.registry import is_search

COMPARISON_REPLICATES = 4000
COMPARISON_SEED = 128

ConfidenceInterval = tuple[float, float]


@dataclass(frozen=True)
class StrategyOption:
    """A strategy at its best allocation within the budget.

    Args:
        strategy: ``sc``, ``genrm``, ``genrm+vote``, ``weighted``, ``fused``, ``bon``, ``prm-weighted``, or a search and
            its rule of selection, such as ``beam+weighted``.
        numbers: the allocation: S solutions and V verifications of each; for a search N slots, width M and
            lookahead k.
        compute: cost of the allocation, in x.
        accuracy: mean over problems, each scored under an allocation that was chosen on other problems.
        interval: 95 % interval of the accuracy over problems; None without per-problem values.
        probability_best: share of the bootstrap replicates in which no other strategy is ahead; None without
            per-problem values.
        gap: accuracy of the recommendation minus that of this strategy; None for the recommendation itself.
        gap_interval: 95 % interval of the gap, paired; it allows for the luck of being recommended.
    """

    strategy: str
    numbers: dict[str, int]
    compute: float
    accuracy: float
    interval: ConfidenceInterval | None
    probability_best: float | None
    gap: float | None = None
    gap_interval: ConfidenceInterval | None = None

    @property
    def settings(self) -> str:
        """The allocation as text, such as ``S=16 V=8``."""
        return " ".join(f"{name}={number}" for name, number in self.numbers.items())

    @property
    def solutions(self) -> int | None:
        """The number of solutions S; None for a search."""
        return self.numbers.get("S")

    @property
    def verifications(self) -> int | None:
        """The verifications V of each solution, 0 for a strategy without verifications; None for a search."""
        return self.numbers.get("V", 0) if "S" in self.numbers else None


@dataclass(frozen=True)
class Comparison:
    """The strategies within a budget.

    Args:
        options: each strategy at its best allocation, the recommended one first.
        expected_accuracy: accuracy on problems that had no part in choosing the strategy or its allocation.
        interval: 95 % interval of the expected accuracy; None without per-problem values.
        close_call_share: share of the training folds in which a strategy other than the recommended one was ahead.
    """

    options: list[StrategyOption]
    expected_accuracy: float
    interval: ConfidenceInterval | None
    close_call_share: float

    def get_lead(self, strategy: str) -> tuple[float, ConfidenceInterval | None] | None:
        """Return the lead of the choice over a strategy on held-out problems, and its interval.

        The lead is below zero where the choice is so close that, repeated on other problems, it loses.

        Returns:
            None for the recommended strategy itself, and for a strategy that the budget does not pay for.
        """
        for option in self.options[1:]:
            if option.strategy == strategy:
                return self.expected_accuracy - option.accuracy, option.gap_interval
        return None


def compute_frontier(profile: Profile) -> list[tuple[float, Comparison]]:
    """Compare the strategies at each of `list_doubling_budgets`, which gives the compute frontier of each.

    Returns:
        Pairs of a budget in x and the comparison at that budget.
    """
    return [(x, compare_strategies(profile, x, profile.lam)) for x in list_doubling_budgets(profile)]


def compare_strategies(profile: Profile, x: float, lam: float | None) -> Comparison:
    """Compare the best allocations of the strategies within a budget; ties go to the cheapest.

    Args:
        profile: the measurements.
        x: the budget, in x.
        lam: λ; None without verifications, or if it is unknown.
    """
    # The allocations to run: chosen and scored on all problems, which is optimistic.
    affordable = [options for options in list_strategy_options(profile, lam) if options.lowest_cost <= x]
    in_sample_scores = score_in_sample(affordable, [x])
    # The accuracies to report: each problem is scored under an allocation chosen without it. One problem has no others.
    P = len(profile.self_consistency.accuracy)
    held_out_scores = score_held_out(affordable, [x], split_folds(P)) if P > 1 else in_sample_scores
    means = held_out_scores.accuracy[:-1, :, 0].mean(axis=1)  # the last row is the choice among the strategies
    costs = [
        float(o.grid.cost[at])
        for o, at in zip(affordable, in_sample_scores.choices.allocation_index[:, 0, 0], strict=True)
    ]
    errors = np.array([options.error for options in affordable])
    # The recommended strategy comes first, the others in their own order.
    recommended = int(choose_cheapest(means, costs, errors))
    order = [recommended, *(i for i in range(len(affordable)) if i != recommended)]
    # Replicates by bootstrap over problems; None with one problem. All strategies share the draws, so gaps are paired.
    held_out = resample_accuracies(held_out_scores.accuracy[:, :, 0])
    probabilities = None if held_out is None else compute_win_shares(held_out[:-1], errors)
    in_sample = resample_accuracies(in_sample_scores.accuracy[:, :, 0])
    is_search_option = [is_search(options.strategy) for options in affordable]

    compared = []
    for i in order:
        grid, chosen = affordable[i].grid, int(in_sample_scores.choices.allocation_index[i, 0, 0])
        gap = None if i == recommended else float(means[recommended] - means[i])
        in_sample_if_search = in_sample if is_search_option[i] or is_search_option[recommended] else None
        gap_interval = None if gap is None else enclose_intervals(held_out, in_sample_if_search, [recommended, -1], i)
        compared.append(
            StrategyOption(
                strategy=affordable[i].strategy,
                numbers={name: int(numbers[chosen]) for name, numbers in grid.numbers.items()},
                compute=costs[i],
                accuracy=float(means[i]),
                interval=enclose_intervals(held_out, in_sample if is_search_option[i] else None, [i]),
                probability_best=None if probabilities is None else float(probabilities[i]),
                gap=gap,
                gap_interval=gap_interval,
            )
        )
    return Comparison(
        options=compared,
        expected_accuracy=float(held_out_scores.accuracy[-1, :, 0].mean()),
        interval=enclose_intervals(held_out, in_sample if is_search_option[recommended] else None, [recommended, -1]),
        close_call_share=float((held_out_scores.choices.strategy_index != recommended).mean()),
    )


def resample_accuracies(values: Floats) -> Floats | None:
    """Return the bootstrap replicates of mean accuracies over problems, (options, replicates).

    Args:
        values: (options, P) accuracies.

    Returns:
        None with fewer than two problems.
    """
    if values.shape[1] < 2:
        return None
    return resample_means(values.T, draw_resamplings(values.shape[1])).T


@lru_cache(maxsize=1)
def draw_resamplings(problems: int) -> Floats:
    """Return the bootstrap weights for a number of problems; every comparison uses the same."""
    return draw_bootstrap_weights(problems, COMPARISON_REPLICATES, COMPARISON_SEED)


def compute_win_shares(spread: Floats, errors: Floats) -> Floats:
    """Return the share of replicates in which each option is the best; options that tie share the replicate.

    Args:
        spread: (options, replicates) of mean accuracies.
        errors: (options,) standard errors of the means that come from Monte Carlo draws.
    """
    top = find_ties(spread, errors[:, None])
    return np.asarray((top / top.sum(axis=0)).mean(axis=1))


def compute_interval(replicates: Floats) -> ConfidenceInterval:
    """Return the 95 % percentile interval of replicates."""
    low, high = compute_percentile_interval(replicates)
    return float(low), float(high)


def enclose_intervals(
    held_out: Floats | None, in_sample: Floats | None, rows: list[int], other: int | None = None
) -> ConfidenceInterval | None:
    """Return a 95 % interval of an option's accuracy, or of its lead over another, enclosing those of several rows.

    The recommended option is ahead partly by luck. Its own row is a little too high; the row of the repeated choice is
    a little too low where the choice is close. Either interval alone covers the truth too rarely, and the interval
    that encloses both covers it (docs/coverage.md).

    For a search the in-sample interval is enclosed as well. A search has only one answer per problem and seed, and each
    allocation has its own, so the chosen allocation depends largely on luck, and the held-out score varies with the
    choice by more than the bootstrap shows. In simulation (60 and 150 problems, 1 and 2 seeds, 600 worlds each) the
    held-out interval alone covers 88 to 92 %, and both together 94 to 96 %.
    See `fits.choice.held_out.compute_enclosing_interval`.

    Args:
        held_out: (options + 1, replicates) of held-out accuracies; None if there are no replicates.
        in_sample: the same in sample; None where no search is involved.
        rows: the option's row, and -1 for the repeated choice.
        other: the row over which the lead is measured; None for the accuracy itself.
    """
    if held_out is None:
        return None
    replicate_rows = [
        replicates[row] - (0 if other is None else replicates[other])
        for replicates in (held_out, in_sample)
        if replicates is not None
        for row in rows
    ]
    lows, highs = zip(*map(compute_interval, replicate_rows), strict=True)
    return min(lows), max(highs)


def find_cheaper_option(options: list[StrategyOption]) -> StrategyOption | None:
    """Return the most accurate option that costs at most half of the first and is not clearly behind it, if any.

    An option is clearly behind if its gap interval lies above zero.
    """
    first, *others = options
    return next(
        (
            option
            for option in sorted(others, key=lambda option: -option.accuracy)
            if 2 * option.compute <= first.compute and option.gap_interval is not None and option.gap_interval[0] <= 0
        ),
        None,
    )
