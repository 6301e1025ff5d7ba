"""The JSON of ``pilot`` and ``next``."""

from __future__ import annotations

from isocompute.api.json_schema.blocks import CommandJson, Fraction, JsonBlock
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.expectation import ExpectedRegret
from isocompute.planner.pilot.planning import PricedPilot


class PilotShapeJson(JsonBlock):
    """The size of a pilot."""

    problems: int
    """Number of problems."""
    solutions: int
    """N, the solutions of each problem."""
    verified: int
    """K, how many of them are verified; 0 without verifications."""
    verifications: int
    """M, the verifications of each of those; 0 without verifications."""


class ExpectedRegretJson(JsonBlock):
    """The regret to expect, in points of accuracy, over simulated tasks."""

    mean_points: float
    """The mean over tasks."""
    interval_points: tuple[float, float]
    """95 % interval of the mean, from the number of simulated tasks."""
    high_points: float
    """The regret that one task in ten exceeds."""
    tasks: int
    """Number of simulated tasks."""


class PilotCostsJson(JsonBlock):
    """The total cost of a pilot; null where a unit is unknown."""

    solutions_worth: float
    """In x: its solutions, and λ for each verification."""
    solutions: int
    """Number of solutions."""
    verifications: int
    """Number of verifications."""
    completion_tokens: float | None
    """Tokens that solver and verifier write."""
    prompt_tokens: float | None
    """Tokens that they read, those from a cache included."""
    flops: float | None
    """Two for each parameter and token written or read."""


class VarianceSplitJson(JsonBlock):
    """The variance over problems of a measured lead, and its shares."""

    allocation: str
    """The allocation that leads or falls behind."""
    baseline: str
    """The allocation that it is compared with."""
    variance: float
    """Of the difference of a problem's accuracies, as the pilot measures it."""
    problems: Fraction
    """Share from differences between problems."""
    solutions: Fraction
    """Share from the solutions that were drawn."""
    verdicts: Fraction
    """Share from the verdicts that were drawn."""


class OtherShapeJson(JsonBlock):
    """Another shape for the same goal."""

    shape: PilotShapeJson
    expected_regret: ExpectedRegretJson


class PilotGoalJson(JsonBlock):
    """The goal of a pilot; the fields that are not the goal are null."""

    worth: float | None
    """Total cost that it may have, in x."""
    regret: float | None
    """The regret that its advice may have, in points."""
    gap: float | None
    """The gap between SC and the best other strategy that it is to tell with a power of 0.8, in points."""


class PilotJson(CommandJson):
    """``pilot … --json``: the pilot to sample."""

    goal: PilotGoalJson
    shape: PilotShapeJson
    costs: PilotCostsJson
    expected_regret: ExpectedRegretJson
    budgets: list[float]
    """The budgets that the advice is for, in x; the regret is the mean over them."""
    variance: VarianceSplitJson
    others: list[OtherShapeJson]
    """Other shapes within the same cost."""
    lam: float
    """λ, the cost of a verification in solutions."""
    source: str
    """Source of the simulated tasks."""
    warnings: list[str]
    """Limits of the plan, in sentences."""


def build_pilot_json(found: PricedPilot) -> PilotJson:
    """Return a planned pilot as JSON."""
    plan = found.plan
    return PilotJson(
        goal=PilotGoalJson.convert(found.goal),
        shape=PilotShapeJson.convert(plan.shape),
        costs=PilotCostsJson.convert(found.costs),
        expected_regret=build_expected_regret(plan.expected),
        budgets=list(plan.budgets),
        variance=VarianceSplitJson.convert(plan.split),
        others=[build_other_shape(*each) for each in plan.others],
        lam=plan.model.lam,
        source=plan.model.source,
        warnings=found.warnings,
    )


def build_other_shape(shape: PilotShape, expected: ExpectedRegret) -> OtherShapeJson:
    """Return another shape as JSON."""
    return OtherShapeJson(shape=PilotShapeJson.convert(shape), expected_regret=build_expected_regret(expected))


def build_expected_regret(expected: ExpectedRegret) -> ExpectedRegretJson:
    """Return an expected regret in points as JSON."""
    low, high = expected.interval
    return ExpectedRegretJson(
        mean_points=100 * expected.mean,
        interval_points=(100 * low, 100 * high),
        high_points=100 * expected.high,
        tasks=len(expected.regret),
    )
