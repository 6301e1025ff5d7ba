"""The mean sampling noise of the simulated worlds with even numbers, for pilots that are planned without data.

    python -m experiments.advice.noise [--worlds 48]

Writes planner/pilot/sampling_noise.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from rich.progress import track

from experiments.advice.prior import DIGITS, SIMULATED, SOLUTIONS, VERIFICATIONS, VERIFIED
from experiments.advice.worlds import SEED, draw_pool, draw_world
from isocompute.fits.choice.options import AllocationOptions, build_verified_options, build_voting_options
from isocompute.planner.pilot.noise import NOISE_RANK, SamplingNoise, measure_sampling_noise

FILE = Path(__file__).resolve().parents[2] / "planner" / "pilot" / "sampling_noise.json"
PROBLEMS = 40


def build_tables() -> list[AllocationOptions]:
    """Return the knots of the prior as tables without accuracies; λ does not matter here."""
    shape = 1, len(VERIFIED), len(VERIFICATIONS)
    verified = [build_verified_options(np.zeros(shape), VERIFIED, VERIFICATIONS, 1.0, name) for name in SIMULATED[1:]]
    return [build_voting_options(np.zeros((1, len(SOLUTIONS))), SOLUTIONS), *verified]


def average_factors(factors: list[np.ndarray]) -> np.ndarray:
    """Return the factor of the mean of some covariances, given by their factors."""
    left, sizes, _ = np.linalg.svd(np.concatenate(factors, axis=1) / np.sqrt(len(factors)), full_matrices=False)
    factor = left[:, :NOISE_RANK] * sizes[:NOISE_RANK]
    return np.asarray(factor * np.where(factor.sum(axis=0) < 0, -1, 1))


def main() -> None:
    """Measure the noise of the worlds with even numbers and write its mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=48)
    tables, found = build_tables(), list[SamplingNoise]()
    for number in track(range(0, parser.parse_args().worlds, 2), "worlds"):
        pool = draw_pool(draw_world(number), PROBLEMS, np.random.default_rng((SEED, number, 3)))
        found.append(measure_sampling_noise(pool, tables, number))
    factors = [average_factors([getattr(noise, name) for noise in found]) for name in ("solutions", "verdicts")]
    parts, start = {}, 0
    for table in tables:
        at = slice(start, start := start + len(table.grid.knots))
        S, V = SOLUTIONS if table.strategy == "sc" else VERIFIED, [] if table.strategy == "sc" else VERIFICATIONS
        values = {"mean": np.zeros(at.stop - at.start), "between": factors[0][at], "within": factors[1][at]}
        parts[table.strategy] = {
            "solutions": S.tolist(),
            "verifications": list(map(int, V)),
            **{name: (value.round(DIGITS) + 0.0).tolist() for name, value in values.items()},
        }
    content = {"worlds": len(found), "problems": PROBLEMS, "strategies": parts}
    FILE.write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
