r"""Answers in words, and lists of words."""

from __future__ import annotations

import re

PLAIN_WORDS_PATTERN = re.compile(r"(?:[^\W\d_]{4,}|[^\W\d_]{2,}(?:[ '’-][^\W\d_]{2,})+)[.!]?")


def is_plain_words(text: str) -> bool:
    """Return whether a text consists of words; one of up to three letters may be a product of variables.

    >>> [is_plain_words(text) for text in ("stop", "New York", "True.", "abc", "2x", "x, y")]
    [True, True, True, False, False, False]
    """
    return PLAIN_WORDS_PATTERN.fullmatch(text.strip()) is not None


def normalise_words(text: str) -> str:
    r"""Return a text in words as it is compared, without markup, case, full stops or articles.

    >>> normalise_words(r"\text{(B)}"), normalise_words(r"\text{an ellipse}."), normalise_words("4:30 p.m.")
    ('b', 'ellipse', '4:30 pm')
    """
    bare = re.sub(r"\\text(?![a-zA-Z])|[{}(),!\"$]|\.(?!\d)", "", text)
    bare = " ".join(bare.replace("\\", " ").casefold().split())
    bare = re.sub(r"^0?(\d{1,2})(?::(\d\d))? ?([ap])m$", lambda m: f"{m[1]}:{m[2] or '00'} {m[3]}m", bare)
    return re.sub(r"^(?:an?|the) ", "", bare)


def normalise_word_list(text: str) -> list[str]:
    r"""Return the items of a list in words in alphabetical order; one item if the text is no list.

    >>> normalise_word_list(r"\text{Bob and Alice}"), normalise_word_list("(yes, no)")
    (['alice', 'bob'], ['yes no'])
    """
    if re.search(r"[(\[]", text):
        return [normalise_words(text)]
    parts = re.split(r",|;|&|(?<![a-zA-Z])and(?![a-zA-Z])", text)
    return sorted(normalise_words(part) for part in parts if normalise_words(part))
