"""The JSON of ``sweep --dry-run``."""

from __future__ import annotations

from typing import Literal

from isocompute.api.json_schema.blocks import CommandJson, JsonBlock
from isocompute.runners.cost.price import PriceEstimate


class TokensJson(JsonBlock):
    """Tokens by role and kind; null where unknown."""

    prompt_tokens: float | None
    """Prompt tokens, cached ones included."""
    cached_tokens: float | None
    """Prompt tokens read from the prefix cache."""
    completion_tokens: float | None
    """Sampled tokens; of a search those of all its steps and rollouts."""
    scorer_prompt_tokens: float | None
    """Tokens that the scorer reads."""
    scorer_cached_tokens: float | None
    """Those of them that are read from its prefix cache."""
    scorer_completion_tokens: float | None
    """Tokens that the scorer samples."""


class LengthsJson(TokensJson):
    """Mean tokens of a request, a scored solution or a whole search."""

    source: Literal["run", "sample", "max_tokens", "unknown"]
    """The source of the means; ``max_tokens`` is an upper bound on completion tokens."""
    rows: int
    """Number of rows that the means are over."""


class RoleCostJson(TokensJson):
    """The cost of the requests of one role that are still to be made; null where unknown."""

    requests: int
    """Number of requests, scored solutions or searches."""
    lengths: LengthsJson
    """Mean tokens of one of them."""
    parameters: float | None
    """Number of parameters of the model."""
    scorer_parameters: float | None
    """Number of parameters of the scorer's model."""
    flops: float | None
    """2 FLOPs per parameter for each completion token."""
    prompt_flops: float | None
    """2 FLOPs per parameter for each prompt token that is not cached."""
    scorer_flops: float | None
    """2 FLOPs per parameter of the scorer for each token that it reads or samples."""


class UnitPricesJson(JsonBlock):
    """The given prices in dollars; null where none was given."""

    prompt: float | None
    """For a million prompt tokens."""
    completion: float | None
    """For a million completion tokens."""
    hour: float | None
    """For an hour of the machine."""


class PriceJson(CommandJson):
    """``sweep CONFIG --dry-run --json``: the cost of what a sweep still has to sample."""

    run: str
    """The run's folder."""
    roles: dict[str, RoleCostJson]
    """The solver; the verifier, the scorer and each kind of search, if there are any."""
    upper_bound: bool
    """True if completions are assumed to be as long as they may be."""
    rates: dict[str, float] | None
    """Tokens per second of each role's requests together; null if unknown."""
    rate_source: Literal["given", "sample"] | None
    """The source of the rates."""
    hours: float | None
    """Time of all requests, one role after the other; null if unknown."""
    prices: UnitPricesJson
    dollars: float | None
    """Cost of all that has a price; null without prices, or if what has one cannot be counted."""


def build_price_json(run: str, price: PriceEstimate) -> PriceJson:
    """Return what a sweep would cost as JSON, see `PriceEstimate`."""
    return PriceJson.model_validate({"run": run, **vars(price)})
