from __future__ import annotations

import numpy as np
import pytest

from isocompute.fits import Pool


@pytest.fixture
def random_pool():
    """A pool that holds ties, unparsed answers and unparsed verdicts."""

    def draw(problems, solutions, verifications=2, answers=3, unparsed=0.15, seed=0) -> Pool:
        rng = np.random.default_rng(seed)
        codes = rng.integers(0, answers, (problems, solutions))
        codes[rng.random(codes.shape) < unparsed] = -1
        verdicts = (rng.random((problems, solutions, verifications)) < 0.6).astype(float)
        verdicts[rng.random(verdicts.shape) < unparsed] = np.nan
        return Pool(codes, rng.integers(0, answers, problems), verdicts)

    return draw
