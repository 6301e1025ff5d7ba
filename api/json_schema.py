"""What a program reads: plans and findings as JSON. A budget that never comes is null."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from isocompute.fits.laws.allocation import AllocationLaw, AllocationLaws
from isocompute.fits.laws.crossover import Crossover
from isocompute.planner.compare import Comparison, StrategyOption
from isocompute.planner.findings import Findings
from isocompute.planner.plan import Plan
from isocompute.planner.power import StrategyPower
from isocompute.planner.profile import UNKNOWN_LAMBDA_WARNING, Profile, Searches

if TYPE_CHECKING:  # what it imports takes longer than a plan
    from isocompute.fits.choice.compute_optimal import LevelChoice, PolicyAccuracy
    from isocompute.planner.difficulty import DifficultyStudy
    from isocompute.runners.cost.price import PriceEstimate
    from isocompute.runners.storage.progress import RunProgress, UnreadableRun
    from isocompute.runners.storage.upgrade import UpgradedRun

SCORER_TOKEN_KEYS = {
    "scorer_prompt_tokens": "scored_tokens",
    "scorer_cached_tokens": "scored_cached_tokens",
    "scorer_completion_tokens": "judged_tokens",
}
"""What the JSON of a price calls the scorer's tokens, where tables call them otherwise."""


def build_option_json(option: StrategyOption) -> dict[str, Any]:
    """An option as the documented fields, see `StrategyOption`.

    ``numbers`` is what it is set by: S, V; or N, M, k of a search, whose ``solutions`` and ``verifications`` are null.
    """
    names = ("strategy", "numbers", "solutions", "verifications", "compute", "accuracy")
    fields = {name: getattr(option, name) for name in names}
    fields |= {"interval": option.interval, "probability_best": option.probability_best}
    if option.gap is not None:
        fields |= {"gap": option.gap, "gap_interval": option.gap_interval}
    return fields


def build_plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as the documented JSON, see `Plan`; a budget that never comes is null."""
    return {
        "budget": {
            "x": plan.budget,
            "plateau_multiple": plan.plateau_multiple,
            "plateau": plan.findings.plateau,
            "plateau_interval": plan.findings.plateau_interval,
        },
        "recommendation": build_option_json(plan.recommendation),
        "expected": {"accuracy": plan.expected_accuracy, "interval": plan.interval},
        "alternatives": [build_option_json(option) for option in plan.alternatives],
        "coverage": None
        if plan.coverage is None
        else {"solutions": plan.coverage_solutions, "accuracy": plan.coverage},
        "crossover": build_crossover_json(plan.findings.genrm_crossover, plan.findings.plateau),
        "crossovers": build_crossovers_json(plan.findings),
        "laws": build_laws_json(plan.findings.laws),
        "lambda": plan.lam,
        "counting": plan.counting,
        "trust": plan.odds_exponent,
        "unknown_sizes": plan.unknown_sizes,
        "warnings": plan.warnings,
        "profile": plan.profile_name,
    }


def build_comparison_json(compared: Comparison) -> dict[str, Any]:
    """Return the strategies within a budget, and what is expected of choosing among them."""
    return {
        "options": [build_option_json(option) for option in compared.options],
        "expected": {"accuracy": compared.expected_accuracy, "interval": compared.interval},
    }


def build_crossovers_json(found: Findings) -> dict[str, Any]:
    """Return where each other strategy overtakes SC."""
    return {name: build_crossover_json(crossed, found.plateau) for name, crossed in found.crossovers.items()}


def build_crossover_json(found: Crossover | None, plateau: int) -> dict[str, Any] | None:
    """Return a crossover; null stands for never in the measured range."""
    if found is None:
        return None
    return {
        "x": _replace_infinity(found.budget),
        "plateau_multiple": _replace_infinity(found.budget / plateau),
        "interval": None if found.interval is None else [_replace_infinity(end) for end in found.interval],
        "probability": found.probability,
        "measured_to": float(found.budgets[-1]),
    }


def _replace_infinity(budget: float) -> float | None:
    return budget if math.isfinite(budget) else None


def build_laws_json(laws: AllocationLaws | None) -> dict[str, Any] | None:
    """Return the allocation laws; the censored one is null where too few budgets are inside the grid."""
    if laws is None:
        return None
    return {
        "budgets": laws.budgets.tolist(),
        "grid": build_law_json(laws.grid, laws),
        "smooth": build_law_json(laws.smooth, laws),
        "censored": None if laws.censored is None else build_law_json(laws.censored, laws),
        "notes": list(laws.notes),
    }


def build_law_json(law: AllocationLaw, laws: AllocationLaws) -> dict[str, Any]:
    """Return one of the laws, with the budgets at an edge of the grid and the exponents without them."""
    inside = law.inner_exponents or (None, None)
    return {
        "a": law.a,
        "b": law.b,
        "a_interval": law.solutions.interval,
        "b_interval": law.verifications.interval,
        "difference_interval": law.difference_interval,
        "S_prefactor": law.solutions.prefactor,
        "V_prefactor": law.verifications.prefactor,
        "S_opt": law.S_opt.tolist(),
        "V_opt": law.V_opt.tolist(),
        "edge_budgets": [float(budget) for budget in laws.budgets[law.is_at_edge]],
        "a_without_edges": inside[0],
        "b_without_edges": inside[1],
        "identity": law.identity,
        "share": law.replicate_share,
    }


def build_findings_json(
    profile: Profile,
    found: Findings,
    frontier: list[tuple[float, Comparison]],
    power: StrategyPower | None,
    path: str | None,
) -> dict[str, Any]:
    """Return what a fit found.

    ``counting`` is the way of counting tokens that searches and scorers are priced in, ``rhos`` what scoring a solution
    costs in each way, ``searches`` the allocations of each strategy.
    """
    return {
        "profile": path,
        "problems": profile.problems,
        "lambda": profile.lam,
        "lambdas": profile.lambdas,
        "trust": profile.odds_exponent,
        "drawn_error": profile.largest_drawing_error,
        "verifier": None if profile.verifier is None else profile.verifier.model_dump(),
        "counting": profile.counting,
        "rhos": profile.rhos,
        "searches": {name: build_searches_json(part) for name, part in profile.searches.items()},
        "plateau": found.plateau,
        "plateau_interval": found.plateau_interval,
        "crossover": build_crossover_json(found.genrm_crossover, found.plateau),
        "crossovers": build_crossovers_json(found),
        "laws": build_laws_json(found.laws),
        "frontier": [{"x": x, **build_comparison_json(compared)} for x, compared in frontier],
        "power": build_power_json(power),
        "warnings": [*profile.warnings, *([UNKNOWN_LAMBDA_WARNING] if profile.has_unknown_lambda else [])],
    }


def build_power_json(found: StrategyPower | None) -> dict[str, Any] | None:
    """Return what it takes to tell the strategy ahead from another; a number of problems without end is null."""
    if found is None:
        return None
    names = {"x": found.budget, "strategy": found.strategy, "against": found.baseline}
    return names | asdict(found.paired)


def build_searches_json(part: Searches) -> list[dict[str, Any]]:
    """Return a strategy's allocations: numbers, seeds, cost in x by way of counting, mean accuracy."""
    return [
        {
            "numbers": {name: numbers[i] for name, numbers in part.numbers.items()},
            "seeds": seeds,
            "cost": {way: cost[i] for way, cost in part.cost.items()},
            "accuracy": float(accuracy),
        }
        for i, (seeds, accuracy) in enumerate(zip(part.seeds, part.array.mean(axis=0), strict=True))
    ]


