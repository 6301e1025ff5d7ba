"""One rule for ties: within the tolerance or the error of drawing, the cheapest is taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocompute.fits.choice.held_out import choose_strategies, score_held_out, split_folds
from isocompute.fits.choice.options import build_listed_options
from isocompute.fits.choice.ties import TIE_TOLERANCE, choose_cheapest, find_ties


def test_ties_are_within_the_tolerance_or_the_error_of_both():
    assert find_ties([0.5, 0.5 + 0.9 * TIE_TOLERANCE, 0.5 - 0.2 * TIE_TOLERANCE]).tolist() == [True, True, False]
    assert find_ties([0.5, 0.53, 0.5], [0.03, 0.0, 0.01]).tolist() == [True, True, False]
    assert find_ties([0.5, 0.55], [0.04, 0.03]).tolist() == [True, True]  # 0.05 together


def test_what_is_unknown_never_ties():
    assert find_ties([[np.nan, np.nan], [0.5, np.nan]]).tolist() == [[False, False], [True, False]]
    assert choose_cheapest([[np.nan], [0.1]], [[0.0], [9.0]]).tolist() == [1]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(1, 100), st.floats(0, 0.05)), min_size=1, max_size=8),
)
def test_the_choice_is_the_cheapest_of_those_that_tie_with_the_best(rows):
    accuracy, cost, error = (np.array(column) for column in zip(*rows, strict=True))
    best = accuracy.argmax()
    tied = [
        i for i in range(len(rows)) if accuracy[best] - accuracy[i] <= TIE_TOLERANCE + np.hypot(error[i], error[best])
    ]
    assert choose_cheapest(accuracy, cost, error) == min(tied, key=lambda i: (cost[i], -accuracy[i], i))


def test_of_two_equal_strategies_every_fold_chooses_the_cheaper_whichever_is_named_first():
    values = np.random.default_rng(0).random((20, 1))
    dear, cheap = (
        build_listed_options(values, [cost], {"N": [1]}, name) for name, cost in (("dear", 8.0), ("cheap", 4.0))
    )
    for options in ((dear, cheap), (cheap, dear)):
        choices = choose_strategies(options, split_folds(20).train, [16.0])
        assert {options[i].strategy for i in choices.strategy_index.ravel()} == {"cheap"}
        assert score_held_out(options, [16.0], split_folds(20)).accuracy[-1].mean() == pytest.approx(values.mean())
