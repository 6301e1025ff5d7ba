from __future__ import annotations

import itertools

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import compute, evaluate, genrm_frontier, self_consistency_frontier

S, V = np.array([1, 2, 4, 8, 16]), np.array([1, 2, 4])
SURFACE = np.random.default_rng(8).random((5, 3))


def test_evaluation_is_exact_at_the_knots_and_straight_in_the_logarithms():
    at_s, at_v = np.meshgrid(S, V, indexing="ij")
    np.testing.assert_allclose(evaluate(SURFACE, S, V, at_s.ravel(), at_v.ravel()), SURFACE.ravel())
    plane = 0.1 + 0.03 * np.log(S)[:, None] + 0.05 * np.log(V)
    found = evaluate(plane, S, V, [3, 5, 13], [3, 1, 2])
    np.testing.assert_allclose(found, 0.1 + 0.03 * np.log([3, 5, 13]) + 0.05 * np.log([3, 1, 2]))


def test_evaluation_is_linear_so_means_and_replicates_agree():
    problems = np.random.default_rng(1).random((6, 5, 3))
    np.testing.assert_allclose(
        evaluate(problems, S, V, [3, 9], [3, 2]).mean(axis=0),
        evaluate(problems.mean(axis=0), S, V, [3, 9], [3, 2]),
    )


def test_the_genrm_frontier_equals_a_search_over_all_whole_allocations():
    budgets = np.array([1.0, 1.5, 2, 5, 7.3, 20, 33, 48, 100])
    found = genrm_frontier(SURFACE, S, V, 0.5, budgets)
    for i, budget in enumerate(budgets):
        affordable = [(s, v) for s, v in itertools.product(range(1, 17), range(1, 5)) if s * (1 + 0.5 * v) <= budget]
        if not affordable:
            assert np.isnan(found.accuracy[i])
            assert (found.S[i], found.V[i]) == (0, 0)
            continue
        best = max(evaluate(SURFACE, S, V, [s], [v])[0] for s, v in affordable)
        assert found.accuracy[i] == pytest.approx(best, abs=1e-12)
        assert evaluate(SURFACE, S, V, [found.S[i]], [found.V[i]])[0] == pytest.approx(best, abs=1e-12)
        assert compute(found.S[i], found.V[i], 0.5) <= budget
    assert found.beyond.tolist() == [False] * 7 + [False, True]


def test_a_budget_that_is_just_met_is_met():
    assert genrm_frontier([[0.5, 0.7]], [3], [1, 7], 0.1, [3 * (1 + 0.1 * 7)]).V[0] == 7


def test_self_consistency_takes_its_best_so_far_and_says_when_it_was_not_measured():
    found = self_consistency_frontier([0.3, 0.5, 0.4], [2, 4, 8], [1, 2, 3, 8, 16])
    np.testing.assert_allclose(found.accuracy, [np.nan, 0.3, 0.3 + 0.2 * np.log2(1.5), 0.5, 0.5])
    assert found.S.tolist() == [0, 2, 3, 4, 4]
    assert found.V.tolist() == [0] * 5
    assert found.beyond.tolist() == [False, False, False, False, True]


def test_replicates_are_worked_through_together_as_one_by_one(monkeypatch):
    monkeypatch.setattr("isocompute.fits.choice.allocation_grid._BLOCK", 200)
    rows = np.random.default_rng(2).random((7, 5, 3))
    together = genrm_frontier(rows, S, V, 2.0, [5, 20, 60])
    for i, row in enumerate(rows):
        alone = genrm_frontier(row, S, V, 2.0, [5, 20, 60])
        np.testing.assert_allclose(together.accuracy[i], alone.accuracy)
        np.testing.assert_array_equal(together.S[i], alone.S)


def test_a_gain_below_a_profiles_rounding_buys_nothing():
    frontier = self_consistency_frontier([0.49601, 0.496012, 0.5], [1, 2, 4], [2, 4])
    assert frontier.S.tolist() == [1, 4]
    assert frontier.accuracy[0] == 0.496012


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: evaluate(SURFACE, S, V, [17], [1]),
            "S must lie in the measured range 1 to 16; got 17.",
        ),
        (
            lambda: evaluate(SURFACE, V, S, [1], [1]),
            "surface must have the shape (…, 3, 5); got (5, 3).",
        ),
        (
            lambda: self_consistency_frontier([0.1, 0.2], [2, 1], [1]),
            "the knots S must be ≥ 1 and strictly increasing; got [2, 1].",
        ),
        (
            lambda: self_consistency_frontier([0.1], [0.5], [1]),
            "the knots S must be a non-empty sequence of integers; got [0.5].",
        ),
        (
            lambda: self_consistency_frontier([0.1, np.nan], [1, 2], [1]),
            "curve must hold finite accuracies; it does not at index (1).",
        ),
        (
            lambda: self_consistency_frontier([0.1], [1], [0]),
            "budgets must be a non-empty sequence of positive numbers; got [0].",
        ),
        (
            lambda: genrm_frontier(SURFACE, S, V, -1, [4]),
            "lam, the cost of a verification in solutions, must be positive; got -1.",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
