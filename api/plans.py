"""Plans as Python objects: what to run within a budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from isocompute.api.caps import CapResult
from isocompute.api.profiles import ProfileSource, describe_option, load_profile
from isocompute.api.results import Result
from isocompute.errors import BudgetError
from isocompute.planner.budget import Budget
from isocompute.planner.caps import CapComparison, compare_caps
from isocompute.planner.compare import StrategyOption
from isocompute.planner.plan import Plan, make_plan
from isocompute.planner.profile import apply_lambda, check_rho
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

    def to_frame(self) -> pd.DataFrame:
        """Return the strategies at the budget, the recommended one first.

        Columns: strategy, S, V, settings, compute, accuracy, measured_accuracy, low, high, probability_best,
        probability_highest.
        """
        import pandas as pd

        return pd.DataFrame([describe_option(o) for o in (self._plan.recommendation, *self._plan.alternatives)])

    def to_dict(self) -> dict[str, Any]:
        """Return what ``plan --json`` prints."""
        from isocompute.api.json_schema.plans import build_plan_json

        return build_plan_json(self._plan, self._caps).to_dict()

    def _describe(self) -> list[str]:
        plan, best = self._plan, self._plan.recommendation
        low_high = "" if plan.interval is None else " [{:.1f}, {:.1f}]".format(*(100 * end for end in plan.interval))
        return [
            f"At {plan.budget:g}x per problem: {best.strategy} {best.settings}, for {best.compute:,.4g}x",
            f"expected accuracy {100 * plan.expected_accuracy:.1f} %{low_high}, from profile '{plan.profile_name}'",
            *(describe_alternative(option) for option in plan.alternatives[:1]),
            *([] if self._caps is None else [self._caps.describe_best()]),
            *(f"warning: {warning}" for warning in plan.warnings),
        ]


def describe_alternative(option: StrategyOption) -> str:
    """Return a line on the best alternative to the recommended strategy."""
    gap = "" if option.gap is None else f", {100 * option.gap:.1f} points behind"
    ends = "" if option.gap_interval is None else " [{:+.1f}, {:+.1f}]".format(*(100 * x for x in option.gap_interval))
    return f"next best: {option.strategy} {option.settings}, for {option.compute:,.4g}x{gap}{ends}"


def plan(
    profile: ProfileSource = "lab",
    budget: str | float = "128x",
    *,
    lam: float | str | None = None,
    rho: float | None = None,
    cap: bool = False,
) -> PlanResult:
    """Say which strategy to run within a budget, with which numbers, and how sure that is.

    Args:
        profile: from `fit` or `load_profile`, a bundled profile's name, or a file.
        budget: compute per problem: ``"128x"``, ``"4x-plateau"``, or a number of solutions' worth.
        lam: λ as a number, or a way of counting tokens: completion, prompts or cached.
        rho: ρ, the cost of scoring a solution in solutions.
        cap: whether to compare limits on the length of solutions too, see `PlanResult.caps`.

    Raises:
        BudgetError: the budget cannot be read, or buys nothing.
        DataError: the profile cannot be read, a number is bad, or the profile holds no caps.
    """
    parsed = Budget.parse(budget) if isinstance(budget, str) else read_budget_number(budget)
    measured, price = apply_lambda(load_profile(profile)._profile, lam)
    measured = measured if rho is None else measured.use_rho(check_rho(rho))
    planned = make_plan(measured, parsed, price)
    return PlanResult(planned, compare_caps(measured, planned.budget) if cap else None)


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
        raise BudgetError(f"budget must be text such as '128x', or a number above zero; it is {shown}.")
    return Budget(number)
