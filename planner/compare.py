"""Comparison of the strategies within a budget, by their expected accuracies on new problems.

The mean accuracies on new problems are estimated together, by shrinking what was measured towards a prior from
simulated worlds (`isocompute.fits.choice.posterior`). Each strategy takes the allocation with the highest expected
accuracy; of the strategies within half a point of the best, the cheapest is recommended
(`isocompute.fits.choice.recommendation`). Everything that is printed is an expectation on new problems, so no number
is high because it was selected on the problems that it is reported on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from isocompute.errors import BudgetError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.certainty import compute_best_probabilities, enclose_differences
from isocompute.fits.choice.cost_error import compute_shift_covariance, widen_mean_interval
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.posterior import AccuracyPosterior, compute_posterior
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN, ChosenAllocation, choose_recommendations
from isocompute.fits.choice.selectors import find_uninformed_tables
from isocompute.fits.mean_intervals import compute_mean_interval
from isocompute.planner.budget import format_compute
from isocompute.planner.costs.cost_deviations import CostDeviations, measure_profile_deviations
from isocompute.planner.prior import read_accuracy_prior
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_doubling_budgets, list_strategy_options
from isocompute.planner.strategy_option import ConfidenceInterval, StrategyOption

FEWEST_FOR_PROBABILITY = 5
"""With fewer independent problems no probability of being the best is given: the simulated tasks would make it."""

MeasuredIntervals = dict[tuple[str | int, ...], ConfidenceInterval]
"""The intervals of measured means, by strategy and the values of its numbers: no budget or price changes them."""


@dataclass(frozen=True)
class Comparison:
    """The strategies within a budget.

    Args:
        options: each strategy at its best allocation, the recommended one first.
    """

    options: list[StrategyOption]

    @property
    def expected_accuracy(self) -> float:
        """The accuracy to expect of the recommendation on new problems."""
        return self.options[0].accuracy

    @property
    def interval(self) -> ConfidenceInterval | None:
        """Its 95 % interval; None without per-problem values."""
        return self.options[0].interval


@dataclass(frozen=True, eq=False)
class ExpectedAccuracies:
    """The expected accuracies of a profile's allocations.

    Args:
        tables: the options of each strategy with a known cost.
        accuracy: for each table (A,) the expected accuracy of its allocations.
        posterior: their joint distribution; None for a profile of means, or with one independent problem.
        uninformed: the tables whose selector was not shown to tell right from wrong, which are not recommended.
        deviations: how far costs deviate between problems, which widens the intervals of accuracies within a budget;
            None where costs have no error: they are given, or not known by problem, or do not limit the plan.
    """

    tables: list[AllocationOptions]
    accuracy: list[Floats]
    posterior: AccuracyPosterior | None
    uninformed: frozenset[int] = frozenset()
    deviations: CostDeviations | None = None


def compute_frontier(profile: Profile) -> list[tuple[float, Comparison]]:
    """Compare the strategies at each of `list_doubling_budgets`, which gives the compute frontier of each.

    Returns:
        Pairs of a budget in x and the comparison at that budget.
    """
    budgets = list_doubling_budgets(profile)
    return list(zip(budgets, compare_budgets(profile, budgets, profile.lam), strict=True))


def compare_strategies(
    profile: Profile,
    x: float,
    lam: float | None,
    expected: ExpectedAccuracies | None = None,
    first: str | None = None,
) -> Comparison:
    """Compare the strategies within one budget, see `compare_budgets`."""
    return compare_budgets(profile, [x], lam, expected, first)[0]


def compare_budgets(
    profile: Profile,
    budgets: Sequence[float],
    lam: float | None,
    expected: ExpectedAccuracies | None = None,
    first: str | None = None,
    measured: MeasuredIntervals | None = None,
) -> list[Comparison]:
    """Compare the best allocations of the strategies within each of some budgets.

    Args:
        profile: the measurements.
        budgets: the budgets, in x; each pays for at least one solution.
        lam: λ; None without verifications, or if it is unknown.
        expected: the expected accuracies, if they are known already; -inf for an allocation that must not be chosen.
        first: the strategy to put first instead of the recommended one.
        measured: the intervals that are known already; more are added.

    Raises:
        BudgetError: no allocation that may be chosen is within a budget.
    """
    expected = compute_expected_accuracies(profile, lam) if expected is None else expected
    measured = {} if measured is None else measured
    found = choose_recommendations(expected.tables, expected.accuracy, budgets, uninformed=expected.uninformed)
    comparisons = []
    for budget, recommendation in zip(budgets, found, strict=True):
        if recommendation is None:
            least = min(
                float(table.grid.cost[np.isfinite(values)].min(initial=np.inf))
                for table, values in zip(expected.tables, expected.accuracy, strict=True)
            )
            raise BudgetError(
                f"{format_compute(budget)} pays for nothing that is within the latency; the cheapest allocation that "
                f"is costs {format_compute(least)}."
            )
        chosen = (row for row in recommendation.rows if expected.tables[row.table].strategy == first)
        best = next(chosen, recommendation.best)
        rows = [best, *(row for row in recommendation.rows if row != best)]
        comparisons.append(
            Comparison(_describe_rows(profile, expected, rows, budget, recommendation.uninformed, measured))
        )
    return comparisons


def compute_expected_accuracies(profile: Profile, lam: float | None, between: bool = True) -> ExpectedAccuracies:
    """Compute the expected accuracy of each allocation on new problems; that of means is the mean itself.

    Args:
        profile: the measurements.
        lam: λ; None without verifications, or if it is unknown.
        between: whether the sizes between those that searches were run with are options too.
    """
    tables = list_strategy_options(profile, lam, between)
    if profile.independent_problems < 2:
        return ExpectedAccuracies(tables, [t.accuracy.mean(axis=0) @ t.grid.weights for t in tables], None)
    posterior = compute_posterior(tables, read_accuracy_prior(), profile.strata, profile.clusters)
    uninformed = find_uninformed_tables(tables, profile.clusters)
    deviations = measure_profile_deviations(profile, lam)
    return ExpectedAccuracies(tables, posterior.compute_expected_accuracies(), posterior, uninformed, deviations)


def _describe_rows(
    profile: Profile,
    expected: ExpectedAccuracies,
    rows: list[ChosenAllocation],
    budget: float,
    uninformed: frozenset[int],
    measured: MeasuredIntervals,
) -> list[StrategyOption]:
    """Return the strategies of a recommendation, the recommended one first, with what is known of their error."""
    posterior = expected.posterior
    votes = next((i for i, row in enumerate(rows) if expected.tables[row.table].strategy == "sc"), None)
    # If an allocation is dearer than measured, the budget pays for less of it.
    added = shifts = None
    if expected.deviations is not None:
        shifts = expected.deviations.measure_shifts(
            expected.tables, expected.accuracy, rows, budget, profile.strata, profile.clusters
        )
    if posterior is not None and shifts is not None:
        chosen = [(row.table, row.allocation) for row in rows]
        added = compute_shift_covariance(posterior, chosen, shifts, profile.strata, profile.clusters)
    gaps = leads = None
    if posterior is not None:
        gaps = enclose_differences(posterior, rows, 0, added=added)
    if posterior is not None and votes is not None:
        leads = [(-high, -low) for low, high in enclose_differences(posterior, rows, votes, added=added)]
    # Without votes SC is unknown from two solutions on, and so is which strategy is the best.
    is_known = profile.independent_problems >= FEWEST_FOR_PROBABILITY and (profile.has_votes or budget < 2)
    best = compute_best_probabilities(posterior, rows, EQUIVALENCE_MARGIN, added) if posterior and is_known else None
    highest = compute_best_probabilities(posterior, rows, 0.0, added) if posterior and is_known else None
    accuracy = np.clip([row.accuracy for row in rows], 0, 1).tolist()
    options = []
    for i, row in enumerate(rows):
        table = expected.tables[row.table]
        numbers = {name: int(column[row.allocation]) for name, column in table.grid.numbers.items()}
        values = table.compute_accuracies(np.array([row.allocation]))[:, 0]
        interval = None
        if posterior is not None:
            key: tuple[str | int, ...] = (table.strategy, *numbers.values())
            if key not in measured:
                low, high = compute_mean_interval(values, profile.strata, profile.clusters)
                measured[key] = float(low), float(high)
            shift = None if shifts is None else shifts[:, i]
            missed = table.get_interpolation_error(row.allocation)
            interval = _enclose_accuracy(profile, values, measured[key], accuracy[i], missed, shift)
        options.append(
            StrategyOption(
                strategy=table.strategy,
                numbers=numbers,
                compute=row.cost,
                accuracy=accuracy[i],
                measured_accuracy=float(values.mean()),
                interval=interval,
                probability_best=None if best is None else best[i],
                probability_highest=None if highest is None else highest[i],
                at_limit=tuple(n for n, cost in list_limit_costs(table, row.allocation).items() if cost <= budget),
                is_informative=row.table not in uninformed,
                interpolation_error=table.get_interpolation_error(row.allocation) or None,
                gap=accuracy[0] - accuracy[i] if i else None,
                gap_interval=None if gaps is None or not i else gaps[i],
                lead=None if votes is None else accuracy[i] - accuracy[votes],
                lead_interval=None if leads is None else leads[i],
            )
        )
    return options


def _enclose_accuracy(
    profile: Profile,
    values: Floats,
    measured: ConfidenceInterval,
    accuracy: float,
    missed: float,
    shifts: Floats | None = None,
) -> ConfidenceInterval:
    """Return the interval of a mean over problems, moved to the expected accuracy; an end at 0 or 1 stays there.

    What the mean may lie off its interpolation is independent of the problems, so that the two are added in squares.

    Args:
        profile: with the strata and clusters of the problems.
        values: (P,) accuracy of each problem.
        measured: the interval of their mean.
        accuracy: the expected accuracy.
        missed: standard error of the interpolation; 0 if the allocation was run.
        shifts: (P,) what each problem adds through its cost; None for nothing.
    """
    low, high = measured
    mean, reach = float(values.mean()), float(ndtri(0.975)) * missed
    if shifts is not None:
        low, high = widen_mean_interval((low, high), mean, values, shifts, profile.strata, profile.clusters)
    return (
        0.0 if low == 0 else float(np.clip(accuracy - np.hypot(mean - low, reach), 0, 1)),
        1.0 if high == 1 else float(np.clip(accuracy + np.hypot(high - mean, reach), 0, 1)),
    )


def list_limit_costs(table: AllocationOptions, chosen: int) -> dict[str, float]:
    """Return the budgets from which on an allocation is at the limit of what was measured, by the number that is.

    More of one number may mean fewer of the other, so the optimum may lie beyond what was measured.
    """
    grid = table.grid
    numbers = {name: int(column[chosen]) for name, column in grid.numbers.items()}
    size = numbers.get("S", numbers.get("N"))
    if size is None:
        return {}
    each = grid.cost[chosen] / size  # 1 + λV, 1 + ρ, or the cost of a slot of a search
    verification = (each - 1) / numbers["V"] if "V" in numbers else 0.0
    cheapest = 1 + verification if "V" in numbers else each
    costs = {"S": (size + 1) * cheapest, "N": (size + 1) * cheapest}
    if "V" in numbers:
        costs["V"] = 1 + verification * (numbers["V"] + 1)
    return {
        name: float(costs[name])
        for name, number in numbers.items()
        if name in costs and number == grid.numbers[name].max()
    }
