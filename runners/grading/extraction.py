r"""Extraction of answers from texts.

A model's text is hostile: every pattern here runs in time linear in the text, and nothing is evaluated.
"""

from __future__ import annotations

import re

LONGEST_SHORT_ANSWER = 200
"""Characters of the longest answer that is read as a number or a word."""

CHOICE_LETTER_RANGE = "A-J"

STATED_ANSWER_PATTERN = re.compile(r"\banswer\b[^\n]{0,40}?(?:\bis\b|[:=])([^\n]*)", re.IGNORECASE)
HASH_ANSWER_PATTERN = re.compile(r"^####([^\n]*)", re.MULTILINE)
NUMBER_PATTERN = re.compile(
    r"(?<![\w.,/])[+-]?(?:(?:\d{1,3}(?:,\d{3}){1,20}|\d{1,60})(?:\.\d{1,60})?(?:/\d{1,60})?|\.\d{1,60})(?![\w/])",
    re.ASCII,
)
SENTENCE_END_PATTERN = re.compile(r"[.!?]\s")
# "A" and "I" are also words: "the answer is A because …" matches, "the answer is A good one" does not
CHOICE_LETTER_PATTERN = re.compile(
    rf"(?:\(([{CHOICE_LETTER_RANGE}])\)|([{CHOICE_LETTER_RANGE}])(?![\w'])(?!(?<=[AI])\s+(?!(?:and|as|because|for|or|since|which|with)\b)[a-z]))"
)
LONE_LETTER_PATTERN = re.compile(rf"^\W{{0,8}}([{CHOICE_LETTER_RANGE}])\W{{0,8}}$", re.MULTILINE | re.ASCII)


def extract_boxed_answer(text: str, longest: int = LONGEST_SHORT_ANSWER) -> str | None:
    r"""Return the content of the last \boxed{…}, with balanced braces; None without one.

    >>> extract_boxed_answer(r"so \boxed{\frac{1}{2}}.")
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


def extract_stated_answer(text: str, longest: int = LONGEST_SHORT_ANSWER) -> str | None:
    r"""Return the text after the last "answer is" or "answer:" on its line, up to the end of the sentence.

    >>> extract_stated_answer("**Answer:** 5 cm. That is all.")
    '5 cm'
    >>> extract_stated_answer(r"The final answer is $\frac{1}{2}$. I hope it is correct.")
    '$\\frac{1}{2}$'
    """
    match = None
    for match in STATED_ANSWER_PATTERN.finditer(text):  # noqa: B007 - the last one counts
        pass
    if match is None:
        return None
    statement = SENTENCE_END_PATTERN.split(match[1].strip("*_: \t"), maxsplit=1)[0].strip("*_ \t.")
    return statement if 0 < len(statement) <= longest else None


def extract_final_answer(text: str, longest: int = LONGEST_SHORT_ANSWER) -> str | None:
    r"""Return a text's answer: the content of its last \boxed{…}, else its stated answer."""
    inside = extract_boxed_answer(text, longest)
    return extract_stated_answer(text, longest) if inside is None else inside


def extract_number(text: str) -> str | None:
    """Return a text's number: the last one in its final answer, else after ``####``, else in the whole text.

    >>> extract_number("She pays 3 * $4.50 = $13.50 for them.\\n#### 13.50")
    '13.50'
    >>> extract_number("The answer is $1,234.50 per month.")
    '1,234.50'
    """
    said = extract_final_answer(text)
    if said is None and (hashes := HASH_ANSWER_PATTERN.findall(text)):
        said = hashes[-1]
    found = NUMBER_PATTERN.findall(text if said is None else said)
    return found[-1] if found else None


def extract_choice_letter(text: str) -> str | None:
    r"""Return a text's chosen letter, A to J: boxed, stated, or else alone on a line.

    >>> [extract_choice_letter(t) for t in [r"\boxed{\text{(C)}}", "The answer is (B) because …", "Answer: D",
    ... "so I take\n**A**"]]
    ['C', 'B', 'D', 'A']
    """
    inside = extract_boxed_answer(text)
    if inside is not None:
        return parse_choice_letter(inside)
    said = extract_stated_answer(text)
    if said is not None and (found := CHOICE_LETTER_PATTERN.match(said.lstrip("$*_ \"'["))):
        return found[1] or found[2]
    alone = LONE_LETTER_PATTERN.findall(text)
    return alone[-1] if alone else None


def parse_choice_letter(answer: str) -> str | None:
    r"""Return the letter of an answer; None if the answer is not a letter, alone or followed by the option's text.

    >>> [parse_choice_letter(a) for a in ["c", "(C)", r"\text{C}", "C) Paris", "C. 12", "Cat", "12"]]
    ['C', 'C', 'C', 'C', 'C', None, None]
    """
    bare = re.sub(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\b|[\s${}*]", " ", answer).strip()
    found = re.match(rf"\(?\s*([{CHOICE_LETTER_RANGE}])\s*(?:$|[).:,])", bare, re.IGNORECASE)
    return found[1].upper() if found else None
