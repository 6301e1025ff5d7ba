"""The planner's prior: means and covariances of accuracies over the simulated worlds with even numbers.

    python -m experiments.advice.prior [--worlds 160] [--jobs 2]

Writes planner/accuracy_prior.json. The tables of finished worlds are kept in runs/advice/worlds, so that a run that was
stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from experiments.advice.worlds import SEED, draw_pool, draw_world
from isocompute.planner.strategies.registry import STRATEGIES

ROOT = Path(__file__).resolve().parents[2]
TABLES, PRIOR = ROOT / "runs" / "advice" / "worlds", ROOT / "planner" / "accuracy_prior.json"
PROBLEMS, DRAWS = 200, 16
FACTORS, DIGITS = 24, 5
SOLUTIONS, VERIFIED, VERIFICATIONS = 2 ** np.arange(9), 2 ** np.arange(7), 2 ** np.arange(5)
SIMULATED = ("sc", "genrm", "genrm+vote", "weighted", "fused")
Floats = NDArray[np.float64]


def estimate_world(number: int) -> Floats:
    """Return the accuracies of the problems of a world at the knots of all simulated strategies, (problems, K)."""
    file = TABLES / f"{number}.npy"
    if not file.exists():
        pool = draw_pool(draw_world(number), PROBLEMS, np.random.default_rng((SEED, number, 0)))
        parts = []
        for name in SIMULATED:
            S, V = (SOLUTIONS, []) if name == "sc" else (VERIFIED, VERIFICATIONS.tolist())
            accuracy = STRATEGIES[name].estimator(pool, S.tolist(), V, DRAWS, number).accuracy
            parts.append(np.asarray(accuracy).reshape(PROBLEMS, -1))
        TABLES.mkdir(parents=True, exist_ok=True)
        np.save(file, np.concatenate(parts, axis=1))
    return np.asarray(np.load(file))


def build_prior(worlds: list[Floats]) -> dict[str, object]:
    """Return the prior as JSON, from the accuracies of the problems of each world."""
    means = np.stack([world.mean(axis=0) for world in worlds])
    within = np.mean([np.cov(world.T) for world in worlds], axis=0)
    # The means of 200 problems vary by chance too, which is not a difference between worlds.
    between = np.cov(means.T) - within / PROBLEMS
    factors = {"between": compute_factor(between), "within": compute_factor(within)}
    parts: dict[str, object] = {}
    start = 0
    for name in SIMULATED:
        S, V = (SOLUTIONS, []) if name == "sc" else (VERIFIED, VERIFICATIONS.tolist())
        at = slice(start, start := start + len(S) * max(len(V), 1))
        parts[name] = {
            "solutions": S.tolist(),
            "verifications": list(V),
            "mean": means.mean(axis=0)[at].round(DIGITS).tolist(),
            **{key: factor[at].round(DIGITS).tolist() for key, factor in factors.items()},
        }
    return {"worlds": len(worlds), "problems": PROBLEMS, "strategies": parts}


def compute_factor(covariance: Floats) -> Floats:
    """Return (K, FACTORS) the factor of a covariance in its largest directions, with a fixed sign."""
    values, vectors = np.linalg.eigh(covariance)
    factor = vectors[:, ::-1][:, :FACTORS] * np.sqrt(np.clip(values[::-1][:FACTORS], 0, None))
    return np.asarray(factor * np.where(factor.sum(axis=0) < 0, -1, 1))


def main() -> None:
    """Simulate the worlds with even numbers and write the prior."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=160)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    numbers = range(0, given.worlds, 2)
    with ProcessPoolExecutor(given.jobs) as pool:
        worlds = list(track(pool.map(estimate_world, numbers), "worlds", total=len(numbers)))
    PRIOR.write_text(json.dumps(build_prior(worlds), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
