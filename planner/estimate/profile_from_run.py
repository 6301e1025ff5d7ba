"""From a run to a profile: what its pool says of every strategy over S and V."""

from __future__ import annotations

from collections.abc import Sequence
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
    verifier,
    weighted,
)
from isocompute.planner.estimate.compute_accounting import models_of
from isocompute.planner.estimate.pool_from_run import Measured, measured
from isocompute.planner.estimate.scored_pool import Scored
from isocompute.planner.estimate.searches import Searched
from isocompute.planner.profile import DIGITS, Curve, Profile, Rates, Searches, Surface, rounded
from isocompute.runners.storage.provenance import Imported
from isocompute.runners.storage.run import Run

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


def profile_of_run(path: str, name: str, parameters: Sequence[float] = (), read: float = 1.0) -> Profile:
    """Estimate a run's accuracies over S and V: exactly, or where that cannot be by drawing, with the error it has.

    Args:
        path: its folder.
        name: the profile's.
        parameters: sizes of models that no folder tells, see `tokens.sizes`.
        read: what a token that is read counts, where one that is decoded counts 1.

    Raises:
        RunError, DataError, EngineError: the run is missing, incomplete or damaged, or a checkpoint is.
    """
    run = measured(Run(path), parameters, read)
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
                + (f"; a verifier of {run.relative:.3g} times the parameters" if run.relative != 1 else "")
            )
    if run.scored is not None:
        parts |= ranked(pool, run.scored, run.voted)
    parts["searches"] = {strategy: tried(found) for strategy, found in run.searches.items()}
    errors = [parts.pop(part) for part in ("judged_error", "ranked_error") if part in parts]
    return Profile(
        drawn_error=max(errors, default=None),
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

    parts: dict[str, Any] = {"genrm": surface(genrm(pool, S, V)), "verifier": rates(run.pool)}
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
    parts["judged_error"] = max(worst(error) for error in errors)
    return parts


def rates(pool: Pool) -> Rates:
    """Return how good the verifier is; None where there is nothing to measure it on."""
    found = verifier(pool)
    return Rates.model_validate(
        {
            name: value if name == "unparsed" else [None if np.isnan(x) else round(x, DIGITS) for x in value]
            for name, value in vars(found).items()
        }
    )


def ranked(pool: Pool, scored: Scored, voted: bool) -> dict[str, Any]:
    """Estimate what a scorer reaches over S: the best score exactly, votes by score by drawing."""
    S = ladder(scored.size)
    parts: dict[str, Any] = {"rhos": scored.rhos, "bon": Curve(solutions=S, accuracy=rounded(scored.bon(pool, S)))}
    if voted:
        votes = scored.vote(pool, S, DRAWS, SEED)
        parts["prm_weighted"] = Curve(solutions=S, accuracy=rounded(votes.accuracy[:, :, 0]))
        parts["ranked_error"] = worst(votes.error)
    return parts


def tried(found: Searched) -> Searches:
    """Return searches as a profile holds them."""
    return Searches(numbers=found.numbers, seeds=found.seeds, cost=found.costs, accuracy=rounded(found.accuracy))


def worst(error: NDArray[np.float64]) -> float:
    """Return the largest standard error of a mean over problems, from those of each problem."""
    return float((np.sqrt((error**2).sum(axis=0)) / len(error)).max())


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
    pool, models = run.pool, models_of(run.origin)
    solver = models.get("solver", "an unnamed model")
    text = f"{solver} on {pool.problems} problems of {run.origin.task_name}, {pool.solutions} solutions each"
    if pool.verdicts is not None:
        verifier = models.get("verifier", "an unnamed model")
        text += f"; {verifier} verifying {pool.verified} of them {pool.verifications} times"
    if run.scored is not None:
        text += f"; {models.get('scorer', models.get('verifier'))} scoring {run.scored.size} of them"
    if run.searches:
        text += f"; searches: {', '.join(run.searches)}"
    return text + (f"; imported from {run.origin.format}" if isinstance(run.origin, Imported) else "")


def left_out(run: Measured) -> list[str]:
    """Say which problems have no place in the pool."""
    if not run.left_out:
        return []
    reason = next(iter(run.left_out.values()))
    count = len(run.left_out)
    return [f"{count} problem{'s are' if count > 1 else ' is'} left out because a row failed: {reason}."]
