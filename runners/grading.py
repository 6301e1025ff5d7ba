r"""What a text's answer is, in one canonical form, and what a verification's verdict is.

A model's text is hostile: every pattern here runs in time linear in the text, and numbers are never evaluated.
"""

from __future__ import annotations

import re
from fractions import Fraction

GRADER = "boxed-number/1"
"""Name and version of the grader; a run's manifest holds it."""

LONGEST = 200
"""Characters of the longest answer that is read; anything longer is no answer."""

NUMBER = re.compile(r"([+-]?)(\d{1,60})(?:\.(\d{1,60}))?(?:/(\d{1,60}))?", re.ASCII)
VERDICT = re.compile(r"\b(?:correct|verdict)\b[^\n]{0,40}?[:?]\W{0,8}(yes|no)\b", re.IGNORECASE)


def boxed(text: str) -> str | None:
    r"""Return what the last \boxed{…} holds, braces balanced; None without one.

    >>> boxed(r"so \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    start += len("\\boxed{")
    depth = 1
    for i in range(start, min(len(text), start + LONGEST + 1)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[start:i]
    return None


def canonical(answer: str) -> str | None:
    """Return an answer in the one form in which equal answers are equal strings; None if it says nothing.

    Whole numbers, decimals and fractions become a reduced fraction; other answers lose outer blanks, a final
    full stop and their case. They are compared as text: `2x` and `x+x` stay apart.

    >>> [canonical(a) for a in ["1,050.50", "+7", "14/4", " Paris. ", "", "3/0"]]
    ['2101/2', '7', '7/2', 'paris', None, '3/0']
    """
    text = answer.strip().strip("$").strip().removesuffix(".").strip()
    if not text or len(text) > LONGEST:
        return None
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    number = NUMBER.fullmatch(plain)
    if number is None:
        return text.casefold()
    sign, whole, decimals, denominator = number.groups()
    if denominator and not int(denominator):
        return text.casefold()
    scale = 10 ** len(decimals or "")
    value = Fraction(int(whole + (decimals or "")), scale * int(denominator or 1))
    return str(-value if sign == "-" else value)


def answer_of(text: str) -> str | None:
    r"""Return the canonical answer of a solution: what its last \boxed{…} holds.

    >>> answer_of("85*6: 0,1,5 = 510\n\\boxed{510}")
    '510'
    """
    inside = boxed(text)
    return None if inside is None else canonical(inside)


def verdict_of(text: str) -> float | None:
    """Return the verdict of a verification, 1.0 for yes and 0.0 for no; None if it gives none.

    The last one counts, wherever it stands.

    >>> verdict_of("47+38: 5,8 ok\\nCorrect? Yes")
    1.0
    >>> verdict_of("Is the answer correct (Yes/No)? **No**")
    0.0
    >>> verdict_of("85*6: 0,1") is None
    True
    """
    found = VERDICT.findall(text)
    return None if not found else float(found[-1].lower() == "yes")
