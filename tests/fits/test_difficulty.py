from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    Pool,
    assign_agreement_levels,
    assign_given_levels,
    assign_oracle_levels,
    assign_pass_rate_levels,
    assign_quantile_levels,
    assign_verdict_levels,
    cut_pool,
    order_seen_first,
)


@pytest.fixture
def numbered():
    """A pool in which every solution has an answer, and every verified one a verdict, of its own."""

    def draw(problems, solutions, verified) -> Pool:
        verdicts = None
        if verified:
            verdicts = (np.arange(verified) + 1)[None, :, None] / 100 * np.ones((problems, 1, 2))
        return Pool(np.tile(np.arange(solutions), (problems, 1)), np.zeros(problems, dtype=int), verdicts)

    return draw


def test_distinct_values_fall_into_equal_levels_the_highest_first():
    values = np.random.default_rng(0).permutation(20)
    levels = assign_quantile_levels(values)
    assert np.bincount(levels)[1:].tolist() == [4] * 5
    assert values[levels == 1].min() > values[levels == 2].max()


def test_equal_values_are_never_split():
    values = np.random.default_rng(1).integers(0, 4, 200)
    levels = assign_quantile_levels(values)
    assert all(len(set(levels[values == value])) == 1 for value in range(4))
    assert sorted(set(levels)) == sorted({levels[values == value][0] for value in range(4)})
    assert assign_quantile_levels([0.5, 0.5, 0.5]).tolist() == [3, 3, 3]


@pytest.mark.parametrize("verified", [0, 4, 12])
@pytest.mark.parametrize("tell", [assign_pass_rate_levels, assign_agreement_levels])
def test_what_was_seen_comes_first_and_every_strategy_can_use_it(numbered, tell, verified):
    pool = numbered(5, 12, verified)
    found = tell(pool, samples=3, repeats=6)
    assert (found.levels.shape, found.charge, found.samples) == ((6, 5), 3.0, 3)
    assert found.seen.max() < (verified or 12)
    for draw in range(6):
        ordered = order_seen_first(found, draw, pool, verified or 12, bool(verified), orders=2)
        assert ordered.problems == 10
        for row, answers in enumerate(ordered.answers):
            assert set(answers[:3]) == set(found.seen[draw, row % 5])
            assert len(set(answers)) == (verified or 12)
        if verified:  # verdicts still stand beside their own solutions
            np.testing.assert_allclose(ordered.verdicts[:, :, 0], (ordered.answers + 1) / 100)
    assert any((one != other).any() for one, other in zip(found.seen, found.seen[1:], strict=False))


def test_every_solution_is_seen_as_often_as_any_other_and_follows_as_often(numbered):
    pool = numbered(1, 6, 0)
    found = assign_pass_rate_levels(pool, samples=2, repeats=2000)
    np.testing.assert_allclose(np.bincount(found.seen.ravel()) / 2000, 2 / 6, atol=0.04)
    third = [order_seen_first(found, draw, pool, 6, False).answers[0, 2] for draw in range(2000)]
    np.testing.assert_allclose(np.bincount(third) / 2000, 1 / 6, atol=0.03)


def test_the_verdict_that_was_read_comes_first_and_missing_ones_last():
    verdicts = np.arange(24).reshape(1, 4, 6) / 100
    verdicts[0, :, 4:] = np.nan
    pool = Pool([[0, 1, 2, 3]], [0], verdicts, judged=[[4] * 4])
    found = assign_verdict_levels(pool, 2, 1.0, repeats=20)
    for draw in range(20):
        ordered = order_seen_first(found, draw, pool, 4, True)
        read = [verdicts[0, s, v] for s, v in zip(found.seen[draw, 0], found.seen_verdicts[draw, 0], strict=True)]
        assert set(ordered.verdicts[0, :2, 0]) == set(read)
        assert np.isnan(ordered.verdicts[0, :, 4:]).all()
        assert not np.isnan(ordered.verdicts[0, :, :4]).any()


def test_a_cut_pool_keeps_the_first_solutions_and_verdicts(random_pool):
    pool = random_pool(4, 6, 5)
    cut = cut_pool(pool, 3, 2)
    np.testing.assert_array_equal(cut.answers, pool.answers[:, :3])
    np.testing.assert_array_equal(cut.verdicts, pool.verdicts[:, :3, :2])
    assert (cut.judged == 2).all()
    assert cut_pool(pool, 3).verdicts is None


def test_pass_rate_and_agreement_count_the_samples():
    pool = Pool([[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 2, 3], [-1, -1, -1, -1]], [0, 0, 0, 0])
    for repeat in assign_pass_rate_levels(pool, 3, repeats=4, bins=2).levels:
        assert repeat[0] == 1
        assert repeat[1] == repeat[3] == 2
    for repeat in assign_agreement_levels(pool, 3, repeats=4, bins=4).levels:
        assert repeat[0] == repeat[1] < repeat[2] < repeat[3]


def test_the_mean_verdict_pays_for_its_verifications():
    verdicts = np.stack([np.full((6, 4), score) for score in (0.0, 1.0, 0.5, 1.0)])
    found = assign_verdict_levels(
        Pool([[0] * 8, [0] * 8, [0] * 8, [-1] * 8], [0] * 4, verdicts), 2, lam=0.7, repeats=3, bins=4
    )
    assert found.charge == pytest.approx(2 * 1.7)
    assert (found.levels == [4, 1, 2, 4]).all()
    assert found.seen_verdicts.shape == (3, 4, 2)


def test_only_the_oracles_take_the_right_answers(random_pool):
    pool = random_pool(6, 8)
    known = {
        assign_oracle_levels(pool): False,
        assign_pass_rate_levels(pool, 2): False,
        assign_agreement_levels(pool, 2): True,
        assign_verdict_levels(pool, 2, 1.0): True,
    }
    assert all(found.in_practice == practical for found, practical in known.items())
    assert assign_given_levels(np.arange(6), pool).in_practice
    assert (assign_oracle_levels(pool).charge, assign_given_levels(np.arange(6), pool).charge) == (0, 0)


def test_the_same_seed_gives_the_same_draws(random_pool):
    pool = random_pool(6, 8)
    one, two, other = (assign_agreement_levels(pool, 2, seed=seed) for seed in (1, 1, 2))
    assert (one.seen == two.seen).all()
    assert (one.seen != other.seen).any()
    first, second = (order_seen_first(one, 1, pool, 8, False).answers for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: assign_pass_rate_levels(Pool([[0, 1, 1]], [0]), 4),
            "samples must lie between 1 and 3, the solutions that every strategy can use; got 4.",
        ),
        (
            lambda: assign_verdict_levels(Pool([[0, 1]], [0]), 1, 1.0),
            "difficulty by score needs verdicts; this pool has none.",
        ),
        (
            lambda: assign_given_levels([1.5], Pool([[0, 1]], [0])),
            "levels must be one integer for each of 1 problems; got (1,).",
        ),
        (
            lambda: assign_quantile_levels([np.nan]),
            "difficulty needs at least one value, and all values must be finite.",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
