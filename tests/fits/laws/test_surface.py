from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    SurfaceSmoother,
    compute_percentile_interval,
    draw_bootstrap_weights,
    fit_smoother,
    resample_means,
)

S, V = 2 ** np.arange(9), 2 ** np.arange(6)
LADDER = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32])
BETWEEN = np.array([1.0, 1.7, 5.0, 33.3, 256.0]), np.array([1.0, 31.0, 3.3, 9.0, 32.0])


def parabola(S, V):
    """Quadratic in log S and in log V, and the same at every V for S = 1."""
    x, y = np.log2(S), np.log2(V)
    return 0.3 + x * (0.09 + 0.02 * y - 0.003 * y**2) - x**2 * (0.006 - 0.001 * y)


def test_without_a_penalty_every_cell_is_kept():
    rows = np.random.default_rng(0).random((2, len(LADDER), len(V)))
    rows[:, 0] = 0.4
    cells = np.meshgrid(LADDER, V, indexing="ij")
    smooth = SurfaceSmoother(LADDER, V, (0.0, 0.0)).predict_accuracy(rows, cells[0].ravel(), cells[1].ravel())
    np.testing.assert_allclose(smooth.reshape(rows.shape), rows, atol=1e-9)


@pytest.mark.parametrize("penalty", [0.0, 0.3, 1000.0])
@pytest.mark.parametrize("knots", [S, LADDER, S[1:]])
def test_a_parabola_is_left_as_it_is(penalty, knots):
    surface = parabola(knots[:, None], V)
    at = np.geomspace(knots[0], knots[-1], 5), BETWEEN[1]
    np.testing.assert_allclose(
        SurfaceSmoother(knots, V, (penalty, penalty)).predict_accuracy(surface, *at), parabola(*at), atol=1e-7
    )


@pytest.mark.parametrize(("nS", "nV"), [(1, 1), (2, 3), (3, 2), (4, 1)])
def test_few_knots_are_joined_by_what_runs_through_them(nS, nV):
    rows = np.random.default_rng(1).random((nS, nV))
    rows[0] = rows[0, 0]
    smooth = fit_smoother(np.stack([rows, rows]), S[:nS], V[:nV])
    assert smooth.predict_accuracy(rows, [S[nS - 1]], [V[nV - 1]])[0] == pytest.approx(rows[-1, -1])


def test_one_solution_is_as_good_however_often_it_is_verified():
    rng = np.random.default_rng(2)
    surface = parabola(S[:, None], V) + rng.normal(0, 0.03, (9, 6))
    surface[0] = 0.41
    smooth = SurfaceSmoother(S, V, (10.0, 10.0)).predict_accuracy(surface, np.ones(7), np.linspace(1, 32, 7))
    np.testing.assert_allclose(smooth, 0.41)


def test_smoothing_a_mean_is_the_mean_of_what_was_smoothed():
    rng = np.random.default_rng(3)
    problems, smooth = rng.random((20, 9, 6)), SurfaceSmoother(S, V, (1.0, 0.1))
    np.testing.assert_allclose(
        smooth.predict_accuracy(problems.mean(axis=0), *BETWEEN),
        smooth.predict_accuracy(problems, *BETWEEN).mean(axis=0),
    )
    assert smooth.compute_cell_weights(*BETWEEN).sum(axis=(0, 1)) == pytest.approx(1)


@pytest.mark.parametrize("problems", [1, 60])
def test_the_penalty_is_large_for_noise_and_small_for_structure(problems):
    rng = np.random.default_rng(4)
    waves = 0.5 + 0.2 * np.sin(1.5 * np.log2(S))[:, None] + 0.2 * np.cos(2 * np.log2(V))
    chosen = {"noise": [], "waves": []}
    for _ in range(15):
        noise = rng.normal(0, 0.04 * np.sqrt(problems), (problems, 9, 6))
        for name, surfaces in (("noise", parabola(S[:, None], V) + noise), ("waves", waves + noise / 10)):
            chosen[name].append(fit_smoother(surfaces if problems > 1 else surfaces[0], S, V).penalties)
    assert (np.median(chosen["noise"], axis=0) >= 3).all()
    assert (np.median(chosen["waves"], axis=0) <= 0.1).all()


def test_smoothing_comes_closer_to_the_truth_than_the_cells():
    rng = np.random.default_rng(5)
    truth = parabola(S[:, None], V)
    cells = np.meshgrid(S, V, indexing="ij")
    raw, smooth = [], []
    for _ in range(20):
        problems = truth + rng.normal(0, 0.2, (64, 9, 6))
        found = fit_smoother(problems, S, V).predict_accuracy(problems.mean(axis=0), cells[0].ravel(), cells[1].ravel())
        raw.append(((problems.mean(axis=0) - truth)[1:] ** 2).mean())
        smooth.append(((found.reshape(9, 6) - truth)[1:] ** 2).mean())
    assert np.mean(smooth) < 0.5 * np.mean(raw)


def test_the_interval_of_the_surface_covers_the_truth():
    rng = np.random.default_rng(6)
    weights = draw_bootstrap_weights(80, 300, seed=0)
    covered = []
    for _ in range(200):
        merit = rng.normal(0, 0.2, (80, 1, 1)) + rng.normal(0, 0.05, (80, 1, 1)) * np.log2(S)[:, None]
        problems = parabola(S[:, None], V) + merit + rng.normal(0, 0.02, (80, 9, 6))
        low, high = compute_percentile_interval(
            fit_smoother(problems, S, V).predict_accuracy(resample_means(problems, weights), *BETWEEN)
        )
        covered.append((low <= parabola(*BETWEEN)) & (parabola(*BETWEEN) <= high))
    assert (np.mean(covered, axis=0) > 0.89).all()
    assert (np.mean(covered, axis=0) < 0.99).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: SurfaceSmoother(S, V, (1.0, 1.0)).predict_accuracy(np.zeros((9, 6)), [300], [1]),
            "S must lie in the measured range 1 to 256; got 300.",
        ),
        (
            lambda: SurfaceSmoother(S, V, (1.0, 1.0)).predict_accuracy(np.zeros((9, 6)), [3], [0.5]),
            "V must lie in the measured range 1 to 32; got 0.5.",
        ),
        (
            lambda: SurfaceSmoother(S, V, (1.0, 1.0)).predict_accuracy(np.zeros((9, 6)), [np.nan], [1]),
            "S must lie in the measured range 1 to 256; got nan.",
        ),
        (
            lambda: fit_smoother(np.zeros((2, 3, 9, 6)), S, V),
            "surface must have the shape (P, nS, nV) or (nS, nV); got (2, 3, 9, 6).",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
