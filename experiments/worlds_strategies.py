"""Worlds for `interval_coverage.py` in which strategies race, and in which problems differ in difficulty.

Problems differ in how hard they are, in what verification brings, and in what a doubling of S or V brings; every
accuracy has noise of its own. The truth comes from the worlds' own expected accuracies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    Options,
    compute_optimal,
    crossover,
    in_sample,
    listed_options,
    plateau,
    plateau_interval,
    quantile_levels,
    resampling_weights,
    verified_options,
    voting_options,
)

S, V = 2 ** np.arange(7), 2 ** np.arange(5)
VOTES = np.minimum(np.log2(S), 4)  # doublings until SC is flat
DOUBLINGS = np.add.outer(np.log2(S), 0 * V), np.add.outer(0 * S, np.log2(V))
HUGE = 200_000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Race:
    """A world in which GenRM begins `behind` SC, and gains on it with each doubling of S and V."""

    behind: float
    S: float = 0.03
    V: float = 0.03
    sc: float = 0.03
    varies: float = 0.05
    noise: float = 0.05

    def expected(self) -> tuple[Array, Array]:
        """SC's curve and GenRM's surface."""
        return 0.5 + self.sc * VOTES, 0.5 - self.behind + self.S * DOUBLINGS[0] + self.V * DOUBLINGS[1]

    def draw(self, problems: int, rng: np.random.Generator) -> tuple[Options, Options]:
        """GenRM's and SC's accuracies on some problems."""
        curve, surface = self.expected()
        ease, merit = rng.normal(0, 0.3, problems), rng.normal(0, 0.15, problems)
        votes, more, again = rng.normal(0, self.varies, (3, problems))
        curves = curve + ease[:, None] + np.outer(votes, VOTES) + rng.normal(0, self.noise, (problems, len(S)))
        surfaces = surface + (ease + merit)[:, None, None] + np.tensordot([more, again], DOUBLINGS, axes=(0, 0))
        return race(curves, surfaces + rng.normal(0, self.noise, surfaces.shape))


def race(curves: Array, surfaces: Array) -> tuple[Options, Options]:
    return verified_options(surfaces, S, V, 1.0), voting_options(curves, S)


Held = dict[str, bool | None]


def crossing(name: str, world: Race, problems: int = 100) -> Callable[[np.random.Generator], Held]:
    """Whether the interval of GenRM's crossover holds the budget at which the expected frontiers cross."""
    curve, surface = world.expected()
    truth = crossover(*race(curve[None], surface[None])).budget

    def held(rng: np.random.Generator) -> Held:
        low, high = crossover(*world.draw(problems, rng)).interval or (np.nan, np.nan)
        return {f"crossover, {name}": bool(low <= truth <= high)}

    return held


def flattening(rng: np.random.Generator) -> Held:
    """Whether the interval of SC's plateau holds the plateau of the expected curve."""
    truth = int(plateau(S, 0.5 + 0.03 * VOTES))
    low, high = plateau_interval(S, Race(behind=0.0).draw(100, rng)[1].accuracy)
    return {"plateau of SC": bool(low <= truth <= high)}


def search(problems: int, rng: np.random.Generator, noise: float = 0.15) -> tuple[NDArray[np.int64], Options]:
    """Problems in the levels that they seem to have, and two searches: one better on easy ones, one on hard ones."""
    ease = rng.random(problems)
    levels = quantile_levels(ease + rng.normal(0, 0.15, problems))
    wide, deep = 0.1 + 0.85 * ease, 0.4 + 0.35 * ease
    accuracy = np.stack([0.8 * wide, 0.9 * deep, wide, deep], axis=1)
    own = accuracy + rng.normal(0, noise, accuracy.shape)
    return levels, listed_options(own, [4, 4, 16, 16], {"N": [4, 4, 16, 16], "M": [1, 4, 1, 4]}, "search")


def alike(problems: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Options]:
    """Four searches that are truly the same: no gain is there to be had."""
    levels, _ = search(problems, rng)
    own = rng.normal(0.5, 0.2, (problems, 1)) + rng.normal(0, 0.15, (problems, 4))
    return levels, listed_options(own, [16] * 4, {"N": range(4)}, "search")


@cache
def gain_by_difficulty() -> float:
    """The true gain of the best option by level over the best for all, where a fifth of the budget is charged."""
    levels, expected = search(HUGE, np.random.default_rng(6), noise=0.0)
    best, common = (in_sample([expected], [16], levels=at).accuracy[-1].mean() for at in (levels, None))
    return float(best - common)


def gains(rng: np.random.Generator) -> Held:
    """Whether the interval of the gain of choosing by difficulty holds it."""
    held: Held = {}
    for name, draw, truth in (("", search, gain_by_difficulty()), (", four options alike", alike, 0.0)):
        levels, options = draw(100, rng)
        found = compute_optimal([options], levels[None], [options], [20], resampling_weights(100, 100, 0), charge=4)
        held[f"gain of choosing by difficulty{name}"] = bool(found.gain_low[0] <= truth <= found.gain_high[0])
    return held


RACES = {
    "crossover": crossing("in range", Race(behind=0.06)),
    "crossover of noisy accuracies": crossing(
        "in range, noisy accuracies", Race(behind=0.06, V=0.02, varies=0.08, noise=0.2)
    ),
    "crossover of few problems": crossing("in range, 40 problems", Race(behind=0.09, noise=0.1), problems=40),
    "crossover that never comes": crossing("that never comes", Race(behind=0.10, S=0.02, V=0.02)),
    "plateau": flattening,
    "difficulty": gains,
}
"""Each world's function by the statistic's name."""
