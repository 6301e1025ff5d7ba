"""A limit on the latency of one answer: the allocations that exceed it are left out of a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isocompute.errors import BudgetError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.size_interpolation import interpolate_amounts
from isocompute.planner.budget import format_amount
from isocompute.planner.compare import ExpectedAccuracies
from isocompute.planner.costs.allocation import count_requests, find_search_weights
from isocompute.planner.costs.seconds import compute_latency
from isocompute.planner.costs.usage import UnknownCostError, measure_search_usage, measure_usage
from isocompute.planner.profile import Profile, Searches
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.planner.strategies.search_sizes import find_size_weights
from isocompute.planner.strategy_option import StrategyOption


@dataclass(frozen=True)
class LimitedAccuracies:
    """The expected accuracies of the allocations within a latency.

    Args:
        expected: those of the others are -inf, so that they are never chosen.
        highest_cost: cost of the most expensive allocation within it, in x.
        notes: what was left out, in sentences.
    """

    expected: ExpectedAccuracies
    highest_cost: float
    notes: list[str]


def compute_table_latency(profile: Profile, table: AllocationOptions, batch: int | None = None) -> Floats:
    """Compute the expected latency of each allocation of a table, in the order of its grid.

    Args:
        profile: the profile.
        table: a strategy's options.
        batch: requests at once, as in `isocompute.planner.costs.seconds.compute_slowest_request`.

    Raises:
        UnknownCostError: the rows of a role have no times, or the profile does not hold their spread.
    """
    numbers = table.grid.numbers
    part = profile.strategies.get(table.strategy)
    if isinstance(part, Searches):
        usage = measure_search_usage(profile, part).get("solver")
        if usage is None:
            raise UnknownCostError("the profile does not hold the seconds of its searches")
        seconds = usage.require_tokens("seconds")
        allocations = (
            {name: int(column[at]) for name, column in numbers.items()} for at in range(len(table.grid.cost))
        )
        weights = [find_size_weights(part, allocation) for allocation in allocations]
        assert all(each is not None for each in weights), "the table was made of the part"
        return interpolate_amounts(seconds, np.stack(weights, axis=1))  # type: ignore[arg-type]
    scored = STRATEGIES[table.strategy].needs == "scores"
    verifications = numbers.get("V", np.zeros_like(numbers["S"]))
    return compute_latency(profile, measure_usage(profile), numbers["S"], verifications, scored, batch)


def compute_option_latency(profile: Profile, option: StrategyOption, batch: int | None = None) -> float:
    """Return the expected latency of an option.

    Args:
        profile: the profile.
        option: the option.
        batch: requests at once, as in `compute_table_latency`.

    Raises:
        UnknownCostError: it is unknown.
    """
    requests = count_requests(option)
    if requests is not None and option.solutions is not None:
        usage, V = measure_usage(profile), option.verifications or 0
        return float(compute_latency(profile, usage, [option.solutions], [V], "scorer" in requests, batch)[0])
    part, weights = profile.strategies.get(option.strategy), find_search_weights(profile, option)
    usage = measure_search_usage(profile, part) if isinstance(part, Searches) else {}
    if "solver" not in usage or weights is None:
        raise UnknownCostError("the profile does not hold the seconds of its searches")
    return float(interpolate_amounts(usage["solver"].require_tokens("seconds"), weights[:, None])[0])


@dataclass(frozen=True, eq=False)
class AllocationLatencies:
    """The expected latencies of the allocations of all strategies.

    Args:
        seconds: for each table (A,) those of its allocations; infinite where they are unknown.
        unknown: by the reason why latencies are unknown, the strategies.
    """

    seconds: list[Floats]
    unknown: dict[str, list[str]]

    @property
    def fastest(self) -> float:
        """The seconds of the fastest allocation."""
        return min(float(each.min()) for each in self.seconds)


def measure_latencies(profile: Profile, expected: ExpectedAccuracies, batch: int | None = None) -> AllocationLatencies:
    """Measure the expected latency of each allocation.

    Args:
        profile: the profile.
        expected: the expected accuracies.
        batch: requests at once, as in `compute_table_latency`.

    Raises:
        BudgetError: the latency of a solution is unknown.
    """
    seconds: list[Floats] = []
    unknown: dict[str, list[str]] = {}
    for table in expected.tables:
        try:
            seconds.append(compute_table_latency(profile, table, batch))
        except UnknownCostError as error:
            if table.strategy == "sc":
                raise BudgetError(f"The latency of a solution is unknown: {error}.") from None
            unknown.setdefault(str(error), []).append(table.strategy)
            seconds.append(np.full_like(table.grid.cost, np.inf))
    return AllocationLatencies(seconds, unknown)


def limit_latency(expected: ExpectedAccuracies, latencies: AllocationLatencies, limit: float) -> LimitedAccuracies:
    """Leave out the allocations whose expected latency is above a limit, and the strategies whose latency is unknown.

    Args:
        expected: the expected accuracies.
        latencies: the latencies of their allocations.
        limit: seconds until an answer.

    Raises:
        BudgetError: no allocation is within the limit.
    """
    if latencies.fastest > limit:
        raise BudgetError(
            f"No answer comes within {format_amount(limit, 's', 4)}; the fastest allocation takes "
            f"{format_amount(latencies.fastest, 's', 4)} on average."
        )
    accuracy: list[Floats] = []
    left_out, highest = 0, 0.0
    for table, values, seconds in zip(expected.tables, expected.accuracy, latencies.seconds, strict=True):
        is_fast = seconds <= limit * (1 + 1e-12)
        left_out += int((np.isfinite(seconds) & ~is_fast).sum())
        highest = max(highest, float(table.grid.cost[is_fast].max(initial=0.0)))
        accuracy.append(np.where(is_fast, values, -np.inf))
    notes = [
        f"{', '.join(names)} left out, whose latency is unknown: {why}." for why, names in latencies.unknown.items()
    ]
    if left_out:
        notes.append(f"Allocations that take more than {format_amount(limit, 's', 4)} on average are left out.")
    return LimitedAccuracies(replace(expected, accuracy=accuracy), highest, notes)
