"""A profile of a part of its problems, such as those that another profile has too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from isocompute.planner.profile.accuracies import Curve, ExtrapolatedCurve, Searches, Surface
from isocompute.planner.profile.length_caps import LengthCaps
from isocompute.planner.profile.policy_part import PolicyPart
from isocompute.planner.profile.profile import Profile
from isocompute.planner.profile.settled_votes import SettledVotes

Part = TypeVar("Part", bound=BaseModel)
ROW_FIELDS = {
    Curve: ("accuracy",),
    Surface: ("accuracy",),
    Searches: ("accuracy",),
    ExtrapolatedCurve: ("accuracy",),
    LengthCaps: ("accuracy",),
    SettledVotes: ("settled", "right"),
    PolicyPart: ("accuracy", "solutions", "verifications", "hindsight"),
}
"""The fields of a part that have an entry for each problem."""


def select_problems(profile: Profile, positions: Sequence[int]) -> Profile:
    """Return a profile of some of its problems, in the given order.

    λ, ρ and the spread of times stay those of all problems.

    Args:
        profile: a profile with per-problem values.
        positions: the places of the problems, at least one.
    """
    parts = {name: _select_rows(part, positions) for name, part in profile.strategies.items()}
    return profile.model_copy(
        update={
            "problems": len(positions),
            "coverage": None if profile.coverage is None else _select_rows(profile.coverage, positions),
            "strategies": parts,
            "policies": {
                name: _select_rows(part, positions) if isinstance(part, PolicyPart) else part
                for name, part in profile.policies.items()
            },
            "extrapolations": {name: _select_rows(part, positions) for name, part in profile.extrapolations.items()},
            "caps": None if profile.caps is None else _select_rows(profile.caps, positions),
            "settled": None if profile.settled is None else _select_rows(profile.settled, positions),
            "per_problem": [profile.per_problem[at] for at in positions],
        }
    )


def _select_rows(part: Part, positions: Sequence[int]) -> Part:
    """Return a part with the rows of some problems; an unknown part stays as it is.

    The part is made anew, because a copy would keep the arrays that are cached in it.
    """
    fields = ROW_FIELDS.get(type(part))
    if fields is None:
        return part
    content: dict[str, Any] = {name: getattr(part, name) for name in part.model_fields_set}
    return type(part)(
        **content
        | {name: [getattr(part, name)[at] for at in positions] for name in fields if getattr(part, name) is not None}
    )
