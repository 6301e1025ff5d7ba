"""Worlds for `interval_coverage.py`: intervals of means and differences with few problems, strata and clusters.

Problems are heavy-tailed in difficulty: 60 % are always solved, 25 % never, and the rest sometimes; in the worlds named
"nearly all right", 93 % are always solved and the rest never. Each is seen through a pool of 16 solutions, of which the
exact estimators give the accuracy of a vote and of a verifier that knows everything or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    Pool,
    compute_difference_interval,
    compute_mean_interval,
    estimate_genrm,
    estimate_self_consistency,
)

Floats = NDArray[np.float64]
Held = dict[str, bool | None]

SIZES = (10, 20, 40, 100)
SOLUTIONS, VOTES = 16, 4
WRONG = 3
"""Number of wrong answers, equally likely."""
RATES = {"perfect": (1.0, 0.0), "useless": (0.5, 0.5)}
"""The probability with which each verifier says yes to a right and to a wrong solution."""
HUGE = 50_000


def draw_solve_rates(rng: np.random.Generator, problems: int, mixed: bool = True) -> Floats:
    """Draw how often each problem is solved."""
    kind = rng.random(problems)
    if not mixed:
        return np.where(kind < 0.93, 1.0, 0.0)
    return np.where(kind < 0.6, 1.0, np.where(kind < 0.85, 0.0, rng.random(problems)))


def draw_pool(rng: np.random.Generator, p: Floats, rates: tuple[float, float]) -> Pool:
    """Draw a pool of problems that are solved with the probabilities p, each solution with a verdict."""
    is_right = rng.random((len(p), SOLUTIONS)) < p[:, None]
    answers = np.where(is_right, 0, rng.integers(1, WRONG + 1, is_right.shape))
    verdicts = (rng.random(is_right.shape) < np.where(is_right, *rates)).astype(float)
    return Pool(answers, np.zeros(len(p), dtype=np.int64), verdicts[:, :, None])


def compute_gains(rng: np.random.Generator, problems: int, verifier: str) -> Floats:
    """Return the accuracy of the verifier's choice minus that of a vote, over the same number of solutions."""
    pool = draw_pool(rng, draw_solve_rates(rng, problems), RATES[verifier])
    voted = estimate_self_consistency(pool, [VOTES])[:, 0]
    return np.asarray(estimate_genrm(pool, [VOTES], [1])[:, 0, 0] - voted)


def is_held(ends: tuple[Floats, Floats], truth: float) -> bool:
    return bool(ends[0] - 1e-9 <= truth <= ends[1] + 1e-9)


def make_mean_world(problems: int) -> Callable[[np.random.Generator], Held]:
    """Make a world that checks the interval of an accuracy."""

    def simulate_means(rng: np.random.Generator) -> Held:
        values = rng.binomial(SOLUTIONS, draw_solve_rates(rng, problems)) / SOLUTIONS
        easy = draw_solve_rates(rng, problems, mixed=False)
        return {
            f"accuracy of {problems} problems": is_held(compute_mean_interval(values), 0.675),
            f"accuracy of {problems} problems, nearly all right": is_held(compute_mean_interval(easy), 0.93),
        }

    return simulate_means


@cache
def compute_true_gain(verifier: str) -> float:
    return float(compute_gains(np.random.default_rng(11), HUGE, verifier).mean())


def make_difference_world(problems: int) -> Callable[[np.random.Generator], Held]:
    """Make a world that checks the intervals of differences."""

    def simulate_differences(rng: np.random.Generator) -> Held:
        held: Held = {}
        for verifier in RATES:
            gains = compute_difference_interval(compute_gains(rng, problems, verifier))
            held[f"gain of a {verifier} verifier, {problems} problems"] = is_held(gains, compute_true_gain(verifier))
        p = draw_solve_rates(rng, problems)
        alike = (rng.binomial(3, p) - rng.binomial(3, p)) / 3
        held[f"gap of identical strategies, 3 seeds, {problems} problems"] = is_held(
            compute_difference_interval(alike), 0.0
        )
        return held

    return simulate_differences


def make_group_world(problems: int) -> Callable[[np.random.Generator], Held]:
    """Make a world that checks intervals with five levels, and with clusters of one and of four problems."""

    def simulate_groups(rng: np.random.Generator) -> Held:
        ease = np.repeat([4.0, 2.0, 1.0, 0.5, 0.2], problems // 5)
        by_level = rng.binomial(SOLUTIONS, rng.beta(ease, 1)) / SOLUTIONS
        sizes = np.resize([1, 1, 1, 4], problems)
        values = np.repeat(rng.binomial(SOLUTIONS, draw_solve_rates(rng, problems)) / SOLUTIONS, sizes)
        clusters = np.repeat(np.arange(problems), sizes)
        return {
            f"accuracy of {problems} problems of five levels": is_held(
                compute_mean_interval(by_level, strata=ease), float((ease / (ease + 1)).mean())
            ),
            f"accuracy of {problems} clusters of unequal sizes": is_held(
                compute_mean_interval(values, clusters=clusters), 0.675
            ),
        }

    return simulate_groups


INTERVAL_WORLDS = {
    f"{what}, {problems} problems": make(problems)
    for what, make in (
        ("means", make_mean_world),
        ("differences", make_difference_world),
        ("groups", make_group_world),
    )
    for problems in SIZES
}
