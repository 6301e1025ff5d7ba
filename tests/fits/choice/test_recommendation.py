"""The rule that recommends, against a plain search over all strategies and budgets."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import build_listed_options
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN, choose_recommendations


def build_table(name, cost, accuracy):
    table = build_listed_options([accuracy], cost, {"N": list(range(1, len(cost) + 1))}, name)
    return table, table.accuracy[0]


def recommend(budget, **parts):
    tables, expected = zip(*(build_table(name, *part) for name, part in parts.items()), strict=True)
    (found,) = choose_recommendations(tables, expected, [budget])
    return None if found is None else (tables[found.best.table].strategy, found.best.cost)


def test_of_equivalent_strategies_the_cheapest_is_taken():
    assert recommend(10, beam=([8], [0.700]), dvts=([9], [0.704])) == ("beam", 8)
    assert recommend(10, beam=([8], [0.700]), dvts=([9], [0.706])) == ("dvts", 9)


def test_at_the_same_compute_sc_is_taken():
    assert recommend(10, dvts=([10], [0.704]), sc=([10], [0.700])) == ("sc", 10)
    assert recommend(10, dvts=([10], [0.706]), sc=([10], [0.700])) == ("dvts", 10)
    assert recommend(10, dvts=([5], [0.704]), sc=([10], [0.700])) == ("dvts", 5)


def test_a_strategy_that_is_beaten_at_its_own_compute_is_passed_over():
    """DVTS is cheap and within the margin, but at its compute beam does better."""
    assert recommend(10, beam=([3, 9], [0.702, 0.706]), dvts=([4], [0.7015])) == ("beam", 9)


def test_ties_within_a_strategy_go_to_the_cheapest():
    assert recommend(10, beam=([2, 4, 8], [0.6, 0.7, 0.7 + 1e-6])) == ("beam", 4)


def test_nothing_is_recommended_where_nothing_is_affordable():
    assert recommend(1, beam=([2], [0.6])) is None


def test_the_expected_accuracy_never_falls_and_stays_within_the_margin_of_the_highest():
    rng = np.random.default_rng(0)
    for _ in range(200):
        made = [
            build_table(name, np.sort(rng.uniform(1, 100, 12)), np.sort(rng.normal(0.6, 0.01, 12)))
            for name in ("sc", "beam", "dvts")
        ]
        tables, expected = zip(*made, strict=True)
        budgets = rng.uniform(1, 110, 30)
        found = choose_recommendations(tables, expected, budgets)
        accuracy = [-1.0 if each is None else each.best.accuracy for each in found]
        assert (np.diff(np.array(accuracy)[np.argsort(budgets)]) >= 0).all()
        for budget, each in zip(budgets, found, strict=True):
            paid = [a[t.grid.cost <= budget].max(initial=-1) for t, a in zip(tables, expected, strict=True)]
            assert (each is None) == (max(paid) < 0)
            if each is not None:
                assert each.best.accuracy >= max(paid) - EQUIVALENCE_MARGIN
                assert each.best.cost <= budget
                assert [row.accuracy for row in each.rows] == pytest.approx([p for p in paid if p >= 0], abs=2e-5)


def test_accuracies_of_other_allocations_are_refused():
    table, accuracy = build_table("beam", [1, 2], [0.5, 0.6])
    with pytest.raises(DataError, match="beam has 2 allocations"):
        choose_recommendations([table], [accuracy[:1]], [4])
