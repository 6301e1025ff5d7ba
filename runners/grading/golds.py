"""The grader of a task by the form of its right answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec

from isocompute.errors import DataError
from isocompute.runners.grading.canonical import parse_rational
from isocompute.runners.grading.extraction import extract_boxed_answer
from isocompute.runners.parsing.printable import format_error_value

GOLD_OPTION_PATTERN = re.compile(r"\s*\(?[A-Z]\)?\s*")

PROGRAM_PATTERN = re.compile(
    r"^[ \t]*(?:def \w+\(|class \w+[:(]|import \w+|from [\w.]+ import |#include\b|function \w+\(|public class )",
    re.MULTILINE,
)
"""The beginning of a line of a program, in Python, C, JavaScript or Java."""


def extract_gold_answer(gold: str | None) -> str | None:
    r"""Return the right answer at the end of a text: its last box, or the part after ``####``, or all of it.

    >>> (extract_gold_answer("so 3 + 4 = \\boxed{7}."), extract_gold_answer("3 + 4 = <<3+4=7>>7\n#### 7"),
    ... extract_gold_answer(" (B) "), extract_gold_answer(" "))
    ('7', '7', '(B)', None)
    """
    if gold is None:
        return None
    inside = extract_boxed_answer(gold, len(gold))
    return (gold.rpartition("####")[2] if inside is None else inside).strip() or None


def infer_grader_name(gold: str) -> str | None:
    r"""Return the grader that the form of a right answer suggests; None if it could be any.

    >>> [infer_grader_name(gold) for gold in ["so \\boxed{7}", "3 + 4\n#### 7", "(B)", "7"]]
    ['math', 'numeric', 'letter', None]
    """
    if "\\boxed" in gold:
        return "math"
    if "####" in gold:
        return "numeric"
    return "letter" if GOLD_OPTION_PATTERN.fullmatch(gold) else None


def find_general_grader() -> str:
    """Return the grader for answers of any kind: mathematics, or numbers where its package is not installed."""
    return "numeric" if find_spec("math_verify") is None else "math"


def choose_grader_name(golds: Sequence[str], where: str) -> str:
    r"""Return the grader for a task with these right answers.

    Letters of options are graded by letter; other answers by the general grader, or by `boxed-number` where that reads
    numbers only and an answer is not a number.

    Args:
        golds: the right answers.
        where: the task's file, for an error.

    >>> choose_grader_name(["A", "(C)"], "task.csv"), choose_grader_name(["\\boxed{7}", "A"], "task.csv")
    ('letter', 'math')

    Raises:
        DataError: an answer is a program, which no grader compares.
    """
    if program := next((gold for gold in golds if PROGRAM_PATTERN.search(gold)), None):
        raise DataError(
            f"{where}: a right answer is a program: {format_error_value(program)}. Programs are right if they pass "
            "their tests, which nothing here runs; import a log that says which passed, or name a grader under "
            "task.grader."
        )
    suggested = {infer_grader_name(gold) for gold in golds}
    if suggested == {"letter"}:
        return "letter"
    if "math" in suggested:
        return "math"
    general = find_general_grader()
    is_general = general == "math" or all(parse_rational(gold.strip()) is not None for gold in golds)
    return general if is_general else "boxed-number"
