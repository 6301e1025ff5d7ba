"""The rows of a run from which a pool is made, and those that failed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from isocompute.errors import RunError
from isocompute.planner.estimate.judged_rows import JUDGED_COLUMNS, JudgedRows
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.files import describe_place
from isocompute.runners.storage.imported_scores import extract_solution_scores
from isocompute.runners.storage.provenance import ImportedRun
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.scan import SCAN_ROWS, scan_last_rows, scan_table
from isocompute.runners.storage.schema import (
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
        "started_at",
        "seconds",
    ],
    SCORES_TABLE: [*SCORES_TABLE.key_names, "step_scores", *SCORES_TABLE.tokens, "status", "started_at", "seconds"],
    SEARCHES_TABLE: [*SEARCHES_TABLE.key_names, "correct", *SEARCHES_TABLE.tokens, *SCORER_TOKENS, "status", "seconds"],
}
"""The columns that are read from each table."""


@dataclass(frozen=True, eq=False)
class RunRows:
    """The rows of a run that its sweep requests or that were imported.

    Args:
        solutions: one row per solution, sorted by key.
        verifications: the verifications, added up; those that failed are in `FailedRows`.
        scores: one row per scored solution; in an import, scores stored with the solutions come last.
        searches: one row per search, with its problem, shape and seed.
    """

    solutions: pd.DataFrame
    verifications: JudgedRows
    scores: pd.DataFrame
    searches: pd.DataFrame


@dataclass(frozen=True, eq=False)
class FailedRows:
    """The rows of a run that failed, table by table, sorted by key."""

    solutions: pd.DataFrame
    verifications: pd.DataFrame
    scores: pd.DataFrame
    searches: pd.DataFrame


def read_swept_rows(run: Run, sweep: Sweep, ids: list[str], is_tallied: bool = False) -> tuple[RunRows, FailedRows]:
    """Return the rows that a sweep requests, and those that failed.

    Args:
        run: the run.
        sweep: its sweep.
        ids: ids of the problems.
        is_tallied: see `read_swept_verifications`.

    Raises:
        RunError: rows are missing.
    """
    expected = ExpectedRows(sweep, ids)
    solutions, unsolved = split_failed_rows(expected.require_rows(run, SOLUTIONS_TABLE, POOL_COLUMNS[SOLUTIONS_TABLE]))
    keys = set(zip(unsolved["problem_id"], unsolved["solution_id"], strict=True))  # nothing of them is verified
    verifications = read_swept_verifications(run, expected, unsolved, is_tallied)
    scores, unscored = split_failed_rows(expected.require_rows(run, SCORES_TABLE, POOL_COLUMNS[SCORES_TABLE], keys))
    searches, unsearched = split_failed_rows(expected.require_rows(run, SEARCHES_TABLE, POOL_COLUMNS[SEARCHES_TABLE]))
    failed = FailedRows(unsolved, verifications.failed, unscored, unsearched)
    return RunRows(solutions, verifications, scores, searches), failed


def read_swept_verifications(
    run: Run, expected: ExpectedRows, unsolved: pd.DataFrame, is_tallied: bool = False
) -> JudgedRows:
    """Read the requested verifications batch by batch.

    Args:
        run: the run.
        expected: the requested rows.
        unsolved: the solutions that failed, of which nothing is verified.
        is_tallied: whether the verdicts of a solution are only counted, unless some are probabilities.

    Raises:
        RunError: rows are missing.
    """
    solutions, each = expected.get_axis_sizes(VERIFICATIONS_TABLE).values()
    is_tallied = is_tallied and not has_probability_verdicts(run)
    rows = JudgedRows(list(expected.problems), (solutions, each), is_tallied)
    lost = np.zeros((len(rows.problems), solutions), dtype=bool)
    of_verified = unsolved[unsolved["solution_id"] < solutions]
    lost[rows.locate_problems(of_verified["problem_id"].tolist()), of_verified["solution_id"].to_numpy(int)] = True
    found = rows.add_batches(scan_last_rows(run, VERIFICATIONS_TABLE, JUDGED_COLUMNS), lost)
    needed = expected.count_rows(VERIFICATIONS_TABLE) - int(lost.sum()) * each
    expected.refuse_missing_rows(run, VERIFICATIONS_TABLE, found, needed)
    return rows


def has_probability_verdicts(run: Run) -> bool:
    """Return whether some verdicts of a run lie between no and yes."""
    verdicts = (batch["verdict"] for batch in scan_table(run, VERIFICATIONS_TABLE, ["verdict"]))
    return any(pc.any(pc.and_(pc.greater(each, 0), pc.less(each, 1))).as_py() for each in verdicts)


def read_imported_rows(run: Run, imported: ImportedRun) -> tuple[RunRows, FailedRows]:
    """Return the imported rows, and those that failed.

    Raises:
        RunError: rows are missing, or there are only searches, whose completions are not independent.
    """
    solutions, scores = (read_imported_table(run, table, imported) for table in (SOLUTIONS_TABLE, SCORES_TABLE))
    keys = set(scores[SCORES_TABLE.key_names].itertuples(index=False, name=None))
    beside = extract_solution_scores(run, keys).select(POOL_COLUMNS[SCORES_TABLE]).to_pandas()
    scores = pd.concat([scores, beside], ignore_index=True) if len(beside) else scores
    solutions, unsolved = split_failed_rows(solutions)
    names = sorted({*solutions["problem_id"], *unsolved["problem_id"]})
    verifications = read_imported_verifications(run, imported, names, unsolved)
    searches = pd.DataFrame(columns=POOL_COLUMNS[SEARCHES_TABLE])
    return RunRows(solutions, verifications, scores, searches), FailedRows(
        unsolved, verifications.failed, scores[:0], searches
    )


def read_imported_verifications(
    run: Run, imported: ImportedRun, problems: list[str], unsolved: pd.DataFrame
) -> JudgedRows:
    """Read the imported verifications, whose numbers may be any; those of a solution are numbered from 0.

    Args:
        run: the run.
        imported: what the import recorded.
        problems: ids of the problems that have solutions.
        unsolved: the solutions that failed, of which no verification counts.

    Raises:
        RunError: their number is not that of the import.
    """
    frame = read_imported_table(run, VERIFICATIONS_TABLE, imported, JUDGED_COLUMNS)
    failed = frame["status"].ne("ok")
    solution = ["problem_id", "solution_id"]
    lost = pd.MultiIndex.from_frame(frame[solution]).isin(pd.MultiIndex.from_frame(unsolved[solution]))
    frame = frame[failed | ~lost]
    number = frame.groupby([*solution, frame["status"].eq("ok")]).cumcount() if len(frame) else pd.Series(dtype=int)
    sizes = (int(frame["solution_id"].max()) + 1, int(number.max()) + 1) if len(frame) else (0, 0)
    rows = JudgedRows(problems, sizes)
    content = pa.Table.from_pandas(
        frame.assign(verification_id=number), VERIFICATIONS_TABLE.select_schema(JUDGED_COLUMNS), preserve_index=False
    )
    rows.add_batches(content.slice(at, SCAN_ROWS) for at in range(0, content.num_rows, SCAN_ROWS))
    return rows


def split_failed_rows(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows whose status is ok, and the others."""
    is_ok = frame["status"].eq("ok").to_numpy(bool)
    if is_ok.all():
        return frame, frame[:0]
    return frame[is_ok].reset_index(drop=True), frame[~is_ok].reset_index(drop=True)


