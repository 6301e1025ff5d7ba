"""First pass, from a run on disk to a pool: the rows that can be compared, and the arrays that estimators work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import RunError
from isocompute.fits import Pool
from isocompute.planner.estimate.arrays import Layout, laid_out
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.scorers.aggregate import aggregate
from isocompute.runners.storage.check import require_whole
from isocompute.runners.storage.expected import Expected
from isocompute.runners.storage.imported_scores import scores_beside_solutions
from isocompute.runners.storage.provenance import Imported, origin_of, sizes_of
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    PROBLEMS,
    SCORER_TOKENS,
    SCORES,
    SEARCHES,
    SOLUTIONS,
    VERIFICATIONS,
    Table,
)

COLUMNS = {
    SOLUTIONS: [*SOLUTIONS.key_names, "answer", "correct", *SOLUTIONS.tokens, "finish_reason", "status", "seconds"],
    VERIFICATIONS: [*VERIFICATIONS.key_names, "verdict", *VERIFICATIONS.tokens, "status", "seconds"],
    SCORES: [*SCORES.key_names, "step_scores", *SCORES.tokens, "status", "seconds"],
    SEARCHES: [*SEARCHES.key_names, "correct", *SEARCHES.tokens, *SCORER_TOKENS, "status"],
}
"""What is read of each table."""

IMPORTED_AGGREGATE = "last"
"""How the step scores of an import become one: search-and-learn's own default."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a run that were asked for, or imported; those that failed too.

    Args:
        solutions, verifications, scores: in the order of their keys.
        searches: with the problem, the shape and the seed of each.
    """

    solutions: pd.DataFrame
    verifications: pd.DataFrame
    scores: pd.DataFrame
    searches: pd.DataFrame


@dataclass(frozen=True, eq=False)
class RunPool:
    """A run as a pool; its problems are `problem_ids`.

    Args:
        origin: what the run was made by.
        path: its folder.
        parameters: sizes of its models by role, as far as it holds them.
        pool: the answers, the verdicts and the scores.
        voted: whether the answers are known, so that votes can be counted; if not, a wrong one is coded 1.
        problem_ids: those that have a place.
        rows: what the arrays were made from.
        left_out: problems without a place because a row of theirs failed, each with the reason.
        notes: what of an import has no place.
    """

    origin: Sweep | Imported
    path: str
    parameters: dict[str, float]
    pool: Pool
    voted: bool
    problem_ids: list[str]
    rows: Rows
    left_out: dict[str, str]
    notes: list[str]

    def kept(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the problems that have a place."""
        return frame[frame["problem_id"].isin(self.problem_ids)]


def read_pool(run: Run) -> RunPool:
    """Read a run.

    A problem with a row that failed has no place, whatever table it is in: strategies are compared on the same
    problems, and what failed is neither right nor wrong.

    Raises:
        RunError: there is none, rows are missing, or it holds no independent solutions.
        DataError: a part is damaged, or what it holds makes no sense.
    """
    manifest = run.manifest()
    origin = origin_of(manifest, run.path)
    require_whole(run)
    ids = run.frame(PROBLEMS, ["problem_id"])["problem_id"].tolist()
    if not ids:
        raise RunError(f"The run at '{run.path}' holds no problems yet; run its sweep again to complete it.")
    if isinstance(origin, Sweep):
        rows, left_out = swept_rows(run, origin, ids)
    else:
        rows, left_out = imported_rows(run, origin, ids)
    kept = [name for name in ids if name not in left_out]
    if not kept:
        raise RunError(
            f"Every problem of '{run.path}' has a row that failed; the first: {next(iter(left_out.values()))}."
        )
    solutions = rows.solutions
    voted = not (solutions["correct"].eq(True) & solutions["answer"].isna()).any()
    scored, notes = with_scores(solutions, rows.scores, origin)
    layout = laid_out(scored, rows.verifications, kept)
    pool = Pool(
        number_answers(layout, voted),
        np.zeros(len(kept), dtype=np.int64),
        layout.verdicts,
        layout.judged,
        layout.scores,
        layout.finished,
    )
    notes = [*layout.notes, *unplaced_searches(origin), *notes]
    sizes = sizes_of(manifest, run.path)
    return RunPool(origin, run.path, sizes, pool, voted, kept, rows, left_out, notes)


