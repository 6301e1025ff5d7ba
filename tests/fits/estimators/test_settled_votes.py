"""Settled votes against enumeration of all subsets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.estimators.needed_votes import count_needed_votes
from isocompute.fits.estimators.settled_votes import estimate_settled_votes


def enumerate_settled(answers, golds, S, needed):
    settled = right = total = 0
    for chosen in combinations(answers, S):
        codes, counts = np.unique([code for code in chosen if code >= 0], return_counts=True)
        total += 1
        if len(codes) and counts.max() >= needed:
            settled += 1
            right += codes[counts.argmax()] in golds
    return settled / total, right / total


def test_settled_votes_agree_with_enumeration():
    rng = np.random.default_rng(0)
    answers, gold = rng.integers(-1, 4, (6, 8)), rng.integers(0, 4, (6, 2))
    S, shares = [1, 2, 3, 5, 8], [0.5, 0.75, 1.0]
    settled, right = estimate_settled_votes(Pool(answers, gold), S, shares)
    needed = count_needed_votes(S, shares)
    for p in range(6):
        for i, size in enumerate(S):
            for j in range(3):
                expected = enumerate_settled(answers[p], gold[p], size, needed[i, j])
                assert (settled[p, i, j], right[p, i, j]) == pytest.approx(expected, abs=1e-12)


def test_one_solution_settles_whenever_it_can_be_read():
    settled, right = estimate_settled_votes(Pool([[0, -1, 1, 1]], [0]), [1], [1.0])
    assert settled.item() == pytest.approx(0.75)
    assert right.item() == pytest.approx(0.25)


def test_a_problem_without_answers_is_never_settled():
    settled, right = estimate_settled_votes(Pool([[-1, -1]], [0]), [1, 2], [0.5])
    assert not settled.any()
    assert not right.any()


@pytest.mark.parametrize("shares", [[0.0], [1.1], [float("nan")]])
def test_shares_outside_their_range_are_refused(shares):
    with pytest.raises(DataError, match="must lie above 0 and up to 1"):
        estimate_settled_votes(Pool([[0, 0]], [0]), [1], shares)
