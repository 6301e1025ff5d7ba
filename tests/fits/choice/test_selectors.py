"""Whether a selector tells right from wrong: the gain at two solutions, and how often the test is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.fits import Pool, build_listed_options, build_verified_options, build_voting_options
from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.fits.choice.selectors import _compute_null_errors, _measure_selection, is_selector_informative
from isocompute.planner.strategies.registry import STRATEGIES


def build_tables(verdicts, right, S=(1, 2, 4), V=(1, 2)):
    """Return the options of SC and of the strategies with verdicts; each wrong answer is another one."""
    answers = np.where(right, 0, 1 + np.arange(right.shape[1]))
    pool = Pool(answers, np.zeros(len(right), dtype=int), verdicts.astype(float))
    tables = [build_voting_options(STRATEGIES["sc"].estimator(pool, list(S), [], 64, 0).accuracy, S)]
    for name in ("genrm", "genrm+vote", "weighted", "fused"):
        estimate = STRATEGIES[name].estimator(pool, list(S), list(V), 64, 0)
        tables.append(build_verified_options(estimate.accuracy, S, V, 0.5, name))
    return tables


def test_the_gain_is_that_of_ranking_a_right_solution_above_a_wrong_one():
    """2p(1 - p)(A - 1/2) without replacement, with one verdict a solution: A counts pairs, and ties as a half."""
    rng = np.random.default_rng(0)
    right, verdicts = rng.random((6, 8)) < 0.5, rng.random((6, 8, 1)) < 0.5
    table = build_tables(verdicts, right, V=(1,))[1]
    gains = []
    for row, verdict in zip(right, verdicts[:, :, 0].astype(float), strict=True):
        pairs = verdict[row][:, None] - verdict[~row][None]
        auroc = ((pairs > 0) + 0.5 * (pairs == 0)).mean() if pairs.size else 0.5
        gains.append(2 * row.sum() * (~row).sum() / (8 * 7) * (auroc - 0.5))
    single, measured, _ = _measure_selection(table)
    np.testing.assert_allclose(single, right.mean(axis=1))
    np.testing.assert_allclose(measured, gains, atol=1e-12)


def test_the_error_of_a_selector_that_knows_nothing_is_that_of_random_orders_without_ties():
    rng, right = np.random.default_rng(5), np.arange(10) < 4
    gains = []
    for _ in range(20000):
        rank = rng.permutation(10)
        gains.append(2 * 4 * 6 / 90 * ((rank[right][:, None] > rank[~right][None]).mean() - 0.5))
    assert np.std(gains) == pytest.approx(_compute_null_errors(np.array([0.4]), 10)[0], rel=0.02)


def test_a_verifier_that_always_says_yes_is_not_informative_and_not_recommended():
    rng = np.random.default_rng(1)
    right = rng.random((60, 8)) < 0.6
    tables = build_tables(np.ones((60, 8, 2)), right)
    assert [is_selector_informative(table) for table in tables] == [True, False, False, False, False]
    # Even if all others are expected to be much better, votes are recommended.
    expected = [np.full(len(t.grid.cost), 0.5 + 0.3 * (t.strategy != "sc")) for t in tables]
    (found,) = choose_recommendations(tables, expected, [64.0])
    assert found.best.table == 0
    assert found.uninformed == {1, 2, 3, 4}


def test_a_good_verifier_is_informative():
    rng = np.random.default_rng(2)
    right = rng.random((20, 8)) < 0.5
    verdicts = rng.random((20, 8, 2)) < np.where(right, 0.8, 0.3)[:, :, None]
    assert all(is_selector_informative(table) for table in build_tables(verdicts, right))


@pytest.mark.parametrize("persistent", [False, True])
def test_a_random_verifier_passes_in_at_most_one_of_twenty_pilots(persistent):
    """Also one that gives the same verdict to a solution each time, so that many verdicts seem to agree."""
    rng, passed = np.random.default_rng(3), 0
    for _ in range(400):
        right = rng.random((20, 8)) < rng.random((20, 1))
        rate = (rng.random((20, 8, 1)) < 0.5) if persistent else np.full((20, 8, 1), 0.5)
        pool = Pool(np.where(right, 0, 1), np.zeros(20, dtype=int), (rng.random((20, 8, 2)) < rate).astype(float))
        surface = STRATEGIES["genrm"].estimator(pool, [1, 2, 8], [2], 0, 0).accuracy
        passed += is_selector_informative(build_verified_options(surface, [1, 2, 8], [2], 1.0))
    assert 0 < passed / 400 < 0.05


def test_easier_problems_with_more_yes_do_not_make_a_verifier_informative():
    rng = np.random.default_rng(4)
    ease = rng.random((60, 1))
    right = rng.random((60, 8)) < ease
    verdicts = np.repeat((ease > 0.5)[:, :, None], 8, axis=1).repeat(2, axis=2)
    assert not is_selector_informative(build_tables(verdicts, right)[1])


def test_copies_of_a_problem_count_once():
    gains = np.array([0.1, 0.15, 0.0])
    surface = np.stack([np.full(3, 0.5), 0.5 + gains, np.full(3, 0.6)], axis=1)[:, :, None]
    assert not is_selector_informative(build_verified_options(surface, [1, 2, 8], [1], 1.0))
    copied = build_verified_options(np.tile(surface, (9, 1, 1)), [1, 2, 8], [1], 1.0)
    assert is_selector_informative(copied)
    assert not is_selector_informative(copied, clusters=[0, 1, 2] * 9)


def test_strategies_without_a_selector_or_without_two_solutions_pass():
    assert is_selector_informative(build_voting_options([[0.5, 0.4]] * 3, [1, 2]))
    assert is_selector_informative(build_verified_options([[[0.5], [0.4]]] * 3, [1, 4], [1], 1.0))
    assert is_selector_informative(build_listed_options([[0.5, 0.4]] * 3, [4.0, 8.0], {"N": [4, 8]}, "beam"))
    assert not is_selector_informative(build_voting_options([[0.5, 0.4]] * 3, [1, 2], "bon", each=1.2))


def test_if_no_selector_is_informative_and_votes_are_missing_all_are_considered():
    table = build_verified_options([[[0.5], [0.4]]] * 3, [1, 2], [1], 1.0)
    (found,) = choose_recommendations([table], [np.array([0.5, 0.4])], [8.0])
    assert found.best.table == 0
    assert not found.uninformed
