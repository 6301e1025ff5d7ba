"""The JSON of ``pilot`` and ``next``."""

from __future__ import annotations

from isocompute.api.json_schema.blocks import CommandJson, Fraction, JsonBlock
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.expectation import ExpectedRegret
from isocompute.planner.pilot.next_rows import NextOption, NextRows
from isocompute.planner.pilot.planning import PricedPilot
from isocompute.planner.pilot.search_requests import SearchRequest


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
    variance: VarianceSplitJson | None
    """Null where the budget pays for one solution only."""
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
        variance=None if plan.split is None else VarianceSplitJson.convert(plan.split),
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


class NextOptionJson(JsonBlock):
    """Rows that could be added."""

    rows: str
    """The rows in words."""
    shape: PilotShapeJson
    """The whole run afterwards; with problems of other samples, the added ones."""
    cost: float
    """Total cost of the rows, in x."""
    regret_points: float
    """The regret to expect of the decision afterwards, in points."""
    gain_points: float
    """The regret to expect now minus that, in points."""


class SearchRequestJson(JsonBlock):
    """Searches that are worth running."""

    rows: str
    """The searches in words."""
    strategy: str
    """The search and its rule of selection."""
    numbers: dict[str, int]
    """N slots, width M and lookahead k, those that the search has."""
    seeds: int
    """Seeds of each problem that this size has afterwards."""
    reason: str
    """The reason to run them."""
    cost: float | None
    """Total cost of the searches, in x; null outside of the sizes that were run, where it is unknown."""
    gain_points: float | None
    """The expected regret now minus that afterwards, in points; null where that is unknown."""
    entries: str
    """The new entry of the search under ``searches`` in the sweep file, in YAML; two where one size gets more seeds."""


class NextJson(CommandJson):
    """``next … --json``: the rows that sharpen a run's decision most per unit of cost."""

    run: str
    """Path of the run."""
    shape: PilotShapeJson
    """The samples that the decision rests on."""
    cost: float
    """Their total cost, in x."""
    budget: float
    """The budget per problem of the decision, in x."""
    lam: float
    """λ, the cost of a verification in solutions."""
    recommended: str
    """The allocation that is recommended now."""
    regret_points: float
    """The regret to expect of it, in points."""
    best: NextOptionJson | None
    """The rows to add; null if none are worth it."""
    options: list[NextOptionJson]
    """All options, by what they gain per cost."""
    searches: list[SearchRequestJson]
    """Searches that are worth running: a size that was not run, one beyond the last, or more seeds."""
    dominated: list[str]
    """Strategies that can be dropped: they are within the equivalence margin of the best with a low probability."""
    enough_solutions: int
    """The smallest S up to which an allocation near the best is found almost surely."""
    enough_verifications: int
    """The same of V; 0 if no verifications are needed."""
    unfinished: int
    """Number of problems that are left out because rows are missing or failed."""
    warnings: list[str]
    """Limits of the options, in sentences."""


def build_next_json(found: NextRows) -> NextJson:
    """Return the rows to add as JSON."""
    return NextJson(
        run=found.run,
        shape=PilotShapeJson.convert(found.shape),
        cost=found.cost,
        budget=found.budget,
        lam=found.lam,
        recommended=found.recommended,
        regret_points=100 * found.regret,
        best=None if found.best is None else build_next_option(found.best),
        options=[build_next_option(option) for option in found.options],
        searches=[build_search_request(request) for request in found.searches],
        dominated=list(found.dominated),
        enough_solutions=found.enough_solutions,
        enough_verifications=found.enough_verifications,
        unfinished=found.unfinished,
        warnings=found.warnings,
    )


def build_search_request(request: SearchRequest) -> SearchRequestJson:
    """Return searches that are worth running as JSON."""
    return SearchRequestJson(
        rows=request.rows,
        strategy=request.strategy,
        numbers=request.numbers,
        seeds=request.seeds,
        reason=request.reason,
        cost=request.cost,
        gain_points=None if request.gain is None else 100 * request.gain,
        entries=request.entries,
    )


def build_next_option(option: NextOption) -> NextOptionJson:
    """Return rows that could be added as JSON."""
    return NextOptionJson(
        rows=option.rows,
        shape=PilotShapeJson.convert(option.shape),
        cost=option.cost,
        regret_points=100 * option.regret,
        gain_points=100 * option.gain,
    )
