"""First pass, from a run on disk to a pool: the rows that can be compared, and the arrays that estimators work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import RunError
from isocompute.fits import Pool
from isocompute.planner.estimate.arrays import PoolArrays, build_pool_arrays
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.scorers.aggregate import aggregate_scores
from isocompute.runners.storage.check import require_whole_run
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.imported_scores import extract_solution_scores
from isocompute.runners.storage.provenance import ImportedRun, extract_model_sizes, extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORER_TOKENS,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)

POOL_COLUMNS = {
    SOLUTIONS_TABLE: [
        *SOLUTIONS_TABLE.key_names,
        "answer",
        "correct",
        *SOLUTIONS_TABLE.tokens,
        "finish_reason",
        "status",
        "seconds",
    ],
    VERIFICATIONS_TABLE: [*VERIFICATIONS_TABLE.key_names, "verdict", *VERIFICATIONS_TABLE.tokens, "status", "seconds"],
    SCORES_TABLE: [*SCORES_TABLE.key_names, "step_scores", *SCORES_TABLE.tokens, "status", "seconds"],
    SEARCHES_TABLE: [*SEARCHES_TABLE.key_names, "correct", *SEARCHES_TABLE.tokens, *SCORER_TOKENS, "status"],
}
"""What is read of each table."""

IMPORTED_AGGREGATE = "last"
"""How the step scores of an import become one: search-and-learn's own default."""


@dataclass(frozen=True, eq=False)
class RunRows:
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

    origin: Sweep | ImportedRun
    path: str
    parameters: dict[str, float]
    pool: Pool
    has_answers: bool
    problem_ids: list[str]
    rows: RunRows
    excluded_problems: dict[str, str]
    notes: list[str]

    def select_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
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
    manifest = run.read_manifest()
    origin = extract_origin(manifest, run.path)
    require_whole_run(run)
    ids = run.read_frame(PROBLEMS_TABLE, ["problem_id"])["problem_id"].tolist()
    if not ids:
        raise RunError(f"The run at '{run.path}' holds no problems yet; run its sweep again to complete it.")
    if isinstance(origin, Sweep):
        rows, left_out = read_swept_rows(run, origin, ids)
    else:
        rows, left_out = read_imported_rows(run, origin, ids)
    kept = [name for name in ids if name not in left_out]
    if not kept:
        raise RunError(
            f"Every problem of '{run.path}' has a row that failed; the first: {next(iter(left_out.values()))}."
        )
    solutions = rows.solutions
    voted = not (solutions["correct"].eq(True) & solutions["answer"].isna()).any()
    scored, notes = add_scores(solutions, rows.scores, origin)
    layout = build_pool_arrays(scored, rows.verifications, kept)
    pool = Pool(
        code_answers(layout, voted),
        np.zeros(len(kept), dtype=np.int64),
        layout.verdicts,
        layout.judged,
        layout.scores,
        layout.finished,
    )
    notes = [*layout.notes, *describe_unplaced_searches(origin), *notes]
    sizes = extract_model_sizes(manifest, run.path)
    return RunPool(origin, run.path, sizes, pool, voted, kept, rows, left_out, notes)


def read_swept_rows(run: Run, sweep: Sweep, ids: list[str]) -> tuple[RunRows, dict[str, str]]:
    """Return the rows that a sweep asks for, every one of which must be there, and the problems with one that failed.

    Raises:
        RunError: rows are missing.
    """
    expected = ExpectedRows(sweep, ids)
    solutions = expected.require_rows(run, SOLUTIONS_TABLE, POOL_COLUMNS[SOLUTIONS_TABLE])
    left_out = collect_failed_problems(solutions, ids)
    solved = ExpectedRows(sweep, [name for name in ids if name not in left_out])  # the others have no verifications
    verifications, scores = (
        solved.require_rows(run, table, POOL_COLUMNS[table]) for table in (VERIFICATIONS_TABLE, SCORES_TABLE)
    )
    searches = expected.require_rows(run, SEARCHES_TABLE, POOL_COLUMNS[SEARCHES_TABLE])
    for frame in (scores, searches, verifications):
        left_out |= collect_failed_problems(frame, ids)
    return RunRows(solutions, verifications, scores, searches), left_out


