"""Intervals of accuracies within a budget whose cost is uncertain too, in simulated worlds with a known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isocompute.fits.choice.certainty import compute_best_probabilities, enclose_differences
from isocompute.fits.choice.cost_error import (
    OCTAVE,
    compute_shift_covariance,
    measure_frontier_slope,
    measure_log_error,
    widen_mean_interval,
)
from isocompute.fits.choice.options import build_verified_options, build_voting_options
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.fits.choice.recommendation import ChosenAllocation
from isocompute.fits.mean_intervals import compute_mean_interval
from isocompute.fits.ratio_interval import compute_ratio_interval
from isocompute.planner.prior import read_accuracy_prior

WORLDS, PROBLEMS, BUDGET, KNOTS = 400, 100, 40.0, [1, 2, 4, 8, 16, 32, 64]
GAIN = 0.05  # accuracy per doubling of S
TRUE_RATIO = 2.0


def draw_world(rng, hardness):
    """Return accuracies (P, nS), and the costs of a solution and a verification, all of them tied to difficulty."""
    difficulty = rng.uniform(-1, 1, PROBLEMS)
    accuracy = 0.4 - 0.15 * difficulty[:, None] + GAIN * np.log2(KNOTS)
    solution = rng.gamma(4, 1 / 4, PROBLEMS)
    verification = TRUE_RATIO * rng.gamma(1.5, 1 / 1.5, PROBLEMS) * (1 + hardness * difficulty)
    return accuracy, solution, verification


def reach_accuracy(ratio):
    """The true mean accuracy within the budget, of one verification a solution at the cost S(1 + λ)."""
    return 0.4 + GAIN * np.log2(BUDGET / (1 + ratio))


@pytest.mark.parametrize(("hardness", "naive"), [(0.9, (0.75, 0.9)), (0.0, (0.9, 0.94)), (-0.9, (0.94, 1.0))])
def test_the_accuracy_within_a_budget_is_covered_where_its_cost_is_uncertain(hardness, naive):
    """With the cost left out, the interval holds too seldom where hard problems are dear, the usual case."""
    rng = np.random.default_rng(20250402)
    held, without = [], []
    for _ in range(WORLDS):
        accuracy, solution, verification = draw_world(rng, hardness)
        ratio = verification.mean() / solution.mean()
        values = accuracy[:, 0] + GAIN * np.log2(BUDGET / (1 + ratio))
        deviations = ratio / (1 + ratio) * (verification / verification.mean() - solution / solution.mean())
        S = np.arange(1, 65)
        slope = measure_frontier_slope(S * (1 + ratio), GAIN * np.log2(S), BUDGET, measure_log_error(deviations))
        low, high = (float(end) for end in compute_mean_interval(values))
        wide = widen_mean_interval((low, high), values.mean(), values, -slope * deviations)
        truth = reach_accuracy(TRUE_RATIO)
        held.append(wide[0] <= truth <= wide[1])
        without.append(low <= truth <= high)
    assert 0.92 <= np.mean(held) <= 0.98
    assert naive[0] <= np.mean(without) <= naive[1]


def test_the_gap_of_two_strategies_is_covered_where_the_cost_of_one_is_uncertain():
    rng = np.random.default_rng(20250402)
    prior, held, without = read_accuracy_prior(), [], []
    for _ in range(WORLDS // 2):
        accuracy, solution, verification = draw_world(rng, 0.9)
        ratio = verification.mean() / solution.mean()
        noise = rng.normal(0, 0.02, (PROBLEMS, 1))
        votes = build_voting_options(np.clip(accuracy - 0.05 + noise, 0, 1), KNOTS)
        verified = build_verified_options(accuracy[:, :, None], KNOTS, [1], ratio)
        posterior = compute_posterior([votes, verified], prior)
        expected = posterior.compute_expected_accuracies()
        rows = []
        for index, table in enumerate((votes, verified)):
            at = int(np.searchsorted(table.grid.cost, BUDGET * (1 + 1e-12), side="right") - 1)
            rows.append(ChosenAllocation(index, at, float(expected[index][at]), float(table.grid.cost[at])))
        deviations = ratio / (1 + ratio) * (verification / verification.mean() - solution / solution.mean())
        slope = measure_frontier_slope(verified.grid.cost, expected[1], BUDGET, measure_log_error(deviations))
        shifts = np.column_stack([np.zeros(PROBLEMS), -slope * deviations])
        chosen = [(row.table, row.allocation) for row in rows]
        added = compute_shift_covariance(posterior, chosen, shifts)
        truth = reach_accuracy(TRUE_RATIO) - (0.35 + GAIN * np.log2(BUDGET))
        wide, narrow = (enclose_differences(posterior, rows, 1, added=more)[0] for more in (added, None))
        held.append(wide[0] <= truth <= wide[1])
        without.append(narrow[0] <= truth <= narrow[1])
    assert np.mean(held) >= 0.92
    assert np.mean(without) < np.mean(held)
    near = [replace(row, accuracy=0.6 + 0.01 * row.table) for row in rows]
    sure, unsure = (compute_best_probabilities(posterior, near, 0.0, more)[1] for more in (None, added))
    assert 0.5 < unsure < sure


def test_a_slope_is_a_secant_over_an_octave_or_over_the_interval_of_the_cost():
    cost = np.arange(1.0, 65.0)
    logarithmic = 0.1 * np.log(cost)
    # From 11 to 22, and from 5 to 43: the whole numbers within the budgets.
    assert measure_frontier_slope(cost, logarithmic, 16) == pytest.approx(0.1 * np.log(22 / 11) / OCTAVE)
    assert measure_frontier_slope(cost, logarithmic, 16, 1.0) == pytest.approx(0.1 * np.log(43 / 5) / 2)
    assert measure_frontier_slope(cost, -logarithmic, 16) == 0  # more is no better, so that the cost does not matter
    assert measure_frontier_slope(cost, logarithmic, 1000) == 0
    # What must not be chosen pays for nothing.
    slow = np.where(cost > 12, -np.inf, logarithmic)
    assert measure_frontier_slope(cost, slow, 16) == pytest.approx((np.log(12) - np.log(11)) * 0.1 / OCTAVE)
    assert measure_frontier_slope(cost, np.full(64, -np.inf), 16) == 0


def test_the_error_of_a_cost_s_logarithm_is_that_of_its_interval():
    rng = np.random.default_rng(1)
    n, d, strata, clusters = rng.gamma(2, 1, 60), rng.gamma(5, 1, 60), [*range(3)] * 20, np.arange(60) // 3 * 3
    for groups in ((None, None), (strata, None), (None, clusters)):
        low, high = compute_ratio_interval(n, d, *groups)
        found = measure_log_error(n / n.mean() - d / d.mean(), *groups)
        assert found == pytest.approx(np.log(high / low) / 2)
    assert np.isnan(measure_log_error([0.1, -0.1], clusters=["a", "a"]))


def test_without_an_error_of_costs_an_interval_stays():
    assert widen_mean_interval((0.4, 0.7), 0.5, [0.2, 0.8] * 20, np.zeros(40)) == (0.4, 0.7)
    one = widen_mean_interval((0.0, 1.0), 0.5, [0.2, 0.8], [0.1, -0.1], clusters=["a", "a"])
    assert one == (0.0, 1.0)
