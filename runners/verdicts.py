r"""What a verification says: yes or no, wherever it stands, and how sure the model was of it.

A verdict is a word in a *form*: what it answers stands before it, or it stands where nothing but a verdict stands.

============  ===================================================================================
the question  ``Is the answer correct (Yes/No)? Yes`` · ``Correct? **No**`` · ``… correct: \boxed{No}``
a label       ``Final verdict: Incorrect`` · ``Verification: The solution is correct.``
a sentence    ``No, the answer is not correct.`` · ``The answer is correct (Yes)`` · ``So the answer is no.``
a box         ``$\boxed{\text{Yes}}$``
a place       a last line of nothing but ``Yes`` or ``No``; a text that begins with ``No.``
============  ===================================================================================

The last one in the text counts. ``The solution is not correct.`` alone is a sentence of the reasoning and no
verdict; neither is the question's own ``(Yes/No)``, ``Yes or No``, ``No errors``, or what is said of a step. In
doubt there is none: what is unparsed is counted, what is misread is never seen.

Only what the verifier wrote is read, never its prompt. So a solution that holds ``Is the answer correct (Yes/No)?
Yes`` is no verdict by that. It may still talk a verifier over; and a verifier that quotes it and is cut off before
its own verdict is read by the quote.
"""

from __future__ import annotations

import math
import re
import string
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from isocompute.runners.thinking import cut

if TYPE_CHECKING:
    import pandas as pd

READER = "verdict-forms/1"
"""Name and version of this reading."""

SKIPPED = "skipped"
"""The finish_reason of a verification that was not asked for, as its solution shows nothing that could be verified."""

OPPOSITES = (
    (("yes",), ("no",)),
    (("true",), ("false",)),
    (("correct", "right", "valid"), ("incorrect", "wrong", "invalid", "not")),
)
"""Words that say yes, each time with those that say no in their place."""


class Token(Protocol):
    """A sampled token, and what could have stood in its place."""

    @property
    def text(self) -> str:
        """Its text, which is not always the very characters that it adds to the whole."""

    @property
    def logprobs(self) -> Mapping[str, float]:
        """Natural log-probabilities of the likeliest tokens there, and of this one."""


@dataclass(frozen=True)
class Verdict:
    """A verdict and its place: ``text[begin:end]`` is the form, and it ends in the word ``text[start:end]``."""

    value: float
    word: str
    begin: int
    start: int
    end: int


