"""The rows of a run from which a pool is made, and those that failed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from isocompute.errors import RunError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.files import describe_place
from isocompute.runners.storage.imported_scores import extract_solution_scores
from isocompute.runners.storage.provenance import ImportedRun
from isocompute.runners.storage.run import Run
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
    VERIFICATIONS_TABLE: [
        *VERIFICATIONS_TABLE.key_names,
        "verdict",
        "p_yes",
        *VERIFICATIONS_TABLE.tokens,
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
        verifications: one row per verification, sorted by key.
        scores: one row per scored solution; in an import, scores stored with the solutions come last.
        searches: one row per search, with its problem, shape and seed.
    """

    solutions: pd.DataFrame
    verifications: pd.DataFrame
    scores: pd.DataFrame
    searches: pd.DataFrame


def read_swept_rows(run: Run, sweep: Sweep, ids: list[str]) -> tuple[RunRows, RunRows]:
    """Return the rows that a sweep requests, and those that failed.

    Raises:
        RunError: rows are missing.
    """
    expected = ExpectedRows(sweep, ids)
    solutions, unsolved = split_failed_rows(expected.require_rows(run, SOLUTIONS_TABLE, POOL_COLUMNS[SOLUTIONS_TABLE]))
    keys = set(zip(unsolved["problem_id"], unsolved["solution_id"], strict=True))  # nothing of them is verified
    tables = [
        expected.require_rows(run, table, POOL_COLUMNS[table], keys) for table in (VERIFICATIONS_TABLE, SCORES_TABLE)
    ]
    tables.append(expected.require_rows(run, SEARCHES_TABLE, POOL_COLUMNS[SEARCHES_TABLE]))
    pairs = [(solutions, unsolved), *map(split_failed_rows, tables)]
    return RunRows(*(ok for ok, _ in pairs)), RunRows(*(failed for _, failed in pairs))


def read_imported_rows(run: Run, imported: ImportedRun) -> tuple[RunRows, RunRows]:
    """Return the imported rows, and those that failed.

    Raises:
        RunError: rows are missing, or there are only searches, whose completions are not independent.
    """
    solutions, verifications, scores = (
        read_imported_table(run, table, imported) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE)
    )
    keys = set(scores[SCORES_TABLE.key_names].itertuples(index=False, name=None))
    beside = extract_solution_scores(run, keys).select(POOL_COLUMNS[SCORES_TABLE]).to_pandas()
    scores = pd.concat([scores, beside], ignore_index=True) if len(beside) else scores
    solutions, unsolved = split_failed_rows(solutions)
    verifications, unverified = split_failed_rows(verifications)
    lost = set(zip(unsolved["problem_id"], unsolved["solution_id"], strict=True))
    if lost:
        is_lost = [key in lost for key in zip(verifications["problem_id"], verifications["solution_id"], strict=True)]
        verifications = verifications[~np.array(is_lost, dtype=bool)].reset_index(drop=True)
    searches = pd.DataFrame(columns=POOL_COLUMNS[SEARCHES_TABLE])
    return RunRows(solutions, verifications, scores, searches), RunRows(unsolved, unverified, scores[:0], searches)


def split_failed_rows(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows whose status is ok, and the others."""
    is_ok = frame["status"].eq("ok").to_numpy(bool)
    if is_ok.all():
        return frame, frame[:0]
    return frame[is_ok].reset_index(drop=True), frame[~is_ok].reset_index(drop=True)


def find_lost_searches(rows: RunRows, failed: RunRows, ids: list[str]) -> dict[str, str]:
    """Return the problems without a search of some allocation, because all of them failed."""
    shape = [name for name in SEARCHES_TABLE.key_names if name != "seed"]
    ok, lost = ({*frame[shape].itertuples(index=False, name=None)} for frame in (rows.searches, failed.searches))
    without = {problem for problem, *_ in lost - ok}
    return {name: "no search of some kind" for name in ids if name in without}


def collect_failure_reasons(failed: RunRows) -> dict[str, str]:
    """Return the status of the first failed row of each problem that has one."""
    reasons: dict[str, str] = {}
    for frame in (failed.solutions, failed.searches, failed.scores, failed.verifications):
        for name, status in zip(frame["problem_id"], frame["status"], strict=True):
            reasons.setdefault(name, status)
    return reasons


def read_imported_table(run: Run, table: RunTable, imported: ImportedRun) -> pd.DataFrame:
    """Return the imported rows of a table.

    Raises:
        RunError: their number is not that of the import, or there are no solutions.
    """
    frame = run.read_frame(table, POOL_COLUMNS[table])
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
