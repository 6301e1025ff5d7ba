"""Plans as Python objects: what to run within a budget."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

from isocompute.api.caps import CapResult
from isocompute.api.model_plans import ModelPlanResult
from isocompute.api.profiles import ProfileSource, describe_option, load_profile
from isocompute.api.results import Result
from isocompute.errors import BudgetError, ConfigError
from isocompute.planner import DEFAULT_PROFILE
from isocompute.planner.advice import describe_advice, describe_reasons
from isocompute.planner.budget import Budget
from isocompute.planner.caps import CapComparison, compare_caps
from isocompute.planner.costs.report import describe_plan_costs
from isocompute.planner.costs.request import build_request
from isocompute.planner.models.model_plan import check_model_count, make_model_plan
from isocompute.planner.plan import Plan
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.runners.parsing.printable import format_error_value

if TYPE_CHECKING:
    import pandas as pd


class PlanResult(Result):
    """A plan: the strategy to run within a budget, its numbers, and what to expect.

    Args:
        plan: the plan.
        caps: limits on the length of solutions within its budget; None if they were not asked for.
    """

    def __init__(self, plan: Plan, caps: CapComparison | None = None) -> None:
        self._plan = plan
        self._caps = caps

    @property
    def strategy(self) -> str:
        """The strategy to run."""
        return self._plan.recommendation.strategy

    @property
    def numbers(self) -> dict[str, int]:
        """Its numbers: S and V, or those of a search."""
        return dict(self._plan.recommendation.numbers)

    @property
    def accuracy(self) -> float:
        """The accuracy to expect on new problems, 0 … 1."""
        return self._plan.expected_accuracy

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its 95 % interval; None of a profile of means."""
        return self._plan.interval

    @property
    def warnings(self) -> list[str]:
        """The limits of the plan, in sentences."""
        return list(self._plan.warnings)

    @property
    def caps(self) -> CapResult | None:
        """The limits on the length of solutions; None without ``cap=True``."""
        return None if self._caps is None else CapResult(self._caps)

    def write_advice(self, path: str | os.PathLike[str]) -> None:
        """Write what carries out the plan, as ``plan --emit`` does: a sweep file, or the file of its best policy.

        Args:
            path: a new file, in .yaml for the recommendation's sweep, or in .json for the most accurate policy.

        Raises:
            ConfigError: it has another ending, no sweep carries out the strategy, or the profile has no policy.
            DataError: it exists already, or cannot be written.
        """
        from isocompute.serving.emitting import write_advice

        write_advice(self._plan, self._plan.findings.profile, path)

    def to_frame(self) -> pd.DataFrame:
        """Return the strategies at the budget, the recommended one first.

        Columns: strategy, S, V, settings, compute, accuracy, measured_accuracy, low, high, probability_best,
        probability_highest, interpolated.
        """
        import pandas as pd

        return pd.DataFrame([describe_option(o) for o in (self._plan.recommendation, *self._plan.alternatives)])

    def to_dict(self) -> dict[str, Any]:
        """Return what ``plan --json`` prints."""
        from isocompute.api.json_schema.plans import build_plan_json

        return build_plan_json(self._plan, self._caps).to_dict()

    def _describe(self) -> list[str]:
        plan = self._plan
        costs = [] if plan.costs is None else describe_plan_costs(plan.costs)[:1]
        return [
            describe_advice(plan),
            *describe_reasons(plan)[:1],
            *([] if plan.toy_note is None else [plan.toy_note]),
            *costs,
            *([] if self._caps is None else [self._caps.describe_best()]),
            *(f"warning: {warning}" for warning in plan.warnings),
        ]


@overload
def plan(
    profile: list[ProfileSource] | tuple[ProfileSource, ...],
    budget: str | float,
    *,
    problems: int | None = None,
    cost: str | None = None,
    prices: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    device: str | None = None,
    batch: int | None = None,
) -> ModelPlanResult: ...