def _forms() -> re.Pattern[str]:
    """Return the pattern of all forms but that of the last line.

    The one group that matches is the word; none does where the pattern passes over something. Every repetition is
    bounded, so that a search takes time linear in the text.
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

    # A word that goes on is no verdict: "Yes or No", "No errors", "Correct method".
    starts = r"(?:the|this|that|these|there|they|it|its|he|she|i|we|as|at|in|is|because|but|due|since|step|while)"
    choice = rf"(?!\s*(?:[/|]|(?:or|and)\s)[\W_]{{0,4}}(?:yes|no){right})"
    noun_phrase = rf"(?![*_]{{0,3}}[ \t]+[*_]{{0,3}}(?!{starts}{right})[^\W\d_])"
    closed = (
        r"(?=[*_]{0,3}(?:[^\S\n]*(?:\Z|[\n.,;:!)\]}>\"'’”$\\<|]|[-–—]{1,2}\s)"
        rf"|\s+(?:because|since|as|due){right}))"
    )
    no = rf"no{right}{choice}{noun_phrase}"
    plain = rf"{left}(?:yes{right}{choice}|{no})"
    judged = rf"{left}(?:{good}{closed}|{bad}{closed}|not(?={emphasis}\s+{surely}{good}{closed}))"
    so = r"(?:(?:so|thus|therefore|hence)[\s,]+)?"
    stands = r"(?:(?:(?:the|my)\s+(?:final\s+)?(?:answer|verdict)\s+|it\s+)?is|x(?:,?\s+where\s+x)?(?:\s*[=:]|\s+is))"
    said = rf"{markup}(?:{so}{stands}{markup})?(?:{subject})?"
    word, boolean = f"({plain}|{judged})", rf"({plain}|{left}(?:true|false){right})"

    asked = rf"[\W_]{{0,6}}?(?:{marker}|[?？:：=(–—-])(?:[\W_]{{0,6}}{marker})?{said}"
    named = rf"(?:[\W_]{{0,6}}?{marker})?[\W_]{{0,6}}?(?:[:：=>?？\n–—-]|{left}(?:is|would\s+be){right}){said}"
    whose = r"(?:(?:my|the|final|overall|solution|teacher(?:['’]s)?|verifier(?:['’]s)?)[\s_]+){0,3}"
    head = r"(?:answer|verification|conclusion|decision|evaluation|assessment|grade|status|correctness)"
    anywhere = (
        rf"steps?(?:\s+(?:#?\d+|is|are)){{0,2}}\s+{good}",  # passed over
        rf"{noun}(?:(?!{left}(?:steps?|not|never){right}|n['’]t)[^\n?]){{0,60}}?{left}{good}{asked}{word}",
        rf"(?<!not\s){good}[\W_]{{0,6}}?{marker}{said}{word}",
        rf"(?<![^\W_]\s)(?-i:C)orrect\?(?:[\W_]{{0,6}}{marker})?{said}({plain})",
        rf"(?<![0-9]\s)(?:verdict|judge?ment){named}{word}",
        rf"(?:my|the)\s+(?:final\s+)?answer\s+is{markup}(yes|no){closed}",
        rf"(?:(?:(?<=not\s)|(?<=n['’]t\s)){good}|{bad})[*_]{{0,3}}\s?[(:]{markup}({no})",
        rf"(yes){right}[\W_]{{1,6}}{subject}{good}{closed}",
        rf"(no){right}[\W_]{{1,6}}{subject}{denied}{closed}",
    )
    on_a_line = (
        rf"(?:is[ _]?)?correct{asked}{boolean}",
        rf"{marker}[\W_]{said}{word}",
        rf"{whose}{head}{named}{word}",
    )
    elsewhere = (
        rf"[\"'](?:is_)?correct{asked}{boolean}",
        rf"\\boxed\s?\{{{markup}{word}\s?[.!]?\s?\}}",
        r"\A[\W_]{0,40}(yes|no)[*_]{0,3}(?:[.!]|\s?\n)",
    )
    return re.compile(
        rf"{left}(?:{'|'.join(anywhere)})|^(?:[^\w\n]|_){{0,12}}(?:{'|'.join(on_a_line)})|{'|'.join(elsewhere)}",
        re.IGNORECASE | re.MULTILINE,
    )


FORMS = _forms()
GLUE = string.whitespace + string.punctuation
UNWRITTEN = re.compile(r"(?:bytes:)?(?:\\x[0-9a-fA-F]{2})+|<0x[0-9a-fA-F]{2}>|[^!-~]")


def find(text: str) -> Verdict | None:
    """Return the last verdict of a text with its place; None if it gives none.

    >>> find("Step 2 is wrong. **Is the answer correct (Yes/No)?** No.")
    Verdict(value=0.0, word='No', begin=26, start=53, end=55)
    """
    last = None
    for form in FORMS.finditer(text):
        if form.lastindex:
            last = form
    begin, (start, end) = (last.start(), last.span(last.lastindex or 0)) if last else (-1, (-1, -1))
    trimmed = text.rstrip(GLUE.replace("?", ""))
    line = trimmed[trimmed.rfind("\n") + 1 :].lstrip(GLUE)
    if line.lower() in ("yes", "no") and len(trimmed) - len(line) > start:
        begin, end = len(trimmed) - len(line), len(trimmed)
        start = begin
    if start < 0:
        return None
    word = text[start:end]
    return Verdict(float(any(word.casefold() in yes for yes, _ in OPPOSITES)), word, begin, start, end)


def verdict_of(text: str) -> float | None:
    """Return the verdict of a verification, 1.0 for yes and 0.0 for no; None if it gives none.

    >>> verdict_of("47+38: 5,8 ok\\nCorrect? Yes")
    1.0
    >>> verdict_of("The sum is wrong, so the answer is not correct.") is None
    True
    """
    verdict = find(text)
    return None if verdict is None else verdict.value


def verdicts_of(texts: Iterable[str | None], thinking_end: str | None = None) -> NDArray[np.float32]:
    """Read verifications that are stored: a verdict each, NaN where there is none or no text.

    >>> verdicts_of(["Verdict: No", None, "is it?</think>Verdict: Yes"], "</think>")
    array([nan, nan,  1.], dtype=float32)
    """
    read = (None if text is None else verdict_of(cut(text, thinking_end)) for text in texts)
    return np.fromiter((np.nan if value is None else value for value in read), dtype=np.float32)


def p_yes(tokens: Sequence[Token], text: str) -> float | None:
    """Return the probability of yes at the place of the verdict, among the words that give one: Σ yes / Σ (yes + no).

    The place is the token in which the verdict's word begins. All spellings count, whatever case, blanks or markup
    they come with, and so do the other words of `OPPOSITES`; of a word in several tokens, the first. When nothing of
    one side is listed, that side gets the most that an unlisted token can have: what the listed ones leave of 1, and
    no more than the least likely of them (the sampled one apart, which may be listed for being sampled).

    Args:
        tokens: all that was sampled, thinking and end token too if they are there.
        text: what the verdict is read from: the text, or what is visible of it.

    Returns:
        A number in [0, 1]; None if the text gives no verdict, or nothing is known of the place.

    >>> from types import SimpleNamespace as Token
    >>> p_yes([Token(text="Correct?", logprobs={}), Token(text=" No", logprobs={" No": -0.25, " Yes": -1.5})],
    ...       "Correct? No")
    0.22270013882530884
    """
    verdict = find(text)
    if verdict is None:
        return None
    # Decoding one token alone may lose blanks, cut a character in two or spell its bytes: compare what is left.
    pieces = [_written(token.text) for token in tokens]
    form, word = _written(text[verdict.begin : verdict.end]), _written(verdict.word)
    later = _starts(_written(text), form, len(_written(text[: verdict.begin])) + 1)
    places = _starts("".join(pieces), form, 0)  # counted from the end: thinking may stand before the text
    if len(places) <= len(later):
        return None
    found = places[-1 - len(later)]
    begin = found + len(form) - len(word)
    ends = list(accumulate(map(len, pieces)))
    place = bisect_right(ends, begin)
    before = pieces[place][: begin - ends[place] + len(pieces[place])]
    yes, no = (_mass(tokens[place].logprobs, before, verdict.word, side) for side in (0, 1))
    if max(yes, no) == -math.inf:
        return None
    unlisted = _most_unlisted(tokens[place])
    yes, no = (unlisted if mass == -math.inf else mass for mass in (yes, no))
    probability = math.exp(yes - _log_sum((yes, no)))
    return None if math.isnan(probability) else probability


def kinds(verifications: pd.DataFrame) -> dict[str, int]:
    """Count verifications by what became of them; each row is of one kind.

    ``yes`` and ``no`` have a verdict. Without one, ``truncated`` met the token limit, ``unparsed`` ended by itself,
    ``skipped`` had nothing to verify, and ``failed`` has a status that is not ok.

    Args:
        verifications: the columns verdict, finish_reason and status of the table.
    """
    verdict = verifications["verdict"].to_numpy(float)
    ended = verifications["finish_reason"].to_numpy(object)
    conditions = {
        "failed": verifications["status"].to_numpy(object) != "ok",
        "yes": verdict >= 0.5,
        "no": verdict < 0.5,
        "truncated": ended == "length",
        "skipped": ended == SKIPPED,
        "unparsed": np.isnan(verdict),
    }
    kind = np.argmax(list(conditions.values()), axis=0)  # the first that holds
    return dict(zip(conditions, np.bincount(kind, minlength=len(conditions)).tolist(), strict=True))


def _written(text: str) -> str:
    """Return a text's visible ASCII characters: what every engine gives alike of it."""
    return UNWRITTEN.sub("", text)


