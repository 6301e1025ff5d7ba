"""Policies as Python objects: rules that stop early, what they reach and what they save."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from isocompute.api.plans import read_budget_number
from isocompute.api.results import Result
from isocompute.api.runs import RUN_KINDS, OpenedRun, RunSource, require_path
from isocompute.errors import ConfigError
from isocompute.planner.budget import Budget, format_compute
from isocompute.planner.costs.request import build_request
from isocompute.planner.policies.comparison import PolicyComparison, compare_run_policies
from isocompute.planner.policies.learnt_policy import build_policy_file, find_best_row
from isocompute.planner.policies.policy_file import write_policy_file
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.files import describe_place

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_BUDGET = "128x"
FRAME_COLUMNS = (
    "rule",
    "threshold",
    "limit",
    "accuracy",
    "low",
    "high",
    "compute",
    "percentile_95",
    "solutions",
    "verifications",
    "depth",
    "same_answer",
    "full_accuracy",
    "full_compute",
    "saving_full",
    "saving_fixed",
    "saving_fixed_low",
    "saving_fixed_high",
    "hindsight_share",
    "gain_equal",
    "gain_equal_low",
    "gain_equal_high",
    "gain_full",
    "gain_full_low",
    "gain_full_high",
)
"""The columns of a comparison as a frame."""


class PoliciesResult(Result):
    """Rules that stop early, compared with each other and with the best fixed plans.

    Args:
        comparison: the comparison.
    """

    def __init__(self, comparison: PolicyComparison) -> None:
        self._comparison = comparison

    @property
    def best(self) -> str:
        """The cheapest rule of those whose accuracy is within half a point of the highest."""
        return find_best_row(self._comparison).rule

    @property
    def warnings(self) -> list[str]:
        """The limits of the comparison, in sentences."""
        return list(self._comparison.warnings)

    def save(self, path: str | os.PathLike[str], rule: str | None = None) -> None:
        """Write the policy file of a rule, that of `best` if not given.

        Raises:
            ConfigError: the rule was not compared.
            DataError: it cannot be written there, or there are too few problems for what was promised.
        """
        write_policy_file(build_policy_file(self._comparison, rule), require_path(path, "path"))

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each rule, with the columns of `FRAME_COLUMNS`; `PolicyRow` says what they are."""
        import pandas as pd

        rows = []
        for row in self._comparison.rows:
            cells = {name: getattr(row, name) for name in FRAME_COLUMNS if hasattr(row, name)}
            for name in ("saving_fixed", "gain_equal", "gain_full"):
                cells[f"{name}_low"], cells[f"{name}_high"] = getattr(row, f"{name}_interval")
            cells["low"], cells["high"] = row.interval
            rows.append(cells)
        return pd.DataFrame(rows, columns=list(FRAME_COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Return what ``isocompute policies --json`` prints."""
        from isocompute.api.json_schema.policies import build_policies_json

        return build_policies_json(self._comparison).to_dict()

    def _describe(self) -> list[str]:
        found = self._comparison
        name = describe_place(found.name).removeprefix("at ")
        lines = [f"Policies on {name}: {found.problems} problems, {found.describe_goal()}"]
        for row in found.rows:
            saving = (
                "no fixed plan is as accurate" if math.isinf(row.saving_fixed) else f"{row.saving_fixed:.2g}x saved"
            )
            lines.append(
                f"{row.rule} {row.threshold:.4g} within S={row.limit}: {100 * row.accuracy:.1f} % for "
                f"{format_compute(row.compute)} (95th percentile {format_compute(row.percentile_95)}); {saving}"
            )
        return [*lines, *(f"warning: {warning}" for warning in found.warnings)]


def policies(
    run: RunSource,
    budget: str | float | None = None,
    *,
    same_answer: float | None = None,
    width: int = 1,
    problems: int | None = None,
    cost: str | None = None,
    prices: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    device: str | None = None,
    batch: int | None = None,
    lam: float | str | None = None,
) -> PoliciesResult:
    """Compare rules that stop early, as ``isocompute policies`` does.

    Thresholds, and limits on the number of solutions, are chosen on other problems than those they are scored on. The
    full budget, to which savings and the same answers are relative, is that of the pool.

    Args:
        run: a run or its path.
        budget: mean compute per problem: ``"32x"``, ``"3.2M tokens"``, ``"$0.02"`` …, or a number of solutions' worth.
            128x if neither it nor ``same_answer`` is given.
        same_answer: instead of a budget, the largest share of problems that may have another answer than with the full
            budget, such as 0.01; thresholds are certified with 95 % confidence.
        width: solutions sampled side by side.
        problems: number of problems of a job, for which budgets but for x are totals.
        cost: cost model, as in `plan`.
        prices: a file of prices by model, or its content, as in `plan`.
        device: as in `plan`.
        batch: as in `plan`.
        lam: λ as a number, or a way of counting tokens.

    Raises:
        BudgetError: the budget cannot be read, is a latency, or pays for less than one solution.
        ConfigError: an argument is not known, or two of them do not fit together.
        RunError, DataError: the run is missing or damaged, or lacks votes or problems.
    """
    if budget is not None and same_answer is not None:
        raise ConfigError("Thresholds are chosen for a mean budget or for the same answers; leave out one of the two.")
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
        raise ConfigError(f"width={format_error_value(width)} must be a whole number from 1.")
    if budget is None:
        budget = DEFAULT_BUDGET
    request = build_request(
        Budget.parse(budget) if isinstance(budget, str) else read_budget_number(budget),
        cost=cost,
        prices=os.fspath(prices) if isinstance(prices, os.PathLike) else prices,
        device=device,
        batch=batch,
        problems=problems,
        lam=lam,
    )
    delta = None if same_answer is None else check_share(same_answer)
    path = run.path if isinstance(run, OpenedRun) else require_path(run, "run", RUN_KINDS)
    return PoliciesResult(compare_run_policies(path, request, delta, int(width)))


def check_share(share: object, name: str = "same_answer=") -> float:
    """Return a share as a number.

    Args:
        share: the share.
        name: the argument or the option that it was given as.

    Raises:
        ConfigError: it is not a number between 0 and 1.
    """
    try:
        number = math.nan if isinstance(share, bool) else float(share)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 < number < 1:
        raise ConfigError(f"{name}{format_error_value(share)} must be a number between 0 and 1, such as 0.01.")
    return number
