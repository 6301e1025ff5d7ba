"""The JSON of a plan's costs, of the prices at which it changes, and of its limits."""

from __future__ import annotations

from typing import Any

from isocompute.api.json_schema.blocks import JsonBlock
from isocompute.planner.plan import Plan


class CostsJson(JsonBlock):
    """Mean costs for a problem, or of a job, in every unit; null where unknown. Each can be given as a budget."""

    x: float | None = None
    """In solutions' worth under the plan's cost model; null for a job."""
    tokens: float | None = None
    """Completion tokens, and what a scorer reads for the first time; those of other models by size, in the solver's."""
    prompts: float | None = None
    """The same with all prompt tokens."""
    cached: float | None = None
    """The same with the prompt tokens that are not read from a cache."""
    flops: float | None = None
    """2P FLOPs a token, sampled or read uncached."""
    kv: float | None = None
    """FLOPs with attention and reads of the KV cache, at the device's FLOPs per byte; null without a device."""
    dollars: float | None = None
    """At the given prices; null without prices."""
    seconds: float | None = None
    """Expected latency of one answer; null for a job."""
    gpu_hours: float | None = None
    """By the run's measured throughput, or at 40 % of the device's peak, see gpu_hours_source; null without both."""


class RoleTokensJson(JsonBlock):
    """Mean tokens of one role's requests for a problem; null where unknown."""

    prompt: float | None
    """Prompt tokens."""
    cached: float | None
    """Prompt tokens read from the prefix cache."""
    completion: float | None
    """Completion tokens."""


class SpreadJson(JsonBlock):
    """Cost of the recommendation on single problems, in x."""

    mean: float
    """Mean over problems."""
    low: float
    """On the cheapest measured problem."""
    high: float
    """On the dearest one."""
    interval: tuple[float, float] | None
    """95 % interval of the mean; null with too few problems."""


class FlipJson(JsonBlock):
    """The nearest price at which the recommended strategy changes."""

    role: str
    """The role whose price changes: verifier or scorer."""
    factor: float
    """The factor on the cost of its request, from which on another strategy is recommended."""
    ratio: float
    """λ or ρ there."""
    strategy: str
    """The strategy that is recommended beyond."""


def build_cost_fields(plan: Plan) -> dict[str, Any]:
    """Return the fields on the cost model, on prices and on limits."""
    costs = plan.costs
    return {
        "cost_model": plan.counting if costs is None else costs.model,
        "problems": None if costs is None else costs.problems,
        "gpu_hours_source": None if costs is None or costs.hours is None else costs.hours.source,
        "solution_cost": None if costs is None else costs.solution,
        "lambda_interval": None if costs is None else costs.ratio_interval,
        "lambda_changes": [] if costs is None else costs.ratio_changes,
        "flips": [] if costs is None else [FlipJson.convert(flip) for flip in costs.flips],
        "setting_flips": [] if costs is None else costs.setting_flips,
        "latency_limit": None if costs is None else costs.latency_limit,
        "target": None if costs is None else costs.target,
        "target_bound": None if costs is None else costs.target_bound,
        "toy_note": plan.toy_note,
    }
