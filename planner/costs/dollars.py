"""Dollars of requests: input, output and cached reads at a model's prices, less its batch discount."""

from __future__ import annotations

from isocompute.fits.arrays import Floats
from isocompute.planner.costs.prices import MILLION, ModelPrice
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.costs.usage import RoleUsage, UnknownCostError


def compute_request_dollars(usage: RoleUsage, settings: CostSettings) -> Floats:
    """Compute the dollars of a request: (1 - d)(input·(prompt - cached) + cached_read·cached + output·completion).

    Without a price of cached reads all prompt tokens are billed as input, and the cached ones need not be known.

    Args:
        usage: the tokens of the request.
        settings: with the prices.

    Raises:
        UnknownCostError: a count is unknown, or there is no price for the model.
    """
    price = require_price(usage, settings)
    prompt, sampled = usage.require_tokens("prompt"), usage.require_tokens("completion")
    if price.cached_read is None or price.cached_read == price.input:
        given = price.input * prompt
    else:
        given = price.input * usage.uncached + price.cached_read * usage.require_tokens("cached")
    return (1 - price.batch_discount) * (given + price.output * sampled) / MILLION


def require_price(usage: RoleUsage, settings: CostSettings) -> ModelPrice:
    """Return the price of a role's model.

    Raises:
        UnknownCostError: there are no prices, or not one of this model; the message names the models that have one.
    """
    if settings.prices is None:
        raise UnknownCostError("there are no prices; --prices FILE (prices= in Python) sets them")
    name = usage.model.name
    if name is None:
        raise UnknownCostError(f"the profile does not name the {usage.role}'s model")
    price = settings.prices.find_price(name)
    if price is None:
        missing = settings.prices.explain_missing(name, f"the {usage.role}'s model")
        raise UnknownCostError(f"the prices in {settings.prices.source} {missing}")
    return price
