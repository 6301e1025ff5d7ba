"""Rules to stop a sweep: when the regret to expect of the decision is low enough."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isocompute.errors import ConfigError
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.planner.budget import format_compute
from isocompute.planner.estimate.finished import find_finished_problems
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.pilot.decision import build_decision
from isocompute.planner.pilot.tasks import choose_run_lambda, estimate_doubling_options
from isocompute.planner.power import POWER_BUDGET
from isocompute.planner.prior import read_accuracy_prior
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.run import Run

_RULE = re.compile(r"\s*regret\s*<\s*(\d{1,3}(?:\.\d{1,6})?)\s*(?:at\s+(\d{1,9}(?:\.\d{1,6})?)x\s*)?", re.ASCII)


@dataclass(frozen=True)
class StoppingRule:
    """A sweep stops when the regret to expect falls below a threshold.

    Args:
        points: the threshold, in points of accuracy.
        budget: the budget of the decision, in x; `POWER_BUDGET`, or the highest measured cost below it, if None.
    """

    points: float
    budget: float | None = None

    def check_sweep(self, sweep: Sweep) -> None:
        """Raise unless the rule knows all that a sweep measures.

        Raises:
            ConfigError: the sweep has a scorer or searches, or verifies nothing.
        """
        if sweep.scorer is not None or sweep.searches:
            raise ConfigError("A rule to stop knows solutions and verifications; this sweep has a scorer or searches.")
        if not sweep.to_verify or not sweep.verifications:
            raise ConfigError("A rule to stop needs a decision to take; this sweep verifies nothing.")

    def choose_budget(self, tables: list[AllocationOptions]) -> float:
        """Return the budget of the decision, in x."""
        return min(POWER_BUDGET, max(table.highest_cost for table in tables)) if self.budget is None else self.budget

    def find_reason(self, run: Run) -> str | None:
        """Return why a sweep of this run stops now; None if it goes on.

        Raises:
            RunError, DataError: the run is damaged, or λ is unknown.
            BudgetError: the budget pays for nothing.
        """
        finished = find_finished_problems(run)
        if len(finished) < 2:
            return None
        pool = read_pool(run, only=finished)
        tables = estimate_doubling_options(pool, choose_run_lambda(pool, None))
        budget = self.choose_budget(tables)
        points = 100 * build_decision(compute_posterior(tables, read_accuracy_prior()), budget).compute_regret()
        if points >= self.points:
            return None
        return (
            f"after {len(finished)} problems the expected regret at {format_compute(budget)} is {points:.2f} points, "
            f"below {self.points:g}"
        )


def parse_stopping_rule(text: object) -> StoppingRule:
    """Parse a rule to stop.

    Raises:
        ConfigError: it cannot be read, or its threshold is not above zero.

    Example:
        >>> parse_stopping_rule("regret < 1")
        StoppingRule(points=1.0, budget=None)
        >>> parse_stopping_rule("regret<0.5 at 64x")
        StoppingRule(points=0.5, budget=64.0)
    """
    match = _RULE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(
            f"The rule to stop {format_error_value(text)} cannot be read; write 'regret < 1' or 'regret < 1 at 64x' "
            "(points of accuracy)."
        )
    rule = StoppingRule(float(match[1]), None if match[2] is None else float(match[2]))
    if rule.points <= 0 or (rule.budget is not None and rule.budget < 1):
        raise ConfigError("The regret at which a sweep stops must be above zero, and its budget at least 1x.")
    return rule
