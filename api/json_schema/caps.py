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
    """True if the budget pays for more solutions than were measured."""
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
    held_out_gain: float | None
    """Gain of the best limit over the run's own, on problems that it was not chosen on; null without intervals."""
    held_out_interval: Interval | None
    """Its 95 % interval; null likewise."""
    settled: bool | None
    """True if the best limit beats the run's own, or this one all lower ones, beyond chance; null without intervals."""
    summary: str
    """A sentence on the best limit, and on whether that is settled."""
    note: str | None
    """A sentence on the limits that are not compared at equal compute; null if there are none."""


def build_caps(caps: CapComparison) -> CapsJson:
    """Return limits on length as JSON, see `CapComparison`."""
    return CapsJson(
        own_limit=caps.own_limit,
        options=[CapOptionJson.convert(option) for option in caps.options],
        best=caps.best.limit,
        held_out_gain=caps.held_out_gain,
        held_out_interval=caps.held_out_interval,
        settled=caps.is_settled,
        summary=caps.describe_best(),
        note=caps.describe_limits(),
    )
