"""One score for a solution."""

from __future__ import annotations

import math
import random

import pytest

from isocompute.errors import DataError
from isocompute.runners.scorers.aggregate import AGGREGATES, aggregate_scores

NAN = float("nan")


@pytest.mark.parametrize("how", AGGREGATES)
def test_each_way_is_what_its_name_says(how):
    rng = random.Random(how)
    for length in range(1, 9):
        scores = [rng.random() for _ in range(length)]
        product, lowest, total = 1.0, 1.0, 0.0
        for score in scores:
            product, lowest, total = product * score, min(lowest, score), total + score
        expected = {"last": scores[-1], "min": lowest, "prod": product, "mean": total / length}[how]
        assert aggregate_scores(scores, how) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("how", AGGREGATES)
def test_one_step_is_its_own_score(how):
    assert aggregate_scores([0.25], how) == 0.25


@pytest.mark.parametrize("how", AGGREGATES)
def test_a_step_that_says_nothing_changes_nothing_wherever_it_stands(how):
    scores = [0.9, 0.4, 0.7]
    for place in range(4):
        assert aggregate_scores([*scores[:place], NAN, *scores[place:]], how) == aggregate_scores(scores, how)


@pytest.mark.parametrize("how", AGGREGATES)
@pytest.mark.parametrize("nothing", [[], [NAN], [NAN, NAN]])
def test_nothing_scored_is_unknown_and_not_a_number(how, nothing):
    assert math.isnan(aggregate_scores(nothing, how))


def test_a_way_that_does_not_exist_is_named():
    with pytest.raises(DataError, match="cannot be aggregated by 'max'; there are: last, min, prod, mean"):
        aggregate_scores([0.5], "max")
