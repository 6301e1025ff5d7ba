"""The base class and number types of all blocks of a sweep file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_ROWS = 2**31 - 1
"""The largest number of a row, which a run stores in 32 bits."""

LARGEST_SEED = 2**63 - 1

Count = Annotated[int, Field(ge=1, le=MOST_ROWS, strict=True)]
"""A whole number from 1."""

CountFromZero = Annotated[int, Field(ge=0, le=MOST_ROWS, strict=True)]
"""A whole number from 0."""

ProblemCount = Annotated[int, Field(ge=1, le=10**6, strict=True)]
"""A number of problems."""

TokenLimit = Annotated[int, Field(ge=1, le=10**8, strict=True)]
"""The most tokens of a completion."""

Seed = Annotated[int, Field(ge=-LARGEST_SEED, le=LARGEST_SEED, strict=True)]
"""A seed, in 64 bits."""

ParameterCount = Annotated[float, Field(gt=0, le=1e18, strict=True)]
"""A model's number of parameters."""


class ConfigBlock(BaseModel):
    """A block of a sweep file; an unknown key in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
