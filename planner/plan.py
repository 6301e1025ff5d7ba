"""From a budget to an allocation: which strategy, with how many solutions and verifications, and how sure.

What is run is chosen on all problems. What it is said to reach is not: the problems are split into folds again and
again, numbers are chosen on the other folds, and each problem is scored under the numbers that were chosen without it.
So are the strategies compared, and the one ahead is recommended. It is ahead by some luck, so what is expected of it is
what the choice of a strategy reaches where that too is made without the problem. Intervals resample per-problem scores,
paired across strategies, see `sure`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.bootstrap import interval, resample, resampling_weights
from isocompute.fits.cost import compute
from isocompute.fits.held_out import EQUAL, folds, held_out, in_sample
from isocompute.planner.budget import Budget
from isocompute.planner.findings import Findings, findings
from isocompute.planner.profile import Profile, positive
from isocompute.planner.strategies import doublings, scored, searched, strategies, unplaced

REPLICATES = 4000
SEED = 128
FEW = 30
"""Below this many problems an interval is not to be trusted."""
TORN = 0.2
"""From this share of folds with another choice on it is said that the choice is a close one."""

Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Option:
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
    interval: Interval | None
    probability_best: float | None
    gap: float | None = None
    gap_interval: Interval | None = None

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

    options: list[Option]
    expected: float
    interval: Interval | None
    torn: float


@dataclass(frozen=True, eq=False)
class Plan:
    """The answer to `plan --budget`.

    Args:
        budget: in x, one solution's generation.
        plateau_multiple: the budget over SC's plateau compute.
        recommendation: what to run.
        expected: accuracy of the recommendation where the strategy too is chosen on other problems: what to reckon
            with.
        interval: 95 %, of that; None without per-problem values.
        alternatives: the best of each other strategy at the same budget.
        ceiling: share of problems that any of the affordable solutions solves, at `ceiling_at` solutions; no
            selection can be better. None if it was not measured.
        lam: λ that was used; None without verifications.
        counting: the way of counting tokens in which scorers and searches were priced.
        trust: κ of the fused vote; None without it.
        findings: plateau, crossover and laws.
        warnings: what a reader must know before believing it.
    """

    budget: float
    plateau_multiple: float
    recommendation: Option
    expected: float
    interval: Interval | None
    alternatives: list[Option]
    ceiling: float | None
    ceiling_at: int | None
    lam: float | None
    counting: str
    trust: float | None
    findings: Findings
    warnings: list[str]
    profile: str


def plan(profile: Profile, budget: Budget, lam: float | None = None) -> Plan:
    """Recommend a strategy and its numbers within a budget.

    Args:
        profile: what was measured.
        budget: compute per problem.
        lam: λ to use instead of the profile's.

    Raises:
        BudgetError: the budget does not pay for one solution.
        DataError: λ is not positive.
    """
    lam = profile.lam if lam is None else positive(lam)
    found = findings(profile, lam)
    x = budget.x(found.plateau)
    compared = compare(profile, x, lam)
    ceiling, at = coverage_at(profile, x)
    return Plan(
        budget=x,
        plateau_multiple=x / found.plateau,
        recommendation=compared.options[0],
        expected=compared.expected,
        interval=compared.interval,
        alternatives=compared.options[1:],
        ceiling=ceiling,
        ceiling_at=at,
        lam=lam,
        counting=profile.counting,
        trust=profile.trust,
        findings=found,
        warnings=warnings(profile, x, lam, compared),
        profile=profile.name,
    )


def frontier(profile: Profile) -> list[tuple[float, list[Option]]]:
    """Compare the strategies at every power of two that was measured: the compute frontier of each.

    Returns:
        Pairs of a budget in x and the options at it, the best first.
    """
    return [(x, compare(profile, x, profile.lam).options) for x in doublings(profile)]


def compare(profile: Profile, x: float, lam: float | None) -> Comparison:
    """Hold each strategy's best allocation within a budget against the others'."""
    affordable = [options for options in strategies(profile, lam) if options.cheapest <= x]
    run = in_sample(affordable, [x])
    P = len(profile.self_consistency.accuracy)
    scored = held_out(affordable, [x], folds(P)) if P > 1 else run
    means = scored.accuracy[:-1, :, 0].mean(axis=1)
    first = int((means > means.max() - EQUAL).argmax())
    rows = [first, *(i for i in range(len(affordable)) if i != first)]
    honest = bootstrap(scored.accuracy[:, :, 0])
    probabilities = None if honest is None else shares(honest[:-1])
    flattering = bootstrap(run.accuracy[:, :, 0])
    luck = [options.strategy in profile.searches for options in affordable]

    found = []
    for i in rows:
        tried, chosen = affordable[i].tried, int(run.choices.chosen[i, 0, 0])
        gap = None if i == first else float(means[first] - means[i])
        lucky = flattering if luck[i] or luck[first] else None
        found.append(
            Option(
                strategy=affordable[i].strategy,
                numbers={name: int(numbers[chosen]) for name, numbers in tried.numbers.items()},
                compute=float(tried.cost[chosen]),
                accuracy=float(means[i]),
                interval=sure(honest, flattering if luck[i] else None, [i]),
                probability_best=None if probabilities is None else float(probabilities[i]),
                gap=gap,
                gap_interval=None if gap is None else sure(honest, lucky, [first, -1], i),
            )
        )
    return Comparison(
        options=found,
        expected=float(scored.accuracy[-1, :, 0].mean()),
        interval=sure(honest, flattering if luck[first] else None, [first, -1]),
        torn=float((scored.choices.best != first).mean()),
    )


def bootstrap(values: Array) -> Array | None:
    """Return (options, replicates) of mean accuracies, resampling problems; None if there is nothing to resample."""
    if values.shape[1] < 2:
        return None
    return resample(values.T, resampling_weights(values.shape[1], REPLICATES, SEED)).T


def shares(spread: Array) -> Array:
    """Return how often each option is the best; options that tie share the replicate."""
    top = spread >= spread.max(axis=0) - 1e-12
    return np.asarray((top / top.sum(axis=0)).mean(axis=1))


def pair(replicates: Array) -> Interval:
    """Return the 95 % interval of replicates."""
    low, high = interval(replicates)
    return float(low), float(high)


def sure(honest: Array | None, flattering: Array | None, rows: list[int], other: int | None = None) -> Interval | None:
    """Return the 95 % interval of an option, or of what it is ahead of another by; it encloses those of several rows.

    What is recommended was ahead by some luck. As a row of its own it is a little too high then, chosen anew on other
    problems a little too low where the choice is a close one; either interval alone holds the truth too seldom, both
    together hold it (docs/coverage.md). That of a search holds the interval of its optimistic number as well. A search
    has as few answers a problem as it has seeds, and each allocation its own, so which one is chosen is luck to a large
    part, and what is scored on other problems varies with the choice by more than a bootstrap of it sees: in simulation
    (60 and 150 problems, 1 and 2 seeds, 600 worlds each) its interval holds in 88 to 92 %, and both together in 94 to
    96 %. See `fits.held_out.enclosing_interval`.

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
    lows, highs = zip(*map(pair, drawn), strict=True)
    return min(lows), max(highs)


