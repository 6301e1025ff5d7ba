"""The models of a profile: size, speed under load, and the verifier's rates."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isocompute.planner.profile.numbers import NonNegativeNumber, PositiveNumber, Share, WholeNumber


class ModelRecord(BaseModel):
    """The model of one role.

    Args:
        name: a folder, a name on a model hub, or a server's name for the model.
        parameters: number of parameters; None if unknown.
        active_parameters: number of parameters that each token uses; None if unknown, or if it is all of them.
        kv_bytes: bytes of KV cache of a token; None if unknown.
        attention_flops: FLOPs of the attention of a token to one earlier token, in all layers; None if unknown.
        settings: what its requests were made with, such as the temperature and a reasoning effort; empty if unknown.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    name: str | None = None
    parameters: PositiveNumber | None = None
    active_parameters: PositiveNumber | None = None
    kv_bytes: PositiveNumber | None = None
    attention_flops: PositiveNumber | None = None
    settings: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check_active(self) -> ModelRecord:
        if (self.active_parameters or 0) > (self.parameters or math.inf):
            raise ValueError(
                f"'active_parameters' is {self.active_parameters:g}, but the model has {self.parameters:g} parameters"
            )
        return self


class LoadPoint(BaseModel):
    """Rows of one role that ran beside a similar number of others.

    Args:
        concurrency: mean number of rows at once, over their time.
        token_seconds: seconds of a token: their wall times over their completion tokens.
        rows: number of these rows.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    concurrency: PositiveNumber
    token_seconds: PositiveNumber
    rows: WholeNumber


class TimeSpread(BaseModel):
    """Spread of the wall times of one role's rows around the mean of their problem, and the number that ran at once.

    Args:
        ratios: quantiles of a row's seconds over the mean of its problem, at `TIME_LEVELS`.
        rows: number of rows.
        busy: seconds during which at least one of the rows was under way; None if their start is unknown.
        concurrency: mean number of rows under way while any was; None likewise.
        lengths: quantiles of a row's completion tokens over the mean of its problem, at `TIME_LEVELS`; None where
            `loads` is empty.
        loads: seconds of a token at different numbers of rows at once; empty if too few were measured.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    ratios: Annotated[list[NonNegativeNumber], Field(min_length=33, max_length=33)]
    rows: WholeNumber
    busy: PositiveNumber | None = None
    concurrency: PositiveNumber | None = None
    lengths: Annotated[list[NonNegativeNumber], Field(min_length=33, max_length=33)] | None = None
    loads: list[LoadPoint] = []


TIME_LEVELS = tuple(1 - (1 - k / 32) ** 2 for k in range(33))
"""The 33 levels of the quantiles in `TimeSpread`, denser towards 1, because the slowest of many rows counts."""
RateEntry = tuple[Share | None, Share | None, Share | None]


class VerifierRates(BaseModel):
    """Rates of the verifier: each a value with the ends of its 95 % interval; None where unknown.

    See `fits.measure_verifier`. ``unparsed`` is the share of unparsed verdicts, without an interval.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    true_positive: RateEntry
    false_positive: RateEntry
    auroc: RateEntry
    unparsed: Share
