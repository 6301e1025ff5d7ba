from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    Folds,
    build_listed_options,
    build_voting_options,
    compute_enclosing_interval,
    compute_t_interval,
    score_held_out,
    score_in_sample,
    split_folds,
)

RNG = np.random.default_rng(3)


def two_strategies(problems):
    search = build_listed_options(RNG.random((problems, 4)), [2, 3, 5, 9], {"N": [2, 3, 5, 9]}, "search")
    return [build_voting_options(RNG.random((problems, 3)), [1, 4, 8]), search]


@pytest.mark.parametrize("problems", [2, 7, 23])
def test_each_problem_is_held_out_once_a_split_of_a_choice_it_has_no_part_in(problems):
    made = split_folds(problems, parts=5, splits=3)
    assert (made.test.sum(axis=0) == 3).all()
    assert not (made.train & made.test).any()
    sizes = made.test.sum(axis=1)
    assert sizes.max() - sizes.min() <= 1
    levels = RNG.integers(0, 3, problems)
    inside = made.split_by_level(levels)
    assert (inside.test.sum(axis=0) == 3).all()
    for train, test in zip(inside.train, inside.test, strict=True):
        assert len(set(levels[test])) == 1
        assert set(levels[train]) == set(levels[test]) or not (levels[train] == levels[test][0]).any()


def test_a_level_without_a_problem_to_choose_on_takes_the_choice_for_all():
    alone = split_folds(4, parts=4, splits=1).split_by_level([1, 2, 2, 2])
    lonely = alone.test[:, 0]
    assert alone.train[lonely].tolist() == [[False, True, True, True]]


def test_folds_that_score_what_they_were_chosen_on_are_refused():
    with pytest.raises(DataError, match=r"problem 1 of fold 0 would be scored under a choice that was made on it\."):
        Folds(np.array([[True, True]]), np.array([[False, True]]))
    with pytest.raises(DataError, match=r"a fold leaves none\."):
        Folds(np.array([[False, False]]), np.array([[False, True]]))


def test_held_out_accuracy_is_that_of_a_loop_over_folds_and_problems():
    options, made, budgets = two_strategies(9), split_folds(9, parts=3, splits=2), [1.0, 3.0, 10.0]
    found = score_held_out(options, budgets, made)
    for i, budget in enumerate(budgets):
        total = np.zeros(9)
        for train, test in zip(made.train, made.test, strict=True):
            tables = [(o.accuracy @ o.grid.weights)[:, o.grid.cost <= budget] for o in options]
            best = max((t[train].mean(axis=0).max(), -n) for n, t in enumerate(tables) if t.shape[1])
            table = tables[-best[1]]
            total[test] += table[test, table[train].mean(axis=0).argmax()]
        np.testing.assert_allclose(found.accuracy[-1, :, i], total / 2, atol=1e-9)
    assert np.isnan(found.accuracy[1, :, 0]).all()  # the search cannot be afforded at 1x


def test_in_sample_is_the_mean_that_was_chosen_by():
    options, levels = two_strategies(12), np.arange(12) % 3
    found = score_in_sample(options, [4.0, 10.0], levels)
    for row in range(3):
        mean = found.accuracy[:-1, levels == row].mean(axis=1)
        np.testing.assert_allclose(mean, found.choices.accuracy[:, row], atol=2e-5)


def test_the_enclosing_interval_is_the_wider_of_both():
    honest, flattering = RNG.normal(0, 1, (30, 4)), RNG.normal(0.2, 1, (30, 4))
    low, high = compute_enclosing_interval(honest, flattering)
    for one in (honest, flattering):
        ends = compute_t_interval(one)
        assert (low <= ends[0]).all()
        assert (high >= ends[1]).all()


def test_the_t_interval_of_few_problems_holds():
    draws = np.random.default_rng(1).normal(0.3, 0.2, (5, 4000))
    low, high = compute_t_interval(draws)
    assert np.mean((low <= 0.3) & (high >= 0.3)) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: split_folds(1), "holding problems out needs at least 2 of them; got 1."),
        (lambda: compute_t_interval([1.0]), "an interval of a mean needs at least 2 problems."),
        (
            lambda: score_held_out(two_strategies(4), [3.0], split_folds(5)),
            "all options must cover the same problems; sc has 4 of 5.",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence


def test_clusters_stay_whole_in_folds_and_alone_are_refused():
    clusters = np.repeat(np.arange(7), 3)
    folds = split_folds(21, splits=3, clusters=clusters)
    for test in folds.test:
        assert all(test[clusters == cluster].all() or not test[clusters == cluster].any() for cluster in range(7))
    assert folds.test.sum(axis=0).tolist() == [3] * 21
    assert (split_folds(9, clusters=np.arange(9)).test == split_folds(9).test).all()
    with pytest.raises(DataError, match="holding clusters of problems out needs at least 2"):
        split_folds(4, clusters=["a"] * 4)
