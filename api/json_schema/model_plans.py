"""The JSON of ``plan`` with several profiles."""

from __future__ import annotations

from isocompute.api.json_schema.blocks import CommandJson, Fraction, Interval, JsonBlock, Never, name_infinity
from isocompute.planner.models.candidates import Candidate
from isocompute.planner.models.choice import ModelOption
from isocompute.planner.models.equal_accuracy import EqualAccuracy
from isocompute.planner.models.model_plan import ModelPlan


class CandidateJson(JsonBlock):
    """An allocation of a model, or of a cascade of two."""

    model: str
    """Name of the model; of a cascade both names, the smaller one first."""
    strategy: str
    """The strategy; ``cascade`` for a cascade."""
    numbers: dict[str, int]
    """The allocation; of a cascade S and votes of the smaller model, and large_S … of the larger one."""
    settings: str
    """The allocation in words."""
    cost: float
    """Mean cost per problem, in the unit."""
    accuracy: Fraction
    """Expected accuracy on new problems; of a cascade the mean over problems that it was not chosen on, moved as the
    expectations of its two stages are."""


class ModelOptionJson(CandidateJson):
    """A candidate, compared with the recommended one on the same problems."""

    interval: Interval
    """95 % interval of the expected accuracy."""
    gap: float | None
    """Expected accuracy of the recommendation minus this one's; null for the recommendation."""
    gap_interval: Interval | None
    """Paired 95 % interval of the gap."""
    probability_best: Fraction
    """Probability that no other candidate is better by more than half a point."""
    is_informative: bool
    """False if its verdicts or scores were not shown to tell right from wrong; it is not recommended then."""


class EqualAccuracyJson(JsonBlock):
    """The cheapest allocation of one model that is as accurate as a reference of a dearer one."""

    model: str
    """The cheaper model."""
    reference: CandidateJson
    """One answer of the dearer model, or its best vote."""
    candidate: CandidateJson | None
    """The allocation; null if none gets there."""
    ratio: float | Never
    """Its cost over the reference's; "never" if none gets there."""
    interval: tuple[float | Never, float | Never]
    """95 % interval of the ratio over problems."""


class ModelPlanJson(CommandJson):
    """A plan over several models."""

    toy_note: str | None
    """A sentence if numbers are those of the toy lab; null otherwise."""
    models: list[str]
    """Names of the models."""
    cost_model: str
    """The cost model."""
    unit: str
    """Its unit."""
    budget: float
    """The budget per problem, in the unit."""
    solution: dict[str, float]
    """By model the cost of a solution, in the unit."""
    problems: int
    """Number of problems that all models were measured on."""
    recommendation: ModelOptionJson
    """The allocation to run."""
    alternatives: list[ModelOptionJson]
    """The best allocation of each other strategy of each model, and of each cascade."""
    equal_accuracy: list[EqualAccuracyJson]
    """The allocations with which cheaper models are as accurate as dearer ones."""
    warnings: list[str]
    """Limits of the plan, in sentences."""


def build_model_plan_json(plan: ModelPlan) -> ModelPlanJson:
    """Return the JSON of a plan over several models."""
    options = [build_model_option(option) for option in plan.options]
    return ModelPlanJson(
        toy_note=plan.toy_note,
        models=list(plan.models),
        cost_model=plan.cost_model,
        unit=plan.unit,
        budget=plan.budget,
        solution=plan.solution,
        problems=plan.problems,
        recommendation=options[0],
        alternatives=options[1:],
        equal_accuracy=[build_equal_accuracy(equal) for equal in plan.equal],
        warnings=list(plan.notes),
    )


def build_candidate(candidate: Candidate) -> CandidateJson:
    """Return the JSON of a candidate."""
    return CandidateJson(**_describe_candidate(candidate))


def build_model_option(option: ModelOption) -> ModelOptionJson:
    """Return the JSON of a compared candidate."""
    return ModelOptionJson(
        **_describe_candidate(option.candidate),
        interval=option.interval,
        gap=option.gap,
        gap_interval=option.gap_interval,
        probability_best=option.probability_best,
        is_informative=option.candidate.is_informative,
    )


def build_equal_accuracy(equal: EqualAccuracy) -> EqualAccuracyJson:
    """Return the JSON of a comparison at equal accuracy."""
    low, high = equal.interval
    return EqualAccuracyJson(
        model=equal.model,
        reference=build_candidate(equal.reference),
        candidate=None if equal.candidate is None else build_candidate(equal.candidate),
        ratio=name_infinity(equal.ratio),
        interval=(name_infinity(low), name_infinity(high)),
    )


def _describe_candidate(candidate: Candidate) -> dict[str, object]:
    names = ("model", "strategy", "settings", "cost", "accuracy")
    return {name: getattr(candidate, name) for name in names} | {"numbers": dict(candidate.numbers)}