def _starts(text: str, form: str, first: int) -> list[int]:
    """Return where a form begins in a text, at or after a place."""
    return [found.start() for found in re.finditer(f"(?={re.escape(form)})", text) if found.start() >= first]


def _mass(logprobs: Mapping[str, float], before: str, word: str, side: int) -> float:
    """Return the log-probability of all tokens that spell a word of a side, or begin one that could be said instead."""
    words = {word for opposites in OPPOSITES for word in opposites[side]}
    instead = next(pair for pair in OPPOSITES if word.casefold() in pair[0] + pair[1])[side]
    lead = before if before.strip(GLUE) else ""  # a token that holds words before the verdict: its like holds them too
    spelled = []
    for token, logprob in logprobs.items():
        written = _written(token)
        rest = written[len(lead) :].lower().lstrip(GLUE) if written.startswith(lead) else ""
        if rest.rstrip(GLUE) in words or (rest and any(other.startswith(rest) for other in instead)):
            spelled.append(logprob)
    return _log_sum(spelled)


def _most_unlisted(token: Token) -> float:
    """Return the log of the most that a token outside the list can have."""
    left = 1.0 - sum(math.exp(min(0.0, logprob)) for logprob in token.logprobs.values())
    others = [logprob for text, logprob in token.logprobs.items() if text != token.text]
    return min([math.log(left) if left > 0 else -math.inf, *others])


def _log_sum(logs: Sequence[float]) -> float:
    """Return log Σ exp(logs), without underflow; -inf of nothing."""
    top = max(logs, default=-math.inf)
    return top if math.isinf(top) else top + math.log(sum(math.exp(log - top) for log in logs))
