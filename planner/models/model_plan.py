"""A plan over several models: which model, strategy or cascade to run within a budget, at equal cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from isocompute.errors import BudgetError, ConfigError
from isocompute.planner.budget import JOB_UNITS, format_amount
from isocompute.planner.costs.gpu_hours import compute_unit_amount
from isocompute.planner.costs.models import COUNTED_MODELS, MODEL_UNITS
from isocompute.planner.costs.request import PlanRequest
from isocompute.planner.costs.seconds import describe_load
from isocompute.planner.ignored_setting import MeasuredTokens, describe_ignored_setting
from isocompute.planner.models.candidates import Candidate, PricedModel, price_model
from isocompute.planner.models.cascade import CascadeOptions, build_cascades, choose_cascade
from isocompute.planner.models.choice import ModelOption, compare_candidates
from isocompute.planner.models.equal_accuracy import EqualAccuracy, compare_at_equal_accuracy
from isocompute.planner.models.shared_problems import name_models, select_shared_problems
from isocompute.planner.plan import describe_toy_models
from isocompute.planner.profile import ModelRecord, Profile


@dataclass(frozen=True, eq=False)
class ModelPlan:
    """The models, strategies and cascades within a budget.

    Args:
        models: names of the models, in the order of the profiles.
        cost_model: name of the cost model.
        unit: its unit.
        budget: the budget per problem, in the unit.
        solution: by model the cost of a solution, in the unit.
        options: the best allocation of each strategy of each model, and of each cascade; the recommended one first.
        equal: what cheaper models need to be as accurate as dearer ones.
        problems: number of shared problems.
        notes: limits of the plan, in sentences.
        toy_note: a sentence if numbers are those of the toy lab; None otherwise.
    """

    models: tuple[str, ...]
    cost_model: str
    unit: str
    budget: float
    solution: dict[str, float]
    options: tuple[ModelOption, ...]
    equal: tuple[EqualAccuracy, ...]
    problems: int
    notes: tuple[str, ...]
    toy_note: str | None = None

    @property
    def recommendation(self) -> Candidate:
        """The allocation to run."""
        return self.options[0].candidate


MOST_MODELS = 32
"""The most models that are compared at once."""


def check_model_count(count: int) -> None:
    """Raise unless so many profiles can be compared; called before they are read, which takes its time.

    Raises:
        ConfigError: they cannot.
    """
    if not 2 <= count <= MOST_MODELS:
        raise ConfigError(f"Models are compared from 2 to {MOST_MODELS} profiles; got {count}.")


def make_model_plan(profiles: Sequence[Profile], request: PlanRequest) -> ModelPlan:
    """Recommend a model, a strategy and its allocation within a budget that all models share.

    Args:
        profiles: two or more profiles, measured on the same problems.
        request: the budget and the cost model. A budget in x is in solutions of the first profile's model.

    Raises:
        BudgetError: there is no budget, or it pays for no solution of any model.
        ConfigError: there are fewer than two profiles or more than 32, the cost model does not compare the models, or
            an argument has no meaning for several models.
        DataError: the profiles share too few problems, or a cost is unknown.
    """
    check_model_count(len(profiles))
    budget = request.budget
    if budget is None or request.target is not None or request.latency is not None:
        raise BudgetError("Several profiles are compared within a budget; a target or a latency is for one profile.")
    if request.lam is not None or request.rho is not None:
        raise ConfigError("λ and ρ (--lambda, --rho) are those of one profile; the cost model gives those of several.")
    names, shared = name_models(profiles), select_shared_problems(profiles)
    model = choose_shared_cost_model(shared, request)
    models = [price_model(name, each, request, model) for name, each in zip(names, shared, strict=True)]
    amount = _convert_budget(models, request)
    strata, clusters = shared[0].strata, shared[0].clusters
    candidates = [each for priced in models for each in priced.list_candidates(amount)]
    unit = MODEL_UNITS[model]
    if not candidates:
        least = min(priced.tables[0].lowest_cost for priced in models)
        raise BudgetError(
            f"{format_amount(amount, unit, 4)} do not pay for one solution; the cheapest costs "
            f"{format_amount(least, unit, 4)}."
        )
    notes = [note for priced in models for note in priced.notes]
    if model == "seconds":
        batch = request.settings.batch
        notes += [f"{name}: {describe_load(each, batch)}" for name, each in zip(names, shared, strict=True)]
    else:  # the stages of a cascade follow each other, and are not planned by latency
        cascades, missing = list_cascades(models)
        best = (choose_cascade(each, amount, clusters) for each in cascades)
        candidates += [each for each in best if each is not None]
        notes += missing
    return ModelPlan(
        models=tuple(names),
        cost_model=model,
        unit=unit,
        budget=amount,
        solution={priced.name: priced.tables[0].lowest_cost for priced in models},
        options=tuple(compare_candidates(candidates, strata, clusters)),
        equal=tuple(compare_at_equal_accuracy(models, clusters)),
        problems=shared[0].problems,
        notes=(*_describe_shared(profiles, shared), *_describe_ignored(shared), *notes),
        toy_note=describe_toy_models(*profiles),
    )


def choose_shared_cost_model(profiles: Sequence[Profile], request: PlanRequest) -> str:
    """Return the cost model under which models are compared: the one that is asked for, else tokens or FLOPs.

    Tokens compare profiles of one model, which differ in a setting. For different models FLOPs do.

    Raises:
        ConfigError: tokens of different models were asked for.
    """
    solvers = {each.models["solver"].name if "solver" in each.models else None for each in profiles}
    is_one_model = len(solvers) == 1 and None not in solvers
    if request.model is None and request.budget is not None and request.budget.unit == "x":
        return "tokens" if is_one_model else "flops"
    model = request.model or request.name_model(profiles[0])
    if model in COUNTED_MODELS and not is_one_model:
        raise ConfigError(
            "Tokens of different models do not cost the same; compare them by --cost (cost= in Python) flops, "
            "kv, dollars or seconds."
        )
    return model


def _convert_budget(models: Sequence[PricedModel], request: PlanRequest) -> float:
    """Return the budget per problem in the unit of the cost model.

    Raises:
        BudgetError: it is a multiple of a plateau, which is that of one model.
    """
    budget = request.budget
    assert budget is not None, "checked before"
    if budget.unit == "x":
        if budget.of_plateau:
            raise BudgetError("SC's plateau is that of one model; give several models a budget in x or another unit.")
        return budget.multiple * models[0].tables[0].lowest_cost
    if budget.unit == "s":
        return budget.multiple
    amount = compute_unit_amount(budget, request.settings)
    return amount / request.problems if request.problems is not None and budget.unit in JOB_UNITS else amount


def list_cascades(models: Sequence[PricedModel]) -> tuple[list[CascadeOptions], list[str]]:
    """Return the cascades of each pair of a cheaper and a dearer model, and a sentence on each that is missing."""
    found: list[CascadeOptions] = []
    notes: list[str] = []
    for small, large in permutations(models, 2):
        if small.tables[0].lowest_cost >= large.tables[0].lowest_cost:
            continue
        options = build_cascades(small, large)
        if options is None:
            notes.append(
                f"No cascade from {small.name} to {large.name}: its profile does not say how often votes are settled; "
                "fit the run again."
            )
        else:
            found.append(options)
    return found, notes


def _describe_ignored(profiles: Sequence[Profile]) -> list[str]:
    """Return a sentence for each pair of profiles of one model whose only difference the server ignored."""
    sentences = []
    for first, second in combinations(profiles, 2):
        solvers = [each.models.get("solver", ModelRecord()) for each in (first, second)]
        if solvers[0].name != solvers[1].name:
            continue
        measured = [
            MeasuredTokens(solver.settings, each.per_problem)
            for solver, each in zip(solvers, (first, second), strict=True)
        ]
        said = describe_ignored_setting(*measured)
        sentences += [] if said is None else [said]
    return sentences


def _describe_shared(profiles: Sequence[Profile], shared: Sequence[Profile]) -> list[str]:
    """Return a sentence on problems that not all profiles have."""
    most = max(profile.problems for profile in profiles)
    if most == shared[0].problems:
        return []
    return [f"The models are compared on the {shared[0].problems} problems that all profiles share, of up to {most}."]
