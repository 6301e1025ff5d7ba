"""The units in which budgets are typed, and how an amount of each becomes solutions' worth."""

from __future__ import annotations

from dataclasses import dataclass

from isocompute.planner.budget import COST_WORDS, Budget
from isocompute.planner.costs.devices import UTILISATION
from isocompute.planner.costs.gpu_hours import SECONDS_PER_HOUR
from isocompute.planner.costs.settings import CostSettings


@dataclass(frozen=True)
class BudgetUnit:
    """A unit of budgets.

    Args:
        name: its name, which is also that of the costs in it, see `isocompute.planner.costs.report.COST_UNITS`.
        unit: the unit of `Budget`.
        model: the cost model that words after the unit name; None without words.
        words: what is written after an amount; before it, for dollars.
    """

    name: str
    unit: str
    model: str | None
    words: str

    def make_budget(self, amount: float) -> Budget:
        """Return a budget of an amount in this unit."""
        return Budget(amount, unit=self.unit, model=self.model)


BUDGET_UNITS = (
    BudgetUnit("x", "x", None, "x"),
    BudgetUnit("tokens", "tokens", None, "tokens"),
    BudgetUnit("prompts", "tokens", "prompts", f"tokens {COST_WORDS['prompts']}"),
    BudgetUnit("cached", "tokens", "cached", f"tokens {COST_WORDS['cached']}"),
    BudgetUnit("flops", "FLOPs", None, "FLOPs"),
    BudgetUnit("kv", "FLOPs", "kv", f"FLOPs {COST_WORDS['kv']}"),
    BudgetUnit("dollars", "$", None, "$"),
    BudgetUnit("seconds", "s", None, "s"),
    BudgetUnit("gpu_hours", "gpu-hours", None, "gpu-hours"),
)
"""The units in which a plan takes budgets. ``x-plateau`` is x times a number."""


def list_unit_factors(unit: BudgetUnit, model: str, settings: CostSettings) -> list[float]:
    """Return the factors by which an amount is multiplied, one after the other, before a solution's cost divides it.

    Args:
        unit: the unit.
        model: the plan's cost model.
        settings: with the device.
    """
    if unit.unit != "gpu-hours":
        return []
    if model == "seconds" or settings.device is None:
        return [float(SECONDS_PER_HOUR)]
    return [float(SECONDS_PER_HOUR), settings.device.flops, UTILISATION]
