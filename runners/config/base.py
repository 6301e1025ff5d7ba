"""The base class and number types of all blocks of a sweep file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, strict=True)]
"""A whole number ≥ 1."""


ParameterCount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A model's number of parameters."""


class ConfigBlock(BaseModel):
    """A block of a sweep file; an unknown key in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
