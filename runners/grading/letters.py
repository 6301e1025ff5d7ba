r"""The letter of a multiple-choice answer: boxed, stated, at the start of a short text, or alone on a line."""

from __future__ import annotations

import re

from isocompute.runners.grading.extraction import (
    LONGEST_BARE_TEXT,
    LONGEST_SHORT_ANSWER,
    find_last_box,
    find_statements,
)

CORRECT_PATTERN = re.compile(
    r"\b(?:option|choice|answer) [(\[*]{0,3}([A-Z])[)\]*]{0,3}(?:,| is) (?:the )?(?:correct|right|best|answer)",
    re.IGNORECASE,
)
MARKUP_PATTERN = re.compile(
    r"\\[()]|\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathsf|mbox|bf|rm)(?![a-zA-Z])|\\[ ,;:]|[\s${}*_`\"'“”<>]"
)
OPTION_PATTERN = re.compile(
    r"^(?:the )?(?:correct |right |best )?(?:option|choice|letter|answer)s?(?: is)?\b[\s:]*", re.IGNORECASE
)
LETTER_PATTERN = re.compile(r"[(\[]?\s*([A-Za-z])\s*[)\]]?(?![\w'’)])")
SECOND_LETTER_PATTERN = re.compile(
    r"\s*(?:[,/&+;]|\band\b|\bor\b|\\text ?)[\s{]*(?:(?:option|choice) )?[(\[]?\s*[A-Z]\s*[)\]]?(?![\w'])"
)
LONE_LETTER_PATTERN = re.compile(r"^\W{0,8}([A-Z])\W{0,8}$", re.MULTILINE | re.ASCII)
WORD_AFTER_PATTERN = re.compile(r"\s+(?!(?:and|as|because|for|or|since|which|with|is)\b)[a-z]")


def extract_choice_letter(text: str) -> str | None:
    r"""Return a text's chosen letter: boxed, stated, or else alone on a line; None if it names several.

    >>> [extract_choice_letter(t) for t in [r"\boxed{\text{(C)}}", "The answer is (B) because …", "answer: d",
    ... "so I take\n**A**", "C) 12", "The answer is C or D."]]
    ['C', 'B', 'D', 'A', 'C', None]
    """
    box = find_last_box(text, LONGEST_SHORT_ANSWER)
    if box is not None:
        return parse_choice_letter(box[1])
    chosen, is_stated = None, False
    for _, said in find_statements(text):
        if said and (found := read_letter(said)):
            chosen, is_stated = found, True
    if not is_stated and (correct := CORRECT_PATTERN.findall(text)):
        return str(correct[-1]).upper()
    if is_stated:
        return None if chosen == "?" else chosen
    bare = text.strip()
    is_short = len(bare) <= LONGEST_BARE_TEXT and "\n" not in bare
    if is_short and re.match(r"\W{0,4}[A-Z](?:\W|$)|\(?[a-z]\)?\.?$", bare):
        return parse_choice_letter(bare)
    alone = LONE_LETTER_PATTERN.findall(text)
    return alone[-1] if alone else None


def parse_choice_letter(answer: str) -> str | None:
    r"""Return the letter of an answer; None if the answer is not a letter, alone or followed by the option's text.

    >>> [parse_choice_letter(a) for a in ["c", "(C)", r"\text{C}", "C) Paris", "C - 12", "Cat", "12", "C, D", "C or D"]]
    ['C', 'C', 'C', 'C', 'C', None, None, None, None]
    """
    bare = MARKUP_PATTERN.sub(" ", answer).strip()
    bare = OPTION_PATTERN.sub("", bare, count=1).strip()
    found = re.match(r"(?:\(\s*([A-Za-z])\s*\)|\[\s*([A-Za-z])\s*\]|([A-Za-z]))\s*(?:$|[).:,;–—-]|(?<=\))\s)", bare)
    if found is None or SECOND_LETTER_PATTERN.match(bare[found.end() - 1 :].lstrip(")")):
        return None
    return (found[1] or found[2] or found[3]).upper()


def read_letter(said: str) -> str | None:
    """Return the letter that a statement begins with, ``?`` if it names several letters, None if it names none."""
    bare = OPTION_PATTERN.sub("", MARKUP_PATTERN.sub(" ", said).strip(), count=1).strip()
    found = LETTER_PATTERN.match(bare)
    if found is None:
        return "?" if re.match(r"[A-Z]{2,4}$", bare) else None
    letter, rest = found[1], bare[found.end() :]
    if SECOND_LETTER_PATTERN.match(rest):
        return "?"
    is_bracketed = found[0].strip()[0] in "(["
    if letter.islower() and not (is_bracketed or not rest.strip(" .")):
        return None
    if letter.upper() in "AI" and not is_bracketed and WORD_AFTER_PATTERN.match(rest):
        return (
            None  # "A" and "I" are also words: "the answer is A because …" is read, "the answer is A good one" is not
        )
    return letter.upper()
