r"""Verdicts: yes or no in the text of a verification.

A verdict is a word in a *form*: the question that it answers is before it, or its position allows only a verdict.

============  ===================================================================================
the question  ``Is the answer correct (Yes/No)? Yes`` · ``Correct? **No**`` · ``… correct: \boxed{No}``
a label       ``Final verdict: Incorrect`` · ``Verification: The solution is correct.``
a sentence    ``No, the answer is not correct.`` · ``The answer is correct (Yes)`` · ``So the answer is no.``
a box         ``$\boxed{\text{Yes}}$``
a place       a last line with only ``Yes`` or ``No``; a text that begins with ``No.``
============  ===================================================================================

The last verdict in the text counts. ``The solution is not correct.`` alone is a sentence of the reasoning, not a
verdict; neither is the question's own ``(Yes/No)``, ``Yes or No``, ``No errors``, or a statement about a step. In doubt
there is no verdict: unparsed verifications are counted, misread ones would go unnoticed.

Only the verifier's own text is read, never its prompt. So a solution that contains ``Is the answer correct (Yes/No)?
Yes`` does not give a verdict by that. It may still persuade a verifier; and if a verifier quotes it and is cut off
before its own verdict, the quote is read.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

VERDICT_READER = "verdict-forms/1"
"""Name and version of this parser."""

SKIPPED_FINISH_REASON = "skipped"
"""The finish_reason of a verification that was not sampled, because its solution has no text to verify."""

VERDICT_WORDS = (
    (("yes",), ("no",)),
    (("true",), ("false",)),
    (("correct", "right", "valid"), ("incorrect", "wrong", "invalid", "not")),
)
"""Pairs of words for yes and the words for no in the same place."""


@dataclass(frozen=True)
class Verdict:
    """A verdict and its position.

    ``text[form_start:word_end]`` is the form, which ends in the word ``text[word_start:word_end]``.
    """

    value: float
    word: str
    form_start: int
    word_start: int
    word_end: int


def _build_verdict_pattern() -> re.Pattern[str]:
    """Return the pattern of all forms except the last line.

    The only group that matches is the word; no group matches in text that is skipped. Every repetition is bounded, so
    that a search takes time linear in the text.
    """
    left, right = r"(?<![^\W_])", r"(?![^\W_])"  # a word's edges; \b would not see one in _Yes_
    markup = r"(?:\\[a-z]{2,12}|[\W_]){0,40}+"
    marker = rf"yes\s?(?:/|\||or)\s?no{right}"
    noun = r"(?:answer|solution|response|proof|conclusion)"
    good, bad = r"(?:correct|right|valid)", r"(?:incorrect|wrong|invalid)"
    surely = r"(?:(?:indeed|therefore|thus|clearly|completely|fully|entirely)\s+)?"
    emphasis = r"[*_\"'“\[]{0,4}"
    denied = rf"(?:not{emphasis}\s+{surely}{good}|{bad})"
    subject = rf"(?:the|this|that)\s+(?:[\w'’-]+\s+){{0,3}}?{noun}\s+(?:is|was)\s+{emphasis}{surely}{emphasis}"

    # A word that continues is not a verdict: "Yes or No", "No errors", "Correct method".
    starts = r"(?:the|this|that|these|there|they|it|its|he|she|i|we|as|at|in|is|because|but|due|since|step|while)"
    choice = rf"(?!\s*(?:[/|]|(?:or|and)\s)[\W_]{{0,4}}(?:yes|no){right})"
    noun_phrase = rf"(?![*_]{{0,3}}[ \t]+[*_]{{0,3}}(?!{starts}{right})[^\W\d_])"
    closed = (
        r"(?=[*_]{0,3}(?:[^\S\n]*(?:\Z|[\n.,;:!)\]}>\"'’”$\\<|]|[-–—]{1,2}\s)"
        rf"|\s+(?:because|since|as|due){right}))"
    )
    no = rf"no{right}{choice}{noun_phrase}"
    plain = rf"{left}(?:yes{right}{choice}|{no})"
    judgement = rf"{left}(?:{good}{closed}|{bad}{closed}|not(?={emphasis}\s+{surely}{good}{closed}))"
    therefore = r"(?:(?:so|thus|therefore|hence)[\s,]+)?"
    verb = r"(?:(?:(?:the|my)\s+(?:final\s+)?(?:answer|verdict)\s+|it\s+)?is|x(?:,?\s+where\s+x)?(?:\s*[=:]|\s+is))"
    opening = rf"{markup}(?:{therefore}{verb}{markup})?(?:{subject})?"
    word, boolean = f"({plain}|{judgement})", rf"({plain}|{left}(?:true|false){right})"

    asked_form = rf"[\W_]{{0,6}}?(?:{marker}|[?？:：=(–—-])(?:[\W_]{{0,6}}{marker})?{opening}"
    stated_form = rf"(?:[\W_]{{0,6}}?{marker})?[\W_]{{0,6}}?(?:[:：=>?？\n–—-]|{left}(?:is|would\s+be){right}){opening}"
    owner = r"(?:(?:my|the|final|overall|solution|teacher(?:['’]s)?|verifier(?:['’]s)?)[\s_]+){0,3}"
    head = r"(?:answer|verification|conclusion|decision|evaluation|assessment|grade|status|correctness)"
    anywhere = (
        rf"steps?(?:\s+(?:#?\d+|is|are)){{0,2}}\s+{good}",  # skipped
        rf"{noun}(?:(?!{left}(?:steps?|not|never){right}|n['’]t)[^\n?]){{0,60}}?{left}{good}{asked_form}{word}",
        rf"(?<!not\s){good}[\W_]{{0,6}}?{marker}{opening}{word}",
        rf"(?<![^\W_]\s)(?-i:C)orrect\?(?:[\W_]{{0,6}}{marker})?{opening}({plain})",
        rf"(?<![0-9]\s)(?:verdict|judge?ment){stated_form}{word}",
        rf"(?:my|the)\s+(?:final\s+)?answer\s+is{markup}(yes|no){closed}",
        rf"(?:(?:(?<=not\s)|(?<=n['’]t\s)){good}|{bad})[*_]{{0,3}}\s?[(:]{markup}({no})",
        rf"(yes){right}[\W_]{{1,6}}{subject}{good}{closed}",
        rf"(no){right}[\W_]{{1,6}}{subject}{denied}{closed}",
    )
    on_a_line = (
        rf"(?:is[ _]?)?correct{asked_form}{boolean}",
        rf"{marker}[\W_]{opening}{word}",
        rf"{owner}{head}{stated_form}{word}",
    )
    elsewhere = (
        rf"[\"'](?:is_)?correct{asked_form}{boolean}",
        rf"\\boxed\s?\{{{markup}{word}\s?[.!]?\s?\}}",
        r"\A[\W_]{0,40}(yes|no)[*_]{0,3}(?:[.!]|\s?\n)",
    )
    return re.compile(
        rf"{left}(?:{'|'.join(anywhere)})|^(?:[^\w\n]|_){{0,12}}(?:{'|'.join(on_a_line)})|{'|'.join(elsewhere)}",
        re.IGNORECASE | re.MULTILINE,
    )


VERDICT_PATTERN = _build_verdict_pattern()
BLANKS_AND_PUNCTUATION = string.whitespace + string.punctuation


def find_verdict(text: str) -> Verdict | None:
    """Return the last verdict of a text with its position; None if there is none.

    >>> find_verdict("Step 2 is wrong. **Is the answer correct (Yes/No)?** No.")
    Verdict(value=0.0, word='No', form_start=26, word_start=53, word_end=55)
    """
    last = None
    for form in VERDICT_PATTERN.finditer(text):
        if form.lastindex:
            last = form
    begin, (start, end) = (last.start(), last.span(last.lastindex or 0)) if last else (-1, (-1, -1))
    trimmed = text.rstrip(BLANKS_AND_PUNCTUATION.replace("?", ""))
    line = trimmed[trimmed.rfind("\n") + 1 :].lstrip(BLANKS_AND_PUNCTUATION)
    if line.lower() in ("yes", "no") and len(trimmed) - len(line) > start:
        begin, end = len(trimmed) - len(line), len(trimmed)
        start = begin
    if start < 0:
        return None
    word = text[start:end]
    return Verdict(float(any(word.casefold() in yes for yes, _ in VERDICT_WORDS)), word, begin, start, end)


def parse_verdict(text: str) -> float | None:
    """Return the verdict of a verification, 1.0 for yes and 0.0 for no; None if there is none.

    >>> parse_verdict("47+38: 5,8 ok\\nCorrect? Yes")
    1.0
    >>> parse_verdict("The sum is wrong, so the answer is not correct.") is None
    True
    """
    verdict = find_verdict(text)
    return None if verdict is None else verdict.value
