"""The budgets at which a plan may change: between two of them it says the same.

The strategies within a budget and the recommendation change at the cost of an allocation. Intervals and P(best) change
where an end of the octave around the budget passes such a cost, because that octave gives the slope by which errors of
costs become errors of accuracies. Sentences change at the ends of what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from isocompute.fits.choice.cost_error import OCTAVE, measure_log_error
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.recommendation import list_improvements
from isocompute.fits.cost import compute_allocation_cost
from isocompute.planner.compare import ExpectedAccuracies, list_limit_costs
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_scored_options

TOLERANCE = 1 + 1e-12
"""A cost is within a budget up to this factor, as everywhere in the planner."""
PROBABLE_BUDGET = 2.0
"""From here on, P(best) is unknown of a profile without votes."""


def find_first_budget(cost: float, factor: float = 1.0) -> float:
    """Find the smallest number of which a factor pays for a cost, up to the planner's tolerance, to the last digit.

    >>> first = find_first_budget(3.0)
    >>> 3.0 <= first * TOLERANCE, 3.0 <= math.nextafter(first, 0) * TOLERANCE
    (True, False)
    """
    budget = cost / factor / TOLERANCE
    while cost <= budget * factor * TOLERANCE:
        budget = math.nextafter(budget, -math.inf)
    while cost > budget * factor * TOLERANCE:
        budget = math.nextafter(budget, math.inf)
    return budget


def list_changes(profile: Profile, expected: ExpectedAccuracies, lam: float | None) -> list[float]:
    """Return every budget at which a plan may change, in x, the first at 1x.

    Args:
        profile: the profile under the plan's cost model.
        expected: the expected accuracies.
        lam: λ of the plan.
    """
    found = {1.0, PROBABLE_BUDGET}
    for index in range(len(expected.tables)):
        found.update(list_table_changes(profile, expected, index))
    found.update(list_sentence_changes(profile, lam))
    return sorted(budget for budget in found if budget >= 1)


def list_table_changes(profile: Profile, expected: ExpectedAccuracies, index: int) -> Iterator[float]:
    """Yield the budgets at which the allocation, the limits or the slope of one strategy change.

    Args:
        profile: the profile under the plan's cost model.
        expected: the expected accuracies.
        index: the strategy's table.
    """
    table, accuracy = expected.tables[index], expected.accuracy[index]
    rows = list_improvements(table, accuracy)
    starts = [find_first_budget(cost) for _, _, cost in rows]
    is_finite = np.isfinite(accuracy)
    price = table.grid.cost[is_finite]
    passed = price[np.diff(np.maximum.accumulate(accuracy[is_finite]), prepend=-np.inf) > 0].tolist()
    for (allocation, _, cost), start, end in zip(rows, starts, [*starts[1:], math.inf], strict=True):
        yield start
        yield 2 * cost  # half of the budget is left unused
        yield from (limit for limit in list_limit_costs(table, allocation).values() if start <= limit < end)
        half = measure_half_width(profile, expected, table, allocation)
        for factor in [] if half is None else np.exp([-half, half]).tolist():
            for at in passed:
                if start / 2 <= at / factor <= 2 * end:
                    yield find_first_budget(at, factor)


def measure_half_width(
    profile: Profile, expected: ExpectedAccuracies, table: AllocationOptions, allocation: int
) -> float | None:
    """Return half of the width of the interval of log C over which the slope is taken; None if costs have no error."""
    if expected.deviations is None:
        return None
    deviations = expected.deviations.measure_allocation(table, allocation)
    reach = measure_log_error(deviations, profile.strata, profile.clusters)
    return max(reach, OCTAVE / 2) if reach > 0 else None


def list_sentence_changes(profile: Profile, lam: float | None) -> Iterator[float]:
    """Yield the budgets at which a warning on what was measured comes or goes.

    Args:
        profile: the profile under the plan's cost model.
        lam: λ of the plan.
    """
    ends = [float(profile.self_consistency.solutions[-1])]
    if profile.genrm is not None and lam is not None:
        S, V = profile.genrm.solutions, profile.genrm.verifications
        ends += [float(compute_allocation_cost(S[at], V[at], lam)) for at in (0, -1)]
    for options in list_scored_options(profile):
        ends += [options.lowest_cost, options.highest_cost]
    if (curve := profile.extrapolations.get("sc")) is not None:
        ends.append(float(curve.measured_to + 1))
    for end in ends:  # some come with a budget as large as this, and some with a larger one
        yield end
        yield math.nextafter(end, math.inf)