def read_imported_rows(run: Run, imported: ImportedRun, ids: list[str]) -> tuple[RunRows, dict[str, str]]:
    """Return the rows that were imported, every one of which must be there, and the problems without a place.

    Raises:
        RunError: rows are missing, or they are searches, whose completions are not independent.
    """
    solutions, verifications, scores = (
        read_imported_table(run, table, imported) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE)
    )
    keys = set(scores[SCORES_TABLE.key_names].itertuples(index=False, name=None))
    beside = extract_solution_scores(run, keys).select(POOL_COLUMNS[SCORES_TABLE]).to_pandas()
    scores = pd.concat([scores, beside], ignore_index=True) if len(beside) else scores
    left_out = collect_failed_problems(solutions, ids)
    left_out |= dict.fromkeys(sorted(set(ids) - set(solutions["problem_id"])), "it has no solutions")
    left_out |= collect_failed_problems(verifications, ids)
    return RunRows(solutions, verifications, scores, pd.DataFrame(columns=POOL_COLUMNS[SEARCHES_TABLE])), left_out


def read_imported_table(run: Run, table: RunTable, imported: ImportedRun) -> pd.DataFrame:
    """Return a table's rows as they were imported; every one must be there.

    Raises:
        RunError: rows are missing, or there are no solutions.
    """
    frame = run.read_frame(table, POOL_COLUMNS[table])
    expected = imported.rows.get(table.name, 0)
    if len(frame) != expected:
        raise RunError(
            f"The run at '{run.path}' is not what was imported: it has {len(frame):,} of {expected:,} {table.name}; "
            "import its source again."
        )
    if table is SOLUTIONS_TABLE and frame.empty:
        raise RunError(
            f"The run at '{run.path}' holds searches and no independent solutions: what a search kept is chosen by its "
            "scorer, so votes over it are no self-consistency, and nothing can be fitted."
        )
    return frame


def add_scores(
    solutions: pd.DataFrame, scores: pd.DataFrame, origin: Sweep | ImportedRun
) -> tuple[pd.DataFrame, list[str]]:
    """Return solutions with what their steps' scores come to (``score``), and whether they were scored (``scored``).

    A row that is not ok has no score: its problem has no place in a sweep, and in an import its solution is not scored.

    Returns:
        The solutions, and what must be said of their scores.
    """
    steps = scores[scores["status"] == "ok"].set_index(["problem_id", "solution_id"])["step_scores"]
    notes = describe_unused_scores(scores) if isinstance(origin, ImportedRun) else []
    if steps.empty:
        return solutions.assign(score=np.nan, scored=False), notes
    own = origin.scorer.aggregate if isinstance(origin, Sweep) and origin.scorer is not None else None
    said = steps.dropna()
    known = {key: aggregate_scores(row, own or IMPORTED_AGGREGATE) for key, row in said.items()}
    keys = list(zip(solutions["problem_id"], solutions["solution_id"], strict=True))
    found = solutions.assign(score=[known.get(key, np.nan) for key in keys], scored=[key in known for key in keys])
    if own or (said.map(len) <= 1).all():
        return found, notes
    return found, [f"A solution's score is that of its last step ({IMPORTED_AGGREGATE}).", *notes]


def describe_unused_scores(scores: pd.DataFrame) -> list[str]:
    """Say which imported step scores are not used: those of a tool that scores in a range of its own."""
    unused = scores.loc[scores["status"] != "ok", SCORES_TABLE.key_names]
    if unused.empty:
        return []
    problem, solution = unused.iloc[0]
    which = f"{len(unused):,} solution{'s' if len(unused) > 1 else ''}, the first {(problem, int(solution))}"
    return [f"Step scores were imported and are not used where one is outside 0 … 1: those of {which}."]


def describe_unplaced_searches(origin: Sweep | ImportedRun) -> list[str]:
    """Say that imported searches cannot be compared: what they took is not known in tokens."""
    count = origin.rows.get(SEARCHES_TABLE.name, 0) if isinstance(origin, ImportedRun) else 0
    return [f"{count:,} searches have no place: an import does not say what they took."] if count else []


def collect_failed_problems(frame: pd.DataFrame, ids: list[str]) -> dict[str, str]:
    """Return the problems with a row that failed, each with the first reason."""
    failed = frame[frame["status"] != "ok"].drop_duplicates("problem_id")
    reasons = dict(zip(failed["problem_id"], failed["status"], strict=True))
    return {name: reasons[name] for name in ids if name in reasons}


def code_answers(layout: PoolArrays, voted: bool) -> NDArray[np.int64]:
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