def coverage_at(profile: Profile, x: float) -> tuple[float | None, int | None]:
    """Return coverage at the largest measured number of solutions that the budget pays for."""
    curve = profile.coverage
    within = [] if curve is None else [i for i, S in enumerate(curve.solutions) if x >= S]
    if curve is None or not within:
        return None, None
    return float(curve.array[:, within[-1]].mean()), curve.solutions[within[-1]]


def warnings(profile: Profile, x: float, lam: float | None, compared: Comparison) -> list[str]:
    """Say what a reader must know before believing a plan."""
    said = list(profile.warnings)
    most = profile.self_consistency.solutions[-1]
    if x > most:
        said.append(
            f"SC was measured up to {most}x; at {x:,.6g}x it stands at its best value up to there, and what more "
            "votes would bring is not known."
        )
    said += beyond(profile, x)
    if profile.genrm is None:
        if len(strategies(profile, lam)) == 1 and not unplaced(profile):
            said.append("The profile has no verifications: only SC can be planned.")
    elif lam is not None:
        S, V = profile.genrm.solutions[-1], profile.genrm.verifications[-1]
        reach = float(compute(S, V, lam))
        if x > reach:
            said.append(
                f"GenRM was measured up to S={S}, V={V}, which is {reach:,.0f}x; at {x:,.6g}x it stands at its best "
                "value up to there."
            )
        if compute(profile.genrm.solutions[0], profile.genrm.verifications[0], lam) > x:
            said.append(f"GenRM cannot be afforded at {x:g}x: one verified solution costs {1 + lam:.3g}x.")
        if profile.lam is not None and lam != profile.lam:
            said.append(f"λ = {lam:g} was given; the profile's is {profile.lam:.3g}.")
    else:
        said.append("λ, what a verification costs in solutions, is unknown, so GenRM cannot be placed in a budget and "
                    "only SC is planned; --lambda gives it.")  # fmt: skip
    if not profile.per_problem:
        said.append("The profile holds means over problems only: no interval and no probability can be given, and the "
                    "allocation is chosen on the numbers that are reported.")  # fmt: skip
    elif profile.problems < FEW:
        said.append(f"Only {profile.problems} problems: the intervals are too narrow to be trusted.")
    if compared.torn > TORN:
        first = compared.options[0]
        said.append(
            f"The choice of strategy is a close one: in {compared.torn:.0%} of the folds it is another one, so "
            f"{100 * compared.expected:.1f} % are expected of it, and not the {100 * first.accuracy:.1f} % that "
            f"{first.strategy} has here."
        )
    if (cheap := thrifty(compared.options)) is not None:
        assert cheap.gap is not None, "it is not the recommendation"
        said.append(
            f"{cheap.strategy} {cheap.settings} is {100 * cheap.gap:.1f} points behind, which may be chance, and costs "
            f"{cheap.compute:,.4g}x."
        )
    return said


def thrifty(options: list[Option]) -> Option | None:
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


def beyond(profile: Profile, x: float) -> list[str]:
    """Say which of the strategies with a scorer cannot be placed, cannot be afforded, or go no further."""
    said = []
    if names := unplaced(profile):
        said.append(f"What {', '.join(names)} cost is unknown, counted as '{profile.counting}', so it has no place "
                    "in a budget; --lambda takes another way of counting.")  # fmt: skip
    for options in (*scored(profile), *searched(profile)):
        if x < options.cheapest:
            said.append(
                f"{options.strategy} cannot be afforded at {x:g}x: {options.label(0)} costs {options.cheapest:.3g}x."
            )
        elif x > options.dearest:
            said.append(
                f"{options.strategy} was measured up to {options.label(-1)}, which is {options.dearest:,.3g}x; at "
                f"{x:,.6g}x it stands at its best value up to there."
            )
    return said
