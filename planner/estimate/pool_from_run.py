"""From a run on disk to the arrays that fits work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import RunError
from isocompute.fits import Pool
from isocompute.planner.estimate.arrays import Layout, laid_out
from isocompute.planner.estimate.compute_accounting import assumed, mean_tokens, ratios, sizes, solving
from isocompute.planner.estimate.scored_pool import SCORED, Scored, scored_pool
from isocompute.planner.estimate.searches import SEARCHED, Searched, asked, searches_of
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.check import require_whole
from isocompute.runners.storage.expected import Expected
from isocompute.runners.storage.provenance import Imported, origin_of
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS, SCORES, SEARCHES, SOLUTIONS, VERIFICATIONS, Table

TOKENS = ["prompt_tokens", "cached_tokens", "completion_tokens"]
SOLVED = ["problem_id", "solution_id", "answer", "correct", *TOKENS, "finish_reason", "status"]
VERIFIED = ["problem_id", "solution_id", "verification_id", "verdict", *TOKENS, "status"]


@dataclass(frozen=True)
class Measured:
    """A run as arrays; the rows of the pool are `problem_ids`.

    Args:
        voted: whether the answers are known, so that votes can be counted; if not, a wrong one is coded 1.
        solution_tokens: mean completion tokens of a solution; None if a row does not say its own.
        verification_tokens: mean completion tokens of a verification; None likewise, or without verifications.
        lambdas: λ by way of counting tokens, see `fits.cost.counted`; NaN if unknown, empty without verifications.
        relative: the verifier's parameters over the solver's; 1 if unknown.
        scored: the scores of the first solutions; None if none were scored.
        searches: by strategy and rule of selection.
        left_out: problems without a place in the pool because a row of theirs failed, each with the reason.
        notes: what of an import has no place in the pool, and what is assumed.
    """

    pool: Pool
    voted: bool
    problem_ids: list[str]
    solution_tokens: float | None
    verification_tokens: float | None
    lambdas: dict[str, float]
    relative: float
    scored: Scored | None
    searches: dict[str, Searched]
    left_out: dict[str, str]
    notes: list[str]
    origin: Sweep | Imported

    @property
    def lam(self) -> float | None:
        """λ from completion tokens and sizes; None without verifications, or where a row does not say its tokens."""
        if self.verification_tokens is None or self.solution_tokens is None:
            return None
        return self.verification_tokens / self.solution_tokens * self.relative


def measured(run: Run, parameters: Sequence[float] = (), read: float = 1.0) -> Measured:
    """Read a run.

    A problem with a row that failed has no place, whatever table it is in: strategies are compared on the same
    problems, and what failed is neither right nor wrong.

    Args:
        run: to be read.
        parameters: sizes of models that no folder tells, see `tokens.sizes`.
        read: what a token that is read counts, where one that is decoded counts 1.

    Raises:
        RunError: there is none, rows are missing, or it holds no independent solutions.
        DataError: a part is damaged, or what it holds makes no sense.
        EngineError: a checkpoint in a folder cannot be read.
    """
    origin = origin_of(run.manifest(), run.path)
    require_whole(run)
    ids = run.frame(PROBLEMS, ["problem_id"])["problem_id"].tolist()
    if not ids:
        raise RunError(f"The run at '{run.path}' holds no problems yet; run its sweep again to complete it.")
    if isinstance(origin, Sweep):
        solutions = Expected(origin, ids).require(run, SOLUTIONS, SOLVED)
        left_out = failures(solutions, ids)
        solved = [name for name in ids if name not in left_out]  # a solution that failed has no verifications
        verifications = Expected(origin, solved).require(run, VERIFICATIONS, VERIFIED)
        scores = Expected(origin, solved).require(run, SCORES, SCORED)
        searches = asked(run, origin, ids)
        left_out |= failures(scores, ids) | failures(searches, ids)
    else:
        scores, searches = (pd.DataFrame(columns=columns) for columns in (SCORED, SEARCHED))
        solutions, verifications = (imported(run, table, origin) for table in (SOLUTIONS, VERIFICATIONS))
        left_out = failures(solutions, ids) | dict.fromkeys(
            sorted(set(ids) - set(solutions["problem_id"])), "it has no solutions"
        )
    left_out |= failures(verifications, ids)
    kept = [name for name in ids if name not in left_out]
    if not kept:
        raise RunError(
            f"Every problem of '{run.path}' has a row that failed; the first: {next(iter(left_out.values()))}."
        )
    layout = laid_out(solutions, verifications, kept)
    voted = not (solutions["correct"].eq(True) & solutions["answer"].isna()).any()
    known = sizes(origin, parameters, read)
    solution = solving(solutions, known)
    scores, searches = (frame[frame["problem_id"].isin(kept)] for frame in (scores, searches))
    return Measured(
        pool=Pool(codes(layout, voted), np.zeros(len(kept), dtype=np.int64), layout.verdicts, layout.judged),
        voted=voted,
        problem_ids=kept,
        solution_tokens=mean_tokens(run, solutions),
        verification_tokens=mean_tokens(run, verifications) if len(verifications) else None,
        lambdas=ratios(solutions, verifications, known) if len(verifications) else {},
        relative=known.relative("verifier"),
        scored=scored_pool(origin, solutions[solutions["problem_id"].isin(kept)], scores, solution, known)
        if len(scores)
        else None,
        searches=searches_of(origin, searches, kept, solution, known) if len(searches) else {},
        left_out=left_out,
        notes=[*layout.notes, *unplaced(origin), *assumed(origin, known)],
        origin=origin,
    )


def imported(run: Run, table: Table, origin: Imported) -> pd.DataFrame:
    """Return a table's rows as they were imported; every one must be there.

    Raises:
        RunError: rows are missing, or they are searches, whose completions are not independent.
    """
    frame = run.frame(table, SOLVED if table is SOLUTIONS else VERIFIED)
    expected = origin.rows.get(table.name, 0)
    if len(frame) != expected:
        raise RunError(
            f"The run at '{run.path}' is not what was imported: it has {len(frame):,} of {expected:,} {table.name}; "
            "import its source again."
        )
    if table is SOLUTIONS and frame.empty:
        raise RunError(
            f"The run at '{run.path}' holds searches and no independent solutions: what a search kept is chosen by its "
            "scorer, so votes over it are no self-consistency, and nothing can be fitted."
        )
    return frame


def unplaced(origin: Sweep | Imported) -> list[str]:
    """Say that imported searches cannot be compared: what they took is not known in tokens."""
    count = origin.rows.get(SEARCHES.name, 0) if isinstance(origin, Imported) else 0
    return [f"{count:,} searches have no place: an import does not say what they took."] if count else []


def failures(frame: pd.DataFrame, ids: list[str]) -> dict[str, str]:
    """Return the problems with a row that failed, each with the first reason."""
    failed = frame[frame["status"] != "ok"].drop_duplicates("problem_id")
    reasons = dict(zip(failed["problem_id"], failed["status"], strict=True))
    return {name: reasons[name] for name in ids if name in reasons}


def codes(layout: Layout, voted: bool) -> NDArray[np.int64]:
    """Number the answers of each problem: 0 is right, -1 unparsed, the others as they first appear.

    Where only right and wrong are known, 1 is wrong.
    """
    if not voted:
        return np.where(layout.correct, 0, 1)
    coded = np.zeros(layout.answers.shape, dtype=np.int64)
    for i, (row, right) in enumerate(zip(layout.answers, layout.correct, strict=True)):
        number: dict[str, int] = {}
        for j in np.flatnonzero(~right):
            coded[i, j] = -1 if pd.isna(row[j]) else number.setdefault(row[j], len(number) + 1)
    return coded
