"""The grader of a task by the form of its right answers."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib.util import find_spec

from isocompute.errors import DataError
from isocompute.runners.grading.canonical import parse_rational
from isocompute.runners.grading.extraction import LONGEST_BARE_TEXT, MOST_BARE_WORDS, extract_boxed_answer
from isocompute.runners.grading.logged import is_words
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.parsing.printable import format_error_value

GOLD_OPTION_PATTERN = re.compile(r"\s*\(?[A-Z]\)?\s*")

PROGRAM_PATTERN = re.compile(
    r"^[ \t]*(?:def \w+\(|class \w+[:(]|import [\w.]+[ \t]*\n|from [\w.]+ import \w+.*\n|#include\b"
    r"|(?:function|fn) \w+\(|public class |(?:int|void) \w+\(.*\{|return \w.*[-+*/(;]|SELECT .* FROM )",
    re.MULTILINE,
)
"""The beginning of a line of a program, in Python, C, JavaScript, Rust, Java or SQL."""


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


def infer_grader_name(golds: Collection[str]) -> str | None:
    r"""Return the grader that the form of the right answers suggests; None if it could be any.

    >>> [infer_grader_name([gold]) for gold in ["so \\boxed{7}", "3 + 4\n#### 7", "(B)", "7"]]
    ['math', 'numeric', 'letter', None]
    >>> infer_grader_name(["A", "7"])  # a variable, perhaps
    """
    for mark, name in (("\\boxed", "math"), ("####", "numeric")):
        if any(mark in gold for gold in golds):
            return name
    return "letter" if all(GOLD_OPTION_PATTERN.fullmatch(gold) for gold in golds) else None


def infer_plain_grader_name(golds: Collection[str], general: str) -> str | None:
    r"""Return the grader of short right answers without a mark, which are compared by meaning.

    Args:
        golds: the right answers.
        general: the grader of answers of any kind.

    Returns:
        None if one of them is longer than an answer, so that it is unclear how to compare it.

    >>> examples = ["yajo"], ["New York", "7"], ["7", "A"], ["It is in Rome."]
    >>> [infer_plain_grader_name(golds, "math") for golds in examples]
    ['math', 'math', 'math', None]
    """
    return general if all(is_short_answer(gold) for gold in golds) else None


def is_short_answer(gold: str) -> bool:
    """Return whether a right answer is a few words, or one line of mathematics."""
    if "\n" in gold.strip() or len(gold) > LONGEST_BARE_TEXT:
        return False
    return not is_words(gold) or len(gold.split()) <= MOST_BARE_WORDS


def find_general_grader() -> str:
    """Return the grader for answers of any kind: mathematics, or numbers where its package is not installed."""
    return "numeric" if find_spec("math_verify") is None else "math"


def choose_task_grader(golds: Collection[str], where: str) -> str:
    r"""Return the grader for a task with these right answers, by the rules of an import.

    Args:
        golds: the right answers that are known; without any the grader is that of answers of any kind.
        where: the task's file, for an error.

    >>> choose_task_grader(["A", "(C)"], "task.csv"), choose_task_grader(["Paris", "Rome"], "task.csv")
    ('letter', 'math')

    Raises:
        DataError: an answer is a program or a long text, which no grader compares.
    """
    if not golds:
        return find_general_grader()
    if program := next((gold for gold in golds if PROGRAM_PATTERN.search(gold)), None):
        raise DataError(
            f"{where}: a right answer is a program: {format_error_value(program)}. Programs are right if they pass "
            "their tests, which nothing here runs; import a log that says which passed."
        )
    name = infer_grader_name(golds) or infer_plain_grader_name(golds, find_general_grader())
    if name is None:
        long = next(gold for gold in golds if not is_short_answer(gold))
        raise DataError(
            f"{where}: it is unclear how to compare answers with {format_error_value(long)}; name a grader under "
            f"task.grader: {GRADERS.names_as_text}."
        )
    # without math-verify, `numeric` reads numbers only; the grader of mathematics then names its missing package
    return "math" if name == "numeric" and not all(map(is_plain_number, golds)) else name


def is_plain_number(gold: str) -> bool:
    """Return whether a right answer is a number without a unit."""
    return parse_rational((extract_gold_answer(gold) or "").strip()) is not None
