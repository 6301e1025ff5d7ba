"""One problem's answer: the rule of the estimators, a tie drawn with the seed in whatever order samples come."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import DataError
from isocompute.fits import Pool, estimate_fused_vote
from isocompute.planner.strategies.registry import STRATEGIES

SEEDS = range(400)


def made(rng, N=5, M=3):
    """Samples of a problem whose right answer is r, with unread answers and verdicts among them."""
    answers = [rng.choice(["r", "r", "w", "v", None]) for _ in range(N)]
    verdicts = [[rng.choice([0, 1, 1, None]) for _ in range(M)] for _ in range(N)]
    scores = [rng.choice([0.1, 0.5, 0.5, 0.9]) for _ in range(N)]
    return answers, verdicts, scores


@pytest.mark.parametrize("strategy", ["sc", "genrm", "genrm+vote", "weighted", "bon", "prm-weighted"])
def test_the_rule_is_the_estimators(strategy):
    rng, tried = random.Random(strategy), 0
    while tried < 60:
        answers, verdicts, scores = made(rng)
        if set(answers) == {None}:
            continue
        tried += 1
        names = sorted({answer for answer in answers if answer is not None} | {"r"})
        codes = [-1 if answer is None else names.index(answer) for answer in answers]
        judged = [[np.nan if v is None else v for v in row] for row in verdicts]
        pool = Pool([codes], [names.index("r")], [judged], scores=[scores], finished=[[True] * len(codes)])
        V = [3] if STRATEGIES[strategy].needs == "verifications" else []
        expected = np.ravel(STRATEGIES[strategy].estimator(pool, [5], V, 4, 0).accuracy)[0]
        found = iso.select(answers, verdicts, scores, strategy)
        assert found.probability.get("r", 0.0) == pytest.approx(expected, abs=1e-9), (answers, verdicts, scores)


def test_the_fused_rule_is_the_estimator_s():
    rng, trust = random.Random(1), iso.load_profile("lab")._profile.odds_exponent
    for _ in range(40):
        answers, verdicts, _scores = made(rng)
        if "r" not in answers:
            continue
        names = sorted({answer for answer in answers if answer is not None})
        codes = [-1 if answer is None else names.index(answer) for answer in answers]
        judged = [[np.nan if v is None else v for v in row] for row in verdicts]
        pool = Pool([codes], [names.index("r")], [judged])
        expected = estimate_fused_vote(pool, [5], [3], trust, 4, 0).accuracy.item()
        found = iso.select(answers, verdicts, strategy="fused", profile="lab")
        assert found.probability["r"] == pytest.approx(expected, abs=1e-9)


def test_a_tie_is_drawn_with_the_seed_whatever_the_order():
    answers = ["b", "a", "a", "b", "c"]
    for seed in range(20):
        one = {iso.select(list(order), strategy="sc", seed=seed).answer for order in itertools.permutations(answers)}
        assert len(one) == 1
    drawn = [iso.select(answers, strategy="sc", seed=seed).answer for seed in SEEDS]
    assert set(drawn) == {"a", "b"}
    assert 0.4 < drawn.count("a") / len(drawn) < 0.6
    assert iso.select(answers, strategy="sc").tied == ["a", "b"]


def test_numbers_of_one_value_are_one_answer():
    assert iso.select(["7", 7.0, "8", 8, 7], strategy="sc").support == {"7": 3, "8": 2}


def test_ties_of_different_problems_fall_to_both_sides_under_one_seed():
    larger = [iso.select([str(a), str(a + 1)], strategy="sc").answer == str(a + 1) for a in range(100, 500)]
    assert 0.4 < np.mean(larger) < 0.6


def test_arrays_and_frames_are_read_by_row_and_collections_without_order_are_refused():
    verdicts = [[1, 1], [0, 0]]
    for form in (np.array(verdicts), pd.DataFrame(verdicts), pd.Series(verdicts), tuple(verdicts)):
        assert iso.select(pd.Series(["7", "8"], index=[5, 3]), form).answer == "7"
    for answers in ({"7", "8"}, {"7": 1, "8": 0}, np.array([["7"], ["8"]])):
        with pytest.raises(DataError):
            iso.select(answers, strategy="sc")
    assert iso.select(["28.5", "28.50"], strategy="sc").answer == "28.5"
