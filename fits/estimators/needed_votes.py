"""The votes that settle a vote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def count_needed_votes(S: ArrayLike, shares: Sequence[float]) -> NDArray[np.int64]:
    """Return (nS, nT) the votes that settle a vote of S solutions: more than half, and at least the share.

    Example:
        >>> count_needed_votes([4, 5], [0.5, 0.75, 1.0]).tolist()
        [[3, 3, 4], [3, 4, 5]]
    """
    sizes, least = np.asarray(S, dtype=np.int64)[:, None], np.asarray(shares, dtype=float)
    return np.asarray(np.maximum(sizes // 2 + 1, np.ceil(sizes * least - 1e-9).astype(np.int64)))
