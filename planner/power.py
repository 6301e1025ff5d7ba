"""How many problems are needed to tell the strategy that a fit finds ahead from another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocompute.fits.choice.held_out import folds, held_out
from isocompute.fits.power import PairedPower, paired_power
from isocompute.planner.compare import Comparison
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import strategy_options

BUDGET = 128.0
"""In x: strategies are told apart at the budget that the examples of `plan` ask for, or at the largest below it."""


@dataclass(frozen=True)
class StrategyPower:
    """What it takes to tell two strategies apart within a budget.

    Args:
        budget: in x.
        strategy: the one ahead.
        against: SC; where SC itself is ahead, the next best.
        paired: on the same problems, each scored with numbers that were chosen on others.
    """

    budget: float
    strategy: str
    against: str
    paired: PairedPower


def measure_power(profile: Profile, frontier: Sequence[tuple[float, Comparison]]) -> StrategyPower | None:
    """Return what it takes to tell the strategy ahead from SC; None without per-problem values or another strategy.

    Args:
        profile: what was measured.
        frontier: the strategies at each budget, see `compare.frontier`.
    """
    within = [(x, at) for x, at in frontier if x <= BUDGET and len(at.options) > 1]
    if not within or not profile.per_problem or profile.problems < 2:
        return None
    budget, compared = within[-1]
    ahead, *others = [option.strategy for option in compared.options]
    against = "sc" if "sc" in others else max(compared.options[1:], key=lambda option: option.accuracy).strategy
    options = {each.strategy: each for each in strategy_options(profile, profile.lam)}
    pair = [options[ahead], options[against]]
    scored = held_out(pair, [budget], folds(profile.problems)).accuracy[:, :, 0]
    return StrategyPower(budget, ahead, against, paired_power(scored[0] - scored[1]))
