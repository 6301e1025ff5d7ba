"""Evaluations of a run as Python objects: the regret of the planner's advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isocompute.api.results import Result
from isocompute.api.runs import RunSource, open_run
from isocompute.errors import ConfigError
from isocompute.planner.evaluation.regret import ADVICE, EVALUATION_SPLITS, MOST_SPLITS
from isocompute.planner.evaluation.run_evaluation import RunEvaluation, evaluate_run
from isocompute.planner.profile.numbers import LARGEST_COUNT
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.files import describe_place

if TYPE_CHECKING:
    import pandas as pd


class EvaluationResult(Result):
    """The regret of the planner's advice on a run, beside that of rules that need no pilot.

    Args:
        found: the evaluation.
    """

    def __init__(self, found: RunEvaluation) -> None:
        self._found = found

    @property
    def regret(self) -> float:
        """Mean accuracy that the advice loses against the best allocation in hindsight, 0 … 1."""
        return self._found.evaluation.summarise(ADVICE).mean

    @property
    def error(self) -> float:
        """Standard error of the mean, over pilots of the same problems."""
        return self._found.evaluation.summarise(ADVICE).error

    @property
    def best_fixed_rule(self) -> str:
        """The rule without a pilot that has the lowest regret, chosen in hindsight."""
        return self._found.evaluation.best_fixed_rule

    @property
    def warnings(self) -> list[str]:
        """The limits of the evaluation, in sentences."""
        return self._found.warnings

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each rule and budget, the advice first.

        Columns: rule, budget, regret, error, percentile_90. Regrets are accuracies, 0 … 1.
        """
        import pandas as pd

        evaluation = self._found.evaluation
        rows = [
            (rule, budget, at.mean, at.error, at.percentile_90)
            for rule in evaluation.regret
            for budget, at in zip(evaluation.budgets, evaluation.summarise_budgets(rule), strict=True)
        ]
        return pd.DataFrame(rows, columns=["rule", "budget", "regret", "error", "percentile_90"])

    def to_dict(self) -> dict[str, Any]:
        """Return what ``isocompute evaluate --json`` prints."""
        from isocompute.api.json_schema.evaluations import build_evaluation_json

        return build_evaluation_json(self._found).to_dict()

    def _describe(self) -> list[str]:
        evaluation = self._found.evaluation
        name = describe_place(self._found.run.name).removeprefix("at ")
        lines = [
            f"Evaluation of the advice on {name}: {evaluation.splits} pilots of {evaluation.shape}, "
            f"{evaluation.cost_share:.1%} of the cost of the run"
        ]
        for rule in evaluation.reported_rules:
            regret = evaluation.summarise(rule)
            best = " (the best fixed rule in hindsight)" if rule == evaluation.best_fixed_rule else ""
            lines.append(
                f"{rule}{best} loses {100 * regret.mean:.2f} ± {100 * regret.error:.2f} points against the best in "
                f"hindsight; 90th percentile {100 * regret.percentile_90:.2f}"
            )
        return [*lines, *(f"warning: {warning}" for warning in self.warnings)]


def evaluate(
    run: RunSource,
    problems: int | None = None,
    solutions: int | None = None,
    verified: int | None = None,
    verifications: int | None = None,
    *,
    splits: int = EVALUATION_SPLITS,
    lam: float | str | None = None,
    rho: float | None = None,
) -> EvaluationResult:
    """Plan from parts of a run and score the plans on its other problems, as ``isocompute evaluate`` does.

    Args:
        run: a run or its path.
        problems: problems of a pilot; three fifths if not given.
        solutions: solutions of each of them; half if not given.
        verified: verified solutions of each of them; all if not given.
        verifications: verifications of each of those; if not given, as many as keep the pilot at a tenth of the run's
            cost.
        splits: how many pilots are drawn, 2 … 100,000.
        lam: λ as a number, or a way of counting tokens: completion, prompts or cached.
        rho: ρ, the cost of scoring a solution in solutions.

    Raises:
        ConfigError: a number is not a whole one.
        RunError, DataError: the run is missing or too small for the pilot, or λ or ρ is not a cost.
    """
    given = {"problems": problems, "solutions": solutions, "verified": verified, "verifications": verifications}
    for name, number in (*given.items(), ("splits", splits)):
        fewest, most = (2, MOST_SPLITS) if name == "splits" else (0, LARGEST_COUNT)
        if number is None and name != "splits":
            continue
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not fewest <= number <= most:
            raise ConfigError(f"{name}={format_error_value(number)} must be a whole number from {fewest} to {most:,}.")
    numbers = {name: None if number is None else int(number) for name, number in given.items()}
    return EvaluationResult(evaluate_run(open_run(run).path, numbers, int(splits), lam, rho))
