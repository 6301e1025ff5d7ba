"""A verifier's rates: against counting one by one, and their intervals against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool, measure_verifier


def drawn(rng, problems, solutions=8, verdicts=4, yes=(0.7, 0.3), unparsed=0.1):
    """A pool whose verifier says yes to right and to wrong solutions with the given probabilities."""
    ease = rng.beta(1, 1, size=(problems, 1))
    answers = (rng.random((problems, solutions)) > ease).astype(int)
    chance = np.where(answers == 0, *yes)[..., None]
    said = (rng.random((problems, solutions, verdicts)) < chance).astype(float)
    said[rng.random(said.shape) < unparsed] = np.nan
    return Pool(answers, np.zeros(problems, dtype=int), said)


def test_it_is_what_counting_one_by_one_gives():
    pool = drawn(np.random.default_rng(1), 7, unparsed=0.4)
    verdicts = {True: [], False: []}
    areas, lost = [], 0
    for p in range(pool.problems):
        means = {True: [], False: []}
        for s in range(pool.verified_solutions):
            heard = [v for v in pool.verdicts[p, s] if not math.isnan(v)]
            lost += pool.verifications - len(heard)
            verdicts[bool(pool.correct[p, s])] += heard
            if heard:
                means[bool(pool.correct[p, s])].append(sum(heard) / len(heard))
        pairs = [(a > b) + (a == b) / 2 for a in means[True] for b in means[False]]
        if pairs:
            areas.append(sum(pairs) / len(pairs))
    found = measure_verifier(pool)
    assert found.true_positive[0] == pytest.approx(np.mean(verdicts[True]))
    assert found.false_positive[0] == pytest.approx(np.mean(verdicts[False]))
    assert found.auroc[0] == pytest.approx(np.mean(areas))
    assert found.unparsed == pytest.approx(lost / pool.verdicts.size)


def test_verdicts_that_were_not_asked_for_are_not_unparsed():
    pool = Pool([[0, 1]], [0], [[[1, 0], [1, math.nan]]], judged=[[2, 1]])
    assert measure_verifier(pool).unparsed == 0


def test_without_right_or_wrong_solutions_nothing_is_said_of_them():
    found = measure_verifier(Pool([[0, 0], [0, 0]], [0, 0], np.ones((2, 2, 1))))
    assert (found.true_positive[0], found.true_positive[2]) == (1, 1)
    assert 0 <= found.true_positive[1] < 0.1  # two problems say little
    assert all(map(math.isnan, (*found.false_positive, *found.auroc)))


def test_one_problem_has_no_interval():
    found = measure_verifier(Pool([[0, 1]], [0], [[[1], [0]]]))
    assert found.true_positive[0] == found.auroc[0] == 1
    assert all(map(math.isnan, found.auroc[1:]))


def test_a_pool_without_verdicts_is_refused():
    with pytest.raises(DataError, match="the pool has none"):
        measure_verifier(Pool([[0]], [0]))


def test_problems_of_a_cluster_count_once():
    pool = drawn(np.random.default_rng(2), 12)
    repeated = Pool(np.tile(pool.answers, (5, 1)), np.tile(pool.gold, 5), np.tile(pool.verdicts, (5, 1, 1)))
    once, five = measure_verifier(pool), measure_verifier(repeated, clusters=np.tile(np.arange(12), 5))
    for name in ("true_positive", "false_positive", "auroc"):
        assert getattr(five, name) == pytest.approx(getattr(once, name))


def test_intervals_hold_as_often_as_they_say():
    rng, held = np.random.default_rng(3), np.zeros(3)
    worlds = 400
    probe = measure_verifier(drawn(rng, 20_000))
    truth = (probe.true_positive[0], probe.false_positive[0], probe.auroc[0])
    assert truth[:2] == pytest.approx((0.7, 0.3), abs=0.005)
    for _ in range(worlds):
        found = measure_verifier(drawn(rng, 60))
        measures = (found.true_positive, found.false_positive, found.auroc)
        held += [low <= true <= high for true, (_, low, high) in zip(truth, measures, strict=True)]
    assert ((held / worlds > 0.91) & (held / worlds < 0.985)).all(), held / worlds
