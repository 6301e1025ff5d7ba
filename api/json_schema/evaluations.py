"""The JSON of ``evaluate``."""

from __future__ import annotations

from pydantic import Field

from isocompute.api.json_schema.blocks import CommandJson, Fraction, JsonBlock, replace_nan
from isocompute.planner.evaluation.regret import RegretSummary
from isocompute.planner.evaluation.run_evaluation import RunEvaluation


class RegretJson(JsonBlock):
    """Accuracy below the best allocation in hindsight, 0 … 1, over pilots."""

    regret: float
    """Mean; below zero where a rule is better than every allocation that was tried for the best."""
    error: float | None
    """Standard error of the mean over pilots of the same problems; null with one pilot."""
    percentile_90: float
    """The 90th percentile."""


class BudgetRegretJson(RegretJson):
    """The regret at one budget."""

    x: float
    """Compute per problem, in x."""


class RuleJson(RegretJson):
    """The regret of a rule over all budgets, and at each."""

    rule: str
    """``advice`` is the planner's; the others need no pilot."""
    budgets: list[BudgetRegretJson]


class EvaluatedPilotJson(JsonBlock):
    """The shape of the pilots."""

    problems: int
    """Number of problems."""
    solutions: int
    """Solutions of each problem."""
    verified: int
    """Verified solutions of each problem."""
    verifications: int
    """Verifications of each verified solution."""
    cost_share: Fraction
    """Cost of its solutions and verifications as a share of the run's."""


class EvaluationJson(CommandJson):
    """``evaluate … --json``: the regret of the planner's advice on a run."""

    source: str
    """The run."""
    problems: int
    """Number of problems; those that are not in a pilot score its advice."""
    splits: int
    """Number of pilots that were drawn."""
    pilot: EvaluatedPilotJson
    lam: float | None = Field(alias="lambda")
    """λ, the cost of a verification in solutions; null without verifications, or if it is unknown."""
    best_fixed_rule: str
    """The rule without a pilot that has the lowest regret, chosen in hindsight."""
    rules: list[RuleJson]
    """The advice, always SC, the published law, and every other rule."""
    warnings: list[str]
    """Limits of the evaluation, in sentences."""


def build_evaluation_json(found: RunEvaluation) -> EvaluationJson:
    """Return an evaluation as JSON."""
    evaluation = found.evaluation
    rules = [
        RuleJson(
            rule=name,
            **build_regret(evaluation.summarise(name)),
            budgets=[
                BudgetRegretJson(x=x, **build_regret(at))
                for x, at in zip(evaluation.budgets, evaluation.summarise_budgets(name), strict=True)
            ],
        )
        for name in evaluation.regret
    ]
    return EvaluationJson(
        source=found.run.name,
        problems=found.problems,
        splits=evaluation.splits,
        pilot=EvaluatedPilotJson(**vars(evaluation.shape), cost_share=evaluation.cost_share),
        lam=found.run.measured.lam,
        best_fixed_rule=evaluation.best_fixed_rule,
        rules=rules,
        warnings=found.warnings,
    )


def build_regret(summary: RegretSummary) -> dict[str, float | None]:
    """Return the fields of `RegretJson`."""
    return {
        "regret": summary.mean,
        "error": replace_nan(summary.error),
        "percentile_90": summary.percentile_90,
    }