def find_lost_searches(rows: RunRows, failed: FailedRows, ids: list[str]) -> dict[str, str]:
    """Return the problems without a search of some allocation, because all of them failed."""
    shape = [name for name in SEARCHES_TABLE.key_names if name != "seed"]
    ok, lost = ({*frame[shape].itertuples(index=False, name=None)} for frame in (rows.searches, failed.searches))
    without = {problem for problem, *_ in lost - ok}
    return {name: "no search of some kind" for name in ids if name in without}


def collect_failure_reasons(failed: FailedRows) -> dict[str, str]:
    """Return the status of the first failed row of each problem that has one."""
    reasons: dict[str, str] = {}
    for frame in (failed.solutions, failed.searches, failed.scores, failed.verifications):
        for name, status in zip(frame["problem_id"], frame["status"], strict=True):
            reasons.setdefault(name, status)
    return reasons


def read_imported_table(
    run: Run, table: RunTable, imported: ImportedRun, columns: list[str] | None = None
) -> pd.DataFrame:
    """Return the imported rows of a table, with its `POOL_COLUMNS` or others.

    Raises:
        RunError: their number is not that of the import, or there are no solutions.
    """
    frame = run.read_frame(table, columns or POOL_COLUMNS[table])
    expected = imported.rows.get(table.name, 0)
    if len(frame) != expected:
        raise RunError(
            f"The run {describe_place(run.path)} is incomplete: it has {len(frame):,} of {expected:,} imported "
            f"{table.name}; import its source again."
        )
    if table is SOLUTIONS_TABLE and frame.empty:
        raise RunError(
            f"The run {describe_place(run.path)} holds searches but no independent solutions, so nothing can be "
            "fitted: a search's scorer selects its solutions, so votes over them are not "
            "self-consistency."
        )
    return frame
