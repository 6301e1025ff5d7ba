"""Pilots: a part of the problems of a pool, with a part of their solutions and verdicts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.arrays import Ints

PILOT_NUMBERS = ("problems", "solutions", "verified", "verifications")


@dataclass(frozen=True)
class PilotShape:
    """The size of a pilot.

    Args:
        problems: number of problems, at least 2.
        solutions: solutions of each problem.
        verified: how many of them are verified; 0 without verifications.
        verifications: verifications of each of those; 0 without verifications.
    """

    problems: int
    solutions: int
    verified: int = 0
    verifications: int = 0

    def compute_cost(self, lam: float | None) -> float:
        """Return the cost of the pilot in solutions: P(N + λKM)."""
        return self.problems * (self.solutions + (lam or 0.0) * self.verified * self.verifications)

    def __str__(self) -> str:
        text = f"{self.problems} problems × {self.solutions} solutions"
        return text + (f", {self.verified} verified {self.verifications} times" if self.verified else "")


def get_full_shape(pool: Pool) -> PilotShape:
    """Return the shape of a whole pool."""
    return PilotShape(pool.problems, pool.solutions, pool.verified_solutions, pool.verifications)


def choose_default_shape(pool: Pool, lam: float | None) -> PilotShape:
    """Return a wide pilot: three fifths of the problems, half of the solutions, and few verifications of each.

    Verifications are reduced until the pilot costs at most a tenth of the pool, or one is left. Many problems with few
    verifications lose less than few problems with many (docs/regret.md).
    """
    full = get_full_shape(pool)
    shape = replace(full, problems=max(2, round(0.6 * full.problems)), solutions=max(1, full.solutions // 2))
    shape = replace(shape, verified=min(full.verified, shape.solutions))
    while shape.verifications > 1 and shape.compute_cost(lam) > 0.1 * full.compute_cost(lam):
        shape = replace(shape, verifications=shape.verifications // 2)
    return shape


def check_shape(shape: PilotShape, pool: Pool) -> PilotShape:
    """Return a shape with which pilots can be drawn from a pool, and problems are left to score the advice on.

    Raises:
        DataError: the pool has too few problems, solutions or verifications.
    """
    full = get_full_shape(pool)
    for name in PILOT_NUMBERS:
        given, most = getattr(shape, name), getattr(full, name) - (2 if name == "problems" else 0)
        fewest = {"problems": 2, "solutions": 1}.get(name, 1 if full.verified else 0)
        if not fewest <= given <= most:
            raise DataError(f"A pilot from this run takes {fewest} to {most} {name}; got {given}.")
    if shape.verified > shape.solutions:
        raise DataError(f"A pilot verifies at most its {shape.solutions} solutions; got {shape.verified}.")
    return shape


def draw_pilot(pool: Pool, problems: Ints, shape: PilotShape, rng: np.random.Generator) -> Pool:
    """Draw a pilot of some problems: solutions and verdicts at random, of each problem its own.

    Args:
        pool: the pool.
        problems: the indices of the problems.
        shape: how many solutions and verdicts of each to take.
        rng: the source of randomness.
    """
    answers, gold = pool.answers[problems], pool.gold[problems]
    rows = np.arange(len(problems))[:, None]
    verified = _draw_columns(pool.verified_solutions, shape.verified, len(problems), rng)
    others = np.stack(
        [rng.permutation(np.setdiff1d(np.arange(pool.solutions), taken)) for taken in verified]
        if shape.verified
        else [rng.permutation(pool.solutions) for _ in problems]
    )
    order = np.concatenate([verified, others], axis=1)[:, : shape.solutions].astype(np.int64)
    answers = answers[rows, order]
    if pool.verdicts is None or pool.judged is None or not shape.verified:
        return Pool(answers, gold)
    verdicts = pool.verdicts[problems][rows, verified]
    judged = pool.judged[problems][rows, verified]
    # The verdicts of a solution come first in its row; only those are drawn from.
    place = np.where(np.arange(pool.verifications) < judged[..., None], rng.random(verdicts.shape), np.inf)
    taken = np.argsort(place, axis=2)[:, :, : shape.verifications]
    return Pool(answers, gold, np.take_along_axis(verdicts, taken, axis=2), np.minimum(judged, shape.verifications))


def _draw_columns(most: int, count: int, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return (rows, count) indices below ``most`` without replacement, of each row its own."""
    return np.argsort(rng.random((rows, most)), axis=1)[:, :count]
