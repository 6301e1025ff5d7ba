"""Costs of requests and searches in tokens, FLOPs, hours and dollars. Unknown quantities stay unknown (None)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from isocompute.errors import DataError

TOKEN_RATES = (1e-3, 1e12)
"""The range of tokens a second."""
MODEL_SIZES = (1e-3, 1e15)
"""The range of a model's parameters."""
SMALLEST_PRICE = 1e-9
"""The lowest price above zero in dollars, of a million tokens or of an hour of the machine."""
LARGEST_PRICE = 1e6
"""The highest."""


@dataclass(frozen=True)
class TokenLengths:
    """Mean tokens of a request, a scored solution or a complete search, as rows count them; None if unknown.

    Args:
        completion_tokens: sampled tokens; for a search those of all steps and rollouts, its ``generated_tokens``.
        source: `run`, `sample`, `max_tokens` (an upper bound of ``completion_tokens``) or `unknown`.
        rows: the number of rows that the means are over.
        scorer_prompt_tokens: tokens that a scorer reads.
        scorer_cached_tokens: those of them that are in the scorer's cache.
        scorer_completion_tokens: tokens that the scorer samples.
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
"""The lengths of requests about which nothing is known."""


@dataclass(frozen=True)
class UnitPrices:
    """Unit prices in dollars; None if a unit is not billed.

    Args:
        prompt: price of a million prompt tokens, cached or not.
        completion: price of a million completion tokens.
        hour: price of an hour of the machine.
    """

    prompt: float | None = None
    completion: float | None = None
    hour: float | None = None


@dataclass(frozen=True)
class RoleCost:
    """The cost of one role's requests; None if unknown.

    Args:
        requests: the number of requests, scored solutions or searches.
        lengths: mean tokens of each.
        parameters: P, the model's parameter count.
        scorer_parameters: P of the scorer.
        flops: 2·P for each sampled token.
        prompt_flops: 2·P for each prompt token that is not cached; for all of them if the number of cached ones is
            unknown.
        scorer_flops: 2·P of the scorer for each token that it samples, or reads without having cached it.
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
        """The tokens that the rate counts: the sampled ones; for a scorer alone, the ones it reads."""
        return self.scorer_prompt_tokens if self.completion_tokens == 0 else self.completion_tokens


