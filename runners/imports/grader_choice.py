"""Choice of the grader of an import by its right answers and its rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from importlib.util import find_spec

from isocompute.errors import DataError
from isocompute.runners.grading import GRADERS
from isocompute.runners.grading.extraction import LONGEST_BARE_TEXT, MOST_BARE_WORDS
from isocompute.runners.grading.logged import is_words
from isocompute.runners.imports.fields import extract_gold_answer
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
        f"grader: --grader {GRADERS.names_as_text}."
    )


def is_gradable(row: ImportedRow) -> bool:
    """Return whether a row is a search, or a solution that did not fail."""
    return isinstance(row, ImportedSearch) or (isinstance(row, ImportedSolution) and row.status == "ok")


def find_general_grader() -> str:
    """Return the grader for answers of any kind: mathematics, or numbers where its package is not installed."""
    return "numeric" if find_spec("math_verify") is None else "math"


def infer_grader_name(golds: Collection[str]) -> str | None:
    r"""Return the grader that the form of the right answers suggests; None if it could be any.

    >>> [infer_grader_name([gold]) for gold in ["so \\boxed{7}", "3 + 4\n#### 7", "(B)", "7"]]
    ['math', 'numeric', 'letter', None]
    >>> infer_grader_name(["A", "7"])  # a variable, perhaps
    """
    for mark, name in (("\\boxed", "math"), ("####", "numeric")):
        if any(mark in gold for gold in golds):
            return name
    return "letter" if all(re.fullmatch(r"\s*\(?[A-Z]\)?\s*", gold) for gold in golds) else None


def infer_plain_grader_name(golds: Collection[str], general: str) -> str | None:
    r"""Return the grader of short right answers without a mark: words are compared as text, the others by meaning.

    Args:
        golds: the right answers.
        general: the grader of answers of any kind.

    Returns:
        None if one of them is longer than an answer, so that it is unclear how to compare it.

    >>> examples = ["yajo"], ["New York", "7"], ["7", "A"], ["It is in Rome."]
    >>> [infer_plain_grader_name(golds, "math") for golds in examples]
    ['exact', 'math', 'math', None]
    """
    if not all(is_short_answer(gold) for gold in golds):
        return None
    return "exact" if all(is_words(gold) for gold in golds) else general


def is_short_answer(gold: str) -> bool:
    """Return whether a right answer is a few words, or one line of mathematics."""
    if "\n" in gold.strip() or len(gold) > LONGEST_BARE_TEXT:
        return False
    return not is_words(gold) or len(gold.split()) <= MOST_BARE_WORDS
