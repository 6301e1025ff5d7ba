"""Which strategy is ahead within a budget, and how sure is that?

What is run is chosen on all problems. What it is said to reach is not: the problems are split into folds again and
again, numbers are chosen on the other folds, and each problem is scored under the numbers that were chosen without it.
So are the strategies compared, and the one ahead is recommended. It is ahead by some luck, so what is expected of it is
what the choice of a strategy reaches where that too is made without the problem. Intervals resample per-problem scores,
paired across strategies, see `enclose_intervals`.
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
        strategy: `sc`, `genrm`, `genrm+vote`, `weighted`, `fused`, `bon`, `prm-weighted`, or a search and its rule of
            selection, such as `beam+weighted`.
        numbers: what it is set by: S solutions, V verifications of each; of a search N slots, M the width, k the
            lookahead.
        compute: what it costs, in x.
        accuracy: with numbers chosen on other problems.
        interval: 95 %, over problems; None without per-problem values.
        probability_best: share of the resamplings of the problems in which none of the others is ahead; None likewise.
        gap: accuracy of the recommendation minus this one's; None for the recommendation itself.
        gap_interval: 95 %, paired, the luck of being recommended allowed for.
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
        """What it is set by, as people write it: ``S=16 V=8``."""
        return " ".join(f"{name}={number}" for name, number in self.numbers.items())

    @property
    def solutions(self) -> int | None:
        """S; None of a search."""
        return self.numbers.get("S")

    @property
    def verifications(self) -> int | None:
        """V of each solution, 0 where none is verified; None of a search."""
        return self.numbers.get("V", 0) if "S" in self.numbers else None


@dataclass(frozen=True)
class Comparison:
    """The strategies within a budget.

    Args:
        options: each at its best, the recommended first.
        expected: what the choice reaches on problems on which neither strategy nor numbers were chosen.
        interval: 95 %, of that; None without per-problem values.
        torn: on what share of the training folds another strategy than the recommended was ahead.
    """

    options: list[StrategyOption]
    expected_accuracy: float
    interval: ConfidenceInterval | None
    close_call_share: float

    def get_lead(self, strategy: str) -> tuple[float, ConfidenceInterval | None] | None:
        """Return what the choice is ahead of a strategy by, on problems that neither was chosen on, and its interval.

        Below zero where the choice is so close that made anew it loses; None of what is recommended itself, and of what
        the budget does not pay for.
        """
        for option in self.options[1:]:
            if option.strategy == strategy:
                return self.expected_accuracy - option.accuracy, option.gap_interval
        return None


def compute_frontier(profile: Profile) -> list[tuple[float, Comparison]]:
    """Compare the strategies at every power of two that was measured: the compute frontier of each.

    Returns:
        Pairs of a budget in x and the strategies at it.
    """
    return [(x, compare_strategies(profile, x, profile.lam)) for x in list_doubling_budgets(profile)]


def compare_strategies(profile: Profile, x: float, lam: float | None) -> Comparison:
    """Hold each strategy's best allocation within a budget against the others'; ties go to the cheapest."""
    affordable = [options for options in list_strategy_options(profile, lam) if options.lowest_cost <= x]
    run = score_in_sample(affordable, [x])
    P = len(profile.self_consistency.accuracy)
    scored = score_held_out(affordable, [x], split_folds(P)) if P > 1 else run
    means = scored.accuracy[:-1, :, 0].mean(axis=1)
    costs = [float(o.grid.cost[at]) for o, at in zip(affordable, run.choices.allocation_index[:, 0, 0], strict=True)]
    errors = np.array([options.error for options in affordable])
    first = int(choose_cheapest(means, costs, errors))
    rows = [first, *(i for i in range(len(affordable)) if i != first)]
    honest = resample_accuracies(scored.accuracy[:, :, 0])
    probabilities = None if honest is None else compute_win_shares(honest[:-1], errors)
    flattering = resample_accuracies(run.accuracy[:, :, 0])
    luck = [is_search(options.strategy) for options in affordable]

    found = []
    for i in rows:
        tried, chosen = affordable[i].grid, int(run.choices.allocation_index[i, 0, 0])
        gap = None if i == first else float(means[first] - means[i])
        lucky = flattering if luck[i] or luck[first] else None
        found.append(
            StrategyOption(
                strategy=affordable[i].strategy,
                numbers={name: int(numbers[chosen]) for name, numbers in tried.numbers.items()},
                compute=costs[i],
                accuracy=float(means[i]),
                interval=enclose_intervals(honest, flattering if luck[i] else None, [i]),
                probability_best=None if probabilities is None else float(probabilities[i]),
                gap=gap,
                gap_interval=None if gap is None else enclose_intervals(honest, lucky, [first, -1], i),
            )
        )
    return Comparison(
        options=found,
        expected_accuracy=float(scored.accuracy[-1, :, 0].mean()),
        interval=enclose_intervals(honest, flattering if luck[first] else None, [first, -1]),
        close_call_share=float((scored.choices.strategy_index != first).mean()),
    )


def resample_accuracies(values: Floats) -> Floats | None:
    """Return (options, replicates) of mean accuracies, resampling problems; None if there is nothing to resample."""
    if values.shape[1] < 2:
        return None
    return resample_means(values.T, draw_resamplings(values.shape[1])).T


@lru_cache(maxsize=1)
def draw_resamplings(problems: int) -> Floats:
    """Return the resamplings of so many problems, the same in every comparison."""
    return draw_bootstrap_weights(problems, COMPARISON_REPLICATES, COMPARISON_SEED)


def compute_win_shares(spread: Floats, errors: Floats) -> Floats:
    """Return how often each option is the best; options that tie share the replicate."""
    top = find_ties(spread, errors[:, None])
    return np.asarray((top / top.sum(axis=0)).mean(axis=1))


def compute_interval(replicates: Floats) -> ConfidenceInterval:
    """Return the 95 % interval of replicates."""
    low, high = compute_percentile_interval(replicates)
    return float(low), float(high)


def enclose_intervals(
    honest: Floats | None, flattering: Floats | None, rows: list[int], other: int | None = None
) -> ConfidenceInterval | None:
    """Return the 95 % interval of an option, or of what it is ahead of another by; it encloses those of several rows.

    What is recommended was ahead by some luck. As a row of its own it is a little too high then, chosen anew on other
    problems a little too low where the choice is a close one; either interval alone holds the truth too seldom, both
    together hold it (docs/coverage.md). That of a search holds the interval of its optimistic number as well. A search
    has as few answers a problem as it has seeds, and each allocation its own, so which one is chosen is luck to a large
    part, and what is scored on other problems varies with the choice by more than a bootstrap of it sees: in simulation
    (60 and 150 problems, 1 and 2 seeds, 600 worlds each) its interval holds in 88 to 92 %, and both together in 94 to
    96 %. See `fits.choice.score_held_out.compute_enclosing_interval`.

    Args:
        honest: (options + 1, replicates) scored on other problems than those of the choice; None if there are none.
        flattering: the same on the problems of the choice; None where no search is meant.
        rows: the option, and -1 for what is ahead, chosen anew.
        other: another one.
    """
    if honest is None:
        return None
    drawn = [replicates[row] - (0 if other is None else replicates[other])
             for replicates in (honest, flattering) if replicates is not None for row in rows]  # fmt: skip
    lows, highs = zip(*map(compute_interval, drawn), strict=True)
    return min(lows), max(highs)


def find_cheaper_option(options: list[StrategyOption]) -> StrategyOption | None:
    """Return the best of the options that cost at most half of the first one and are not clearly behind it."""
    first, *others = options
    return next(
        (
            option
            for option in sorted(others, key=lambda option: -option.accuracy)
            if 2 * option.compute <= first.compute and option.gap_interval is not None and option.gap_interval[0] <= 0
        ),
        None,
    )
