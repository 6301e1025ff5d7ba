"""The costs of a plan in every unit that is known, the interval of λ, and where the recommendation flips, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from isocompute.planner.budget import COST_WORDS, format_amount, round_up
from isocompute.planner.costs.allocation import ProblemSpread
from isocompute.planner.costs.devices import UTILISATION
from isocompute.planner.costs.flips import Flip
from isocompute.planner.costs.gpu_hours import GpuHours
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.profile import Profile

COST_UNITS = {
    "x": "x",
    "tokens": "tokens",
    "prompts": "tokens",
    "cached": "tokens",
    "flops": "FLOPs",
    "kv": "FLOPs",
    "dollars": "$",
    "seconds": "s",
    "gpu_hours": "gpu-hours",
}
"""The costs of a plan, and the unit of each."""
PRINTED_DIGITS = 4
SMALLEST_RANGE = 1e-6
"""A narrower interval, as that of S solutions in solutions' worth, is a single number."""


@dataclass(frozen=True, eq=False)
class PlanCosts:
    """Costs of a plan, and the prices behind them.

    Args:
        model: name of the cost model that the plan is made under.
        budget: the budget as it is typed; None if there is none.
        problems: number of problems of the job; None if budgets are for one problem.
        settings: prices, device and batch.
        solution: mean cost of a solution in the unit of the cost model; None if unknown.
        per_problem: mean cost of the recommendation for a problem, by the names of `COST_UNITS`; None where unknown.
        job: the same of all problems, without x and seconds; None without a number of problems.
        tokens: prompt, cached and completion tokens by role, for a problem.
        unknown: why a cost is unknown, by name.
        spread: cost on single problems and the interval of the mean; None if unknown.
        ratio_interval: 95 % interval of λ; None without verifications, or if it is unknown or was given.
        ratio_changes: the ends of that interval at which another strategy is recommended, and that strategy.
        flips: the nearest prices at which the recommendation changes.
        setting_flips: devices and batches at which another strategy is recommended, as text.
        latency_limit: seconds until an answer; None without a limit.
        target: the accuracy to reach; None without.
        target_bound: the accuracy that the recommendation reaches with 90 % probability; None without a target.
        hours: how GPU-hours were found; None if they were not asked for.
    """

    model: str
    budget: str | None
    problems: int | None
    settings: CostSettings
    solution: float | None
    per_problem: Mapping[str, float | None]
    job: Mapping[str, float | None] | None
    tokens: Mapping[str, Mapping[str, float | None]]
    unknown: Mapping[str, str]
    spread: ProblemSpread | None
    ratio_interval: tuple[float, float] | None
    ratio_changes: list[tuple[float, str]]
    flips: list[Flip]
    setting_flips: list[tuple[str, str]] = field(default_factory=list)
    latency_limit: float | None = None
    target: float | None = None
    target_bound: float | None = None
    hours: GpuHours | None = None


def describe_plan_costs(costs: PlanCosts) -> list[str]:
    """Return lines on the costs of a plan, in amounts that can be typed back as budgets."""
    lines = [f"costs per problem: {list_amounts(costs.per_problem)}"]
    if costs.tokens and (parts := list_role_tokens(costs)):
        lines.append(f"tokens by role: {parts}")
    if costs.spread is not None:
        low, mean, high = (f"{x:,.4g}x" for x in (costs.spread.low, costs.spread.mean, costs.spread.high))
        interval = costs.spread.interval
        is_range = interval is not None and interval[1] - interval[0] > SMALLEST_RANGE * costs.spread.mean
        ends = (
            f" (95 % interval of the mean {interval[0]:,.4g}x to {interval[1]:,.4g}x)" if interval and is_range else ""
        )
        lines.append(f"single problems take {low} to {high}, {mean} on average{ends}")
    if costs.job is not None:
        lines.append(f"costs of {costs.problems:,} problems: {list_amounts(costs.job)}")
    return lines


def list_amounts(amounts: Mapping[str, float | None]) -> str:
    """Return known amounts as text, rounded up, so that each typed back pays for the same allocation."""
    parts = []
    for name, amount in amounts.items():
        if amount is not None:
            text = format_amount(round_up(amount, PRINTED_DIGITS), COST_UNITS[name], PRINTED_DIGITS)
            parts.append(f"{text} {COST_WORDS[name]}" if name in COST_WORDS else text)
    return ", ".join(parts)


