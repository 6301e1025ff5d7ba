from __future__ import annotations

from math import factorial

import numpy as np
import pytest

from experiments.beta_binomial import BetaBinomial
from isocompute.fits.laws.outvoting import (
    LARGEST_EXACT_VOTE,
    _compute_exact_wins,
    _compute_normal_wins,
    compute_win_probability,
)


def enumerated(p, r, S):
    """P(the right answer wins), over all numbers of votes for it, for its rival and for others that never repeat."""
    chances, total = (p, (1 - p) * r, (1 - p) * (1 - r)), 0.0
    for right in range(S + 1):
        for rival in range(S + 1 - right):
            votes = (right, rival, S - right - rival)
            ways = factorial(S) / np.prod([float(factorial(n)) for n in votes])
            share = (right == 1) / S if max(right, rival) <= 1 else (right > rival) + (right == rival) / 2
            total += ways * np.prod([chance**n for chance, n in zip(chances, votes, strict=True)]) * share
    return total


@pytest.mark.parametrize("S", [1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize(("p", "r"), [(0.3, 0.5), (0.1, 0.9), (0.8, 0.2)])
def test_the_vote_is_that_of_enumeration(p, r, S):
    assert compute_win_probability(p, r, S) == pytest.approx(enumerated(p, r, S), abs=1e-12)


@pytest.mark.parametrize("right", [(0.3, 0.3), (0.5, 1.0), (5.0, 5.0)])
@pytest.mark.parametrize("rival", [(0.3, 0.3), (1.0, 1.0), (0.5, 3.0)])
def test_the_normal_approximation_is_within_its_bound(right, rival):
    model = BetaBinomial(right, rival, 64)
    p, r, weight = model._mixture()
    gap = (
        weight * (_compute_normal_wins(p, r, LARGEST_EXACT_VOTE) - _compute_exact_wins(p, r, LARGEST_EXACT_VOTE))
    ).sum()
    assert abs(gap) < 0.001
