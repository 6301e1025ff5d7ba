"""The sampling noise of a problem's accuracies: how much they vary with the solutions and verdicts that were drawn.

The accuracy of a problem at S solutions and V verifications is a mean over subsets of its N solutions and of the M
verdicts of each, so it varies around the value that infinitely many samples would give. To first order (Hoeffding
1948) its covariance over allocations is A / n + B / (K M), where n is the number of solutions that the strategy
chooses from: N, or the K verified ones. A and B are measured by splitting a pool in halves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import Pool
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.accuracy_prior import AccuracyPrior
from isocompute.fits.choice.options import AllocationOptions
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.prior import build_accuracy_prior
from isocompute.planner.strategies.registry import STRATEGIES

NOISE_DRAWS = 4
"""Monte Carlo draws of the strategies that are not exact, while noise is measured."""
NOISE_RANK = 12
"""The number of directions in which noise is kept."""


@dataclass(frozen=True, eq=False)
class SamplingNoise:
    """The noise of a problem's accuracies at the K knots of some tables, one after the other.

    Args:
        solutions: (K, R) factor of A, the part of the solutions: A = F Fᵀ.
        verdicts: (K, Q) factor of B, the part of the verdicts.
        is_verified: (K,) whether a knot's strategy chooses from the verified solutions.
    """

    solutions: Floats
    verdicts: Floats
    is_verified: NDArray[np.bool_]

    def compute_covariances(self, shape: PilotShape) -> tuple[Floats, Floats]:
        """Return (K, K) the covariances that the solutions and the verdicts of a pilot cause.

        Two strategies share the solutions that both choose from, so their covariance is divided by the larger number.
        """
        sizes = np.where(self.is_verified, max(shape.verified, 1), shape.solutions)
        shared = np.maximum(sizes[:, None], sizes[None, :])
        judged = max(shape.verified * shape.verifications, 1)
        return self.solutions @ self.solutions.T / shared, self.verdicts @ self.verdicts.T / judged


def measure_sampling_noise(pool: Pool, tables: Sequence[AllocationOptions], seed: int = 0) -> SamplingNoise:
    """Measure the noise of the accuracies of a pool, from estimates on its halves.

    The halves of the solutions of each problem give A / (n / 2) + B / (K M / 2), those of the verdicts give
    B / (K M / 2). Knots beyond a half take the value of the last one within it, times the ratio of their sizes.

    Args:
        pool: P problems with N solutions, K of them verified M times.
        tables: options of registered strategies, whose knots are used; others are taken to have no noise.
        seed: seed of the halves.
    """
    rng = np.random.default_rng((seed, pool.problems))
    is_verified = np.concatenate([np.full(len(t.grid.knots), "V" in t.grid.numbers) for t in tables])
    count, judged = pool.verified_solutions, pool.verified_solutions * pool.verifications
    verdict = np.zeros((len(is_verified),) * 2)
    if pool.verifications > 1:
        gap = _subtract_halves(_split_verdicts(pool, rng), tables)
        verdict = judged / 4 * (gap.T @ gap) / pool.problems
    if pool.solutions < 4 or (count and count < 2):
        return SamplingNoise(np.zeros((len(is_verified), 1)), _compute_noise_factor(verdict), is_verified)
    gap = _subtract_halves(_split_solutions(pool, rng), tables)
    sizes = np.where(is_verified, max(count, 1), pool.solutions)
    shared = np.maximum(sizes[:, None], sizes[None, :])
    total = shared / 4 * (gap.T @ gap) / pool.problems
    solution = total - (verdict / max(pool.verifications, 1)) * (is_verified[:, None] & is_verified)
    return SamplingNoise(_compute_noise_factor(solution), _compute_noise_factor(verdict), is_verified)


@lru_cache(maxsize=1)
def read_typical_noise() -> AccuracyPrior:
    """Read the mean noise of simulated worlds: the factors of A and B take the places of ``between`` and ``within``.

    experiments/advice/noise.py writes it.
    """
    text = (files("isocompute.planner.pilot") / "sampling_noise.json").read_text(encoding="utf-8")
    return build_accuracy_prior(json.loads(text)["strategies"])


def place_typical_noise(tables: Sequence[AllocationOptions]) -> SamplingNoise:
    """Return the mean noise of simulated worlds at the knots of some tables."""
    typical = read_typical_noise()
    parts = [typical.compute_part_weights(table) for table in tables]
    is_verified = np.concatenate([np.full(len(t.grid.knots), "V" in t.grid.numbers) for t in tables])
    solutions = np.concatenate([weights @ part.between for part, weights in parts])
    return SamplingNoise(solutions, np.concatenate([weights @ part.within for part, weights in parts]), is_verified)


def _split_solutions(pool: Pool, rng: np.random.Generator) -> list[Pool]:
    """Return two pools with half of the solutions of each problem, the verified ones first."""
    count = pool.verified_solutions
    first = rng.permuted(np.tile(np.arange(count), (pool.problems, 1)), axis=1)
    others = rng.permuted(np.tile(np.arange(count, pool.solutions), (pool.problems, 1)), axis=1)
    rows, halves = np.arange(pool.problems)[:, None], []
    for part in range(2):
        chosen, rest = (
            columns[:, part * (columns.shape[1] // 2) : (part + 1) * (columns.shape[1] // 2)]
            for columns in (first, others)
        )
        answers = pool.answers[rows, np.concatenate([chosen, rest], axis=1)]
        verdicts = None if pool.verdict_codes is None else pool.verdict_codes[rows, chosen]
        judged = None if pool.judged is None else pool.judged[rows, chosen]
        halves.append(Pool(answers, pool.gold, verdicts, judged))
    return halves


def _split_verdicts(pool: Pool, rng: np.random.Generator) -> list[Pool]:
    """Return two pools with the same solutions, and half of the verdicts of each."""
    codes = pool.verdict_codes
    assert codes is not None, "there are verdicts to split"
    judged = np.full(codes.shape[:2], pool.verifications) if pool.judged is None else pool.judged
    place = np.where(np.arange(pool.verifications) < judged[..., None], rng.random(codes.shape), np.inf)
    shuffled = np.take_along_axis(codes, np.argsort(place, axis=2), axis=2)
    half = pool.verifications // 2
    return [
        Pool(pool.answers, pool.gold, shuffled[..., at : at + half], np.clip(judged - at, 0, half)) for at in (0, half)
    ]


def _subtract_halves(halves: list[Pool], tables: Sequence[AllocationOptions]) -> Floats:
    """Return (P, K) the difference of the accuracies of two halves at all knots."""
    first, second = (
        np.concatenate([_estimate_within(half, table, part) for table in tables], axis=1)
        for part, half in enumerate(halves)
    )
    return np.asarray(first - second)


def _estimate_within(half: Pool, table: AllocationOptions, seed: int) -> Floats:
    """Return (P, n) the accuracies at the knots of a table, those beyond the half scaled from the last within it."""
    grid = table.grid
    strategy = STRATEGIES.get(table.strategy)
    if strategy is None or strategy.needs == "scores":
        return np.zeros((half.problems, len(grid.knots)))
    S, V = (np.unique(grid.numbers[name][grid.knots]) if name in grid.numbers else np.array([1]) for name in "SV")
    most = (half.verified_solutions, half.verifications) if "V" in grid.numbers else (half.solutions, 1)
    inside = [np.minimum(numbers, limit) for numbers, limit in zip((S, V), most, strict=True)]
    kept = [np.unique(numbers) for numbers in inside]
    given = kept[1].tolist() if "V" in grid.numbers else []
    values = strategy.estimator(half, kept[0].tolist(), given, NOISE_DRAWS, seed).accuracy
    values = np.asarray(values).reshape(half.problems, len(kept[0]), len(kept[1]))
    values = values[:, np.searchsorted(kept[0], inside[0])][:, :, np.searchsorted(kept[1], inside[1])]
    scale = np.sqrt(S / inside[0])[:, None] * np.sqrt(V / inside[1])
    return np.asarray(values * scale).reshape(half.problems, -1)


def _compute_noise_factor(covariance: Floats) -> Floats:
    """Return (K, NOISE_RANK) the factor of a covariance in its largest directions; it may be slightly indefinite."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors[:, ::-1][:, :NOISE_RANK] * np.sqrt(np.clip(values[::-1][:NOISE_RANK], 0, None)))