def build_price_json(run: str, price: PriceEstimate) -> dict[str, Any]:
    """Return what a sweep would cost, see `PriceEstimate`.

    The keys are those of the first version: ``scored`` is what a scorer reads, ``judged`` what it samples.
    """
    fields = asdict(price)
    for cost in fields["roles"].values():
        lengths = cost["lengths"]
        cost["lengths"] = {SCORER_TOKEN_KEYS.get(name, name).removesuffix("_tokens"): lengths[name] for name in lengths}
    roles = {
        role: {SCORER_TOKEN_KEYS.get(name, name): value for name, value in cost.items()}
        for role, cost in fields["roles"].items()
    }
    return {"run": run, **fields, "roles": roles}


def build_upgraded_run_json(source: str, found: UpgradedRun | None) -> dict[str, Any]:
    """Return what an upgrade of a run wrote; ``output`` is null if the run had the newest format and nothing was."""
    if found is None:
        return {"source": source, "output": None}
    fields = ("before", "rows", "moved", "parameters", "unknown")
    return {"source": source, "output": found.run, **{name: getattr(found, name) for name in fields}}


def build_upgraded_profile_json(source: str, profile: Profile | None, target: str) -> dict[str, Any]:
    """Return what an upgrade of a profile wrote; ``output`` is null if it had the newest format and nothing was."""
    if profile is None:
        return {"source": source, "output": None}
    return {
        "source": source,
        "output": target,
        "before": 1,
        "strategies": list(profile.strategies),
        "unknown": profile.unknown_parts,
    }


def build_run_survey_json(found: Sequence[RunProgress | UnreadableRun]) -> list[dict[str, Any]]:
    """Return how far runs are; of one that cannot be read, the reason is all there is."""
    fields = [{"reason": None, **asdict(run)} for run in found]
    for run in fields:
        if run.get("written") is not None:
            run["written"] = run["written"].isoformat()
    return fields


def build_study_json(study: DifficultyStudy) -> dict[str, Any]:
    """Return a study as JSON; null stands for what cannot be afforded."""
    found = study.policy
    return {
        "source": study.name,
        "bins": study.kind,
        "in_practice": study.in_practice,
        "problems": study.problems,
        "charge": found.charge,
        "budgets": [
            {
                "x": float(budget),
                "by_difficulty": build_reached_json(found.by_difficulty, i),
                "one_for_all": build_reached_json(found.one_for_all, i),
                "gain": replace_nan(found.gain[i]),
                "gain_interval": build_interval_json(found.gain_low[i], found.gain_high[i]),
                "levels": [build_level_json(level, i) for level in found.levels],
            }
            for i, budget in enumerate(found.budgets)
        ],
        "warnings": study.warnings,
    }


def build_level_json(level: LevelChoice, i: int) -> dict[str, Any]:
    """Return a level at one budget."""
    return {
        "level": level.level,
        "share": level.problem_share,
        "run": level.choices[i],
        **build_reached_json(level.by_difficulty, i),
        "one_for_all": replace_nan(level.one_for_all[i]),
    }


def build_reached_json(reached: PolicyAccuracy, i: int) -> dict[str, Any]:
    """Return what is reached at one budget."""
    return {
        "accuracy": replace_nan(reached.accuracy[i]),
        "interval": build_interval_json(reached.low[i], reached.high[i]),
        "optimistic": replace_nan(reached.optimistic[i]),
    }


def build_interval_json(low: float, high: float) -> list[float] | None:
    """Return an interval; null if there is none."""
    return None if math.isnan(low) else [float(low), float(high)]


def replace_nan(value: float) -> float | None:
    """Return a number; null if it is unknown."""
    return None if math.isnan(value) else float(value)
