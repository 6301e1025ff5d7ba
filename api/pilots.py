"""Pilots as Python objects: how much to sample before a sweep, and which rows to add during one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from isocompute.api.plans import read_budget_number
from isocompute.api.profiles import FittedProfile
from isocompute.api.results import Result
from isocompute.api.runs import RUN_KINDS, OpenedRun, require_path
from isocompute.errors import BudgetError, ConfigError
from isocompute.planner.budget import Budget, format_compute
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.expectation import ExpectedRegret
from isocompute.planner.pilot.next_rows import NextOption, NextRows, find_next_rows
from isocompute.planner.pilot.planning import PilotGoal, PricedPilot, choose_pilot
from isocompute.planner.pilot.search_requests import SearchRequest
from isocompute.planner.pilot.shapes import PILOT_PROBLEMS
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.files import describe_place

if TYPE_CHECKING:
    import pandas as pd


class PilotResult(Result):
    """A pilot to sample: its numbers, its cost and the regret to expect of the advice that it gives.

    Args:
        found: the planned pilot.
    """

    def __init__(self, found: PricedPilot) -> None:
        self._found = found

    @property
    def numbers(self) -> dict[str, int]:
        """The size of the pilot: problems, and N, K and M of each."""
        shape = self._found.plan.shape
        return {"problems": shape.problems, "N": shape.solutions, "K": shape.verified, "M": shape.verifications}

    @property
    def cost(self) -> float:
        """Its total cost, in x."""
        return self._found.plan.cost

    @property
    def regret(self) -> float:
        """The regret to expect, 0 … 1."""
        return self._found.plan.expected.mean

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the regret to expect."""
        return self._found.plan.expected.interval

    @property
    def warnings(self) -> list[str]:
        """The limits of the plan, in sentences."""
        return self._found.warnings

    def to_frame(self) -> pd.DataFrame:
        """Return the pilot, and after it other shapes for the same goal.

        Columns: problems, N, K, M, cost, regret, low, high.
        """
        import pandas as pd

        plan = self._found.plan
        rows = [(plan.shape, plan.expected), *plan.others]
        return pd.DataFrame([describe_shape(shape, expected, plan.model.lam) for shape, expected in rows])

    def to_dict(self) -> dict[str, Any]:
        """Return what ``isocompute pilot --json`` prints."""
        from isocompute.api.json_schema.pilots import build_pilot_json

        return build_pilot_json(self._found).to_dict()

    def _describe(self) -> list[str]:
        plan = self._found.plan
        low, high = plan.expected.interval
        return [
            f"Pilot of {plan.shape}, for {format_compute(plan.cost)} in total",
            f"expected regret {100 * plan.expected.mean:.2f} points [{100 * low:.2f}, {100 * high:.2f}], "
            f"from {plan.model.source}",
            *(f"warning: {warning}" for warning in self.warnings),
        ]


def describe_shape(shape: PilotShape, expected: ExpectedRegret, lam: float) -> dict[str, Any]:
    """Return a shape and its expected regret as cells of a frame."""
    low, high = expected.interval
    return {
        "problems": shape.problems,
        "N": shape.solutions,
        "K": shape.verified,
        "M": shape.verifications,
        "cost": shape.compute_cost(lam),
        "regret": expected.mean,
        "low": low,
        "high": high,
    }


def pilot(
    budget: str | float | None = None,
    *,
    regret: float | None = None,
    gap: float | None = None,
    at: str | float | None = None,
    profile: FittedProfile | str | os.PathLike[str] | None = None,
    run: OpenedRun | str | os.PathLike[str] | None = None,
    lam: float | str | None = None,
    problems: int = PILOT_PROBLEMS,
) -> PilotResult:
    """Choose how much to sample before a sweep, as ``isocompute pilot`` does. Exactly one goal is given.

    Args:
        budget: the goal is the lowest regret within this total cost: ``"10000x"``, or a number of solutions' worth.
        regret: the goal is the lowest cost whose expected regret is at most so many points.
        gap: the goal is the lowest cost that tells a gap of so many points between SC and the best other strategy.
        at: the budget per problem that the advice is for; 8x to 512x together if not given.
        profile: a profile of a similar task, with its file or name; without it and a run the planner's prior is used.
        run: a run of a similar task.
        lam: λ as a number, or a way of counting tokens: completion, prompts or cached.
        problems: the number of problems that there are.

    Raises:
        ConfigError: no goal or several, or a number is bad.
        BudgetError: a budget cannot be read, or pays for nothing.
        DataError, RunError: the profile or run cannot be used, or the goal cannot be reached.
    """
    for name, value in (("regret", regret), ("gap", gap)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float | np.number)):
            raise ConfigError(f"{name}={format_error_value(value)} must be a number of points.")
    if isinstance(problems, bool) or not isinstance(problems, int | np.integer):
        raise ConfigError(f"problems={format_error_value(problems)} must be a whole number.")
    goal = PilotGoal(None if budget is None else read_worth(budget), regret, gap)
    place = run.path if isinstance(run, OpenedRun) else None if run is None else require_path(run, "run")
    found = choose_pilot(
        goal,
        name_profile(profile),
        place,
        None if at is None else read_worth(at),
        lam,
        int(problems),
    )
    return PilotResult(found)


