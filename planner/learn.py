"""From a run to a profile: what its pool says of every strategy over S and V."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    Pool,
    best_of_n,
    coverage,
    folds,
    fused_held_out,
    genrm,
    genrm_vote,
    self_consistency,
    weighted,
)
from isocompute.planner.measured import Measured, measured
from isocompute.planner.profile import Curve, Profile, Surface, rounded
from isocompute.runners.log import Run
from isocompute.runners.origin import Imported

DRAWS = 32
"""How often the votes that are not exact are drawn."""
SEED = 20250402


def ladder(most: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12 … up to ``most``: the powers of two and what lies halfway, and the end.

    >>> ladder(16)
    [1, 2, 3, 4, 6, 8, 12, 16]
    """
    rungs = {n for power in range(most.bit_length()) for n in (2**power, 3 * 2**power // 2)} | {most}
    return sorted(n for n in rungs if 1 <= n <= most)


def profile_of_run(path: str, name: str) -> Profile:
    """Estimate a run's accuracies over S and V: exactly, or where that cannot be by drawing, with the error it has.

    Raises:
        RunError, DataError: the run is missing, incomplete or damaged.
    """
    run = measured(Run(path))
    pool, warnings = decided(run.pool)
    every = sorted({*range(1, min(pool.solutions, 16) + 1), *ladder(pool.solutions)}) if run.voted else [1]
    doublings = [n for n in ladder(pool.solutions) if n & (n - 1) == 0 or n == pool.solutions]
    parts: dict[str, Any] = {
        "self_consistency": Curve(solutions=every, accuracy=rounded(self_consistency(pool, every))),
        "coverage": Curve(solutions=doublings, accuracy=rounded(coverage(pool, doublings))),
    }
    if pool.verdicts is not None:
        S, V = ladder(pool.verified), ladder(pool.verifications)
        parts |= surfaces(pool, run, S, V)
        fixed, correct = (
            mean_verdicts(pool.verdicts, pool.answers[:, : pool.verified] >= 0),
            pool.correct[:, : pool.verified],
        )
        parts["best_of_n"] = Curve(solutions=S, accuracy=rounded(best_of_n(fixed, correct, S)))
        parts["lambdas"] = {way: None if np.isnan(lam) else lam for way, lam in run.lambdas.items()}
        if run.lam is not None:
            parts["lam"] = run.lam
            parts["lambda_source"] = (
                f"completion tokens: {run.verification_tokens:.1f} a verification, {run.solution_tokens:.1f} a solution"
            )
    return Profile(
        name=name,
        description=describe(run),
        problems=pool.problems,
        per_problem=True,
        warnings=[*left_out(run), *run.notes, *unvoted(run), *warnings],
        **parts,
    )


def surfaces(pool: Pool, run: Measured, S: list[int], V: list[int]) -> dict[str, Any]:
    """Estimate what votes and verdicts, each and together, reach over S × V.

    GenRM exactly, on verdicts that are yes or no; the weighted votes by drawing, on the verdicts as they are.
    """

    def surface(accuracy: NDArray[np.float64]) -> Surface:
        return Surface(solutions=S, verifications=V, accuracy=rounded(accuracy))

    parts: dict[str, Any] = {"genrm": surface(genrm(pool, S, V))}
    if not run.voted:
        return parts
    parts["genrm_vote"] = surface(genrm_vote(pool, S, V))
    by_verdict = weighted(run.pool, S, V, DRAWS, SEED)
    parts["weighted"] = surface(by_verdict.accuracy)
    errors = [by_verdict.error]
    if pool.problems > 1:
        learnt = fused_held_out(run.pool, S, V, folds(pool.problems), DRAWS, SEED)
        parts["fused"], parts["trust"] = surface(learnt.estimate.accuracy), learnt.trust
        errors.append(learnt.estimate.error)
    parts["drawn_error"] = max(float((np.sqrt((error**2).sum(axis=0)) / pool.problems).max()) for error in errors)
    return parts


def decided(pool: Pool) -> tuple[Pool, list[str]]:
    """Return a pool whose verdicts are yes or no, above 1/2 or not, and a sentence if some were in between.

    `fits.genrm` is exact for these alone.
    """
    if pool.verdicts is None or not (between := (pool.verdicts > 0) & (pool.verdicts < 1)).any():
        return pool, []
    verdicts = np.where(np.isnan(pool.verdicts), np.nan, pool.verdicts > 0.5)
    said = (
        f"{between.sum():,} of {(~np.isnan(verdicts)).sum():,} verdicts are probabilities; each counts as yes above "
        "1/2, and as no otherwise, in genrm and genrm+vote."
    )
    return Pool(pool.answers, pool.gold, verdicts, pool.judged), [said]


def unvoted(run: Measured) -> list[str]:
    """Say that votes cannot be counted where answers are unknown."""
    if run.voted:
        return []
    return ["The run says which solutions are right, not what they answer: no votes can be counted, so SC is known at "
            "one solution only."]  # fmt: skip


def mean_verdicts(verdicts: Any, answered: Any) -> Any:
    """Return each solution's mean over its parsed verdicts; 0 without one, or without an answer."""
    parsed = ~np.isnan(verdicts)
    counts = parsed.sum(axis=2)
    means = np.where(parsed, verdicts, 0.0).sum(axis=2) / np.maximum(counts, 1)
    return np.where(answered, means, 0.0)


def describe(run: Measured) -> str:
    """Say in a line what was measured."""
    pool, models = run.pool, run.origin.models
    solver = models.get("solver", "an unnamed model")
    text = f"{solver} on {pool.problems} problems of {run.origin.task_name}, {pool.solutions} solutions each"
    if pool.verdicts is not None:
        verifier = models.get("verifier", "an unnamed model")
        text += f"; {verifier} verifying {pool.verified} of them {pool.verifications} times"
    return text + (f"; imported from {run.origin.format}" if isinstance(run.origin, Imported) else "")


def left_out(run: Measured) -> list[str]:
    """Say which problems have no place in the pool."""
    if not run.left_out:
        return []
    reason = next(iter(run.left_out.values()))
    count = len(run.left_out)
    return [f"{count} problem{'s are' if count > 1 else ' is'} left out because a row failed: {reason}."]
