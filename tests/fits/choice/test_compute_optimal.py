from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    build_listed_options,
    build_voting_options,
    choose_compute_optimal,
    draw_bootstrap_weights,
    score_single_choice,
    split_folds,
    stack_options,
)

RNG = np.random.default_rng(0)
LEVELS = np.repeat([1, 2], 20)


def search(noise=0.0, seed=0, hard=0.3):
    """Option 0 is better on level 1, by 30 points, and option 1 on level 2, by 10 or so; they cost the same."""
    accuracy = np.where(LEVELS[:, None] == 1, [0.9, 0.6], [0.2, hard])
    noisy = accuracy + np.random.default_rng(seed).normal(0, noise, accuracy.shape)
    return build_listed_options(noisy, [8, 8], {"N": [0, 1]}, "search")


def chosen(options, levels=LEVELS[None], whole=None, budgets=(8.0, 16.0), charge=0.0):
    weights = draw_bootstrap_weights(40, 200, 0)
    return choose_compute_optimal(
        [options],
        levels,
        score_single_choice([whole or options], budgets, split_folds(40, splits=4)),
        budgets,
        weights,
        charge,
        split_folds(40, splits=4),
    )


def test_each_level_gets_its_best_option_and_the_gain_is_the_difference():
    found = chosen(search())
    assert [level.choices for level in found.levels] == [["search N=0"] * 2, ["search N=1"] * 2]
    np.testing.assert_allclose(found.by_difficulty.accuracy, 0.6)
    np.testing.assert_allclose(found.by_difficulty.optimistic, 0.6)
    assert found.one_for_all.accuracy[0] == pytest.approx(0.55)
    np.testing.assert_allclose(found.gain, found.by_difficulty.accuracy - found.one_for_all.accuracy)
    assert (found.gain_low <= found.gain).all()
    assert (found.gain_high >= found.gain).all()


def test_a_charge_is_taken_from_every_budget():
    found = chosen(search(), charge=4.0)
    assert np.isnan(
        [found.gain[0], found.gain_low[0], found.by_difficulty.accuracy[0], found.by_difficulty.low[0]]
    ).all()
    assert found.levels[0].choices == [None, "search N=0"]
    assert found.one_for_all.accuracy[0] == pytest.approx(0.55)  # pays nothing
    assert np.isfinite(found.gain[1])


def test_levels_add_up_to_all():
    noisy = search(0.2)
    found = chosen(noisy)
    shares = np.array([level.problem_share for level in found.levels])
    together = shares @ np.array([level.by_difficulty.accuracy for level in found.levels])
    np.testing.assert_allclose(together, found.by_difficulty.accuracy)
    assert shares.sum() == pytest.approx(1)
    assert (found.by_difficulty.optimistic >= found.by_difficulty.accuracy).all()


def test_a_problem_that_is_drawn_into_two_levels_counts_half_in_each():
    one, two = search(0.2, seed=1), search(0.2, seed=2)
    swapped = np.stack([LEVELS, 3 - LEVELS])
    found = chosen(stack_options([one, two]), swapped, one)
    assert [level.problem_share for level in found.levels] == [0.5, 0.5]
    assert found.gain[0] == pytest.approx(found.by_difficulty.accuracy[0] - found.one_for_all.accuracy[0])


def test_levels_that_say_nothing_gain_nothing():
    """Problems in random levels: the optimistic number rises, the held-out one does not."""
    gains, optimistic = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = chosen(search(0.2, seed, hard=0.5), rng.permutation(LEVELS)[None])
        gains.append(found.gain[0])
        optimistic.append(found.by_difficulty.optimistic[0] - found.one_for_all.optimistic[0])
    assert np.mean(gains) < 2 * np.std(gains) / np.sqrt(40)
    assert np.mean(optimistic) > 3 * np.std(optimistic) / np.sqrt(40)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: chosen(search(), LEVELS),
            "levels must have the shape (R, P), and each strategy R·P rows; got (40,) and [40].",
        ),
        (
            lambda: stack_options([build_voting_options([[0.5]], [1]), build_voting_options([[0.5, 0.6]], [1, 2])]),
            "pools that are stacked must have the same problems and the same knots.",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence


def test_of_one_strategy_its_best_option_is_what_is_chosen_on_each_level():
    found = chosen(search(noise=0.05))
    for level in found.levels:
        assert list(level.by_strategy) == ["search"]
        np.testing.assert_array_equal(level.by_strategy["search"].accuracy, level.by_difficulty.accuracy)
        np.testing.assert_array_equal(level.by_strategy["search"].low, level.by_difficulty.low)