@dataclass(frozen=True)
class PriceEstimate:
    """The cost of a sweep's requests.

    Args:
        roles: the cost by role: solver, and verifier, scorer and each kind of search if there are any.
        upper_bound: whether some lengths are the maximum instead of a measured mean.
        rates: tokens a second over all requests of a role together: completion tokens for a model, the solver's for
            searches, tokens read for a scorer of solutions; None if unknown.
        rate_source: `given` or `sample`; None without rates.
        hours: tokens divided by their rate, summed over the roles; None if a term is unknown.
        prices: the unit prices.
        dollars: the total of the billed units; None if no unit is billed, or an amount is unknown.
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
    scorer_billed: bool = False,
) -> PriceEstimate:
    """Return the cost of requests.

    Args:
        requests: the number of requests of each role.
        lengths: mean tokens of a request of each role.
        parameters: P of each role's model; for a search, its solver's.
        rates: tokens a second of each role, see `PriceEstimate`.
        rate_source: the origin of the rates.
        prices: the unit prices in dollars.
        scorer: P of the scorer.
        scorer_billed: whether the scorer's tokens are billed like the other tokens, as a verifier's are; otherwise they
            are free.

    Raises:
        DataError: a rate, a model size or a price is invalid.

    Example:
        >>> lengths = {"solver": TokenLengths(200, 100, 500, source="run", rows=64)}
        >>> estimate = price_requests({"solver": 1000}, lengths, {"solver": 8e9}, {"solver": 2500}, "given",
        ... UnitPrices(hour=18))
        >>> solver = estimate.roles["solver"]
        >>> f"{solver.flops:g} + {solver.prompt_flops:g} FLOPs, {estimate.hours * 3600:g} s, ${estimate.dollars:g}"
        '8e+15 + 1.6e+15 FLOPs, 200 s, $1'
    """
    prices = prices or UnitPrices()
    sizes = {**parameters, "scorer": scorer}
    for name, numbers, (least, most) in (
        ("The rate", rates or {}, TOKEN_RATES),
        ("A model's size", sizes, MODEL_SIZES),
    ):
        for number in numbers.values():
            if number is not None and not least <= number <= most:
                raise DataError(f"{name} is {number:g}; it must lie from {least:g} to {most:g}.")
    for price in (prices.prompt, prices.completion, prices.hour):
        if price is not None and not (price == 0 or SMALLEST_PRICE <= price <= LARGEST_PRICE):
            raise DataError(
                f"A price is {price:g}; it must be zero, or lie from {SMALLEST_PRICE:g} to {LARGEST_PRICE:,.0f}."
            )
    roles = {
        role: compute_role_cost(count, lengths[role], parameters.get(role), scorer) for role, count in requests.items()
    }
    seconds = sum_amounts(divide_by_rate(role.rated_tokens, (rates or {}).get(name)) for name, role in roles.items())
    hours = multiply_amounts(seconds, 1 / 3600)
    prompt_tokens = [role.prompt_tokens for role in roles.values()]
    completion_tokens = [role.completion_tokens for role in roles.values()]
    if scorer_billed:
        prompt_tokens += [role.scorer_prompt_tokens for role in roles.values()]
        completion_tokens += [role.scorer_completion_tokens for role in roles.values()]
    units = [
        (prices.prompt, multiply_amounts(sum_amounts(prompt_tokens), 1e-6)),
        (prices.completion, multiply_amounts(sum_amounts(completion_tokens), 1e-6)),
        (prices.hour, hours),
    ]
    charges = [multiply_amounts(amount, price) for price, amount in units if price is not None]
    return PriceEstimate(
        roles=roles,
        upper_bound=any(role.requests and role.lengths.source == "max_tokens" for role in roles.values()),
        rates=None if rates is None else dict(rates),
        rate_source=None if rates is None else rate_source,
        hours=hours,
        prices=prices,
        dollars=sum_amounts(charges) if charges else None,
    )


def compute_role_cost(requests: int, lengths: TokenLengths, parameters: float | None, scorer: float | None) -> RoleCost:
    """Return the cost of one role's requests."""
    tokens = {
        name: 0.0 if requests == 0 else multiply_amounts(mean, requests) for name, mean in lengths.token_counts.items()
    }
    uncached = subtract_cached_tokens(tokens["prompt_tokens"], tokens["cached_tokens"])
    scorer_uncached = subtract_cached_tokens(tokens["scorer_prompt_tokens"], tokens["scorer_cached_tokens"])
    return RoleCost(
        requests=requests,
        lengths=lengths,
        parameters=parameters,
        scorer_parameters=scorer,
        **tokens,
        flops=compute_flops(tokens["completion_tokens"], parameters),
        prompt_flops=compute_flops(uncached, parameters),
        scorer_flops=compute_flops(sum_amounts([scorer_uncached, tokens["scorer_completion_tokens"]]), scorer),
    )


def compute_flops(tokens: float | None, parameters: float | None) -> float | None:
    """Return 2·P for each token; 0 for 0 tokens, even if P is unknown."""
    return 0.0 if tokens == 0 else multiply_amounts(tokens, multiply_amounts(parameters, 2))


def subtract_cached_tokens(prompt: float | None, cached: float | None) -> float | None:
    """Return the number of prompt tokens that are not cached; all of them if the cached number is unknown."""
    return prompt if prompt is None or cached is None else prompt - cached


def divide_by_rate(amount: float | None, rate: float | None) -> float | None:
    """Return an amount divided by its rate; 0 for an amount of 0, even if the rate is unknown."""
    return 0.0 if amount == 0 else None if amount is None or rate is None else amount / rate


def multiply_amounts(one: float | None, other: float | None) -> float | None:
    """Return the product; None if a factor is unknown."""
    return None if one is None or other is None else one * other


def sum_amounts(amounts: Iterable[float | None]) -> float | None:
    """Return the sum; None if an amount is unknown."""
    known = list(amounts)
    return None if None in known else float(sum(amount for amount in known if amount is not None))
