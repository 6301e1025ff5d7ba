"""Where randomness comes from: a seed for every row, derived from the row's key and nothing else."""

from __future__ import annotations

from hashlib import blake2b


def derive_seed(seed: int, *key: object) -> int:
    """Return the sampling seed of a row, 0 … 2**63 − 1.

    It depends on the sweep's seed and the row's key alone, not on order, batch or what was there before, so a
    row that is asked for again is the same draw.

    >>> derive_seed(0, "solution", "lab-1-7", 3) == derive_seed(0, "solution", "lab-1-7", 3)
    True
    >>> derive_seed(0, "solution", "lab-1-7", 3) == derive_seed(0, "solution", "lab-1-7", 4)
    False
    """
    digest = blake2b(repr((seed, *key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
