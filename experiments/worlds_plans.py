"""Worlds for `interval_coverage.py` in which a plan is made: SC, and three searches with one answer for each seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isocompute.planner.compare import compare_strategies
from isocompute.planner.profile import Curve, ProblemRecord, Profile, Searches, round_accuracies

SEEDS, HUGE = 3, 200_000
STRATEGIES = ("sc", "beam+weighted", "dvts+weighted", "rebase+weighted")
WORLDS = {"alike": (0.0, 0.0, 0.0, 0.0), "a few points apart": (0.0, 0.02, 0.05, -0.1)}
"""The lead of each strategy over SC on a problem of medium difficulty."""
Held = dict[str, bool | None]


def draw_solve_rates(ahead: tuple[float, ...], problems: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each strategy solves each problem, (problems, strategies); each has problems that suit it."""
    ease, taste = rng.normal(0, 2, (problems, 1)), rng.normal(0, 0.7, (problems, len(ahead)))
    return np.asarray(1 / (1 + np.exp(-(ease + taste + 4 * np.array(ahead)))))


@cache
def compute_true_accuracies(ahead: tuple[float, ...]) -> NDArray[np.float64]:
    return np.asarray(draw_solve_rates(ahead, HUGE, np.random.default_rng(7)).mean(axis=0))


def make_plan_world(name: str, ahead: tuple[float, ...]) -> Callable[[np.random.Generator], Held]:
    """Make a world that checks a plan's intervals: of its expected accuracy, and of its lead over the next strategy."""

    def simulate_plan(rng: np.random.Generator) -> Held:
        p = draw_solve_rates(ahead, 100, rng)
        seen = rng.binomial(SEEDS, p) / SEEDS
        parts = {
            strategy: Searches(
                numbers={"N": [4]}, seeds=[SEEDS], cost={"completion": [4.0]}, accuracy=round_accuracies(column)
            )
            for strategy, column in zip(STRATEGIES[1:], seen[:, 1:, None].swapaxes(0, 1), strict=True)
        }
        curve = Curve(solutions=[1], accuracy=round_accuracies(p[:, :1]))
        world = Profile(
            name="world",
            description="known",
            problems=100,
            per_problem=[ProblemRecord()] * 100,
            strategies={"sc": curve, **parts},
        )
        compared = compare_strategies(world, 4.0, None)
        first, *others = compared.options
        rival = max(others, key=lambda option: option.accuracy)
        true = dict(zip(STRATEGIES, compute_true_accuracies(ahead), strict=True))
        gap = true[first.strategy] - true[rival.strategy]
        return {
            f"a plan's expected accuracy, strategies {name}": check_inside(compared.interval, true[first.strategy]),
            f"a plan's lead, strategies {name}": check_inside(rival.gap_interval, gap),
        }

    return simulate_plan


def check_inside(ends: tuple[float, float] | None, value: float) -> bool | None:
    return None if ends is None else bool(ends[0] <= value <= ends[1])


PLAN_WORLDS = {f"plans, {name}": make_plan_world(name, ahead) for name, ahead in WORLDS.items()}
