"""Sizes between those that a search was run with: against hand arithmetic, and their error against draws."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import add_charge, build_listed_options, build_voting_options, stack_options
from isocompute.fits.choice.accuracy_prior import SURPRISE_REACH, AccuracyPrior, PriorPart
from isocompute.fits.choice.certainty import enclose_differences
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.fits.choice.recommendation import (
    ChosenAllocation,
    choose_recommendations,
    exclude_needless_sizes,
)
from isocompute.fits.choice.size_interpolation import (
    SIZE_SPREAD,
    build_sized_options,
    compute_error_scale,
    compute_usual_error,
    interpolate_amounts,
    list_sizes_between,
    measure_left_out_sizes,
)


def test_the_sizes_between_are_doublings_with_weights_by_hand():
    between = list_sizes_between({"N": [4, 64], "M": [4, 4]})
    assert between.numbers["N"].tolist() == [8, 16, 32]
    assert between.numbers["M"].tolist() == [4, 4, 4]
    np.testing.assert_allclose(between.weights, [[0.75, 0.5, 0.25], [0.25, 0.5, 0.75]])
    odd = list_sizes_between({"N": [6, 20]})  # a multiple of 6 stays one
    assert odd.numbers["N"].tolist() == [12]
    np.testing.assert_allclose(odd.weights[:, 0], [1 - np.log(2) / np.log(20 / 6), np.log(2) / np.log(20 / 6)])


def test_outside_of_what_was_run_and_between_other_widths_nothing_is_known():
    assert list_sizes_between({"N": [16]}).weights.shape == (1, 0)
    assert list_sizes_between({"N": [8, 16]}).weights.shape == (2, 0)
    assert list_sizes_between({"S": [1, 64]}).weights.shape == (2, 0)
    assert list_sizes_between({"N": [4, 16], "M": [2, 4]}).weights.shape == (2, 0)
    table = build_sized_options([[0.5, 0.6, 0.7]], [10, 40, 150], {"N": [4, 16, 64]}, "beam")
    assert table.grid.numbers["N"].tolist() == [4, 8, 16, 32, 64]
    assert (table.lowest_cost, table.highest_cost) == (10, 150)


def test_costs_are_powers_of_the_size_and_a_zero_is_interpolated_linearly():
    weights = list_sizes_between({"N": [4, 64]}).weights
    np.testing.assert_allclose(interpolate_amounts([10, 160], weights), [20, 40, 80])
    np.testing.assert_allclose(interpolate_amounts([0, 160], weights), [40, 80, 120])
    assert interpolate_amounts([0, 0], weights).tolist() == [0, 0, 0]
    assert interpolate_amounts([0.1, 0.7], np.eye(2)).tolist() == [0.1, 0.7]  # what was run, to the last bit


def test_each_problem_is_interpolated_by_hand():
    accuracy = [[0.2, 0.6, 0.5], [1.0, 0.0, 1.0]]
    table = build_sized_options(accuracy, [10, 40, 160], {"N": [4, 16, 64], "M": [4, 4, 4]}, "beam", scale=0.5)
    np.testing.assert_allclose(table.grid.cost, [10, 20, 40, 80, 160])
    np.testing.assert_allclose(
        table.compute_accuracies(np.arange(5)), [[0.2, 0.4, 0.6, 0.55, 0.5], [1.0, 0.5, 0.0, 0.5, 1.0]]
    )
    assert table.is_interpolated.tolist() == [False, True, False, True, False]
    np.testing.assert_allclose(table.interpolation_error[[1, 3]], 0.5 * compute_usual_error(8, 4, 16))
    assert [table.label_allocation(at) for at in (0, 1)] == ["N=4 M=4", "N=8 M=4 (interpolated)"]


def test_the_order_of_the_allocations_does_not_matter():
    rng = np.random.default_rng(1)
    numbers = {"N": np.array([4, 16, 64, 4, 64]), "M": np.array([4, 4, 4, 2, 2])}
    accuracy, cost = rng.random((7, 5)), rng.uniform(5, 100, 5)
    first = build_sized_options(accuracy, cost, numbers, "beam")
    for _ in range(5):
        order = rng.permutation(5)
        mixed = {name: column[order] for name, column in numbers.items()}
        again = build_sized_options(accuracy[:, order], cost[order], mixed, "beam")
        assert {name: column.tolist() for name, column in again.grid.numbers.items()} == {
            name: column.tolist() for name, column in first.grid.numbers.items()
        }
        assert again.grid.cost.tobytes() == first.grid.cost.tobytes()
        assert again.interpolation_error.tobytes() == first.interpolation_error.tobytes()
        every = np.arange(len(first.grid.cost))
        assert again.compute_accuracies(every).tobytes() == first.compute_accuracies(every).tobytes()
    assert len(first.grid.cost) == 5 + 2 + 3


@pytest.mark.parametrize(("size", "low", "high"), [(8, 4, 16), (8, 4, 64), (32, 4, 64), (12, 6, 20)])
def test_the_usual_error_is_that_of_curves_drawn_from_the_prior(size, low, high):
    at = np.log2([low, size, high])
    kernel = SIZE_SPREAD**2 * np.exp(-(((at[:, None] - at) / SURPRISE_REACH) ** 2) / 2)
    curves = np.random.default_rng(2).multivariate_normal(np.zeros(3), kernel, 200_000)
    share = np.log(size / low) / np.log(high / low)
    error = curves[:, 1] - (1 - share) * curves[:, 0] - share * curves[:, 2]
    assert compute_usual_error(size, low, high) == pytest.approx(error.std(), rel=0.01)


def test_a_size_is_left_out_where_there_is_one_on_each_side():
    accuracy = [[0.2, 0.6, 0.7, 0.5], [0.4, 0.6, 0.5, 0.7]]
    left = measure_left_out_sizes({"N": [64, 4, 16, 4], "M": [4, 4, 4, 2]}, accuracy)
    assert [each.numbers for each in left] == [{"N": 16, "M": 4}]
    assert left[0].error == pytest.approx((0.3 + 0.6) / 2 - 0.6)
    assert left[0].usual == compute_usual_error(16, 4, 64)
    assert measure_left_out_sizes({"N": [4, 16]}, [[0.5, 0.6]]) == []
    assert compute_error_scale([]) == 1.0
    assert compute_error_scale(left) == pytest.approx(np.sqrt((3 + (0.15 / left[0].usual) ** 2) / 4))


def test_what_was_run_is_expected_as_without_the_sizes_between():
    rng = np.random.default_rng(3)
    accuracy, cost, numbers = rng.random((20, 3)), [10.0, 40.0, 150.0], {"N": [4, 16, 64]}
    prior = AccuracyPrior(
        {"sc": PriorPart(np.array([1.0, 64.0]), np.array([]), np.array([0.4, 0.6]), np.eye(2), np.eye(2))}
    )
    votes = build_voting_options(rng.random((20, 3)), [1, 8, 64])
    posteriors = [
        compute_posterior([votes, build(accuracy, cost, numbers, "beam")], prior)
        for build in (build_listed_options, build_sized_options)
    ]
    listed, sized = (posterior.compute_expected_accuracies()[1] for posterior in posteriors)
    assert sized[[0, 2, 4]].tobytes() == listed.tobytes()
    np.testing.assert_allclose(sized[[1, 3]], (listed[:-1] + listed[1:]) / 2)
    # The interval of a difference is wider by the error of the interpolation, and by nothing else.
    table = posteriors[1].tables[1]
    rows = [ChosenAllocation(1, at, float(sized[at]), float(table.grid.cost[at])) for at in (0, 1)]
    covariance = posteriors[1].compute_covariance([(1, 0), (1, 1)])
    parts = posteriors[1].factor[3:]
    weights = table.grid.weights[:, :2].T @ parts
    np.testing.assert_allclose(
        covariance - weights @ weights.T, np.diag([0, table.interpolation_error[1] ** 2]), atol=1e-15
    )
    (own, other) = enclose_differences(posteriors[1], rows, 0)
    assert own == (0.0, 0.0)
    assert other[0] < rows[0].accuracy - rows[1].accuracy < other[1]


def test_a_charge_and_stacked_pools_keep_the_marks():
    table = build_sized_options([[0.2, 0.6], [0.4, 0.8]], [10, 40], {"N": [4, 16]}, "beam")
    charged = add_charge(stack_options([table, table]), np.array([50.0, 0.0, 0.0]))
    assert [charged.label_allocation(at) for at in range(3)] == ["N=8 (interpolated)", "N=16", "N=4"]
    assert charged.is_interpolated.tolist() == [True, False, False]
    assert charged.accuracy.shape == (4, 2)


def recommend(expected, budget, **others):
    sized = build_sized_options([[0.5] * 2], [10, 40], {"N": [4, 16]}, "beam")
    tables = [sized, *(build_listed_options([[0.5]], [cost], {"N": [1]}, name) for name, (cost, _) in others.items())]
    accuracies = [np.array(expected), *(np.array([accuracy]) for _, accuracy in others.values())]
    (found,) = choose_recommendations(tables, accuracies, [budget])
    return tables[found.best.table].strategy, round(found.best.cost, 9)


def test_what_was_run_is_preferred_where_it_is_equal():
    assert recommend([0.600, 0.604, 0.608], 30) == ("beam", 10)  # within half a point
    assert recommend([0.600, 0.606, 0.612], 30) == ("beam", 20)
    assert recommend([0.600, 0.604, 0.608], 40) == ("beam", 40)
    between = build_sized_options([[0.5] * 2], [10, 40], {"N": [4, 16]}, "beam").grid.cost[1]
    assert recommend([0.600, 0.620, 0.640], 30, dvts=(between, 0.620)) == ("dvts", 20)  # at the same cost
    assert recommend([0.600, 0.620, 0.640], 30, dvts=(between, 0.619)) == ("beam", 20)
    table = build_voting_options([[0.5, 0.6]], [1, 4])
    expected = np.array([0.5, 0.501, 0.55, 0.6])
    assert exclude_needless_sizes(table, expected) is expected  # a pool was sampled, whatever S


def test_costs_that_are_not_positive_are_refused():
    with pytest.raises(DataError, match="cost must be a non-empty sequence of positive numbers"):
        build_sized_options([[0.5, 0.6]], [0.0, 1.0], {"N": [4, 16]}, "beam")
