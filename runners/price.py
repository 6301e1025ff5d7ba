"""What requests cost: tokens, FLOPs, hours, dollars. Pure arithmetic; what is unknown stays unknown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from isocompute.errors import DataError


@dataclass(frozen=True)
class Lengths:
    """Mean tokens of a request; None where unknown.

    Args:
        source: `run`, `sample`, or `max_tokens`, which is an upper bound of ``completion``.
        rows: how many the means are over.
    """

    prompt: float | None
    cached: float | None
    completion: float
    source: str
    rows: int


@dataclass(frozen=True)
class Prices:
    """What is paid, in dollars; None for what is not paid for.

    Args:
        prompt: a million prompt tokens, cached ones like the others.
        completion: a million completion tokens.
        hour: an hour of the machine.
    """

    prompt: float | None = None
    completion: float | None = None
    hour: float | None = None


@dataclass(frozen=True)
class Cost:
    """What one role's requests cost; None where unknown.

    Args:
        requests: how many.
        lengths: mean tokens of each.
        parameters: P, of the model.
        flops: 2·P for each token that is sampled.
        prompt_flops: 2·P for each prompt token that is not cached; all are read if it is unknown how many are cached.
    """

    requests: int
    lengths: Lengths
    parameters: float | None
    prompt_tokens: float | None
    cached_tokens: float | None
    completion_tokens: float
    flops: float | None
    prompt_flops: float | None


@dataclass(frozen=True)
class Price:
    """What a sweep's requests cost.

    Args:
        roles: solver and, if there is one, verifier.
        upper_bound: whether completions are as long as they may get, and not as long as they were measured to be.
        rates: completion tokens a second while a role's requests are worked off, all of them together; None if unknown.
        rate_source: `given` or `sample`; None without rates.
        hours: completion tokens over their rate, one role after the other; None without rates.
        prices: what is paid.
        dollars: for all that is paid for; None if nothing is, or if what is cannot be counted.
    """

    roles: dict[str, Cost]
    upper_bound: bool
    rates: dict[str, float] | None
    rate_source: str | None
    hours: float | None
    prices: Prices
    dollars: float | None


def price(
    requests: Mapping[str, int],
    lengths: Mapping[str, Lengths],
    parameters: Mapping[str, float | None],
    rates: Mapping[str, float] | None = None,
    rate_source: str | None = None,
    prices: Prices | None = None,
) -> Price:
    """Price requests.

    Args:
        requests: how many of each role.
        lengths: mean tokens of a request of each role.
        parameters: P of each role's model.
        rates: completion tokens a second of each role.
        rate_source: where they are from.
        prices: in dollars.

    Raises:
        DataError: a rate, a size or a price that can be none.

    Example:
        >>> lengths = {"solver": Lengths(prompt=200, cached=100, completion=500, source="run", rows=64)}
        >>> found = price({"solver": 1000}, lengths, {"solver": 8e9}, {"solver": 2500}, "given", Prices(hour=18))
        >>> solver = found.roles["solver"]
        >>> f"{solver.flops:g} + {solver.prompt_flops:g} FLOPs, {found.hours * 3600:g} s, ${found.dollars:g}"
        '8e+15 + 1.6e+15 FLOPs, 200 s, $1'
    """
    prices = prices or Prices()
    for name, numbers in (("The rate", rates or {}), ("A model's size", parameters)):
        for given in numbers.values():
            if given is not None and not (given > 0 and math.isfinite(given)):
                raise DataError(f"{name} is {given:g}; it must be above zero.")
    for given in (prices.prompt, prices.completion, prices.hour):
        if given is not None and not (given >= 0 and math.isfinite(given)):
            raise DataError(f"A price is {given:g}; it must be zero or above.")
    roles = {role: cost(count, lengths[role], parameters[role]) for role, count in requests.items()}
    completion = sum(role.completion_tokens for role in roles.values())
    hours = None
    if rates is not None:
        hours = sum(cost.completion_tokens / rates[role] for role, cost in roles.items()) / 3600
    paid = [
        (prices.prompt, times(total(role.prompt_tokens for role in roles.values()), 1e-6)),
        (prices.completion, completion * 1e-6),
        (prices.hour, hours),
    ]
    bought = [times(amount, each) for each, amount in paid if each is not None]
    return Price(
        roles=roles,
        upper_bound=any(role.requests and role.lengths.source == "max_tokens" for role in roles.values()),
        rates=None if rates is None else dict(rates),
        rate_source=None if rates is None else rate_source,
        hours=hours,
        prices=prices,
        dollars=total(bought) if bought else None,
    )


def cost(requests: int, lengths: Lengths, parameters: float | None) -> Cost:
    """Return what one role's requests cost."""
    prompt, cached = times(lengths.prompt, requests), times(lengths.cached, requests)
    completion = lengths.completion * requests
    read = prompt if prompt is None or cached is None else prompt - cached
    flops, prompt_flops = times(parameters, 2 * completion), times(read, times(parameters, 2))
    return Cost(requests, lengths, parameters, prompt, cached, completion, flops, prompt_flops)


def times(one: float | None, other: float | None) -> float | None:
    """Return a product; None if a factor is unknown."""
    return None if one is None or other is None else one * other


def total(amounts: Iterable[float | None]) -> float | None:
    """Return a sum; None if an amount is unknown."""
    known = list(amounts)
    return None if None in known else float(sum(amount for amount in known if amount is not None))
