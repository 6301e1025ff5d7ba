"""Blots keys and passwords out of what servers say.

A server may repeat a key in an error, and it rarely repeats it as it stands: wrapped over two lines, escaped for a URL
or for JSON, in base64, in capitals. A text is therefore compared in a reduced form, in which all of these look alike.
"""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby
from urllib.parse import quote

SHORTEST = 4
"""Characters of the shortest secret that is blotted out. The key '1' is no secret, and '1' stands in every message."""

DUMMIES = {"empty", "none", "null", "dummy", "fake", "test", "local", "placeholder", "unused", "anything", "token",
           "key", "apikey", "api-key", "ollama", "lm-studio"}  # fmt: skip
"""What stands in a key's place where no key is wanted. These are words that messages use, and no secrets."""

WRITTEN_ANYHOW = 8
"""Characters from which on a secret is found however it is written. A shorter one is found as a whole word only: with
its characters spread over other words it would be found where it is not."""

PIECE = 12
"""Characters of a piece of a secret that is blotted out too, where the secret has `PIECED` or more."""

PIECED = 16

ESCAPE = re.compile(  # begun by one class of characters, which the search for it skips to
    r"[%\\&](?:(?<=%)[0-9a-fA-F]{2}|(?<=\\)\\{0,8}(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt])|(?<=&)#?\w{1,8};)"
)
UNIT = re.compile(rf"(?:{ESCAPE.pattern})|.", re.DOTALL)
BASE64 = re.compile(r"[A-Za-z0-9+/=_-]")


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that replaces each secret in a text by ``***``.

    It finds a secret in capitals or small letters; with blanks, line ends or invisible characters in it; escaped for a
    URL, JSON or HTML; and in base64, alone or amid other text such as ``user:``.

    Args:
        secrets: what is to be hidden; dummies are passed over.

    >>> redact = redactor(["sk-1", "sk-live-42"])
    >>> redact("the key sk-1 is wrong"), redact("the key SK-live-\\n42 is wrong"), redact("sk-15")
    ('the key *** is wrong', 'the key *** is wrong', 'sk-15')
    >>> redactor(["EMPTY", "1"])("The prompt is empty: 1 message.")
    'The prompt is empty: 1 message.'
    """
    known = {secret for secret in secrets if len(secret) >= SHORTEST}
    known = {secret for secret in known if secret.casefold() not in DUMMIES}
    words = {form for secret in known if len(secret) < WRITTEN_ANYHOW for form in forms(secret)}
    alone = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    short = re.compile(rf"(?<![A-Za-z0-9])(?:{alone})(?![A-Za-z0-9])", re.IGNORECASE) if words else None
    long = [secret for secret in known if len(secret) >= WRITTEN_ANYHOW]
    plain = {form for secret in long for form in plain_forms(secret)}
    plain |= {form[i : i + PIECE] for form in list(plain) if len(form) >= PIECED for i in range(len(form) - PIECE + 1)}
    encoded = {form for secret in long for form in encoded_forms(secret)}

    def redact(text: str) -> str:
        text = short.sub("***", text) if short else text
        if not plain:
            return text
        small = reduced(text)
        found = [form for form in (*plain, *encoded) if form in small]
        return blotted(text, small, found, encoded) if found else text

    return redact


def blotted(text: str, small: str, found: list[str], encoded: set[str]) -> str:
    """Replace in a text what reads as one of the forms in its reduced form ``small``; of base64 the whole word."""
    units = [unit[0] for unit in UNIT.finditer(text)]
    owner = [i for i, unit in enumerate(units) for _ in reduced(unit)]
    hidden = [0] * len(units)
    for form in found:
        at = small.find(form)
        while at >= 0:
            for i in range(owner[at], owner[at + len(form) - 1] + 1):
                hidden[i] = max(hidden[i], 2 if form in encoded else 1)
            at = small.find(form, at + 1)
    for step in (1, -1):
        before = 0
        for i in range(len(units))[::step]:
            if before == 2 and not hidden[i] and BASE64.fullmatch(units[i]):
                hidden[i] = 2
            before = hidden[i]
    runs = groupby(zip(map(bool, hidden), units, strict=True), key=lambda unit: unit[0])
    return "".join("***" if hide else "".join(unit for _, unit in run) for hide, run in runs)


def reduced(text: str) -> str:
    """Return a text without what the writing of a secret may differ in: case, blanks, invisible characters, escapes.

    It can be taken of each `UNIT` alone, and joined.
    """
    return ESCAPE.sub(unescaped, text).casefold().translate(left_out())


def unescaped(escape: re.Match[str]) -> str:
    """Return the character that an escape stands for; nothing for one of a line end or tab."""
    said = escape[0]
    if said[0] == "&":
        return html.unescape(said)
    code = said.lstrip("%\\").lstrip("ux")
    return chr(int(code, 16)) if code not in ("n", "r", "t") else ""


@cache
def left_out() -> dict[int, str | None]:
    """Return what `reduced` does with each character: none but the visible stay, and base64 has one alphabet of two."""
    dropped = (i for i in (*range(0x10000), *range(0xE0000, 0xE0200)) if unicodedata.category(chr(i))[0] in "CZ")
    marks = (i for i in range(0x10000) if unicodedata.category(chr(i)) == "Mn")
    return {**dict.fromkeys((*dropped, *marks, ord("\\"))), ord("-"): "+", ord("_"): "/"}


def forms(secret: str) -> set[str]:
    """Return how a short secret may stand in a text, as a whole word."""
    lone = (base64.b64encode(text.encode()).decode().rstrip("=") for text in (secret, f":{secret}"))
    return {secret, quote(secret, safe=""), percent(secret), *lone}


def plain_forms(secret: str) -> set[str]:
    """Return what a secret reduces to: as it stands, and if it holds what looks like an escape."""
    return {reduced(secret), secret.casefold().translate(left_out()), reduced(percent(secret))} - {""}


def encoded_forms(secret: str) -> set[str]:
    """Return what base64 of any text that holds a secret must hold, in reduced form.

    Three bytes become four characters, so there are three ways, by the place at which the secret begins. Characters
    that its neighbours have a part in are left out.
    """
    raw = secret.encode()
    return {
        reduced(base64.b64encode(bytes(before) + raw).decode()[-(-8 * before // 6) : 8 * (before + len(raw)) // 6])
        for before in range(3)
    }


def percent(text: str) -> str:
    """Return a text with every byte as %XX."""
    return "".join(f"%{byte:02x}" for byte in text.encode())
