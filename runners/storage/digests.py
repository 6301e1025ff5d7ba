"""Digests of solution texts, by which a verdict, score or grade identifies the text that it judged."""

from __future__ import annotations

from hashlib import blake2b

DIGEST_BYTES = 16


def digest_text(text: str) -> str:
    """Return the BLAKE2b digest of a solution's text as a run stores it: 32 hexadecimal digits.

    >>> digest_text("2 + 2 = 4")
    'bd2b708e5fa34a3e3d047af76baef9c0'
    """
    return blake2b(text.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).hexdigest()
