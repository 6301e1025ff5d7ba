"""Votes where a problem has several right answers, which do not share their votes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    Pool,
    estimate_genrm,
    estimate_genrm_vote,
    estimate_self_consistency,
    estimate_weighted_vote,
)

ANSWERS = [[0, 0, 1, 2, 2, -1], [0, 1, 1, 3, 3, 3], [4, 0, 1, 2, 4, 4]]
RIGHT = [[0, 1], [1, 1], [1, 2]]
VERDICTS = np.array([[1, 1, 0, 1, 1, 0], [1, 0, 1, 1, 1, 0], [0, 1, 1, 1, 0, 0]], dtype=float)[:, :, None]
POOL = Pool(ANSWERS, RIGHT, VERDICTS)


def find_winners(answers, weights):
    """Return the answers with the largest total; all that are present if no weight is above 0."""
    totals = {a: sum(w for b, w in zip(answers, weights, strict=True) if a == b) for a in answers if a >= 0}
    return [a for a in totals if totals[a] == max(totals.values())]


def enumerate_accuracy(p, S, choose):
    """Return the mean over all S-subsets of the share of right answers among those that the rule chooses from."""
    shares = []
    for subset in itertools.combinations(range(len(ANSWERS[p])), S):
        winners = choose([ANSWERS[p][i] for i in subset], [VERDICTS[p, i, 0] for i in subset])
        shares.append(sum(a in RIGHT[p] for a in winners) / len(winners) if winners else 0.0)
    return np.mean(shares)


def choose_by_vote(answers, verdicts):
    return find_winners(answers, [1] * len(answers))


def choose_by_verdict(answers, verdicts):
    scores = [v if a >= 0 else 0 for a, v in zip(answers, verdicts, strict=True)]
    return [a for a, score in zip(answers, scores, strict=True) if score == max(scores)]


def choose_by_vote_among_the_best(answers, verdicts):
    best = [a for a in choose_by_verdict(answers, verdicts) if a >= 0]
    return find_winners(best, [1] * len(best))


def choose_by_weight(answers, verdicts):
    return find_winners(answers, verdicts)


@pytest.mark.parametrize(
    ("estimate", "choose"),
    [
        (lambda S: estimate_self_consistency(POOL, S), choose_by_vote),
        (lambda S: estimate_genrm(POOL, S, [1])[:, :, 0], choose_by_verdict),
        (lambda S: estimate_genrm_vote(POOL, S, [1])[:, :, 0], choose_by_vote_among_the_best),
    ],
)
def test_an_exact_estimate_is_what_enumeration_gives(estimate, choose):
    S = [1, 2, 3, 4, 5, 6]
    expected = [[enumerate_accuracy(p, s, choose) for s in S] for p in range(3)]
    np.testing.assert_allclose(estimate(S), expected, rtol=0, atol=1e-12)


def test_a_sampled_estimate_misses_enumeration_by_what_its_error_says():
    S = [1, 2, 3, 5, 6]
    estimate = estimate_weighted_vote(POOL, S, [1], draws=4000, seed=0)
    expected = np.array([[enumerate_accuracy(p, s, choose_by_weight) for s in S] for p in range(3)])
    missed = np.abs(estimate.accuracy[:, :, 0] - expected)
    assert (missed <= 4.5 * estimate.error[:, :, 0] + 1e-12).all()
    assert estimate.error.max() < 0.01


def test_two_right_answers_do_not_share_their_votes():
    answers = [[0, 1, 2, 2]]
    assert estimate_self_consistency(Pool(answers, [[0, 1]]), [4])[0, 0] == 0
    assert estimate_self_consistency(Pool([[0, 0, 2, 2]], [0]), [4])[0, 0] == 0.5


def test_a_right_answer_that_is_repeated_counts_once():
    once = estimate_self_consistency(Pool(ANSWERS, [0, 1, 2]), [3])
    np.testing.assert_array_equal(estimate_self_consistency(Pool(ANSWERS, [[0, 0], [1, 1], [2, 2]]), [3]), once)


def test_the_right_answers_of_a_pool_have_one_row_for_each_problem():
    assert Pool(ANSWERS, RIGHT).correct.sum(axis=1).tolist() == [3, 2, 2]
    with pytest.raises(DataError, match="gold must hold one code per problem"):
        Pool(ANSWERS, [[0, 1], [1, 1]])
