"""Plans over several models as Python objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isocompute.api.results import Result
from isocompute.planner.advice import describe_model_advice
from isocompute.planner.models.model_plan import ModelPlan

if TYPE_CHECKING:
    import pandas as pd


class ModelPlanResult(Result):
    """A plan over several models: which model to run, with which strategy and numbers, within a budget.

    Args:
        plan: the plan.
    """

    def __init__(self, plan: ModelPlan) -> None:
        self._plan = plan

    @property
    def model(self) -> str:
        """The model to run, or the two models of a cascade."""
        return self._plan.recommendation.model

    @property
    def strategy(self) -> str:
        """The strategy to run."""
        return self._plan.recommendation.strategy

    @property
    def numbers(self) -> dict[str, int]:
        """Its numbers."""
        return dict(self._plan.recommendation.numbers)

    @property
    def accuracy(self) -> float:
        """The accuracy to expect on new problems, 0 … 1."""
        return self._plan.recommendation.accuracy

    @property
    def warnings(self) -> list[str]:
        """The limits of the plan, in sentences."""
        return list(self._plan.notes)

    def to_frame(self) -> pd.DataFrame:
        """Return the models' strategies at the budget, the recommended one first.

        Columns: model, strategy, settings, cost, accuracy, low, high, gap, gap_low, gap_high, probability_best.
        """
        import pandas as pd

        rows = []
        for option in self._plan.options:
            each, (low, high), gaps = option.candidate, option.interval, option.gap_interval or (None, None)
            rows.append(
                {
                    "model": each.model,
                    "strategy": each.strategy,
                    "settings": each.settings,
                    "cost": each.cost,
                    "accuracy": each.accuracy,
                    "low": low,
                    "high": high,
                    "gap": option.gap,
                    "gap_low": gaps[0],
                    "gap_high": gaps[1],
                    "probability_best": option.probability_best,
                }
            )
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``plan --json`` prints."""
        from isocompute.api.json_schema.model_plans import build_model_plan_json

        return build_model_plan_json(self._plan).to_dict()

    def _describe(self) -> list[str]:
        plan = self._plan
        return [
            describe_model_advice(plan),
            *([] if plan.toy_note is None else [plan.toy_note]),
            *(f"warning: {note}" for note in plan.notes),
        ]
