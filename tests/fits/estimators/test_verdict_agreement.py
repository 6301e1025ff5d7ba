"""Agreement of verdicts: against counting all subsets and pairs, and against worlds whose correlation is known."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.estimators.verdict_agreement import measure_verdict_agreement


def draw_pool(rng, problems, a, b, solutions=6, verdicts=5, unparsed=0.0):
    """Each solution has a chance of yes from a beta distribution, whose correlation is 1 / (a + b + 1)."""
    chance = rng.beta(a, b, size=(problems, solutions, 1))
    said = (rng.random((problems, solutions, verdicts)) < chance).astype(float)
    said[rng.random(said.shape) < unparsed] = np.nan
    return Pool(rng.integers(0, 2, (problems, solutions)), np.zeros(problems, dtype=int), said)


@pytest.mark.parametrize("right", [True, False])
def test_it_is_what_counting_subsets_and_pairs_gives(right):
    pool = draw_pool(np.random.default_rng(3), 9, 1, 1, unparsed=0.3)
    heard = [
        [v for v in pool.verdicts[p, s] if not math.isnan(v)]
        for p, s in np.argwhere(pool.correct == right)
    ]  # fmt: skip
    found = measure_verdict_agreement(pool, right, [2, 3, 4])
    for V, (share, low, high), count in zip(found.V, found.unanimous, found.solutions, strict=True):
        same = [np.mean([len(set(part)) == 1 for part in combinations(v, V)]) for v in heard if len(v) >= V]
        assert share == pytest.approx(np.mean(same))
        assert low < share < high
        assert count == len(same)
    paired = [v for v in heard if len(v) >= 2]
    p = np.mean([np.mean(v) for v in paired])
    q = np.mean([np.mean([a * b for a, b in combinations(v, 2)]) for v in paired])
    assert found.correlation[0] == pytest.approx((q - p**2) / (p - p**2))


def test_the_correlation_is_that_of_the_world_and_its_interval_holds_it():
    rng, held = np.random.default_rng(4), 0
    for _ in range(60):
        value, low, high = measure_verdict_agreement(draw_pool(rng, 60, 0.5, 0.5), True, [2]).correlation
        held += low <= 1 / 2 <= high
        assert value == pytest.approx(1 / 2, abs=0.25)
    assert held >= 52


def test_verdicts_that_are_all_the_same_have_no_correlation():
    found = measure_verdict_agreement(Pool([[0, 0], [0, 0]], [0, 0], np.ones((2, 2, 3))), True, [3])
    assert found.unanimous[0][0] == 1
    assert all(map(math.isnan, found.correlation))
    wrong = measure_verdict_agreement(Pool([[0, 0]], [0], np.ones((1, 2, 3))), False, [3])
    assert all(map(math.isnan, (*wrong.unanimous[0], *wrong.correlation)))
    assert wrong.solutions == (0,)


def test_numbers_of_verdicts_out_of_range_are_a_sentence():
    pool = Pool([[0]], [0], [[[1, 0]]])
    with pytest.raises(DataError, match=r"^V must be integers from 2 to 2, the number of verdicts; got \[1\]\.$"):
        measure_verdict_agreement(pool, True, [1])
    with pytest.raises(DataError, match="the pool has none"):
        measure_verdict_agreement(Pool([[0]], [0]), True, [2])
