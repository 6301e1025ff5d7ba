"""What every block of a sweep file has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, strict=True)]
"""A whole number from 1."""


ParameterCount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""How many parameters a model has."""


class ConfigBlock(BaseModel):
    """A block of the file; an unknown key in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
