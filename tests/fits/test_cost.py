from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    ModelWork,
    compute_allocation_cost,
    compute_verification_ratio,
    compute_verification_ratios,
    convert_to_solutions,
    count_row_tokens,
)


def test_compute_counts_solutions():
    assert compute_allocation_cost(128, 0, 2.0) == 128
    np.testing.assert_array_equal(compute_allocation_cost([[1], [4]], [1, 32], 2.0), [[3, 65], [12, 260]])


def test_the_ratio_is_of_means_not_a_mean_of_ratios():
    assert compute_verification_ratio([[100, 300]], [50, 150, 400]) == 1.0


def test_tokens_are_counted_in_three_ways_row_by_row():
    ways = count_row_tokens([[5, 7]], [[100, 200]], [[0, 192]])
    assert {way: tokens.tolist() for way, tokens in ways.items()} == {
        "completion": [[5, 7]],
        "prompts": [[105, 207]],
        "cached": [[105, 15]],
    }


def test_one_unknown_count_makes_the_ways_that_need_it_unknown_and_no_other():
    known = count_row_tokens([10, 10], [90, 90], [80, 80])
    ratios = compute_verification_ratios(known, count_row_tokens([5, 5], [45, np.nan], [35, 35]))
    assert ratios["completion"] == 0.5
    assert np.isnan([ratios["prompts"], ratios["cached"]]).all()
    ratios = compute_verification_ratios(count_row_tokens([10, 10], [90, 90], [np.nan, 80]), known)
    assert (ratios["completion"], ratios["prompts"]) == (1, 1)
    assert np.isnan(ratios["cached"])


def test_a_prompt_that_is_all_cached_costs_nothing():
    everything = count_row_tokens([8, 8], [1000, 1000], [1000, 1000])
    assert compute_verification_ratios(everything, everything) == {"completion": 1, "prompts": 1, "cached": 1}
    ratios = compute_verification_ratios(count_row_tokens([8], [1000], [0]), count_row_tokens([8], [1000], [1000]))
    assert ratios["cached"] == 8 / 1008


def test_what_is_done_with_a_problem_costs_the_flops_of_its_models_over_those_of_a_solution():
    """Counted by hand: a solution is 10 tokens of a model of 3 parameters, after a prompt of 5 of which 4 are cached;
    a search samples 30 after prompts of 40, 25 cached; its scorer of 6 parameters reads 70, 50 cached."""
    solution = ModelWork(count_row_tokens(10, 5, 4), 3)
    search = [ModelWork(count_row_tokens(30, 40, 25), 3), ModelWork(count_row_tokens(0, 70, 50, scored=30), 6)]
    assert convert_to_solutions(search, solution) == {
        "completion": (2 * 3 * 30 + 2 * 6 * 30) / (2 * 3 * 10),
        "prompts": (2 * 3 * 70 + 2 * 6 * 70) / (2 * 3 * 15),
        "cached": (2 * 3 * 45 + 2 * 6 * 20) / (2 * 3 * 11),
    }


def test_a_token_that_is_read_may_count_less_than_one_that_is_decoded():
    ways = count_row_tokens(30, 40, 25, scored=10, read=0.1)
    assert {way: float(tokens) for way, tokens in ways.items()} == {"completion": 31, "prompts": 34, "cached": 31.5}


def test_solutions_and_their_verifications_come_to_the_formula_of_the_study_under_the_same_rule():
    rng = np.random.default_rng(0)
    for S, V in ((1, 0), (7, 0), (1, 1), (5, 3)):
        tokens = rng.integers(1, 500, (3, S)), rng.integers(1, 500, (3, S * V or 1))
        solved, verified = ([count_row_tokens(row, 9, 4) for row in of.T] for of in tokens)
        mean_solution, mean_verification = (count_row_tokens(of, 9, 4) for of in tokens)
        lam = compute_verification_ratios(mean_solution, mean_verification, relative=2)
        done = [ModelWork(row, 3) for row in solved] + [ModelWork(row, 6) for row in verified if V]
        for way, x in convert_to_solutions(done, ModelWork(mean_solution, 3)).items():
            np.testing.assert_allclose(x, compute_allocation_cost(S, V, lam[way]))


def test_a_cost_of_which_a_part_is_unknown_is_unknown_and_never_a_number():
    solution, search = ModelWork(count_row_tokens(10, 5, 4)), ModelWork(count_row_tokens(30, 40, 25))
    unknown = convert_to_solutions([search, ModelWork(count_row_tokens(0, 70, np.nan, scored=30))], solution)
    assert (unknown["completion"], unknown["prompts"]) == (6, 140 / 15)
    assert np.isnan(unknown["cached"])
    assert np.isnan(list(convert_to_solutions([search], ModelWork(count_row_tokens([np.nan, 1], 5, 4))).values())).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: convert_to_solutions(
                [ModelWork(count_row_tokens(1, 1, 1), 0)], ModelWork(count_row_tokens(1, 1, 1))
            ),
            "a model's parameters must be positive; got 0.",
        ),
        (
            lambda: convert_to_solutions(
                [ModelWork(count_row_tokens([-1], 1, 1))], ModelWork(count_row_tokens(1, 1, 1))
            ),
            "tokens must be counts ≥ 0, of at least one row.",
        ),
        (
            lambda: convert_to_solutions([], ModelWork(count_row_tokens(0, 1, 1))),
            "solution must have sampled tokens: compute is counted in them.",
        ),
        (lambda: count_row_tokens(1, 1, 1, read=0), "read, the cost of a token that is read, must be positive; got 0."),
        (
            lambda: compute_allocation_cost(1, 1, 0.0),
            "lam, the cost of a verification in solutions, must be positive; got 0.0.",
        ),
        (
            lambda: compute_allocation_cost(1, 1, np.nan),
            "lam, the cost of a verification in solutions, must be positive; got nan.",
        ),
        (lambda: compute_allocation_cost([1, 0], 1, 1.0), "S must be at least 1; got 0.0."),
        (lambda: compute_allocation_cost(1, -1, 1.0), "V must be at least 0; got -1.0."),
        (
            lambda: compute_verification_ratio([], [1]),
            "solution_tokens must hold token counts ≥ 0, at least one of them positive.",
        ),
        (
            lambda: compute_verification_ratio([5], [0, 0]),
            "verification_tokens must hold token counts ≥ 0, at least one of them positive.",
        ),
    ],
)
def test_a_bad_cost_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
