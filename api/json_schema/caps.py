"""The JSON of limits on the length of solutions, a part of ``plan --cap --json``."""

from __future__ import annotations

from isocompute.api.json_schema.blocks import Fraction, Interval, JsonBlock
from isocompute.planner.caps import CapComparison


class CapOptionJson(JsonBlock):
    """Self-consistency under one limit, with all solutions that the budget pays for."""

    limit: int
    """The most completion tokens of a solution."""
    cut: Fraction
    """Share of the solutions that are cut; they count as solutions without an answer."""
    tokens: float
    """Mean completion tokens of a solution."""
    cost: float
    """Cost of a solution in x: its tokens over those under the run's own limit."""
    solutions: int
    """S, the number of solutions that the budget pays for, at most those that were measured."""
    at_limit: bool
    """Whether the budget pays for more solutions than were measured."""
    accuracy: Fraction
    """Mean over the measured problems."""
    interval: Interval | None
    """95 % interval of the accuracy; null without per-problem values."""
    gain: float | None
    """Accuracy minus that under the run's own limit; null for that one itself."""
    gain_interval: Interval | None
    """95 % interval of the gain, paired over problems; null likewise."""
    joint_interval: Interval | None
    """Interval of the gain that holds for all limits at once with 95 %; null likewise."""


class CapsJson(JsonBlock):
    """Limits on the length of solutions within the budget."""

    own_limit: int | None
    """The run's own limit; null if it is unknown."""
    options: list[CapOptionJson]
    """The limits, increasing. The last one is the length of the longest solution, which changes nothing."""
    best: int
    """The limit with the highest accuracy; the last one if no lower limit is better than the run's own."""
    settled: bool | None
    """Whether the best limit differs from the run's own, or this one from all lower ones, beyond chance; null without
    intervals."""
    summary: str
    """Which limit is best and whether that is settled, in a sentence."""
    note: str | None
    """Where the comparison is not at equal compute, in a sentence; null if it is everywhere."""


def build_caps(caps: CapComparison) -> CapsJson:
    """Return limits on length as JSON, see `CapComparison`."""
    return CapsJson(
        own_limit=caps.own_limit,
        options=[CapOptionJson.convert(option) for option in caps.options],
        best=caps.best.limit,
        settled=caps.is_settled,
        summary=caps.describe_best(),
        note=caps.describe_limits(),
    )