class NextRowsResult(Result):
    """The rows to add to a run: what each option costs, and the regret to expect of the decision afterwards.

    Args:
        found: the options.
    """

    def __init__(self, found: NextRows) -> None:
        self._found = found

    @property
    def regret(self) -> float:
        """The regret to expect of the decision now, 0 … 1."""
        return self._found.regret

    @property
    def best(self) -> NextOption | None:
        """The rows to add; None if none are worth it."""
        return self._found.best

    @property
    def searches(self) -> list[SearchRequest]:
        """The searches that are worth running: a size that was not run, one beyond the last, or more seeds."""
        return list(self._found.searches)

    @property
    def dominated(self) -> list[str]:
        """The strategies that can be dropped."""
        return list(self._found.dominated)

    @property
    def warnings(self) -> list[str]:
        """The limits of the options, in sentences."""
        return self._found.warnings

    def to_frame(self) -> pd.DataFrame:
        """Return the options, the one that gains most per cost first.

        Columns: rows, problems, N, K, M, cost, regret, gain.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                (
                    option.rows,
                    option.shape.problems,
                    option.shape.solutions,
                    option.shape.verified,
                    option.shape.verifications,
                    option.cost,
                    option.regret,
                    option.gain,
                )
                for option in self._found.options
            ],
            columns=["rows", "problems", "N", "K", "M", "cost", "regret", "gain"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what ``isocompute next --json`` prints."""
        from isocompute.api.json_schema.pilots import build_next_json

        return build_next_json(self._found).to_dict()

    def _describe(self) -> list[str]:
        found = self._found
        best = "no rows are worth adding"
        if found.best is not None:
            best = (
                f"add {found.best.rows}, for {format_compute(found.best.cost)}: expected regret "
                f"{100 * found.best.regret:.2f} points afterwards"
            )
        return [
            f"Run {describe_place(found.run)}: {found.shape}",
            f"at {format_compute(found.budget)} {found.recommended}, expected regret {100 * found.regret:.2f} points",
            best,
            *(f"search {request.rows}: {request.reason}; entry {request.entries!r}" for request in found.searches),
            *(f"warning: {warning}" for warning in self.warnings),
        ]


def next_rows(
    run: OpenedRun | str | os.PathLike[str], budget: str | float | None = None, *, lam: float | str | None = None
) -> NextRowsResult:
    """Say which rows to add to a run, finished or not, as ``isocompute next`` does.

    Args:
        run: the run or its path.
        budget: the budget per problem that is decided about: ``"128x"``, or a number of solutions' worth; 128x, or the
            highest measured cost below it, if not given.
        lam: λ as a number, or a way of counting tokens: completion, prompts or cached.

    Raises:
        BudgetError: the budget cannot be read, or pays for nothing.
        DataError, RunError: the run is missing or damaged, or has fewer than 2 finished problems, or λ is unknown.
    """
    path = run.path if isinstance(run, OpenedRun) else require_path(run, "run", RUN_KINDS)
    return NextRowsResult(find_next_rows(path, None if budget is None else read_worth(budget), lam))


def name_profile(profile: FittedProfile | str | os.PathLike[str] | None) -> str | None:
    """Return the file or the name of a profile; None without one.

    Raises:
        ConfigError: it is neither, or was never written.
    """
    if not isinstance(profile, FittedProfile):
        return None if profile is None else require_path(profile, "profile")
    if profile.path is None:
        raise ConfigError(f"The profile '{profile.name}' has no file; profile.save(path) writes one.")
    return profile.path


def read_worth(budget: str | float) -> float:
    """Return a budget in solutions' worth.

    Raises:
        BudgetError: it cannot be read, is a multiple of the plateau, or has another unit.
    """
    parsed = Budget.parse(budget) if isinstance(budget, str) else read_budget_number(budget)
    if parsed.of_plateau or parsed.unit != "x":
        raise BudgetError(f"The budget '{budget}' must be in solutions' worth, such as 128x.")
    return parsed.multiple
