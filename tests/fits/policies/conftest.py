from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from isocompute.fits import Pool
from isocompute.fits.policies.orders import Orders


@pytest.fixture
def enumerate_orders():
    """Every order of the solutions of a small pool, each with every order of the verdicts of each solution."""

    def enumerate_all(pool: Pool) -> Orders:
        walks = list(permutations(range(pool.solutions)))
        if pool.verdicts is None:
            return Orders(np.tile(np.array(walks, dtype=np.int32), (pool.problems, 1, 1)), None)
        inside = list(product(list(permutations(range(pool.verifications))), repeat=pool.verified_solutions))
        solutions = np.repeat(np.array(walks, dtype=np.int32), len(inside), axis=0)
        verdicts = np.tile(np.array(inside), (len(walks), 1, 1))
        return Orders(np.tile(solutions, (pool.problems, 1, 1)), np.tile(verdicts, (pool.problems, 1, 1, 1)))

    return enumerate_all
