"""The sizes of a profile's searches: those that were run, and those between them, which are interpolated."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.options import AllocationOptions, build_listed_options
from isocompute.fits.choice.size_interpolation import (
    build_sized_options,
    compute_error_scale,
    list_sizes_between,
    measure_left_out_sizes,
)
from isocompute.planner.profile import Profile, Searches


def build_search_options(profile: Profile, name: str, between: bool) -> AllocationOptions | None:
    """Return the options of a search; None if its cost is unknown.

    Args:
        profile: the measurements.
        name: name of the search, such as ``beam+weighted``.
        between: whether the sizes between those that were run are options too.
    """
    part = profile.searches[name]
    cost = part.get_costs(profile.counting)
    if cost is None:
        return None
    if not between:
        return build_listed_options(part.array, cost, part.numbers, name)
    return build_sized_options(part.array, cost, part.numbers, name, measure_error_scale(profile))


def measure_error_scale(profile: Profile) -> float:
    """Measure how large the interpolation's errors are, from all sizes of all searches that can be left out."""
    parts = profile.searches.values()
    return compute_error_scale([each for part in parts for each in measure_left_out_sizes(part.numbers, part.array)])


def find_size_weights(part: Searches, numbers: Mapping[str, int]) -> Floats | None:
    """Return (A,) the weights of the allocations that were run at one with these numbers; None if it is not known.

    Args:
        part: the searches.
        numbers: the allocation's parameters by name. One that was run has a weight of 1.
    """
    between = list_sizes_between(part.numbers)
    weights = np.concatenate([np.eye(len(part.seeds)), between.weights], axis=1)
    columns = [np.concatenate([column, between.numbers[name]]) for name, column in part.numbers.items()]
    for at, allocation in enumerate(zip(*columns, strict=True)):
        if all(numbers.get(name) == number for name, number in zip(part.numbers, allocation, strict=True)):
            return np.asarray(weights[:, at])
    return None


def find_neighbours(part: Searches, numbers: Mapping[str, int]) -> tuple[int, int] | None:
    """Return the sizes N that an allocation is interpolated between; None if it was run, or is not known."""
    weights = find_size_weights(part, numbers)
    if weights is None or np.count_nonzero(weights) < 2:
        return None
    low, high = sorted(part.numbers["N"][at] for at in np.flatnonzero(weights))
    return low, high
