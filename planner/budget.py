"""Budgets in the form that users write them: ``128x`` or ``128x-plateau``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from isocompute.errors import BudgetError

BUDGET_PATTERN = re.compile(r"\s*([+-]?\d{1,12}(?:\.\d{1,6})?)\s*(\S*)\s*", re.ASCII)


@dataclass(frozen=True)
class Budget:
    """A budget of compute per problem.

    ``128x`` is the compute of 128 solutions. ``128x-plateau`` is 128 times the compute at which self-consistency
    flattens, which is what "128x" means in Singhi et al. 2025.

    Args:
        multiple: the number before the unit.
        of_plateau: whether the unit is SC's plateau rather than one solution.
    """

    multiple: float
    of_plateau: bool = False

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Parse a budget.

        Raises:
            BudgetError: the text is not a number with the unit x or x-plateau, or the number is not above zero.

        >>> Budget.parse("128x")
        Budget(multiple=128.0, of_plateau=False)
        >>> Budget.parse("4x-plateau").to_solutions(plateau=32)
        128.0
        """
        match = BUDGET_PATTERN.fullmatch(text)
        if match is None:
            raise BudgetError(f"The budget '{text}' cannot be read; write it as 128x or 128x-plateau.")
        number, unit = float(match[1]), match[2]
        if unit not in ("x", "x-plateau"):
            unit_text = f"the unit '{unit}'" if unit else "no unit"
            raise BudgetError(
                f"The budget '{text}' has {unit_text}; write {number:g}x (solutions' worth) or {number:g}x-plateau "
                "(times SC's plateau)."
            )
        if not (number > 0 and math.isfinite(number)):
            raise BudgetError(f"The budget '{text}' must be above zero; 1x is one solution.")
        return cls(number, unit == "x-plateau")

    def to_solutions(self, plateau: float | None) -> float:
        """Return the budget in x, the compute of one solution.

        Args:
            plateau: the compute at which SC flattens, in x; None if it is unknown.

        Raises:
            BudgetError: the budget does not pay for one solution, or is a multiple of an unknown plateau.
        """
        if self.of_plateau and plateau is None:
            raise BudgetError(
                f"SC's plateau is unknown, as SC was measured at one solution only; write {self.multiple:g}x "
                "(solutions' worth)."
            )
        x = self.multiple * (plateau or 1) if self.of_plateau else self.multiple
        if x < 1:
            raise BudgetError(f"A budget of {format_compute(x)} does not pay for one solution; the least is 1x.")
        return x


def format_compute(x: float) -> str:
    """Return compute in x for a sentence: three significant digits below 100x, four below 1,000x, then whole numbers.

    >>> format_compute(4.151), format_compute(52.9113), format_compute(8), format_compute(126.52)
    ('4.15x', '52.9x', '8x', '126.5x')
    """
    return f"{x:.3g}x" if x < 99.95 else f"{x:.4g}x" if x < 999.95 else f"{x:,.0f}x"
