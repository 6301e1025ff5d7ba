"""Text that a terminal can be given: nothing in it moves the cursor, sets colours, or hides and reorders characters."""

from __future__ import annotations

import re

LONGEST_QUOTE = 200
"""The most characters of a quoted value in a message."""
LONGEST_MESSAGE = 1000
"""The most characters of a message, whatever it quotes."""
QUOTE_PATTERN = re.compile(rf"""(?<!\w)(?:'[^']{{{LONGEST_QUOTE + 1},}}'|"[^"]{{{LONGEST_QUOTE + 1},}}")(?!\w)""")
WORD_PATTERN = re.compile(rf"\S{{{LONGEST_QUOTE + 10},}}")  # a quoted value has quotes, and more follows


def make_printable(text: str, keep: str = "\n") -> str:
    r"""Return a text in which blanks replace what a terminal obeys, or does not show.

    These are control characters and escape sequences, characters that change the direction of text or have no width,
    and halves of surrogate pairs.

    Args:
        text: the text, which may come from a model, a file or a server.
        keep: characters that stay.

    >>> make_printable("a\x1b[2Jb\u202ec\n")
    'a [2Jb c\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " for c in text)


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
