"""The base of every JSON block, and the types and helpers that several of them share.

A block is a pydantic model: its fields are the keys that a program reads, with their meaning, so the JSON Schema in
docs/ is derived from the same lines that write the JSON.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

Fraction = float
"""A share or an accuracy, 0 … 1; a mean may exceed the ends by a rounding error."""

Interval = tuple[float, float]
"""The low and the high end of a 95 % interval."""

Never = Literal["never"]
"""Stands for a budget that does not exist in the measured range; null stands for what is unknown."""


class JsonBlock(BaseModel):
    """An object of a command's JSON. It has exactly the declared keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        from_attributes=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def convert(cls, result: object) -> Self:
        """Return the block whose fields are the attributes of a result."""
        return cls.model_validate(result)

    def to_dict(self) -> dict[str, Any]:
        """Return the block as a dictionary that can be printed as JSON."""
        return self.model_dump(mode="json", by_alias=True)


class CommandJson(JsonBlock):
    """All that a command prints with ``--json``."""

    schema_version: Literal[1] = 1
    """The version of this JSON; it grows when a key changes its meaning or goes away, not when one is added."""


def name_infinity(budget: float) -> float | Never:
    """Return a budget; ``"never"`` if it is infinite."""
    return float(budget) if math.isfinite(budget) else "never"


def replace_nan(value: float) -> float | None:
    """Return a number; None if it is NaN, which stands for what is unknown or cannot be afforded."""
    return None if math.isnan(value) else float(value)


def build_interval(low: float, high: float) -> Interval | None:
    """Return an interval; None if its ends are NaN."""
    return None if math.isnan(low) else (float(low), float(high))
