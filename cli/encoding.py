"""Output to terminals that cannot show every character: they get ASCII replacements, such as ``lambda`` for λ."""

from __future__ import annotations

import codecs
import sys
import unicodedata

REPLACEMENTS = {
    "λ": "lambda",
    "ρ": "rho",
    "κ": "kappa",
    "δ": "delta",
    "σ": "sigma",
    "×": "x",
    "·": "*",
    "±": "+/-",
    "∝": "~",
    "∞": "inf",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "−": "-",
    "–": "-",
    "—": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "•": "*",
    "█": "#",
    "⁄": "/",
    "⌊": "floor(",
    "⌋": ")",
}
"""The replacement of a character; others are decomposed, as ``…`` is into three dots."""
NAMED = "λρκδσ"
"""Characters that are replaced by a name, which is kept apart from a letter that follows."""
HANDLER = "isocompute.ascii"


def replace_with_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for the characters that an encoding lacks, and where to go on: a handler for `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking, following = error.object[error.start : error.end], error.object[error.end : error.end + 1]
    apart = "*" if lacking[-1] in NAMED and following.isalpha() else ""
    return "".join(map(find_ascii, lacking)) + apart, error.end


codecs.register_error(HANDLER, replace_with_ascii)


def replace_unknown(text: str, encoding: str) -> str:
    """Return a text with what an encoding lacks replaced, so that its lines are broken as they are shown.

    >>> replace_unknown("costs S(1 + λV) ≤ 8x", "ascii"), replace_unknown("λ ≤ 8x", "utf-8")
    ('costs S(1 + lambda*V) <= 8x', 'λ ≤ 8x')
    """
    return text.encode(encoding, HANDLER).decode(encoding)


def find_ascii(character: str) -> str:
    """Return a character's replacement; lines and blocks are drawn with ``-``, ``|``, ``+`` and ``*``.

    >>> [find_ascii(character) for character in "λ×–≥…é½│─╭⠋中"]
    ['lambda', 'x', '-', '>=', '...', 'e', '1/2', '|', '-', '+', '*', '?']
    """
    if character in REPLACEMENTS:
        return REPLACEMENTS[character]
    if "\u2500" <= character <= "\u257f":
        return "-" if character in "─━╌╍┄┅┈┉═╴╶╸╺╼╾" else "|" if character in "│┃╎╏┆┇┊┋║╵╷╹╻╽╿" else "+"
    if "\u2800" <= character <= "\u28ff":  # the frames of a spinner
        return "*"
    parts = (REPLACEMENTS.get(part, part) for part in unicodedata.normalize("NFKD", character))
    plain = "".join(parts).encode("ascii", "ignore").decode()
    return plain or ("" if unicodedata.combining(character) else "?")


def replace_unknown_characters() -> None:
    """Let standard output and standard error replace what their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            try:
                "λ [a]…\n".encode(stream.encoding, HANDLER)
                reconfigure(errors=HANDLER)
            except (UnicodeError, LookupError):  # an encoding of host names, not of texts
                reconfigure(encoding="utf-8", errors=HANDLER)


def can_print_unicode() -> bool:
    """Return whether standard output takes every character."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("_", "-").startswith("utf")
