"""A paper's statements on the same data."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from isocompute.planner.profile.numbers import PositiveNumber


class PublishedMultiples(BaseModel):
    """Statements of a paper on the same data, in multiples of SC's plateau.

    Args:
        source: the paper.
        matches_at: the multiple at which GenRM first matches SC.
        gains_at: the multiple at which GenRM gains most.
        gain: that gain in accuracy.
        plateau: the S that fits both multiples, where the paper does not print its plateau.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    source: str
    matches_at: PositiveNumber
    gains_at: PositiveNumber
    gain: Annotated[float, Field(ge=-1, le=1, strict=True)]
    plateau: PositiveNumber
