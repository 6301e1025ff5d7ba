"""Text that a terminal can be given: nothing in it moves the cursor, sets colours, or hides and reorders characters."""

from __future__ import annotations

import re
import unicodedata

MOST_ACCENTS = 4
"""The most accents and other marks on a letter."""
INVISIBLE_PATTERN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that Python takes for printable, and no terminal shows: fillers, blanks and selectors of variants."""
SURROGATE_PATTERN = re.compile("[\ud800-\udfff]")
LONGEST_QUOTE = 200
"""The most characters of a quoted value in a message."""
LONGEST_MESSAGE = 1000
"""The most characters of a message, whatever it quotes."""
QUOTE_PATTERN = re.compile(rf"""(?<!\w)(?:'[^']{{{LONGEST_QUOTE + 1},}}'|"[^"]{{{LONGEST_QUOTE + 1},}}")(?!\w)""")
WORD_PATTERN = re.compile(rf"\S{{{LONGEST_QUOTE + 10},}}")  # a quoted value has quotes, and more follows


def has_surrogates(text: str) -> bool:
    """Return whether a text has half of a surrogate pair, which no file and no terminal takes.

    It stands for a byte that is not UTF-8 in a name, or for half of a letter in JSON.
    """
    return not text.isascii() and SURROGATE_PATTERN.search(text) is not None


def is_visible(character: str) -> bool:
    """Return whether a terminal shows a character, or a blank for it, and does nothing else."""
    return character.isprintable() and not INVISIBLE_PATTERN.match(character)


def make_printable(text: str, keep: str = "\n") -> str:
    r"""Return a text in which blanks replace what a terminal obeys, or does not show.

    These are control characters and escape sequences, characters that change the direction of text, have no width or
    no picture, halves of surrogate pairs, and accents on a letter beyond the first four, which cover other lines.

    Args:
        text: the text, which may come from a model, a file or a server.
        keep: characters that stay.

    >>> make_printable("a\x1b[2Jb\u202ec\n")
    'a [2Jb c\n'
    >>> len(make_printable("e" + "\u0301" * 300).strip())
    5
    """
    if text.isascii() and text.isprintable():
        return text
    shown, accents = [], 0
    for character in text:
        accents = accents + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        seen = (is_visible(character) and accents <= MOST_ACCENTS) or character in keep
        shown.append(character if seen else " ")
    return "".join(shown)


def shorten_message(text: str) -> str:
    """Return a message in which quoted values and words have at most 200 characters, and all of it 1,000.

    >>> len(shorten_message(f"There is no run at '{'x' * 5000}': the folder does not exist."))
    249
    """
    if len(text) <= LONGEST_QUOTE:
        return text
    text = QUOTE_PATTERN.sub(lambda found: f"{found[0][0]}{cut_middle(found[0][1:-1])}{found[0][0]}", text)
    text = WORD_PATTERN.sub(lambda found: cut_middle(found[0]), text)
    return cut_middle(text, LONGEST_MESSAGE)


def cut_middle(text: str, longest: int = LONGEST_QUOTE) -> str:
    """Return a text's start and end, if it is too long.

    >>> cut_middle("abcdefgh", 5)
    'ab…gh'
    """
    if len(text) <= longest:
        return text
    end = (longest - 1) // 2
    return f"{text[: longest - 1 - end]}…{text[len(text) - end :]}"
