"""Simulated problems for policies, drawn from the model of votes and verdicts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import Pool
from isocompute.fits.policies.answer_model import AnswerModel

LAB_LIKE = AnswerModel(
    np.array(
        [
            [1.6, 0.2, 0.15, 0.5, 3.7, 0.4, 0.3, 1.6, 0.38],
            [0.5, 1.1, 0.27, 1.0, 0.9, 1.3, 0.3, 2.0, 0.34],
            [0.6, 4.3, 0.23, 4.8, 1.1, 7.8, 0.9, 11.7, 0.28],
        ]
    ),
    read=1.0,
)
"""Parameters like those of the lab: easy problems, hard ones, and hard ones whose verdicts say little."""


def draw_problem(
    row: NDArray[np.float64], solutions: int, verifications: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the answers of a problem's solutions, 0 for right, and (solutions, verifications) verdicts."""
    a, b, d, theta, ra, rb, wa, wb = row[:8]
    is_right, votes = rng.random(solutions) < rng.beta(a, b), np.zeros(0)
    answers = np.zeros(solutions, dtype=np.int64)
    for i in np.flatnonzero(~is_right):
        weights = np.append(votes - d, theta + d * len(votes)) if len(votes) else np.ones(1)
        chosen = int(rng.choice(len(weights), p=weights / weights.sum()))
        if chosen == len(votes):
            votes = np.append(votes, 0.0)
        votes[chosen] += 1
        answers[i] = chosen + 1
    rates = np.append(rng.beta(ra, rb), rng.beta(wa, wb, len(votes)))
    return answers, (rng.random((solutions, verifications)) < rates[answers][:, None]).astype(float)


def draw_world(model: AnswerModel, problems: int, solutions: int, verifications: int, rng: np.random.Generator) -> Pool:
    """Return a pool of independent problems; without verdicts if `verifications` is 0."""
    kinds = rng.choice(model.kinds, problems, p=model.table[:, 8])
    drawn = [draw_problem(model.table[kind], solutions, verifications, rng) for kind in kinds]
    verdicts = np.stack([each for _, each in drawn]) if verifications else None
    keys = rng.integers(0, 2**63, problems, dtype=np.uint64)
    return Pool(np.stack([each for each, _ in drawn]), np.zeros(problems, dtype=int), verdicts, keys=keys)
