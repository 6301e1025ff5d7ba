"""A strategy at its best allocation within a budget: what a comparison says of it."""

from __future__ import annotations

from dataclasses import dataclass

from isocompute.fits.choice.options import INTERPOLATED_MARK
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN

EQUIVALENCE_POINTS = 100 * EQUIVALENCE_MARGIN
"""The equivalence margin in points of accuracy."""

ConfidenceInterval = tuple[float, float]


@dataclass(frozen=True)
class StrategyOption:
    """A strategy at its best allocation within the budget.

    Args:
        strategy: ``sc``, ``genrm``, ``genrm+vote``, ``weighted``, ``fused``, ``bon``, ``prm-weighted``, or a search and
            its rule of selection, such as ``beam+weighted``.
        numbers: the allocation: S solutions and V verifications of each; for a search N slots, width M and
            lookahead k.
        compute: cost of the allocation, in x.
        accuracy: expected accuracy on new problems.
        measured_accuracy: mean over the measured problems at the same allocation; interpolated if it was not run.
        interval: 95 % interval of the expected accuracy, the interpolation's error included; None without per-problem
            values.
        probability_best: probability that no other strategy is better by more than `EQUIVALENCE_MARGIN`; None with
            fewer than `FEWEST_FOR_PROBABILITY` independent problems, and without votes.
        probability_highest: probability that no other strategy is better at all; None likewise.
        at_limit: the numbers that are the largest measured, although the budget would pay for more.
        is_informative: whether the verdicts or scores that it pays for were shown to tell right solutions from wrong
            ones, see `is_selector_informative`. A strategy of which this is false is not recommended.
        interpolation_error: standard deviation of what the accuracy may lie off its interpolation, if the allocation is
            a size of a search between those that were run; None if it was run, or follows from a sampled pool.
        equivalence_points: points of accuracy within which strategies are equivalent.
        gap: expected accuracy of the recommendation minus that of this strategy; None for the recommendation itself.
        gap_interval: 95 % interval of the gap.
        lead: expected accuracy of this strategy minus that of SC at its best allocation; None if no SC is within the
            limits, as where one solution takes longer than the latency.
        lead_interval: 95 % interval of the lead; None likewise.
    """

    strategy: str
    numbers: dict[str, int]
    compute: float
    accuracy: float
    measured_accuracy: float
    interval: ConfidenceInterval | None
    probability_best: float | None
    probability_highest: float | None
    at_limit: tuple[str, ...] = ()
    is_informative: bool = True
    interpolation_error: float | None = None
    equivalence_points: float = EQUIVALENCE_POINTS
    gap: float | None = None
    gap_interval: ConfidenceInterval | None = None
    lead: float | None = None
    lead_interval: ConfidenceInterval | None = None

    @property
    def settings(self) -> str:
        """The allocation as text, such as ``S=16 V=8``, marked if it was not run."""
        return f"{self.plain_settings} {INTERPOLATED_MARK}" if self.interpolated else self.plain_settings

    @property
    def plain_settings(self) -> str:
        """The allocation as text without a mark, for tables that have their own."""
        return " ".join(f"{name}={number}" for name, number in self.numbers.items())

    @property
    def interpolated(self) -> bool:
        """True of a size of a search between those that were run, which was not run itself."""
        return self.interpolation_error is not None

    @property
    def solutions(self) -> int | None:
        """The number of solutions S; None for a search."""
        return self.numbers.get("S")

    @property
    def verifications(self) -> int | None:
        """The verifications V of each solution, 0 for a strategy without verifications; None for a search."""
        return self.numbers.get("V", 0) if "S" in self.numbers else None


def find_cheaper_option(options: list[StrategyOption]) -> StrategyOption | None:
    """Return the most accurate option that costs at most half of the first and is not clearly behind it, if any.

    It may be recommended: its selector is informative. An option is clearly behind if its gap interval lies above zero.
    """
    first, *others = options
    return next(
        (
            option
            for option in sorted(others, key=lambda option: -option.accuracy)
            if option.is_informative
            and 2 * option.compute <= first.compute
            and option.gap_interval is not None
            and option.gap_interval[0] <= 0
        ),
        None,
    )
