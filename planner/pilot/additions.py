"""The rows that can be added to a run, with what they cost and how sure the measured means are afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from isocompute.fits.arrays import Floats
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.decision import Decision
from isocompute.planner.pilot.noise import SamplingNoise
from isocompute.runners.parsing.printable import format_count

_MORE_PROBLEMS = (0.25, 1.0)


def list_additions(
    decision: Decision, shape: PilotShape, noise: SamplingNoise, lam: float, enough: tuple[int, int]
) -> Iterator[tuple[str, PilotShape, float, Floats]]:
    """List what can be added: words, the shape, the cost in x, and (d, d) the chance of the means afterwards.

    Problems with the same samples or only with those that are enough, twice the solutions, twice the verified ones, or
    twice the verdicts.

    Args:
        decision: the decision.
        shape: what is measured.
        noise: the sampling noise of a problem.
        lam: λ.
        enough: the S and the V that are enough.
    """
    directions = decision.posterior.projection
    spread = decision.posterior.chance * shape.problems  # of one problem

    def compute_noise(samples: PilotShape) -> Floats:
        return np.asarray(directions.T @ sum(noise.compute_covariances(samples)) @ directions)

    def replace_samples(samples: PilotShape) -> Floats:
        """Return the covariance of a problem with other samples; noise is measured apart, so it is kept positive."""
        values, vectors = np.linalg.eigh(spread + compute_noise(samples) - compute_noise(shape))
        return np.asarray(vectors * np.clip(values, 1e-9, None) @ vectors.T)

    one = replace(shape, problems=1)
    lean = limit_samples(one, *enough)
    for added in dict.fromkeys(max(round(part * shape.problems), 1) for part in _MORE_PROBLEMS):
        more = format_count(added, "more problem")
        yield (
            more,
            replace(shape, problems=shape.problems + added),
            replace(one, problems=added).compute_cost(lam),
            spread / (shape.problems + added),
        )
        if lean != one:
            precision = np.linalg.inv(spread / shape.problems) + np.linalg.inv(replace_samples(lean) / added)
            whole = replace(lean, problems=added)
            words = f"{more} with N={lean.solutions}"
            words += f" K={lean.verified} M={lean.verifications}" if lean.verified else ", none verified"
            yield words, whole, whole.compute_cost(lam), np.linalg.inv(precision)
    deeper = [(f"N={2 * shape.solutions}", replace(shape, solutions=2 * shape.solutions))]
    if shape.verified:
        deeper.append((f"M={2 * shape.verifications}", replace(shape, verifications=2 * shape.verifications)))
        if 2 * shape.verified <= shape.solutions:
            deeper.append((f"K={2 * shape.verified}", replace(shape, verified=2 * shape.verified)))
    for name, after in deeper:
        cost = after.compute_cost(lam) - shape.compute_cost(lam)
        yield f"{name} on the same problems", after, cost, replace_samples(after) / shape.problems


def limit_samples(samples: PilotShape, S: int, V: int) -> PilotShape:
    """Return the samples of a problem without those beyond the powers of two that hold S and V.

    Example:
        >>> limit_samples(PilotShape(1, 256, 64, 32), 53, 3)
        PilotShape(problems=1, solutions=64, verified=64, verifications=4)
    """
    solutions = min(samples.solutions, 1 << max(S - 1, 0).bit_length())
    if not V or not samples.verified:
        return replace(samples, solutions=solutions, verified=0, verifications=0)
    verifications = min(samples.verifications, 1 << (V - 1).bit_length())
    return replace(samples, solutions=solutions, verified=min(samples.verified, solutions), verifications=verifications)
