"""A verifier's confidence: p(yes), from the log-probabilities at the position of its verdict."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Protocol

from isocompute.runners.parsing.verdicts import BLANKS_AND_PUNCTUATION, VERDICT_WORDS, find_verdict

INVISIBLE_TEXT_PATTERN = re.compile(r"(?:bytes:)?(?:\\x[0-9a-fA-F]{2})+|<0x[0-9a-fA-F]{2}>|[^!-~]")


class SampledToken(Protocol):
    """A sampled token, and its likeliest alternatives."""

    @property
    def text(self) -> str:
        """Its text, which may differ from the characters that it adds to the whole."""

    @property
    def logprobs(self) -> Mapping[str, float]:
        """Natural log-probabilities of the likeliest tokens at its position, and of this one."""


def compute_yes_probability(tokens: Sequence[SampledToken], text: str) -> float | None:
    """Return the probability of yes at the position of the verdict: Σ yes / Σ (yes + no) over the words that give one.

    The position is the token in which the verdict's word begins. All spellings count, in any case, with blanks or
    markup, and so do the other words of `VERDICT_WORDS`; if a word has several tokens, its first counts. If no word of
    one side is listed, that side gets the most that an unlisted token can have: the remainder of the listed
    probabilities to 1, and no more than the least likely listed token. The sampled token does not limit it, since it is
    always listed.

    Args:
        tokens: all sampled tokens, including thinking and end token.
        text: the text in which the verdict is read: all of it, or the part after the thinking.

    Returns:
        A number in [0, 1]; None if the text gives no verdict, or the position's probabilities are unknown.

    >>> from types import SimpleNamespace as SampledToken
    >>> compute_yes_probability([SampledToken(text="Correct?", logprobs={}), SampledToken(text=" No",
    ... logprobs={" No": -0.25, " Yes": -1.5})],
    ...       "Correct? No")
    0.22270013882530884
    """
    verdict = find_verdict(text)
    if verdict is None:
        return None
    # Decoding one token alone may lose blanks, cut a character in two or spell its bytes: compare visible ASCII only.
    pieces = [_keep_visible_ascii(token.text) for token in tokens]
    form, word = _keep_visible_ascii(text[verdict.form_start : verdict.word_end]), _keep_visible_ascii(verdict.word)
    later = _find_starts(_keep_visible_ascii(text), form, len(_keep_visible_ascii(text[: verdict.form_start])) + 1)
    places = _find_starts("".join(pieces), form, 0)  # counted from the end: thinking may precede the text
    if len(places) <= len(later):
        return None
    found = places[-1 - len(later)]
    begin = found + len(form) - len(word)
    ends = list(accumulate(map(len, pieces)))
    place = bisect_right(ends, begin)
    before = pieces[place][: begin - ends[place] + len(pieces[place])]
    yes, no = (_sum_side_logprobs(tokens[place].logprobs, before, verdict.word, side) for side in (0, 1))
    if max(yes, no) == -math.inf:
        return None
    unlisted = _bound_unlisted_logprob(tokens[place])
    yes, no = (unlisted if mass == -math.inf else mass for mass in (yes, no))
    probability = math.exp(yes - _compute_log_sum_exp((yes, no)))
    return None if math.isnan(probability) else probability


def _keep_visible_ascii(text: str) -> str:
    """Return a text's visible ASCII characters, which every engine reports alike."""
    return INVISIBLE_TEXT_PATTERN.sub("", text)


def _find_starts(text: str, form: str, first: int) -> list[int]:
    """Return the positions in a text, from ``first`` on, where a form begins."""
    return [found.start() for found in re.finditer(f"(?={re.escape(form)})", text) if found.start() >= first]


def _sum_side_logprobs(logprobs: Mapping[str, float], before: str, word: str, side: int) -> float:
    """Return the log-probability of all tokens that spell a word of a side or begin the verdict's counterpart on it."""
    words = {word for opposites in VERDICT_WORDS for word in opposites[side]}
    counterparts = next(pair for pair in VERDICT_WORDS if word.casefold() in pair[0] + pair[1])[side]
    # If the token holds words before the verdict, its alternatives must hold them too.
    lead = before if before.strip(BLANKS_AND_PUNCTUATION) else ""
    spelled = []
    for token, logprob in logprobs.items():
        visible = _keep_visible_ascii(token)
        rest = visible[len(lead) :].lower().lstrip(BLANKS_AND_PUNCTUATION) if visible.startswith(lead) else ""
        if rest.rstrip(BLANKS_AND_PUNCTUATION) in words or (
            rest and any(other.startswith(rest) for other in counterparts)
        ):
            spelled.append(logprob)
    return _compute_log_sum_exp(spelled)


def _bound_unlisted_logprob(token: SampledToken) -> float:
    """Return the log of the largest probability that an unlisted token can have."""
    unlisted = 1.0 - sum(math.exp(min(0.0, logprob)) for logprob in token.logprobs.values())
    others = [logprob for text, logprob in token.logprobs.items() if text != token.text]
    return min([math.log(unlisted) if unlisted > 0 else -math.inf, *others])


def _compute_log_sum_exp(logs: Sequence[float]) -> float:
    """Return log Σ exp(logs), without underflow; -inf if empty."""
    top = max(logs, default=-math.inf)
    return top if math.isinf(top) else top + math.log(sum(math.exp(log - top) for log in logs))