def list_role_tokens(costs: PlanCosts) -> str:
    """Return the known tokens of each role as text."""
    parts = []
    for role, counts in costs.tokens.items():
        known = [f"{count:,.0f} {name}" for name, count in counts.items() if count is not None]
        if known:
            parts.append(f"{role} {', '.join(known)}")
    return "; ".join(parts)


def describe_settings(costs: PlanCosts) -> list[str]:
    """Return sentences on the prices, the device and the batch behind the costs."""
    settings, sentences = costs.settings, []
    if settings.prices is not None and costs.per_problem.get("dollars") is not None:
        discounted = any(price.batch_discount for price in settings.prices.models.values())
        with_discount = ", batch discounts taken off" if discounted else ""
        sentences.append(f"Dollars are by the prices in {settings.prices.source}{with_discount}.")
    sentences += describe_gpu_hours(costs)
    if settings.device is not None and costs.per_problem.get("kv") is not None:
        batch = "a batch so large that reads of the weights cost nothing"
        batch = batch if settings.batch is None else f"a batch of {settings.batch}"
        sentences.append(
            f"KV reads are charged {settings.device.intensity:,.0f} FLOPs a byte, as on {settings.device.name}, at "
            f"{batch}."
        )
    return sentences


def describe_gpu_hours(costs: PlanCosts) -> list[str]:
    """Return a sentence on where GPU-hours come from; none if they are unknown."""
    hours, device = costs.hours, costs.settings.device
    if hours is None or hours.amount is None:
        return []
    by_peak = "" if device is None else f"{device.name} at {100 * UTILISATION:.0f} % of its peak FLOPs"
    if hours.source == "device":
        return [f"GPU-hours are of {by_peak}."]
    sentence = "GPU-hours are by the run's measured throughput, of the machine that it ran on"
    if hours.of_device is None:
        return [f"{sentence}."]
    amount = format_amount(round_up(hours.of_device, PRINTED_DIGITS), "gpu-hours", PRINTED_DIGITS)
    return [f"{sentence}; by FLOPs they would be {amount} of {by_peak}."]


def describe_token_weights(profile: Profile) -> list[str]:
    """Return a sentence on models of another size than the solver's, whose tokens count more or less than its own."""
    sizes = {role: model.active_parameters or model.parameters for role, model in profile.models.items()}
    solver = sizes.pop("solver", None)
    weights = [
        f"a token of the {role} counts {size / solver:.3g}"
        for role, size in sizes.items()
        if size and solver and not math.isclose(size, solver, rel_tol=1e-3)
    ]
    return [f"Tokens are counted in the solver's: {', '.join(weights)}."] if weights else []


def describe_flips(costs: PlanCosts, lam: float | None, verifier: str | None) -> list[str]:
    """Return sentences on where the recommendation flips.

    Args:
        costs: the costs of the plan.
        lam: its λ.
        verifier: name of the verifier's model.
    """
    sentences = [describe_flip(flip, costs, verifier) for flip in costs.flips]
    for setting, strategy in costs.setting_flips:
        sentences.append(f"{setting}, {strategy} is recommended.")
    if costs.ratio_interval is not None and lam is not None:
        low, high = costs.ratio_interval
        changes = " and ".join(f"{strategy} at λ = {end:.3g}" for end, strategy in costs.ratio_changes)
        more = f"recommended is {changes}" if changes else "at both ends the same strategy is recommended"
        sentences.append(f"λ = {lam:.3g} (95 % interval over problems {low:.3g} to {high:.3g}); {more}.")
    return sentences


def describe_flip(flip: Flip, costs: PlanCosts, verifier: str | None) -> str:
    """Return a sentence on the price at which a recommendation changes, in the terms of the cost model."""
    side = "above" if flip.is_above else "below"
    what = "verification" if flip.role == "verifier" else "score"
    symbol = "λ" if flip.role == "verifier" else "ρ"
    price = None
    if costs.model == "dollars" and costs.settings.prices is not None and flip.role == "verifier" and verifier:
        price = costs.settings.prices.find_price(verifier)
    if price is not None:
        return (
            f"At a price of the verifier {side} {flip.factor:.3g} times this one (output {side} "
            f"${price.output * flip.factor:.3g} per million tokens), {flip.strategy} is recommended."
        )
    return (
        f"At a cost of a {what} {side} {flip.factor:.3g} times this one ({symbol} {side} {flip.ratio:.3g}), "
        f"{flip.strategy} is recommended."
    )
