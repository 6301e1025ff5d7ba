"""The cost of requests and searches: tokens, FLOPs, hours, dollars. Pure arithmetic; what is unknown stays unknown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from isocompute.errors import DataError


@dataclass(frozen=True)
class TokenLengths:
    """Mean tokens of a request, a scored solution or a whole search, as rows count them; None where unknown.

    Args:
        completion_tokens: what is sampled; of a search in all its steps and rollouts, its ``generated_tokens``.
        source: `run`, `sample`, `max_tokens`, which is an upper bound of ``completion_tokens``, or `unknown`.
        rows: how many the means are over.
        scorer_prompt_tokens: what a scorer reads.
        scorer_cached_tokens: what its cache holds of that.
        scorer_completion_tokens: what it samples.
    """

    prompt_tokens: float | None
    cached_tokens: float | None
    completion_tokens: float | None
    source: str
    rows: int
    scorer_prompt_tokens: float | None = 0.0
    scorer_cached_tokens: float | None = 0.0
    scorer_completion_tokens: float | None = 0.0

    @property
    def token_counts(self) -> dict[str, float | None]:
        """The counts, by name."""
        return {name: count for name, count in vars(self).items() if name.endswith("_tokens")}


UNKNOWN_LENGTHS = TokenLengths(None, None, None, "unknown", 0, None, None, None)
"""Of what nothing tells how long it is."""


@dataclass(frozen=True)
class UnitPrices:
    """Prices in dollars; None for what is not paid for.

    Args:
        prompt: a million prompt tokens, cached ones like the others.
        completion: a million completion tokens.
        hour: an hour of the machine.
    """

    prompt: float | None = None
    completion: float | None = None
    hour: float | None = None


@dataclass(frozen=True)
class RoleCost:
    """The cost of one role's requests; None where unknown.

    Args:
        requests: how many requests, scored solutions or searches.
        lengths: mean tokens of each.
        parameters: P, of the model.
        scorer_parameters: P, of what scores.
        flops: 2·P for each token that is sampled.
        prompt_flops: 2·P for each prompt token that is not cached; all are read if it is unknown how many are cached.
        scorer_flops: 2·P of the scorer for each token that it samples, or reads and has not cached.
    """

    requests: int
    lengths: TokenLengths
    parameters: float | None
    scorer_parameters: float | None
    prompt_tokens: float | None
    cached_tokens: float | None
    completion_tokens: float | None
    scorer_prompt_tokens: float | None
    scorer_cached_tokens: float | None
    scorer_completion_tokens: float | None
    flops: float | None
    prompt_flops: float | None
    scorer_flops: float | None

    @property
    def rated_tokens(self) -> float | None:
        """The tokens that its rate counts: what is sampled; what is read, where a scorer alone is at work."""
        return self.scorer_prompt_tokens if self.completion_tokens == 0 else self.completion_tokens


@dataclass(frozen=True)
class PriceEstimate:
    """The cost of a sweep's requests.

    Args:
        roles: solver; verifier, scorer and each kind of search, if there are any.
        upper_bound: whether completions are as long as they may get, and not as long as they were measured to be.
        rates: tokens a second while a role's requests are worked off, all of them together: completion tokens, those of
            the searches' solvers, or what a scorer of solutions reads; None if unknown.
        rate_source: `given` or `sample`; None without rates.
        hours: those tokens over their rate, one role after the other; None where one is unknown.
        prices: what is paid.
        dollars: for all that is paid for; None if nothing is, or if what is cannot be counted.
    """

    roles: dict[str, RoleCost]
    upper_bound: bool
    rates: dict[str, float] | None
    rate_source: str | None
    hours: float | None
    prices: UnitPrices
    dollars: float | None


def price_requests(
    requests: Mapping[str, int],
    lengths: Mapping[str, TokenLengths],
    parameters: Mapping[str, float | None],
    rates: Mapping[str, float] | None = None,
    rate_source: str | None = None,
    prices: UnitPrices | None = None,
    scorer: float | None = None,
    hired: bool = False,
) -> PriceEstimate:
    """Price requests.

    Args:
        requests: how many of each role.
        lengths: mean tokens of a request of each role.
        parameters: P of each role's model; of a search, its solver's.
        rates: tokens a second of each role, see `PriceEstimate`.
        rate_source: where they are from.
        prices: in dollars.
        scorer: P of what scores.
        hired: whether the scorer's tokens are paid like the others, as a verifier's are; if not, it is at home.

    Raises:
        DataError: a rate, a size or a price that can be none.

    Example:
        >>> lengths = {"solver": TokenLengths(200, 100, 500, source="run", rows=64)}
        >>> found = price_requests({"solver": 1000}, lengths, {"solver": 8e9}, {"solver": 2500}, "given",
        ... UnitPrices(hour=18))
        >>> solver = found.roles["solver"]
        >>> f"{solver.flops:g} + {solver.prompt_flops:g} FLOPs, {found.hours * 3600:g} s, ${found.dollars:g}"
        '8e+15 + 1.6e+15 FLOPs, 200 s, $1'
    """
    prices = prices or UnitPrices()
    for name, numbers in (("The rate", rates or {}), ("A model's size", {**parameters, "scorer": scorer})):
        for given in numbers.values():
            if given is not None and not (given > 0 and math.isfinite(given)):
                raise DataError(f"{name} is {given:g}; it must be above zero.")
    for given in (prices.prompt, prices.completion, prices.hour):
        if given is not None and not (given >= 0 and math.isfinite(given)):
            raise DataError(f"A price is {given:g}; it must be zero or above.")
    roles = {
        role: compute_role_cost(count, lengths[role], parameters.get(role), scorer) for role, count in requests.items()
    }
    seconds = sum_amounts(divide_by_rate(role.rated_tokens, (rates or {}).get(name)) for name, role in roles.items())
    hours = multiply_amounts(seconds, 1 / 3600)
    read = [role.prompt_tokens for role in roles.values()]
    written = [role.completion_tokens for role in roles.values()]
    if hired:
        read += [role.scorer_prompt_tokens for role in roles.values()]
        written += [role.scorer_completion_tokens for role in roles.values()]
    paid = [
        (prices.prompt, multiply_amounts(sum_amounts(read), 1e-6)),
        (prices.completion, multiply_amounts(sum_amounts(written), 1e-6)),
        (prices.hour, hours),
    ]
    bought = [multiply_amounts(amount, each) for each, amount in paid if each is not None]
    return PriceEstimate(
        roles=roles,
        upper_bound=any(role.requests and role.lengths.source == "max_tokens" for role in roles.values()),
        rates=None if rates is None else dict(rates),
        rate_source=None if rates is None else rate_source,
        hours=hours,
        prices=prices,
        dollars=sum_amounts(bought) if bought else None,
    )


def compute_role_cost(requests: int, lengths: TokenLengths, parameters: float | None, scorer: float | None) -> RoleCost:
    """Return what one role's requests cost."""
    tokens = {
        name: 0.0 if requests == 0 else multiply_amounts(mean, requests) for name, mean in lengths.token_counts.items()
    }
    read = subtract_cached_tokens(tokens["prompt_tokens"], tokens["cached_tokens"])
    scored = subtract_cached_tokens(tokens["scorer_prompt_tokens"], tokens["scorer_cached_tokens"])
    return RoleCost(
        requests=requests,
        lengths=lengths,
        parameters=parameters,
        scorer_parameters=scorer,
        **tokens,
        flops=compute_flops(tokens["completion_tokens"], parameters),
        prompt_flops=compute_flops(read, parameters),
        scorer_flops=compute_flops(sum_amounts([scored, tokens["scorer_completion_tokens"]]), scorer),
    )


def compute_flops(tokens: float | None, parameters: float | None) -> float | None:
    """Return 2·P a token; nothing for none, whatever the model."""
    return 0.0 if tokens == 0 else multiply_amounts(tokens, multiply_amounts(parameters, 2))


def subtract_cached_tokens(read: float | None, cached: float | None) -> float | None:
    """Return what is computed of what is read: all, if it is unknown what is cached."""
    return read if read is None or cached is None else read - cached


def divide_by_rate(amount: float | None, rate: float | None) -> float | None:
    """Return an amount over its rate; nothing takes no time at any."""
    return 0.0 if amount == 0 else None if amount is None or rate is None else amount / rate


def multiply_amounts(one: float | None, other: float | None) -> float | None:
    """Return a product; None if a factor is unknown."""
    return None if one is None or other is None else one * other


def sum_amounts(amounts: Iterable[float | None]) -> float | None:
    """Return a sum; None if an amount is unknown."""
    known = list(amounts)
    return None if None in known else float(sum(amount for amount in known if amount is not None))