@overload
def plan(
    profile: ProfileSource = DEFAULT_PROFILE,
    budget: str | float | None = None,
    *,
    problems: int | None = None,
    cost: str | None = None,
    prices: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    device: str | None = None,
    batch: int | None = None,
    target: float | str | None = None,
    latency: float | str | None = None,
    lam: float | str | None = None,
    rho: float | None = None,
    cap: bool = False,
) -> PlanResult: ...


def plan(
    profile: ProfileSource | list[ProfileSource] | tuple[ProfileSource, ...] = DEFAULT_PROFILE,
    budget: str | float | None = None,
    *,
    problems: int | None = None,
    cost: str | None = None,
    prices: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    device: str | None = None,
    batch: int | None = None,
    target: float | str | None = None,
    latency: float | str | None = None,
    lam: float | str | None = None,
    rho: float | None = None,
    cap: bool = False,
) -> PlanResult | ModelPlanResult:
    """Say which strategy to run within a budget, with which numbers, and how sure that is.

    Args:
        profile: from `fit` or `load_profile`, a bundled profile's name, or a file. A list of two or more, measured on
            the same problems, compares models at equal cost.
        budget: compute per problem: ``"128x"``, ``"4x-plateau"``, ``"3.2M tokens"``, ``"2e15 FLOPs"``, ``"$0.02"``,
            ``"2 gpu-hours"``, ``"20 s"`` of latency, or a number of solutions' worth. 128x if neither it nor a target
            or a latency is given.
        problems: number of problems of a job, for which budgets but for x and seconds are totals.
        cost: cost model: tokens, prompts, cached, flops, kv, dollars or seconds; that of the budget's unit if not
            given.
        prices: a file of prices by model, or its content; see docs/costs.md.
        device: a100, h100, h200, b200 or l4, for ``kv``, and for GPU-hours where rows carry no times.
        batch: requests that are decoded together: for ``kv``, large if not given; for ``seconds``, where rows ran at
            several loads, those of one answer if not given.
        target: an accuracy such as 0.6; the cheapest allocation that reaches it with 90 % probability is recommended.
        latency: the longest expected time until an answer, in seconds or as ``"20 s"``.
        lam: λ as a number, or a way of counting tokens: completion, prompts or cached.
        rho: ρ, the cost of scoring a solution in solutions.
        cap: whether to compare limits on the length of solutions too, see `PlanResult.caps`.

    Raises:
        BudgetError: the budget cannot be read, or buys nothing; nothing reaches the target or keeps the latency.
        ConfigError: an argument is not known, or two of them do not fit together.
        DataError: the profile or the prices cannot be read, a number is bad, or the profile holds no caps.
    """
    if budget is None and target is None and latency is None:
        budget = "128x"
    parsed = Budget.parse(budget) if isinstance(budget, str) else None if budget is None else read_budget_number(budget)
    request = build_request(
        parsed,
        cost=cost,
        prices=os.fspath(prices) if isinstance(prices, os.PathLike) else prices,
        device=device,
        batch=batch,
        problems=problems,
        target=target,
        latency=latency,
        lam=lam,
        rho=rho,
    )
    if isinstance(profile, list | tuple):
        if cap:
            raise ConfigError("Limits on length (cap=True) are compared for one profile; leave cap out for several.")
        check_model_count(len(profile))
        return ModelPlanResult(make_model_plan([load_profile(each)._profile for each in profile], request))
    planned = make_priced_plan(load_profile(profile)._profile, request)
    return PlanResult(planned, compare_caps(planned.findings.profile, planned.budget) if cap else None)


def read_budget_number(budget: object) -> Budget:
    """Return a budget of so many solutions' worth.

    Raises:
        BudgetError: it is not a number above zero.
    """
    try:
        number = math.nan if isinstance(budget, bool) else float(budget)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        shown = format_error_value(budget)
        raise BudgetError(f"budget must be text such as '128x', or a finite number above zero; it is {shown}.")
    return Budget(number)
