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

SHORTEST_SECRET = 4
"""Characters of the shortest secret that is blotted out. The key '1' is no secret, and '1' stands in every message."""

DUMMY_KEYS = {"empty", "none", "null", "dummy", "fake", "test", "local", "placeholder", "unused", "anything", "token",
           "key", "apikey", "api-key", "ollama", "lm-studio"}  # fmt: skip
"""What stands in a key's place where no key is wanted. These are words that messages use, and no secrets."""

SHORTEST_LONG_SECRET = 8
"""Characters from which on a secret is found however it is written. A shorter one is found as a whole word only: with
its characters spread over other words it would be found where it is not."""

SECRET_PIECE_LENGTH = 12
"""Characters of a piece of a secret that is blotted out too, where the secret has `SHORTEST_SPLIT_SECRET` or more."""

SHORTEST_SPLIT_SECRET = 16

ESCAPE_PATTERN = re.compile(  # begun by one class of characters, which the search for it skips to
    r"[%\\&](?:(?<=%)[0-9a-fA-F]{2}|(?<=\\)\\{0,8}(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt])|(?<=&)#?\w{1,8};)"
)
TEXT_UNIT_PATTERN = re.compile(rf"(?:{ESCAPE_PATTERN.pattern})|.", re.DOTALL)
BASE64_PATTERN = re.compile(r"[A-Za-z0-9+/=_-]")


def build_redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that replaces each secret in a text by ``***``.

    It finds a secret in capitals or small letters; with blanks, line ends or invisible characters in it; escaped for a
    URL, JSON or HTML; and in base64, alone or amid other text such as ``user:``.

    Args:
        secrets: what is to be hidden; dummies are passed over.

    >>> redact = build_redactor(["sk-1", "sk-live-42"])
    >>> redact("the key sk-1 is wrong"), redact("the key SK-live-\\n42 is wrong"), redact("sk-15")
    ('the key *** is wrong', 'the key *** is wrong', 'sk-15')
    >>> build_redactor(["EMPTY", "1"])("The prompt is empty: 1 message.")
    'The prompt is empty: 1 message.'
    """
    known = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
    known = {secret for secret in known if secret.casefold() not in DUMMY_KEYS}
    words = {form for secret in known if len(secret) < SHORTEST_LONG_SECRET for form in list_short_forms(secret)}
    alone = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    short = re.compile(rf"(?<![A-Za-z0-9])(?:{alone})(?![A-Za-z0-9])", re.IGNORECASE) if words else None
    long = [secret for secret in known if len(secret) >= SHORTEST_LONG_SECRET]
    plain = {form for secret in long for form in list_plain_forms(secret)}
    plain |= {
        form[i : i + SECRET_PIECE_LENGTH]
        for form in list(plain)
        if len(form) >= SHORTEST_SPLIT_SECRET
        for i in range(len(form) - SECRET_PIECE_LENGTH + 1)
    }
    encoded = {form for secret in long for form in list_encoded_forms(secret)}

    def redact_secrets(text: str) -> str:
        text = short.sub("***", text) if short else text
        if not plain:
            return text
        small = reduce_text(text)
        found = [form for form in (*plain, *encoded) if form in small]
        return redact_forms(text, small, found, encoded) if found else text

    return redact_secrets


def redact_forms(text: str, small: str, found: list[str], encoded: set[str]) -> str:
    """Replace in a text what reads as one of the forms in its reduced form ``small``; of base64 the whole word."""
    units = [unit[0] for unit in TEXT_UNIT_PATTERN.finditer(text)]
    owner = [i for i, unit in enumerate(units) for _ in reduce_text(unit)]
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
            if before == 2 and not hidden[i] and BASE64_PATTERN.fullmatch(units[i]):
                hidden[i] = 2
            before = hidden[i]
    runs = groupby(zip(map(bool, hidden), units, strict=True), key=lambda unit: unit[0])
    return "".join("***" if hide else "".join(unit for _, unit in run) for hide, run in runs)


def reduce_text(text: str) -> str:
    """Return a text without what the writing of a secret may differ in: case, blanks, invisible characters, escapes.

    It can be taken of each `TEXT_UNIT_PATTERN` alone, and joined.
    """
    return ESCAPE_PATTERN.sub(decode_escape, text).casefold().translate(build_reduction_table())


def decode_escape(escape: re.Match[str]) -> str:
    """Return the character that an escape stands for; nothing for one of a line end or tab."""
    said = escape[0]
    if said[0] == "&":
        return html.unescape(said)
    code = said.lstrip("%\\").lstrip("ux")
    return chr(int(code, 16)) if code not in ("n", "r", "t") else ""


@cache
def build_reduction_table() -> dict[int, str | None]:
    """Return the table that `reduce_text` maps characters by: visible ones stay, and base64 gets one alphabet."""
    dropped = (i for i in (*range(0x10000), *range(0xE0000, 0xE0200)) if unicodedata.category(chr(i))[0] in "CZ")
    marks = (i for i in range(0x10000) if unicodedata.category(chr(i)) == "Mn")
    return {**dict.fromkeys((*dropped, *marks, ord("\\"))), ord("-"): "+", ord("_"): "/"}


def list_short_forms(secret: str) -> set[str]:
    """Return how a short secret may stand in a text, as a whole word."""
    lone = (base64.b64encode(text.encode()).decode().rstrip("=") for text in (secret, f":{secret}"))
    return {secret, quote(secret, safe=""), encode_percent(secret), *lone}


def list_plain_forms(secret: str) -> set[str]:
    """Return what a secret reduces to: as it stands, and if it holds what looks like an escape."""
    return {
        reduce_text(secret),
        secret.casefold().translate(build_reduction_table()),
        reduce_text(encode_percent(secret)),
    } - {""}


def list_encoded_forms(secret: str) -> set[str]:
    """Return what base64 of any text that holds a secret must hold, in reduced form.

    Three bytes become four characters, so there are three ways, by the place at which the secret begins. Characters
    that its neighbours have a part in are left out.
    """
    raw = secret.encode()
    return {
        reduce_text(base64.b64encode(bytes(before) + raw).decode()[-(-8 * before // 6) : 8 * (before + len(raw)) // 6])
        for before in range(3)
    }


def encode_percent(text: str) -> str:
    """Return a text with every byte as %XX."""
    return "".join(f"%{byte:02x}" for byte in text.encode())
