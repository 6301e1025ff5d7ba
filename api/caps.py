"""Limits on the length of solutions as Python objects, a part of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isocompute.api.results import Result
from isocompute.planner.caps import CapComparison

if TYPE_CHECKING:
    import pandas as pd


class CapResult(Result):
    """Self-consistency under limits on the length of solutions, at equal compute.

    Args:
        comparison: the limits within the plan's budget.
    """

    def __init__(self, comparison: CapComparison) -> None:
        self._comparison = comparison

    @property
    def best(self) -> int:
        """The limit with the highest accuracy; the length of the longest solution if no lower limit is better."""
        return self._comparison.best.limit

    @property
    def is_settled(self) -> bool | None:
        """True if that is beyond chance, False if it may be chance; None without intervals."""
        return self._comparison.is_settled

    def to_frame(self) -> pd.DataFrame:
        """Return the limits, increasing; the last is the length of the longest solution, which changes nothing.

        Columns: limit, cut, tokens, cost, S, at_limit, accuracy, low, high, gain, gain_low, gain_high. Gains are over
        the last limit, at equal compute, paired over problems.
        """
        import pandas as pd

        rows = []
        for option in self._comparison.options:
            low, high = option.interval or (None, None)
            gain_low, gain_high = option.gain_interval or (None, None)
            rows.append(
                {
                    "limit": option.limit,
                    "cut": option.cut,
                    "tokens": option.tokens,
                    "cost": option.cost,
                    "S": option.solutions,
                    "at_limit": option.at_limit,
                    "accuracy": option.accuracy,
                    "low": low,
                    "high": high,
                    "gain": option.gain,
                    "gain_low": gain_low,
                    "gain_high": gain_high,
                }
            )
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the ``caps`` of what ``plan --cap --json`` prints."""
        from isocompute.api.json_schema.caps import build_caps

        return build_caps(self._comparison).to_dict()

    def _describe(self) -> list[str]:
        note = self._comparison.describe_limits()
        limits = ", ".join(f"{option.limit:,}" for option in self._comparison.options)
        return [
            f"Limits on the length of solutions, for SC at {self._comparison.budget:g}x: {limits} tokens",
            self._comparison.describe_best(),
            *([] if note is None else [note]),
        ]
