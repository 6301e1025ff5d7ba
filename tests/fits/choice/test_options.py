from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from isocompute.errors import DataError
from isocompute.fits import build_listed_options, build_verified_options, build_voting_options

S, V = np.array([1, 2, 4, 8, 16]), np.array([1, 2, 4])
RNG = np.random.default_rng(0)
CURVES, SURFACES = RNG.random((6, 5)), RNG.random((6, 5, 3))
ROWS = RNG.dirichlet(np.ones(6), 4)


def interpolate(s, v):
    """SciPy's own bilinear interpolation of the surfaces, in log S and log V: (P, allocations)."""
    found = RegularGridInterpolator((np.log(S), np.log(V)), np.moveaxis(SURFACES, 0, -1))
    return found(np.stack([np.log(s), np.log(v)], axis=-1)).T


def test_the_best_is_the_best_of_every_whole_allocation():
    options = build_verified_options(SURFACES, S, V, 0.7)
    s, v = (grid.ravel() for grid in np.meshgrid(np.arange(1, 17), np.arange(1, 5)))
    every = ROWS @ interpolate(s, v)
    budgets = [1.0, 1.7, 6.0, 30.0, 999.0]
    accuracy, chosen = options.choose_allocations(ROWS, budgets)
    for i, budget in enumerate(budgets):
        fits = s * (1 + 0.7 * v) <= budget + 1e-9
        if fits.any():
            np.testing.assert_allclose(accuracy[:, i], every[:, fits].max(axis=1), atol=1e-12)
        else:
            assert np.isnan(accuracy[:, i]).all()
            assert (chosen[:, i] == -1).all()


def test_each_problem_s_accuracy_is_that_of_the_allocation():
    options = build_verified_options(SURFACES, S, V, 0.7)
    accuracy, chosen = options.choose_allocations(ROWS, [9.0, 40.0])
    picked = [options.grid.numbers[name][chosen[2]] for name in ("S", "V")]
    who = np.arange(6) % 2 == 0
    np.testing.assert_allclose(options.compute_accuracies(chosen[2], who), interpolate(*picked)[who], atol=1e-12)
    np.testing.assert_allclose(ROWS[2] @ options.compute_accuracies(chosen[2], who | True), accuracy[2], atol=2e-5)
    assert np.isnan(options.compute_accuracies(np.array([-1]), who)).all()


def test_listed_options_come_in_order_of_cost_with_their_numbers():
    beam = build_listed_options([[0.7, 0.5, 0.6]], [8.5, 4.2, 6.0], {"N": [8, 4, 6]}, "beam")
    assert (beam.lowest_cost, beam.highest_cost) == (4.2, 8.5)
    assert [beam.label_allocation(i) for i in range(3)] == ["N=4", "N=6", "N=8"]
    assert beam.choose_allocations([[1.0]], [4.0, 5.0, 7.0, 100.0])[1].tolist() == [[-1, 0, 1, 2]]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: build_voting_options([[0.4]], [1], "bon", each=0.5),
            "each, the cost of a solution with its verifications or score, must be at least 1; got 0.5.",
        ),
        (lambda: build_voting_options([0.4, 0.5], [1, 2]), "curve must have the shape (P, 2); got (2,)."),
        (
            lambda: build_listed_options([[0.5]], [0.0], {"N": [1]}, "beam"),
            "cost must be a non-empty sequence of positive numbers, in x; got [0.0].",
        ),
        (
            lambda: build_listed_options([[0.5]], [2.0], {"N": [1, 2]}, "beam"),
            "N must be given for each of the 1 costs; its shape is (2,).",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
