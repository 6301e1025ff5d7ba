"""Redaction of keys and passwords in servers' messages.

A server may repeat a key in an error in another form: wrapped over two lines, escaped for a URL or for JSON, in base64,
in capitals. So messages and keys are compared in a reduced form, in which all of these look alike.
"""

from __future__ import annotations

import base64
import html
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby
from urllib.parse import quote

HTTP_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))

LONGEST_ERROR_TEXT = 2**16
"""Characters of an error that are read; 300 of them are shown."""

SHORTEST_KEY_IN_TEXT = 12
"""Characters of the shortest key that is removed from completions' texts too."""

SHORTEST_SECRET = 4
"""Characters of the shortest secret that is redacted. A key such as '1' is no secret, and occurs in every message."""

DUMMY_KEYS = {"empty", "none", "null", "dummy", "fake", "test", "local", "placeholder", "unused", "anything", "token",
           "key", "apikey", "api-key", "ollama", "lm-studio"}  # fmt: skip
"""Placeholders for keys where no key is needed. Messages use these words, and they are not secrets."""

SHORTEST_LONG_SECRET = 8
"""Characters of the shortest secret that is found in every form. Shorter ones are found as whole words only: otherwise
they would match by chance across other words."""

SECRET_PIECE_LENGTH = 12
"""Characters of the pieces that are redacted too, for secrets of `SHORTEST_SPLIT_SECRET` or more characters."""

SHORTEST_SPLIT_SECRET = 16

ESCAPE_PATTERN = re.compile(  # begins with one character class, so that the search is fast
    r"[%\\&](?:(?<=%)[0-9a-fA-F]{2}|(?<=\\)\\{0,8}(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt])|(?<=&)#?\w{1,8};)"
)
TEXT_UNIT_PATTERN = re.compile(rf"(?:{ESCAPE_PATTERN.pattern})|.", re.DOTALL)
BASE64_PATTERN = re.compile(r"[A-Za-z0-9+/=_-]")


def build_redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that replaces each secret in a text by ``***``.

    It finds a secret in capitals or small letters; with blanks, line ends or invisible characters in it; escaped for a
    URL, JSON or HTML; in wide or mathematical letters; and in base64 or hexadecimal digits, alone or within other text
    such as ``user:``.

    Args:
        secrets: the texts to hide; dummy keys are ignored.

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
        reduced = reduce_text(text)
        matches = [form for form in (*plain, *encoded) if form in reduced]
        return redact_forms(text, reduced, matches, encoded) if matches else text

    return redact_secrets


def redact_forms(text: str, reduced: str, matches: list[str], encoded: set[str]) -> str:
    """Replace the parts of a text that give one of the forms when reduced; for base64, replace the whole word.

    Args:
        text: the text.
        reduced: its reduced form.
        matches: the forms that are in ``reduced``.
        encoded: the forms that are base64.
    """
    units = [unit[0] for unit in TEXT_UNIT_PATTERN.finditer(text)]
    owner = [i for i, unit in enumerate(units) for _ in reduce_text(unit)]
    hidden = [0] * len(units)
    for form in matches:
        at = reduced.find(form)
        while at >= 0:
            for i in range(owner[at], owner[at + len(form) - 1] + 1):
                hidden[i] = max(hidden[i], 2 if form in encoded else 1)
            at = reduced.find(form, at + 1)
    for step in (1, -1):  # extend base64 matches to the whole word, forwards and backwards
        before = 0
        for i in range(len(units))[::step]:
            if before == 2 and not hidden[i] and BASE64_PATTERN.fullmatch(units[i]):
                hidden[i] = 2
            before = hidden[i]
    runs = groupby(zip(map(bool, hidden), units, strict=True), key=lambda unit: unit[0])
    return "".join("***" if hide else "".join(unit for _, unit in run) for hide, run in runs)


def reduce_text(text: str) -> str:
    """Return a text without differences in how a secret can be written: case, blanks, invisible characters, escapes.

    The reduced text is the concatenation of the reduced matches of `TEXT_UNIT_PATTERN`.
    """
    return ESCAPE_PATTERN.sub(decode_escape, text).casefold().translate(build_reduction_table())


def decode_escape(escape: re.Match[str]) -> str:
    """Return the character of an escape; nothing for an escaped line end or tab."""
    sequence = escape[0]
    if sequence[0] == "&":
        return html.unescape(sequence)
    code = sequence.lstrip("%\\").lstrip("ux")
    return chr(int(code, 16)) if code not in ("n", "r", "t") else ""


