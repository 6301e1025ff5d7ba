"""The problems that several profiles share, and names for their models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from isocompute.errors import DataError
from isocompute.planner.profile import Profile
from isocompute.planner.profile.subset import select_problems

FEWEST_SHARED = 2


def select_shared_problems(profiles: Sequence[Profile]) -> list[Profile]:
    """Return the profiles on the problems that all of them have, in the order of the first profile.

    Problems are the same if the digests of their questions are equal; if a profile lacks digests, ids decide.

    Raises:
        DataError: a profile holds means only, or they share fewer than two problems.
    """
    for profile in profiles:
        if not profile.per_problem:
            raise DataError(
                f"The profile '{profile.name}' holds means over problems; models are compared problem by problem."
            )
    names = {field: [[getattr(r, field) for r in p.per_problem] for p in profiles] for field in ("digest", "id")}
    keys = next((each for each in names.values() if all(None not in column for column in each)), None)
    if keys is None:
        raise DataError("The profiles do not name their problems, so that it is unknown which they share.")
    for profile, column in zip(profiles, keys, strict=True):
        if len(set(column)) < len(column):
            raise DataError(f"The profile '{profile.name}' asks a question twice; models cannot be paired on it.")
    shared = set(keys[0]).intersection(*keys[1:])
    if len(shared) < FEWEST_SHARED:
        known = ", ".join(f"'{profile.name}'" for profile in profiles)
        raise DataError(
            f"The profiles {known} share {len(shared)} problems; models are compared on at least {FEWEST_SHARED} "
            "problems that all of them were measured on."
        )
    order = [key for key in keys[0] if key in shared]
    places = [{key: at for at, key in enumerate(column)} for column in keys]
    return [
        select_problems(profile, [place[key] for key in order]) for profile, place in zip(profiles, places, strict=True)
    ]


def name_models(profiles: Sequence[Profile]) -> list[str]:
    """Return a short name for the solver of each profile; the profile's name where two would be the same.

    Raises:
        DataError: two profiles have the same name, too.
    """
    solvers = [getattr(profile.models.get("solver"), "name", None) for profile in profiles]
    short = [PurePath(solver or profile.name).name for profile, solver in zip(profiles, solvers, strict=True)]
    counts = Counter(short)
    names = [name if counts[name] == 1 else profile.name for name, profile in zip(short, profiles, strict=True)]
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f"Two profiles are called '{twice}'; give each a name of its own (fit -o NAME.json).")
    return names
