"""Comparison of answers that another tool read, by their value: each is a whole answer already."""

from __future__ import annotations

import re
from importlib.util import find_spec

from isocompute.runners.grading.canonical import is_canonical_number, normalise_exact_answer, normalise_math_answer
from isocompute.runners.grading.comparison_process import AnswerComparer
from isocompute.runners.grading.extraction import LONGEST_BARE_TEXT, OUTER_MARKS, find_stated_answer
from isocompute.runners.grading.graders import Grader
from isocompute.runners.grading.words import normalise_words

CHOICE_PATTERN = re.compile(r"[(\[]?([A-Za-z])[)\].:]{0,2}")
MATHEMATICS_PATTERN = re.compile(r"[\d\\^=+*/<>|_${}()\[\]∞√π]")


def is_words(answer: str) -> bool:
    """Return whether an answer consists of words, which are compared as text, and not of mathematics.

    >>> [is_words(answer) for answer in ("New York", "yajo", "pi", "7", "2x", "x, y", "x=y")]
    [True, True, True, False, False, False, False]
    """
    return MATHEMATICS_PATTERN.search(answer) is None and re.search(r"[^\W\d_]{2}", answer) is not None


def normalise_logged_answer(answer: str) -> str | None:
    r"""Return the form in which a logged answer is compared; None if it is blank.

    A letter of a choice is a capital; words lose case, outer quotes and full stops; anything else is mathematics, of
    which a plain number becomes a reduced fraction.

    >>> [normalise_logged_answer(a) for a in ("(c)", "C.", "'Paris'", "the Seine.", "1,234.50", r"\frac{10}{2}", " ")]
    ['C', 'C', 'paris', 'seine', '2469/2', '5', None]
    """
    text = answer.strip().strip(OUTER_MARKS).strip()
    if choice := CHOICE_PATTERN.fullmatch(text):
        return choice[1].upper()
    if is_words(text):
        return normalise_words(text) or normalise_exact_answer(answer)
    return normalise_math_answer(text) or normalise_exact_answer(answer)


def extract_logged_answer(answer: str) -> str | None:
    """Return what a logged answer states, as "The answer is 7" does; a whole text is left as it is.

    >>> extract_logged_answer("The answer is 7"), extract_logged_answer("7")
    ('7', '7')
    """
    is_text = "\n" in answer or len(answer) > LONGEST_BARE_TEXT
    said = None if is_text else find_stated_answer(answer, LONGEST_BARE_TEXT)
    return said or normalise_exact_answer(answer)


def is_settled_answer(answer: str) -> bool:
    """Return whether a form equals another such form only if the texts are equal: plain numbers, words, letters."""
    return is_canonical_number(answer) or is_words(answer) or CHOICE_PATTERN.fullmatch(answer) is not None


def make_logged_grader() -> Grader:
    """Return the grader that puts logged answers into groups; without math-verify it compares no LaTeX by meaning."""
    comparer = None if find_spec("math_verify") is None else AnswerComparer()
    return Grader("as-logged", "as-logged", extract_logged_answer, normalise_logged_answer, comparer, is_settled_answer)
