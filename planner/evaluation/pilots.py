"""Pilots: a part of the problems of a pool, with a part of their solutions and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.arrays import Ints
from isocompute.fits.verdict_codes import VerdictCodes
from isocompute.runners.parsing.printable import format_count

PILOT_NUMBERS = {
    "problems": "problems",
    "solutions": "solutions of each problem",
    "verified": "verified solutions of each problem",
    "verifications": "verifications of each solution",
}
"""The numbers of a pilot, in words."""
FEWEST_PROBLEMS = 4


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
        text = f"{format_count(self.problems, 'problem')} × {format_count(self.solutions, 'solution')}"
        times = "once" if self.verifications == 1 else f"{self.verifications} times"
        return text + (f", {self.verified} verified {times}" if self.verified else "")


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


def complete_shape(pool: Pool, lam: float | None, given: Mapping[str, int | None]) -> PilotShape:
    """Return the shape with the numbers that are given, and those of `choose_default_shape` for the others.

    Args:
        pool: the pool.
        lam: λ; None if it is unknown.
        given: numbers by name, see `PILOT_NUMBERS`; None where one is not given.

    Raises:
        DataError: the pool has too few problems, solutions or verifications.
    """
    numbers = {name: number for name, number in given.items() if number is not None}
    shape = replace(choose_default_shape(pool, lam), **numbers)
    if "verified" not in numbers:
        shape = replace(shape, verified=min(shape.verified, shape.solutions))
    return check_shape(shape, pool)


def check_shape(shape: PilotShape, pool: Pool) -> PilotShape:
    """Return a shape with which pilots can be drawn from a pool, and problems are left to score the advice on.

    Raises:
        DataError: the pool has too few problems, solutions or verifications.
    """
    full = get_full_shape(pool)
    if full.problems < FEWEST_PROBLEMS:
        raise DataError(
            f"An evaluation takes at least {FEWEST_PROBLEMS} problems, 2 for a pilot and 2 to score the advice on; "
            f"this run has {full.problems}."
        )
    for name in PILOT_NUMBERS:
        given, most = getattr(shape, name), getattr(full, name) - (2 if name == "problems" else 0)
        fewest = {"problems": 2, "solutions": 1}.get(name, 1 if full.verified else 0)
        if not fewest <= given <= most:
            few = f"{fewest} to {most}" if fewest < most else str(most)
            raise DataError(f"The number of {PILOT_NUMBERS[name]} of a pilot from this run must be {few}; got {given}.")
    if shape.verified > shape.solutions:
        raise DataError(f"A pilot verifies at most its {shape.solutions} solutions; got {shape.verified}.")
    return shape


def draw_pilot(pool: Pool, problems: Ints, shape: PilotShape, rng: np.random.Generator) -> Pool:
    """Draw a pilot of some problems: solutions and verdicts at random, of each problem its own.

    Verified solutions are drawn from the verified ones, and as many of the pilot's solutions as possible from the
    scored ones, so that the first solutions of the pilot are those with verdicts and scores, as in any pool. A score
    stays with its solution.

    Args:
        pool: the pool.
        problems: (n,) the indices of the problems.
        shape: how many solutions and verdicts of each to take.
        rng: the source of randomness.

    Example:
        >>> pool = Pool([[0, 1, 2], [3, 4, 5]], [0, 3], [[[1, 0], [0, 0]], [[1, 1], [0, 1]]])
        >>> pilot = draw_pilot(pool, np.array([1]), PilotShape(1, 2, 1, 1), np.random.default_rng(0))
        >>> pilot.answers.shape, pilot.verdicts.shape, pilot.gold
        ((1, 2), (1, 1, 1), array([3]))
    """
    # In a random order, solutions with a score come before the others, and the drawn ones with verdicts before all.
    unscored = np.arange(pool.solutions) >= (pool.scored_solutions or pool.solutions)
    place = rng.random((len(problems), pool.verified_solutions)) + unscored[: pool.verified_solutions]
    verified = np.argsort(place, axis=1)[:, : shape.verified]
    place = rng.random((len(problems), pool.solutions)) + unscored
    np.put_along_axis(place, verified, np.arange(-shape.verified, 0)[None], axis=1)
    order = np.argsort(place, axis=1)[:, : shape.solutions]
    rows = np.asarray(problems)[:, None]
    scored = order[:, : pool.scored_solutions]
    verdicts, judged = _draw_verdicts(pool, rows, verified, shape.verifications, rng)
    return Pool(
        answers=pool.answers[rows, order],
        gold=pool.gold[problems],
        verdicts=verdicts,
        judged=judged,
        scores=None if pool.scores is None else pool.scores[rows, scored],
        finished=None if pool.finished is None else pool.finished[rows, scored],
        keys=pool.keys[problems],
    )


def _draw_verdicts(
    pool: Pool, rows: Ints, verified: Ints, count: int, rng: np.random.Generator
) -> tuple[VerdictCodes | None, Ints | None]:
    """Draw verdicts of the solutions at ``verified``; of each up to ``count``, and how many it got."""
    if pool.verdict_codes is None or pool.judged is None or not verified.size:
        return None, None
    verdicts, judged = pool.verdict_codes[rows, verified], pool.judged[rows, verified]
    # The verdicts of a solution come first in its row; only those are drawn from.
    place = np.where(np.arange(pool.verifications) < judged[..., None], rng.random(verdicts.shape), np.inf)
    taken = np.argsort(place, axis=2)[:, :, :count]
    return np.take_along_axis(verdicts, taken, axis=2), np.minimum(judged, count)
