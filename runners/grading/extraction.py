r"""Where in a text its answer stands.

A model's text is hostile: every pattern here runs in time linear in the text, and nothing is evaluated.
"""

from __future__ import annotations

import re

LONGEST = 200
"""Characters of the longest answer that is read as a number or a word; anything longer is no answer."""

LETTERS = "A-J"

STATED = re.compile(r"\banswer\b[^\n]{0,40}?(?:\bis\b|[:=])([^\n]*)", re.IGNORECASE)
HASHES = re.compile(r"^####([^\n]*)", re.MULTILINE)
NUMERAL = re.compile(
    r"(?<![\w.,/])[+-]?(?:(?:\d{1,3}(?:,\d{3}){1,20}|\d{1,60})(?:\.\d{1,60})?(?:/\d{1,60})?|\.\d{1,60})(?![\w/])",
    re.ASCII,
)
SENTENCE = re.compile(r"[.!?]\s")
LETTER = re.compile(  # "A" and "I" are also words: the answer is A because …, but not: the answer is A good one
    rf"(?:\(([{LETTERS}])\)|([{LETTERS}])(?![\w'])(?!(?<=[AI])\s+(?!(?:and|as|because|for|or|since|which|with)\b)[a-z]))"
)
BARE_LETTER = re.compile(rf"^\W{{0,8}}([{LETTERS}])\W{{0,8}}$", re.MULTILINE | re.ASCII)


def boxed(text: str, longest: int = LONGEST) -> str | None:
    r"""Return what the last \boxed{…} holds, braces balanced; None without one.

    >>> boxed(r"so \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    start += len("\\boxed{")
    depth = 1
    for i in range(start, min(len(text), start + longest + 1)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[start:i]
    return None


def stated(text: str, longest: int = LONGEST) -> str | None:
    r"""Return what follows the last "answer is" or "answer:" on its line, up to the end of the sentence.

    >>> stated("**Answer:** 5 cm. That is all.")
    '5 cm'
    >>> stated(r"The final answer is $\frac{1}{2}$. I hope it is correct.")
    '$\\frac{1}{2}$'
    """
    found = None
    for found in STATED.finditer(text):  # noqa: B007 - the last one counts
        pass
    if found is None:
        return None
    said = SENTENCE.split(found[1].strip("*_: \t"), maxsplit=1)[0].strip("*_ \t.")
    return said if 0 < len(said) <= longest else None


def given(text: str, longest: int = LONGEST) -> str | None:
    r"""Return the answer that a text gives: what its last \boxed{…} holds, else what it states."""
    inside = boxed(text, longest)
    return stated(text, longest) if inside is None else inside


def number(text: str) -> str | None:
    """Return the number that a text gives: in what it gives as its answer, after ``####``, or else the last one.

    >>> number("She pays 3 * $4.50 = $13.50 for them.\\n#### 13.50")
    '13.50'
    >>> number("The answer is $1,234.50 per month.")
    '1,234.50'
    """
    said = given(text)
    if said is None and (hashes := HASHES.findall(text)):
        said = hashes[-1]
    found = NUMERAL.findall(text if said is None else said)
    return found[-1] if found else None


def letter(text: str) -> str | None:
    r"""Return the letter that a text chooses: boxed, stated, or else alone on a line; A to J.

    >>> [letter(t) for t in [r"\boxed{\text{(C)}}", "The answer is (B) because …", "Answer: D", "so I take\n**A**"]]
    ['C', 'B', 'D', 'A']
    """
    inside = boxed(text)
    if inside is not None:
        return choice(inside)
    said = stated(text)
    if said is not None and (found := LETTER.match(said.lstrip("$*_ \"'["))):
        return found[1] or found[2]
    alone = BARE_LETTER.findall(text)
    return alone[-1] if alone else None


def choice(answer: str) -> str | None:
    r"""Return the letter that an answer is; None if it is more than a letter with what follows it.

    >>> [choice(a) for a in ["c", "(C)", r"\text{C}", "C) Paris", "C. 12", "Cat", "12"]]
    ['C', 'C', 'C', 'C', 'C', None, None]
    """
    bare = re.sub(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\b|[\s${}*]", " ", answer).strip()
    found = re.match(rf"\(?\s*([{LETTERS}])\s*(?:$|[).:,])", bare, re.IGNORECASE)
    return found[1].upper() if found else None
