"""The frontiers of several models: the best accuracy of each within each budget, at equal cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from isocompute.planner.budget import Budget
from isocompute.planner.costs.models import MODEL_UNITS
from isocompute.planner.costs.request import PlanRequest
from isocompute.planner.models.candidates import Candidate, price_model
from isocompute.planner.models.cascade import choose_cascade
from isocompute.planner.models.choice import enclose_candidate, enclose_gap
from isocompute.planner.models.model_plan import choose_shared_cost_model, list_cascades
from isocompute.planner.models.shared_problems import name_models, select_shared_problems
from isocompute.planner.profile import Profile


@dataclass(frozen=True, eq=False)
class FrontierPoint:
    """The best allocation of a model, or of a cascade, within a budget.

    Args:
        budget: the budget per problem, in the unit.
        candidate: the allocation with the highest expected accuracy.
        interval: 95 % interval of its expected accuracy.
        lead: its accuracy minus that of the cheapest model within the budget; None for the cheapest model itself.
        lead_interval: paired 95 % interval of the lead.
    """

    budget: float
    candidate: Candidate
    interval: tuple[float, float]
    lead: float | None
    lead_interval: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class ModelFrontier:
    """The best accuracy of each model, and of each cascade, within each budget.

    Args:
        models: names of the models, in the order of the profiles.
        cheapest: the model whose solution costs least, which leads are over.
        cost_model: name of the cost model.
        unit: its unit.
        points: by budget, then by model, cascades last.
        problems: number of shared problems.
    """

    models: tuple[str, ...]
    cheapest: str
    cost_model: str
    unit: str
    points: tuple[FrontierPoint, ...]
    problems: int


def compute_model_frontier(profiles: Sequence[Profile]) -> ModelFrontier:
    """Compute the frontiers of several models, under the cost model that a plan within a budget in x uses.

    Budgets are doublings of the cheapest solution, up to the dearest allocation. Within each, a model has its
    allocation with the highest expected accuracy, as in a plan; strategies whose selector was not shown to tell right
    from wrong are passed over, if others are left.

    Args:
        profiles: two or more profiles, measured on the same problems.

    Raises:
        DataError: the profiles share too few problems, or a cost is unknown.
    """
    request = PlanRequest(Budget(1.0))
    names, shared = name_models(profiles), select_shared_problems(profiles)
    cost_model = choose_shared_cost_model(shared, request)
    models = [price_model(name, each, request, cost_model) for name, each in zip(names, shared, strict=True)]
    cascades, _ = list_cascades(models)
    strata, clusters = shared[0].strata, shared[0].clusters
    cheapest = min(models, key=lambda model: model.tables[0].lowest_cost)
    least = cheapest.tables[0].lowest_cost
    most = max(table.highest_cost for model in models for table in model.tables)
    points = []
    for power in range(math.ceil(math.log2(most / least)) + 1):
        budget = least * 2.0**power
        offered = [model.list_candidates(budget) for model in models]
        offered += [[each] for each in (choose_cascade(options, budget, clusters) for options in cascades) if each]
        best = [_choose_most_accurate(each) for each in offered if each]
        base = next(each for each in best if each.model == cheapest.name)
        for each in best:
            is_base = each is base
            points.append(
                FrontierPoint(
                    budget=budget,
                    candidate=each,
                    interval=enclose_candidate(each, strata, clusters),
                    lead=None if is_base else each.accuracy - base.accuracy,
                    lead_interval=None if is_base else enclose_gap(each, base, strata, clusters),
                )
            )
    return ModelFrontier(
        tuple(names), cheapest.name, cost_model, MODEL_UNITS[cost_model], tuple(points), shared[0].problems
    )


def _choose_most_accurate(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate with the highest expected accuracy, and of equal ones the cheapest."""
    considered = [each for each in candidates if each.is_informative] or candidates
    return max(considered, key=lambda each: (each.accuracy, -each.cost))
