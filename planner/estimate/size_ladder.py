"""The numbers of solutions and verifications at which a fit estimates accuracies."""

from __future__ import annotations


def build_size_ladder(most: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12 … up to ``most``: the powers of two, the midpoints between them, and ``most``.

    >>> build_size_ladder(16)
    [1, 2, 3, 4, 6, 8, 12, 16]
    """
    rungs = {n for power in range(most.bit_length()) for n in (2**power, 3 * 2**power // 2)} | {most}
    return sorted(n for n in rungs if 1 <= n <= most)