def swept_rows(run: Run, sweep: Sweep, ids: list[str]) -> tuple[Rows, dict[str, str]]:
    """Return the rows that a sweep asks for, every one of which must be there, and the problems with one that failed.

    Raises:
        RunError: rows are missing.
    """
    expected = Expected(sweep, ids)
    solutions = expected.require(run, SOLUTIONS, COLUMNS[SOLUTIONS])
    left_out = failures(solutions, ids)
    solved = Expected(sweep, [name for name in ids if name not in left_out])  # the others have no verifications
    verifications, scores = (solved.require(run, table, COLUMNS[table]) for table in (VERIFICATIONS, SCORES))
    searches = expected.require(run, SEARCHES, COLUMNS[SEARCHES])
    for frame in (scores, searches, verifications):
        left_out |= failures(frame, ids)
    return Rows(solutions, verifications, scores, searches), left_out


def imported_rows(run: Run, imported: Imported, ids: list[str]) -> tuple[Rows, dict[str, str]]:
    """Return the rows that were imported, every one of which must be there, and the problems without a place.

    Raises:
        RunError: rows are missing, or they are searches, whose completions are not independent.
    """
    solutions, verifications, scores = (
        read_imported(run, table, imported) for table in (SOLUTIONS, VERIFICATIONS, SCORES)
    )
    keys = set(scores[SCORES.key_names].itertuples(index=False, name=None))
    beside = scores_beside_solutions(run, keys).select(COLUMNS[SCORES]).to_pandas()
    scores = pd.concat([scores, beside], ignore_index=True) if len(beside) else scores
    left_out = failures(solutions, ids)
    left_out |= dict.fromkeys(sorted(set(ids) - set(solutions["problem_id"])), "it has no solutions")
    left_out |= failures(verifications, ids)
    return Rows(solutions, verifications, scores, pd.DataFrame(columns=COLUMNS[SEARCHES])), left_out


def read_imported(run: Run, table: Table, imported: Imported) -> pd.DataFrame:
    """Return a table's rows as they were imported; every one must be there.

    Raises:
        RunError: rows are missing, or there are no solutions.
    """
    frame = run.frame(table, COLUMNS[table])
    expected = imported.rows.get(table.name, 0)
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


def with_scores(
    solutions: pd.DataFrame, scores: pd.DataFrame, origin: Sweep | Imported
) -> tuple[pd.DataFrame, list[str]]:
    """Return solutions with what their steps' scores come to (``score``), and whether they were scored (``scored``).

    A row that is not ok has no score: its problem has no place in a sweep, and in an import its solution is not scored.

    Returns:
        The solutions, and what must be said of their scores.
    """
    steps = scores[scores["status"] == "ok"].set_index(["problem_id", "solution_id"])["step_scores"]
    notes = unused_scores(scores) if isinstance(origin, Imported) else []
    if steps.empty:
        return solutions.assign(score=np.nan, scored=False), notes
    own = origin.scorer.aggregate if isinstance(origin, Sweep) and origin.scorer is not None else None
    said = steps.dropna()
    known = {key: aggregate(row, own or IMPORTED_AGGREGATE) for key, row in said.items()}
    keys = list(zip(solutions["problem_id"], solutions["solution_id"], strict=True))
    found = solutions.assign(score=[known.get(key, np.nan) for key in keys], scored=[key in known for key in keys])
    return found, notes if own else [f"A solution's score is that of its last step ({IMPORTED_AGGREGATE}).", *notes]


def unused_scores(scores: pd.DataFrame) -> list[str]:
    """Say which imported step scores are not used: those of a tool that scores in a range of its own."""
    unused = scores.loc[scores["status"] != "ok", SCORES.key_names]
    if unused.empty:
        return []
    problem, solution = unused.iloc[0]
    which = f"{len(unused):,} solution{'s' if len(unused) > 1 else ''}, the first {(problem, int(solution))}"
    return [f"Step scores were imported and are not used where one is outside 0 … 1: those of {which}."]


def unplaced_searches(origin: Sweep | Imported) -> list[str]:
    """Say that imported searches cannot be compared: what they took is not known in tokens."""
    count = origin.rows.get(SEARCHES.name, 0) if isinstance(origin, Imported) else 0
    return [f"{count:,} searches have no place: an import does not say what they took."] if count else []


def failures(frame: pd.DataFrame, ids: list[str]) -> dict[str, str]:
    """Return the problems with a row that failed, each with the first reason."""
    failed = frame[frame["status"] != "ok"].drop_duplicates("problem_id")
    reasons = dict(zip(failed["problem_id"], failed["status"], strict=True))
    return {name: reasons[name] for name in ids if name in reasons}


def number_answers(layout: Layout, voted: bool) -> NDArray[np.int64]:
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
