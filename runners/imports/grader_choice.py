"""Choice of the grader of an import by its right answers and its rows."""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import DataError
from isocompute.runners.grading import GRADERS
from isocompute.runners.grading.golds import (
    extract_gold_answer,
    find_general_grader,
    infer_grader_name,
    infer_plain_grader_name,
)
from isocompute.runners.imports.rows import ImportedProblem, ImportedRow, ImportedSearch, ImportedSolution
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.provenance import LOGGED_GRADER


def choose_import_grader(rows: Sequence[ImportedRow], usual: str | None) -> str:
    """Return the name of the grader of an import, or that of answers taken as logged.

    What there is to read is decided by the first solution that did not fail, and how answers are compared by all right
    answers. A log that judges its solutions is only graded here if the right answers or the format say how.

    Args:
        rows: the first rows.
        usual: the format's grader if the right answers do not suggest one; None if it could be any.

    Raises:
        DataError: there is nothing to compare with, or it is unclear how to compare.
    """
    problems = {row.problem_id: row for row in rows if isinstance(row, ImportedProblem)}
    first = next((row for row in rows if is_gradable(row)), None)
    if not isinstance(first, ImportedSolution | ImportedSearch):
        return LOGGED_GRADER
    gold = extract_gold_answer(problems[first.problem_id].gold)
    golds = [problem.gold for problem in problems.values() if problem.gold and extract_gold_answer(problem.gold)]
    is_judged = first.correct is not None
    if first.text is None:
        usual = usual or find_general_grader()
    if gold is not None and (first.text is not None or (first.answer is not None and not is_judged)):
        name = infer_grader_name(golds) or usual
        if name is None and not is_judged:
            name = infer_plain_grader_name(golds, find_general_grader())
        if name is not None:
            return name
    if is_judged or (isinstance(first, ImportedSolution) and first.unjudged):
        return LOGGED_GRADER
    if gold is None:
        raise DataError(f"{first.where}: the log has no right answer, nor does it say whether the solution is right.")
    raise DataError(
        f"{first.where}: it is unclear how to compare answers with {format_error_value(gold)}; name a "
        f"grader: --grader {GRADERS.names_as_text} (grader= in Python)."
    )


def is_gradable(row: ImportedRow) -> bool:
    """Return whether a row is a search, or a solution that did not fail."""
    return isinstance(row, ImportedSearch) or (isinstance(row, ImportedSolution) and row.status == "ok")
