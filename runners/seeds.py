"""Sampling seeds, derived from each row's key."""

from __future__ import annotations

from hashlib import blake2b


def derive_seed(seed: int, *key: object) -> int:
    """Return the sampling seed of a row, 0 … 2**63 − 1.

    It depends only on the sweep's seed and the row's key, not on order, batches or existing rows, so a row that is
    sampled again is the same draw.

    >>> derive_seed(0, "solution", "lab-1-7", 3) == derive_seed(0, "solution", "lab-1-7", 3)
    True
    >>> derive_seed(0, "solution", "lab-1-7", 3) == derive_seed(0, "solution", "lab-1-7", 4)
    False
    """
    digest = blake2b(repr((seed, *key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
