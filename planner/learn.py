"""From a run to a profile: its pool's accuracies over S and V, estimated exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocompute.fits import best_of_n, coverage, genrm, self_consistency
from isocompute.planner.measured import Measured, measured
from isocompute.planner.profile import Curve, Profile, Surface, rounded
from isocompute.runners.log import Run


def ladder(most: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12 … up to ``most``: the powers of two and what lies halfway, and the end.

    >>> ladder(16)
    [1, 2, 3, 4, 6, 8, 12, 16]
    """
    rungs = {n for power in range(most.bit_length()) for n in (2**power, 3 * 2**power // 2)} | {most}
    return sorted(n for n in rungs if 1 <= n <= most)


def profile_of_run(path: str, name: str) -> Profile:
    """Estimate a run's accuracies, exactly, over S and V.

    Raises:
        RunError, DataError: the run is missing, incomplete or damaged.
    """
    run = measured(Run(path))
    pool, config = run.pool, run.manifest["config"]
    every = sorted({*range(1, min(pool.solutions, 16) + 1), *ladder(pool.solutions)})
    doublings = [n for n in ladder(pool.solutions) if n & (n - 1) == 0 or n == pool.solutions]
    parts: dict[str, Any] = {
        "self_consistency": Curve(solutions=every, accuracy=rounded(self_consistency(pool, every))),
        "coverage": Curve(solutions=doublings, accuracy=rounded(coverage(pool, doublings))),
    }
    if pool.verdicts is not None and run.verification_tokens is not None:
        S, V = ladder(pool.verified), ladder(pool.verifications)
        parts["genrm"] = Surface(solutions=S, verifications=V, accuracy=rounded(genrm(pool, S, V)))
        fixed, correct = (
            mean_verdicts(pool.verdicts, pool.answers[:, : pool.verified] >= 0),
            pool.correct[:, : pool.verified],
        )
        parts["best_of_n"] = Curve(solutions=S, accuracy=rounded(best_of_n(fixed, correct, S)))
        parts["lam"] = run.verification_tokens / run.solution_tokens
        parts["lambdas"] = {way: None if np.isnan(lam) else lam for way, lam in run.lambdas.items()}
        parts["lambda_source"] = (
            f"completion tokens: {run.verification_tokens:.1f} a verification, {run.solution_tokens:.1f} a solution"
        )
    return Profile(
        name=name,
        description=describe(config, run),
        problems=pool.problems,
        per_problem=True,
        warnings=left_out(run),
        **parts,
    )


def mean_verdicts(verdicts: Any, answered: Any) -> Any:
    """Return each solution's mean over its parsed verdicts; 0 without one, or without an answer."""
    parsed = ~np.isnan(verdicts)
    counts = parsed.sum(axis=2)
    means = np.where(parsed, verdicts, 0.0).sum(axis=2) / np.maximum(counts, 1)
    return np.where(answered, means, 0.0)


def describe(config: dict[str, Any], run: Measured) -> str:
    """Say in a line what was measured."""
    asked = config["task"]  # a file's `name` is a column
    task = asked.get("path") or asked.get("generator") or asked["name"]
    text = f"{config['solver']['model']} on {run.pool.problems} problems of {task}, {run.pool.solutions} solutions each"
    if run.pool.verdicts is not None:
        text += f"; {config['verifier']['model']} verifying {run.pool.verified} of them {run.pool.verifications} times"
    return text


def left_out(run: Measured) -> list[str]:
    """Say which problems have no place in the pool."""
    if not run.left_out:
        return []
    reason = next(iter(run.left_out.values()))
    count = len(run.left_out)
    return [f"{count} problem{'s are' if count > 1 else ' is'} left out because a row failed: {reason}."]
