"""Step scores of imports, including those that imports of format 1 store with their solutions.

A row that is not ok keeps its scores. Those outside 0 … 1 rank solutions; a row with a missing score is not used.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import DIGEST_COLUMN, SCORES_TABLE, SOLUTIONS_TABLE

OUT_OF_RANGE_STATUS = "only ranks solutions: a step's score is outside 0 … 1"
"""Status of step scores in another range than 0 … 1, with which a solution cannot be weighted."""

MISSING_STEP_STATUS = "not used: a step's score is missing"
"""Status of step scores of which one is missing: what the solution's score would be is unknown."""


def build_imported_score_row(problem: str, solution: int, steps: Sequence[float], text: str | None) -> dict[str, Any]:
    """Return a solution's imported step scores as a row of `SCORES_TABLE`; their cost is unknown.

    Args:
        problem: the problem's id.
        solution: the solution's number.
        steps: the score of each step; NaN where it is missing.
        text: the solution's text; None if the import lacks it.
    """
    return {
        "problem_id": problem,
        "solution_id": solution,
        "step_scores": list(steps),
        "status": find_score_status(steps),
        DIGEST_COLUMN.name: None if text is None else digest_text(text),
    }


def find_score_status(steps: Sequence[float]) -> str:
    """Return the status of a solution's imported step scores.

    >>> find_score_status([0.5, 1.0]), find_score_status([0.5, float("nan")])
    ('ok', "not used: a step's score is missing")
    """
    if has_missing_step(steps):
        return MISSING_STEP_STATUS
    return "ok" if all(0 <= step <= 1 for step in steps) else OUT_OF_RANGE_STATUS


def has_missing_step(steps: Collection[float]) -> bool:
    """Return whether a step's score is missing."""
    return any(math.isnan(step) for step in steps)


def describe_missing_scores(solutions: int, scored: int) -> list[str]:
    """Return a sentence on solutions without a score, where others have one.

    >>> describe_missing_scores(40, 40), describe_missing_scores(40, 0)
    ([], [])
    """
    if not 0 < scored < solutions:
        return []
    return [f"{solutions - scored:,} of {solutions:,} solutions have no score; bon and prm-weighted use the others."]


def extract_solution_scores(run: Run, but: Collection[tuple[str, int]] = ()) -> pa.Table:
    """Return the step scores that an import of format 1 stores with its solutions, as rows of `SCORES_TABLE`.

    Args:
        run: the import.
        but: keys of solutions that already have a row of scores.

    Raises:
        DataError: a part is damaged.
    """
    rows = [
        row
        for path in run.list_parts(SOLUTIONS_TABLE)
        for row in _extract_part_scores(run, path)
        if _get_solution_key(row) not in but
    ]
    return pa.Table.from_pylist(rows, schema=SCORES_TABLE.schema)


def _extract_part_scores(run: Run, path: str) -> Iterator[dict[str, Any]]:
    columns = ["problem_id", "solution_id", "text", "step_scores"]
    if not pc.count(run.read_part(SOLUTIONS_TABLE, path, ["step_scores"])["step_scores"]).as_py():
        return
    for row in run.read_part(SOLUTIONS_TABLE, path, columns).to_pylist():
        if row["step_scores"] is not None:
            yield build_imported_score_row(row["problem_id"], row["solution_id"], row["step_scores"], row["text"])


def _get_solution_key(row: dict[str, Any]) -> tuple[str, int]:
    return row["problem_id"], row["solution_id"]
