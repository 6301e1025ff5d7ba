"""Worlds for `interval_coverage.py` with known crossovers, plateaus and gains of choosing by difficulty.

Problems differ in how hard they are, and in how much verification and each doubling of S or V gain; every accuracy has
its own noise. The truth comes from the worlds' expected accuracies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    AllocationOptions,
    assign_quantile_levels,
    build_listed_options,
    build_verified_options,
    build_voting_options,
    choose_compute_optimal,
    draw_bootstrap_weights,
    find_crossover,
    find_plateau,
    find_plateau_interval,
    score_in_sample,
    score_single_choice,
)

S, V = 2 ** np.arange(7), 2 ** np.arange(5)
VOTES = np.minimum(np.log2(S), 4)  # doublings until SC is flat
DOUBLINGS = np.add.outer(np.log2(S), 0 * V), np.add.outer(0 * S, np.log2(V))
HUGE = 200_000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class CrossoverWorld:
    """A world in which GenRM starts behind SC, by ``behind``, and gains on it with each doubling of S and V."""

    behind: float
    S: float = 0.03
    V: float = 0.03
    sc: float = 0.03
    varies: float = 0.05
    noise: float = 0.05

    def compute_expected_accuracies(self) -> tuple[Array, Array]:
        """Return SC's curve and GenRM's surface."""
        return 0.5 + self.sc * VOTES, 0.5 - self.behind + self.S * DOUBLINGS[0] + self.V * DOUBLINGS[1]

    def draw_options(self, problems: int, rng: np.random.Generator) -> tuple[AllocationOptions, AllocationOptions]:
        """Draw GenRM's and SC's accuracies on some problems."""
        curve, surface = self.compute_expected_accuracies()
        ease, merit = rng.normal(0, 0.3, problems), rng.normal(0, 0.15, problems)
        votes, more, again = rng.normal(0, self.varies, (3, problems))
        curves = curve + ease[:, None] + np.outer(votes, VOTES) + rng.normal(0, self.noise, (problems, len(S)))
        surfaces = surface + (ease + merit)[:, None, None] + np.tensordot([more, again], DOUBLINGS, axes=(0, 0))
        return make_options(curves, surfaces + rng.normal(0, self.noise, surfaces.shape))


def make_options(curves: Array, surfaces: Array) -> tuple[AllocationOptions, AllocationOptions]:
    return build_verified_options(surfaces, S, V, 1.0), build_voting_options(curves, S)


Held = dict[str, bool | None]


def make_crossover_world(
    name: str, world: CrossoverWorld, problems: int = 100
) -> Callable[[np.random.Generator], Held]:
    """Make a world that checks the interval of GenRM's crossover against that of the expected frontiers."""
    curve, surface = world.compute_expected_accuracies()
    truth = find_crossover(*make_options(curve[None], surface[None])).budget

    def simulate_crossover(rng: np.random.Generator) -> Held:
        low, high = find_crossover(*world.draw_options(problems, rng)).interval or (np.nan, np.nan)
        return {f"crossover, {name}": bool(low <= truth <= high)}

    return simulate_crossover


def simulate_plateau(rng: np.random.Generator) -> Held:
    """Check the interval of SC's plateau against the plateau of the expected curve."""
    truth = float(find_plateau(S, 0.5 + 0.03 * VOTES))
    low, high = find_plateau_interval(S, CrossoverWorld(behind=0.0).draw_options(100, rng)[1].accuracy)
    return {"plateau of SC": bool(low <= truth <= high)}


def draw_search_options(
    problems: int, rng: np.random.Generator, noise: float = 0.15
) -> tuple[NDArray[np.int64], AllocationOptions]:
    """Draw problems with their estimated levels, and two searches: one better on easy problems, one on hard ones."""
    ease = rng.random(problems)
    levels = assign_quantile_levels(ease + rng.normal(0, 0.15, problems))
    wide, deep = 0.1 + 0.85 * ease, 0.4 + 0.35 * ease
    accuracy = np.stack([0.8 * wide, 0.9 * deep, wide, deep], axis=1)
    own = accuracy + rng.normal(0, noise, accuracy.shape)
    return levels, build_listed_options(own, [4, 4, 16, 16], {"N": [4, 4, 16, 16], "M": [1, 4, 1, 4]}, "search")


def draw_equal_options(problems: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], AllocationOptions]:
    """Draw four searches of the same true accuracy: there is nothing to gain."""
    levels, _ = draw_search_options(problems, rng)
    own = rng.normal(0.5, 0.2, (problems, 1)) + rng.normal(0, 0.15, (problems, 4))
    return levels, build_listed_options(own, [16] * 4, {"N": range(4)}, "search")


@cache
def compute_true_gain() -> float:
    """Return the true gain of the best option by level over the best for all, with a fifth of the budget charged."""
    levels, expected = draw_search_options(HUGE, np.random.default_rng(6), noise=0.0)
    best, common = (score_in_sample([expected], [16], levels=at).accuracy[-1].mean() for at in (levels, None))
    return float(best - common)


def simulate_gains(rng: np.random.Generator) -> Held:
    """Check the interval of the gain of choosing by difficulty."""
    held: Held = {}
    for name, draw, truth in (
        ("", draw_search_options, compute_true_gain()),
        (", four options alike", draw_equal_options, 0.0),
    ):
        levels, options = draw(100, rng)
        found = choose_compute_optimal(
            [options],
            levels[None],
            score_single_choice([options], [20]),
            [20],
            draw_bootstrap_weights(100, 100, 0),
            charge=4,
        )
        held[f"gain of choosing by difficulty{name}"] = bool(found.gain_low[0] <= truth <= found.gain_high[0])
    return held


STRATEGY_WORLDS = {
    "crossover": make_crossover_world("in range", CrossoverWorld(behind=0.06)),
    "crossover of noisy accuracies": make_crossover_world(
        "in range, noisy accuracies", CrossoverWorld(behind=0.06, V=0.02, varies=0.08, noise=0.2)
    ),
    "crossover of few problems": make_crossover_world(
        "in range, 40 problems", CrossoverWorld(behind=0.09, noise=0.1), problems=40
    ),
    "crossover that never comes": make_crossover_world("that never comes", CrossoverWorld(behind=0.10, S=0.02, V=0.02)),
    "plateau": simulate_plateau,
    "difficulty": simulate_gains,
}
"""The function of each world, by the name of its statistic."""
