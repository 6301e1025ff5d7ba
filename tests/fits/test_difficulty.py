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


@pytest.mark.parametrize(("verified", "lost"), [(0, 0), (4, 0), (12, 3)])
@pytest.mark.parametrize("tell", [assign_pass_rate_levels, assign_agreement_levels])
def test_samples_are_used_for_nothing_else(numbered, tell, verified, lost):
    pool = numbered(5, 12, verified)
    found = tell(pool, samples=3, repeats=6)
    assert (found.levels.shape, found.charge, len(found.pools)) == ((6, 5), 3.0, 6)
    for left in found.pools:
        assert (left.solutions, left.verified_solutions) == (9, verified - lost)
        assert all(len(set(row)) == 9 for row in left.answers)
        if verified:  # verdicts still stand beside their own solutions
            np.testing.assert_allclose(left.verdicts[:, :, 0], (left.answers[:, : left.verified_solutions] + 1) / 100)
    assert any((a.answers != b.answers).any() for a, b in zip(found.pools, found.pools[1:], strict=False))


def test_what_is_left_says_nothing_of_what_was_taken(numbered):
    """Over many draws a solution is taken as often as any other."""
    found = assign_pass_rate_levels(numbered(1, 6, 0), samples=2, repeats=3000)
    kept = np.bincount(np.concatenate([left.answers[0] for left in found.pools])) / 3000
    np.testing.assert_allclose(kept, 4 / 6, atol=0.04)


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
    assert all((left.solutions, left.verified_solutions) == (6, 4) for left in found.pools)


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
    assert all((a.answers == b.answers).all() for a, b in zip(one.pools, two.pools, strict=True))
    assert any((a.answers != b.answers).any() for a, b in zip(one.pools, other.pools, strict=True))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: assign_pass_rate_levels(Pool([[0, 1, 1]], [0]), 3),
            "samples must lie between 1 and 2, so that one solution is left for the strategy; got 3.",
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
