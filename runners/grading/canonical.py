"""Canonical forms of answers, in which obviously equal answers are equal strings."""

from __future__ import annotations

import re
from fractions import Fraction

from isocompute.runners.grading.extraction import LONGEST_SHORT_ANSWER, extract_boxed_answer
from isocompute.runners.grading.latex import clean_latex
from isocompute.runners.grading.numeric import parse_number

RATIONAL_PATTERN = re.compile(r"([+-]?)(\d{1,60})(?:\.(\d{1,60}))?(?:/(\d{1,60}))?", re.ASCII)
LATEX_FRACTION_PATTERN = re.compile(r"([+-]?)\\frac\{(-?)(\d{1,60})\}\{(\d{1,60})\}", re.ASCII)
AMBIGUOUS_GROUPS_PATTERN = re.compile(r"\d{3}(?:,\d{3})+", re.ASCII)
REDUCED_FRACTION_PATTERN = re.compile(r"-?\d+(?:/\d+)?", re.ASCII)


def parse_rational(text: str) -> Fraction | None:
    """Return the value of a whole number, a decimal or a fraction; None for other texts.

    >>> [str(parse_rational(t)) for t in ["1,050.50", "+7", "14/4", "1/0", "x"]]
    ['2101/2', '7', '7/2', 'None', 'None']
    """
    number = RATIONAL_PATTERN.fullmatch(re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))
    if number is None:
        return None
    sign, whole, decimals, denominator = number.groups()
    if denominator and not int(denominator):
        return None
    scale = 10 ** len(decimals or "")
    value = Fraction(int(whole + (decimals or "")), scale * int(denominator or 1))
    return -value if sign == "-" else value


def is_canonical_number(answer: str) -> bool:
    """Return whether a canonical answer is a plain number, which equals another one only if the strings are equal."""
    return REDUCED_FRACTION_PATTERN.fullmatch(answer) is not None


def normalise_lab_answer(answer: str) -> str | None:
    """Return the lab's form of an answer; None if it is empty or too long.

    Whole numbers, decimals and fractions become a reduced fraction; other answers lose outer blanks, a final full stop
    and their case. They are compared as text: `2x` and `x+x` differ.

    >>> [normalise_lab_answer(a) for a in ["1,050.50", "+7", "14/4", " Paris. ", "", "3/0"]]
    ['2101/2', '7', '7/2', 'paris', None, '3/0']
    """
    text = answer.strip().strip("$").strip().removesuffix(".").strip()
    if not text or len(text) > LONGEST_SHORT_ANSWER:
        return None
    value = parse_rational(text)
    return text.casefold() if value is None else str(value)


def extract_lab_answer(text: str) -> str | None:
    r"""Return the lab's canonical answer of a solution, from its last \boxed{…}.

    >>> extract_lab_answer("85*6: 0,1,5 = 510\n\\boxed{510}")
    '510'
    """
    inside = extract_boxed_answer(text)
    return None if inside is None else normalise_lab_answer(inside)


def normalise_math_answer(answer: str) -> str | None:
    r"""Return a LaTeX answer without formatting; plain numbers become reduced fractions.

    >>> [normalise_math_answer(a) for a in [r"$\dfrac{14}{4}$", r"\left( 1, \, 2 \right).", "58,500", r"2\sqrt{3}",
    ... " "]]
    ['7/2', '(1, 2)', '58500', '2\\sqrt{3}', None]
    """
    text = clean_latex(answer)
    if not text:
        return None
    # 150,160 may be one number or two: which, is said by the answer that it is compared with.
    value = None if AMBIGUOUS_GROUPS_PATTERN.fullmatch(text) else parse_rational(text)
    # A fraction may have a sign before it and one in its numerator.
    if (fraction := LATEX_FRACTION_PATTERN.fullmatch(text)) and int(fraction[4]):
        sign = 1 if (fraction[1] == "-") == (fraction[2] == "-") else -1
        value = Fraction(sign * int(fraction[3]), int(fraction[4]))
    return text if value is None else str(value)


def normalise_numeric_answer(answer: str) -> str | None:
    r"""Return the number that an answer says as a reduced fraction, without currency, percent sign or unit.

    >>> [normalise_numeric_answer(a) for a in [r"\$1,234.50", "5 dollars", "12.5%", "-3", "seven", "5 or 6"]]
    ['2469/2', '5', '25/2', '-3', '7', None]
    """
    value = parse_number(answer)
    return None if value is None else str(value)


def normalise_exact_answer(answer: str) -> str | None:
    """Return an answer with each run of blanks as one blank.

    >>> normalise_exact_answer("  New \\t York ")
    'New York'
    """
    return " ".join(answer.split()) or None
