from __future__ import annotations

from itertools import permutations, product
from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import beta as beta_distribution

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


class Definitions:
    """The rules as they are defined, on one list of answers."""

    THRESHOLDS: ClassVar = {
        "certain": [3, 5],
        "beta": [0.6, 0.8, 0.9],
        "window": [2, 3],
        "doubling": [0.5, 0.75, 1.0],
        "weighted-beta": [0.6, 0.8],
    }

    @staticmethod
    def find_leaders(answers, weights):
        """The answers with the largest total, and the totals in falling order."""
        totals = {}
        for answer, weight in zip(answers, weights, strict=True):
            if answer >= 0:
                totals[answer] = totals.get(answer, 0.0) + weight
        if not totals:
            return set(), [0.0, 0.0]
        top = max(totals.values())
        return {a for a, total in totals.items() if total == top}, [*sorted(totals.values(), reverse=True), 0.0]

    @staticmethod
    def should_stop(rule, threshold, answers, weights, most):
        n = len(answers)
        _, (first, second, *_) = Definitions.find_leaders(answers, weights)
        if rule == "certain":
            return n >= threshold or first - second > threshold - n
        if rule in ("beta", "weighted-beta"):
            return 1 - beta_distribution.cdf(0.5, first + 1, second + 1) >= threshold
        if rule == "window":
            last = answers[-int(threshold) :]
            return len(last) == threshold and last[0] >= 0 and len(set(last)) == 1
        return first / n >= threshold


@pytest.fixture
def definitions():
    return Definitions
