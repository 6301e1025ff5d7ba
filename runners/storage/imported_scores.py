"""Step scores of imports: which of them are scores, and those that runs of format 1 hold beside their solutions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import JUDGED, SCORES, SOLUTIONS

OUTSIDE = "not used: a step's score is outside 0 … 1"
"""Status of the scores of a tool that scores in a range of its own. The row holds them, and nothing reads them."""


def score_row(problem: str, solution: int, steps: Sequence[float], text: str | None) -> dict[str, Any]:
    """Return a solution's imported step scores as a row of `SCORES`; what they took is unknown.

    Args:
        problem: its name.
        solution: the solution's number.
        steps: a score a step.
        text: of the solution, as far as the import says it.
    """
    return {
        "problem_id": problem,
        "solution_id": solution,
        "step_scores": list(steps),
        "status": "ok" if all(0 <= step <= 1 for step in steps) else OUTSIDE,
        JUDGED.name: None if text is None else digest_text(text),
    }


def scores_beside_solutions(run: Run, but: Collection[tuple[str, int]] = ()) -> pa.Table:
    """Return the step scores that an import of format 1 holds in its solutions, as rows of `SCORES`.

    Args:
        run: the import.
        but: keys of solutions that have a row of scores already.

    Raises:
        DataError: a part is damaged.
    """
    rows = [row for path in run.parts(SOLUTIONS) for row in _rows_of_part(run, path) if _key(row) not in but]
    return pa.Table.from_pylist(rows, schema=SCORES.schema)


def _rows_of_part(run: Run, path: str) -> Iterator[dict[str, Any]]:
    columns = ["problem_id", "solution_id", "text", "step_scores"]
    if not pc.count(run.read_part(SOLUTIONS, path, ["step_scores"])["step_scores"]).as_py():
        return
    for row in run.read_part(SOLUTIONS, path, columns).to_pylist():
        if row["step_scores"] is not None:
            yield score_row(row["problem_id"], row["solution_id"], row["step_scores"], row["text"])


def _key(row: dict[str, Any]) -> tuple[str, int]:
    return row["problem_id"], row["solution_id"]
