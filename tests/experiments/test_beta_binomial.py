from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from experiments.beta_binomial import BetaBinomial, check_extrapolation, fit_beta_binomial, resample_curve
from isocompute.errors import DataError
from isocompute.fits import Pool, compute_percentile_interval, draw_bootstrap_weights
from isocompute.fits.laws.outvoting import compute_win_probability


def drawn(rng, problems, solutions, right=(0.6, 1.2), rival=(1.5, 2.0)):
    """A pool from the model: 0 is right, 1 the rival, and every other answer its own."""
    p, r = rng.beta(*right, (problems, 1)), rng.beta(*rival, (problems, 1))
    lucky, misled = rng.random((2, problems, solutions))
    answers = np.where(lucky < p, 0, np.where(misled < r, 1, 2 + np.arange(solutions)))
    return Pool(answers, np.zeros(problems, dtype=int))


def test_the_vote_of_many_is_the_mean_over_problems():
    rng = np.random.default_rng(0)
    p, r = rng.beta(0.6, 1.2, 2000), rng.beta(1.5, 2.0, 2000)
    model = BetaBinomial((0.6, 1.2), (1.5, 2.0), 64)
    sampled = [compute_win_probability(p, r, S).mean() for S in (1, 8, 64)]
    np.testing.assert_allclose(model.self_consistency([1, 8, 64]), sampled, atol=0.03)
    assert model.self_consistency([1, 2]) == pytest.approx([0.6 / 1.8] * 2)


def test_coverage_is_that_of_the_beta_binomial():
    model = BetaBinomial((0.4, 1.3), None, 64)
    np.testing.assert_allclose(model.coverage([1, 7, 300]), 1 - betabinom(np.array([1, 7, 300]), 0.4, 1.3).pmf(0))


@pytest.mark.parametrize("rival", [(0.3, 0.3), (1.0, 1.0), (5.0, 5.0)])
def test_the_vote_tends_to_its_limit(rival):
    model = BetaBinomial((0.5, 1.0), rival, 64)
    far = model.self_consistency([10**9])[0]
    assert model.compute_limit() == pytest.approx(far, abs=0.004)
    assert model.compute_limit() == pytest.approx(model.self_consistency([4096])[0], abs=0.03)


def test_data_from_the_model_give_its_parameters_back():
    found = np.array(
        [(*m.right, *m.rival) for m in (fit_beta_binomial(drawn(np.random.default_rng(i), 400, 48)) for i in range(6))]
    )
    np.testing.assert_allclose(np.exp(np.log(found).mean(axis=0)), [0.6, 1.2, 1.5, 2.0], rtol=0.12)
    assert (np.abs(np.log(found / [0.6, 1.2, 1.5, 2.0])) < 0.5).all()


def test_the_influence_is_what_leaving_a_problem_out_changes():
    pool = drawn(np.random.default_rng(3), 60, 32)
    model = fit_beta_binomial(pool)
    assert model.influence.shape == (60, 4)
    np.testing.assert_allclose(model.influence.sum(axis=0), 0, atol=1e-2)
    kept = np.arange(60) != 7
    without = fit_beta_binomial(Pool(pool.answers[kept], pool.gold[kept]))
    moved = np.log([*without.right, *without.rival]) - np.log([*model.right, *model.rival])
    np.testing.assert_allclose(moved, -model.influence[7] / 59, atol=0.01)


def test_the_interval_of_an_extrapolation_covers_the_truth():
    truth = BetaBinomial((0.6, 1.2), None, 1).coverage([256])[0]
    weights = draw_bootstrap_weights(100, 300, seed=0)
    held = []
    for world in range(60):
        model = fit_beta_binomial(drawn(np.random.default_rng(world), 100, 32))
        low, high = compute_percentile_interval(resample_curve(model, lambda m: m.coverage([256]), weights))
        held.append(low[0] <= truth <= high[0])
    assert 0.86 < np.mean(held) <= 1


@pytest.mark.parametrize("strategy", ["coverage", "sc"])
def test_held_out_solutions_agree_with_a_model_that_is_true(strategy):
    pool = drawn(np.random.default_rng(5), 150, 64)
    found = check_extrapolation(pool, [1, 4, 16, 64], draw_bootstrap_weights(150, 200, 1), strategy)
    assert found.fitted_on == 16
    assert (np.abs(found.error) < 0.05).all()
    assert ((found.interval[0] < found.error) & (found.error < found.interval[1])).all()
    assert ((found.interval[0] < 0) & (found.interval[1] > 0)).sum() >= 3


def test_held_out_solutions_show_a_model_that_is_false():
    right = np.repeat([[True], [False]], 60, axis=0)  # half the problems have one right solution in 40, by turns
    answers = np.where(right, 0, 1) * np.ones((120, 40), dtype=int)
    answers[60:, 25] = 0
    found = check_extrapolation(Pool(answers, np.zeros(120, dtype=int)), [40], draw_bootstrap_weights(120, 200, 1))
    assert found.error[0] < -0.3
    assert found.interval[1][0] < -0.3


def test_beyond_its_reach_the_model_warns():
    model = BetaBinomial((0.5, 1.0), None, 64)
    assert model.warn_beyond_reach(64) is None
    assert model.warn_beyond_reach(4096) == (
        "S=4,096 is 64 times the 64 solutions that the difficulty of the problems was fitted on: beyond 64 the "
        "estimate rests on the Beta distribution, not on data."
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: fit_beta_binomial(Pool([[0, 0]], [1])),
            "no solution of the pool is right, so its difficulty cannot be estimated.",
        ),
        (
            lambda: fit_beta_binomial(Pool([[0, 0]], [0])),
            "every solution of the pool is right, so its difficulty cannot be estimated.",
        ),
        (
            lambda: fit_beta_binomial(Pool([[0, 1]], [0]), 1),
            "solutions must lie between 2 and 2, those in the pool; got 1.",
        ),
        (
            lambda: BetaBinomial((1.0, 1.0), None, 8).self_consistency([3]),
            "the model was fitted without wrong answers, so it cannot predict votes.",
        ),
        (lambda: BetaBinomial((1.0, 1.0), None, 8).coverage([0]), "S must be at least 1; got 0."),
        (
            lambda: resample_curve(BetaBinomial((1.0, 1.0), None, 8), lambda m: m.coverage([1]), np.ones((1, 3)) / 3),
            "replicates need a model that was fitted to problems; this one's parameters were given.",
        ),
        (
            lambda: check_extrapolation(Pool([[0, 1]], [0]), [1], np.ones((1, 1))),
            "a comparison on held-out solutions needs at least 8 of each problem; got 2.",
        ),
        (
            lambda: check_extrapolation(Pool([[0, 1] * 4], [0]), [1], np.ones((1, 1)), "genrm"),
            "the strategy must be 'coverage' or 'sc'; got 'genrm'.",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