@cache
def build_reduction_table() -> dict[int, str | None]:
    """Return the character table of `reduce_text`.

    Invisible characters are dropped, wide and mathematical letters become plain ones, and base64 gets one alphabet.
    """
    dropped = (i for i in (*range(0x10000), *range(0xE0000, 0xE0200)) if unicodedata.category(chr(i))[0] in "CZ")
    marks = (i for i in range(0x10000) if unicodedata.category(chr(i)) == "Mn")
    alphabet = {ord("-"): "+", ord("_"): "/"}
    styled = (*range(0xFF01, 0xFF5F), *range(0x1D400, 0x1D800))
    plain = {i: unicodedata.normalize("NFKC", chr(i)).casefold().translate(alphabet) for i in styled}
    return {**dict.fromkeys((*dropped, *marks, ord("\\"))), **plain, **alphabet}


def list_short_forms(secret: str) -> set[str]:
    """Return the forms of a short secret that are looked for as whole words."""
    lone = (base64.b64encode(text.encode()).decode().rstrip("=") for text in (secret, f":{secret}"))
    return {secret, quote(secret, safe=""), encode_percent(secret), *lone}


def list_plain_forms(secret: str) -> set[str]:
    """Return the reduced forms of a secret: its escapes decoded, or as they are, percent-encoded, and backwards."""
    return {
        reduce_text(secret),
        reduce_text(secret[::-1]),
        secret.casefold().translate(build_reduction_table()),
        reduce_text(encode_percent(secret)),
    } - {""}


def list_encoded_forms(secret: str) -> set[str]:
    """Return what every text with this secret contains once it is encoded in base64 or as hexadecimal digits, reduced.

    In base64, three bytes become four characters, so there are three forms, by the secret's offset. Characters that
    depend on neighbouring bytes are left out.
    """
    raw = secret.encode()
    return {raw.hex()} | {
        reduce_text(base64.b64encode(bytes(before) + raw).decode()[-(-8 * before // 6) : 8 * (before + len(raw)) // 6])
        for before in range(3)
    }


def encode_percent(text: str) -> str:
    """Return a text with every byte as %XX."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def build_text_redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that removes keys from a solution.

    A changed solution may have another answer. So only long keys with letters and digits are looked for, which cannot
    be a word or a number of a solution, and only verbatim.

    >>> redact = build_text_redactor(["sk-live-4242", "EMPTY", "multiplication", "000000000000"])
    >>> redact("sk-live-4242 EMPTY multiplication 1000000000000")
    '*** EMPTY multiplication 1000000000000'
    """
    keys = list_text_keys(secrets)

    def redact_keys(text: str) -> str:
        for key in keys:
            text = text.replace(key, "***")
        return text

    return redact_keys


def list_text_keys(secrets: Iterable[str]) -> list[str]:
    """Return the secrets that are removed from a model's texts, the longest first, see `build_text_redactor`."""
    long = (secret for secret in secrets if len(secret) >= SHORTEST_KEY_IN_TEXT)
    keys = (key for key in long if re.search("[0-9]", key) and re.search("[A-Za-z]", key))
    return sorted(keys, key=len, reverse=True)


def redact_message(words: str, redact: Callable[[str], str]) -> str:
    """Return a message of a server or the network in a form that may be shown and logged.

    Every foreign text passes through here before it is cut, joined or raised: the body of an error, the reason phrase,
    a finish reason, an error of httpx. Secrets are redacted first, since they may be split over two lines; then the
    text is put on one line, without characters that move a terminal's cursor or hide text.

    >>> redact_message("the key sk-live-42\\nis wrong\\a", build_redactor(["sk-live-42"]))
    'the key *** is wrong'
    """
    words = " ".join(redact(words[:LONGEST_ERROR_TEXT]).split())
    return "".join(character for character in words if character.isprintable())


def cut_message(words: str) -> str:
    """Return at most 300 characters of a message."""
    return words if len(words) <= 300 else words[:300] + " …"


class RedactingFilter(logging.Filter):
    """Filter that removes secrets from libraries' logs.

    httpx logs the reason phrase, httpcore every header of a response.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self.redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record and let it pass."""
        record.msg, record.args = self.redact(record.getMessage()), ()
        return True

    def start_redaction(self) -> None:
        """Redact the logs of the libraries that send requests, from now on."""
        for name in HTTP_LOGGERS:
            logging.getLogger(name).addFilter(self)

    def stop_redaction(self) -> None:
        """Redact these logs no longer."""
        for name in HTTP_LOGGERS:
            logging.getLogger(name).removeFilter(self)
