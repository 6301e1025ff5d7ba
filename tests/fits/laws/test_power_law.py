from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from isocompute.errors import DataError
from isocompute.fits.laws.power_law import PowerLaw, fit_least_squares, fit_tobit

X = np.log(2.0 ** np.arange(4, 14))


def drawn(slope, sigma, caps, rows, seed):
    """Points about lines, those beyond a cap replaced by it: y, side."""
    y = 0.4 + slope * X + np.random.default_rng(seed).normal(0, sigma, (rows, len(X)))
    low, high = caps
    return np.clip(y, low, high), np.where(y >= high, 1, np.where(y <= low, -1, 0))


def test_lines_through_some_of_the_points_are_those_of_polyfit():
    y, used = drawn(0.6, 0.3, (-9, 99), 5, 0)[0], np.random.default_rng(1).random((5, 10)) < 0.6
    slope, intercept = fit_least_squares(X, y, used)
    for row in range(5):
        expected = np.polyfit(X[used[row]], y[row, used[row]], 1)
        np.testing.assert_allclose([slope[row], intercept[row]], expected)
    assert np.isnan(fit_least_squares(X, y, np.arange(10) < 2 * np.ones((5, 1)))[0]).all()


def test_without_bounds_it_is_least_squares():
    y, side = drawn(0.5, 0.3, (-99, 99), 4, 2)
    for found, expected in zip(fit_tobit(X, y, side), fit_least_squares(X, y), strict=False):
        np.testing.assert_allclose(found, expected)


def test_it_is_the_maximum_of_the_likelihood():
    y, side = drawn(0.5, 0.4, (2.2, 4.0), 3, 3)
    assert (side == 1).any()
    assert (side == -1).any()
    slope, intercept, sigma = fit_tobit(X, y, side)
    for row in range(3):

        def loss(theta, row=row):
            z = (y[row] - theta[0] - theta[1] * X) / np.exp(theta[2])
            parts = [norm.logpdf(z) - theta[2], norm.logsf(z), norm.logcdf(z)]
            return -np.select([side[row] == 0, side[row] == 1, side[row] == -1], parts).sum()

        best = minimize(loss, [0.5, 0.5, -1.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}).x
        np.testing.assert_allclose([intercept[row], slope[row], sigma[row]], [*best[:2], np.exp(best[2])], atol=2e-4)


def test_a_slope_that_a_cap_hides_is_found_again():
    y, side = drawn(0.5, 0.2, (-99, 3.5), 300, 4)
    assert 0.3 < (side != 0).mean() < 0.5
    assert fit_least_squares(X, y)[0].mean() < 0.42
    assert fit_tobit(X, y, side)[0].mean() == pytest.approx(0.5, abs=0.02)


def test_bounds_that_the_line_keeps_anyway_change_little():
    y = 0.5 * X[None] + np.array([0.1, -0.1] * 5)
    side = np.array([[0] * 7 + [1] * 3])
    loose = np.where(side == 1, y - 3, y)
    slope = fit_tobit(X, loose, side)[0]
    assert slope == pytest.approx(fit_least_squares(X, y, side == 0)[0], abs=0.01)


def test_points_on_a_line_do_not_make_it_infinitely_sure():
    y, side = np.array([[1.0, 2.0, 3.0, 3.5, 3.5]]), np.array([[0, 0, 0, 1, 1]])
    slope, _, sigma = fit_tobit(np.arange(5.0), y, side)
    assert sigma == pytest.approx(0.1)
    assert slope == pytest.approx(1.0, abs=0.05)


def test_two_points_that_are_no_bounds_are_too_few():
    found = fit_tobit(X[:4], np.ones((1, 4)), np.array([[0, 0, 1, 1]]))
    assert np.isnan(found).all()


def test_shapes_that_do_not_match_are_refused():
    with pytest.raises(DataError, match=r"must match; got \(3,\), \(1, 4\), \(1, 4\)\."):
        fit_tobit([1.0, 2.0, 3.0], np.ones((1, 4)), np.zeros((1, 4)))


def test_the_interval_of_a_law_holds_that_of_the_exponent_and_the_law_itself():
    rng = np.random.default_rng(3)
    replicates = np.stack([rng.normal(0.5, 0.05, 1000), rng.normal(np.log(2), 0.2, 1000)], axis=1)
    law = PowerLaw(0.5, 2.0, (0.4, 0.6), (1.4, 3.0), replicates)
    low, high = law.enclose_optimum([1, 16, 256])
    expected = np.exp(np.quantile(replicates[:, 1, None] + replicates[:, :1] * np.log([1, 16, 256]), (0.025, 0.975), 0))
    np.testing.assert_allclose([low, high], expected, rtol=0.02)
    assert all(low[i] < law.predict_optimum(x) < high[i] for i, x in enumerate((1, 16, 256)))
    assert PowerLaw(0.5, 2.0, None, None, replicates).enclose_optimum([1]) is None
    assert PowerLaw(0.5, 2.0, (0.4, 0.6), None).enclose_optimum([1]) is None
