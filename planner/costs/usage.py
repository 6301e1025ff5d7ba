"""The tokens and times of one request of each role, problem by problem, as a profile's records hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.planner.profile import ModelRecord, Profile, Searches

REQUESTS = {"solver": "a solution", "verifier": "a verification", "scorer": "scoring a solution"}
"""The roles, and what one request of each makes."""
USAGE_FIELDS = ("prompt", "cached", "completion", "completion_sd", "seconds", "decoded_pairs", "read_pairs")


class UnknownCostError(DataError):
    """A cost that does not follow from what the profile holds; the message says what is missing."""


@dataclass(frozen=True, eq=False)
class RoleUsage:
    """Tokens and seconds of a request of one role: (P,) means of each problem, or (A,) of each search's allocation.

    Args:
        role: ``solver``, ``verifier`` or ``scorer``.
        model: its model.
        prompt: prompt tokens; None where any problem's rows do not report them, as for the other counts.
        cached: prompt tokens read from the prefix cache.
        completion: completion tokens.
        completion_sd: standard deviation of the completion tokens of a problem's rows.
        seconds: wall time of a row, while other rows ran too.
        decoded_pairs: of a search, pairs of a sampled token and an earlier one; None where its nodes are unknown.
        read_pairs: the same of the prompt tokens that are not cached.
        of_search: whether a request is a complete search, whose texts are many.
    """

    role: str
    model: ModelRecord
    prompt: Floats | None = None
    cached: Floats | None = None
    completion: Floats | None = None
    completion_sd: Floats | None = None
    seconds: Floats | None = None
    decoded_pairs: Floats | None = None
    read_pairs: Floats | None = None
    of_search: bool = False

    def require_tokens(self, name: str) -> Floats:
        """Return one of the counts.

        Raises:
            UnknownCostError: some rows do not report it.
        """
        values: Floats | None = getattr(self, name)
        if values is None:
            what = "the seconds" if name == "seconds" else f"the {name} tokens"
            made = "a search" if self.of_search else REQUESTS[self.role]
            raise UnknownCostError(f"the profile does not hold {what} of {made} on every problem")
        return values

    @property
    def uncached(self) -> Floats:
        """Prompt tokens that were not in the cache."""
        return self.require_tokens("prompt") - self.require_tokens("cached")


def measure_usage(profile: Profile) -> dict[str, RoleUsage]:
    """Return what one request of each role uses on each problem; empty for a profile without a run's tokens."""
    roles = [role for role in REQUESTS if any(role in record.tokens for record in profile.per_problem)]
    usage = {}
    for role in roles:
        means = [record.tokens.get(role) for record in profile.per_problem]
        columns = {
            name: [None if mean is None else getattr(mean, name, None) for mean in means] for name in USAGE_FIELDS
        }
        usage[role] = build_usage(role, get_role_model(profile, role), columns)
    return usage


def measure_search_usage(profile: Profile, part: Searches) -> dict[str, RoleUsage]:
    """Return what one search of each allocation uses, by role; empty where the profile does not hold it."""
    usage = {}
    for role, columns in part.tokens.items():
        usage[role] = build_usage(role, get_role_model(profile, role), columns, of_search=True)
    return usage


def build_usage(
    role: str, model: ModelRecord, columns: Mapping[str, Sequence[float | None]], of_search: bool = False
) -> RoleUsage:
    """Return the usage of a role from columns by name; one with an unknown value is None."""

    def read_column(name: str) -> Floats | None:
        column = columns.get(name)
        return None if column is None or any(value is None for value in column) else np.array(column, dtype=float)

    counts = {name: read_column(name) for name in USAGE_FIELDS}
    return RoleUsage(role, model, **counts, of_search=of_search)


def get_role_model(profile: Profile, role: str) -> ModelRecord:
    """Return the model of a role; a scorer without a model of its own is the verifier."""
    other = profile.models.get("verifier", ModelRecord()) if role == "scorer" else ModelRecord()
    return profile.models.get(role, other)
