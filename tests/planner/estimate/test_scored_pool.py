"""Over a scored pool: the best score and the vote by score, against all subsets one by one."""

from __future__ import annotations

import json
from itertools import combinations, permutations
from math import isnan, nan

import numpy as np
import pytest

from isocompute.fits import Pool, estimate_weighted_vote
from isocompute.planner.estimate.drawing import estimate_strategy
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.search.strategies import Node
from isocompute.runners.search.strategies.select import select_candidate


def mean(values):
    return sum(values) / len(values)


def pools(seed):
    """A pool of 6 solutions with scores that tie, a missing one, some that were cut, and answers that are unread."""
    rng = np.random.default_rng(seed)
    scores = rng.choice([0.2, 0.5, 0.9], (1, 6))
    scores[0, rng.integers(6)] = nan
    return Pool(rng.integers(-1, 3, (1, 6)), [0], scores=scores, finished=rng.random((1, 6)) < 0.6)


@pytest.mark.parametrize("seed", range(8))
def test_bon_is_what_a_search_would_select_averaged_over_all_subsets_and_ties(seed):
    pool = pools(seed)
    for S in (1, 2, 3, 4):
        won = []
        for members in combinations(range(6), S):
            for luck in permutations(range(S)):
                nodes = [
                    Node(i, None, 1, "", None, None, "stop" if pool.finished[0, i] else "length", (), score, place)
                    for i, score, place in zip(members, pool.scores[0, list(members)], luck, strict=True)
                ]
                won.append(pool.correct[0, select_candidate(nodes, dict.fromkeys(members), "vanilla").id])
        assert estimate_strategy(STRATEGIES["bon"], pool, [S], []).accuracy[0, 0] == pytest.approx(mean(won))


@pytest.mark.parametrize("seed", range(4))
def test_a_vote_by_score_is_the_mean_over_all_subsets_to_its_error(seed):
    pool = pools(seed)
    fixed = Pool(pool.answers, pool.gold, pool.scores[:, :, None])
    found = estimate_weighted_vote(fixed, [1, 3, 6], [1], 2000, 0)
    voted = STRATEGIES["prm-weighted"].estimator(pool, [1, 3, 6], [], 2000, 0)
    np.testing.assert_array_equal(voted.accuracy, found.accuracy[:, :, 0])
    for i, S in enumerate((1, 3, 6)):
        won = []
        for members in combinations(range(6), S):
            votes: dict[int, float] = {}
            for k in members:
                if pool.answers[0, k] >= 0:
                    weight = pool.scores[0, k]
                    votes[pool.answers[0, k]] = votes.get(pool.answers[0, k], 0.0) + (0.0 if isnan(weight) else weight)
            top = [answer for answer, weight in votes.items() if weight > max(votes.values()) - 1e-9]
            won.append((0 in top) / max(1, len(top)))
        assert abs(found.accuracy[0, i, 0] - mean(won)) <= 4 * found.error[0, i, 0] + 1e-9


def test_a_scored_pool_alone_is_planned_and_drawn(command, searching, stepping, tmp_path):
    engine, scorer = stepping()
    run = run_sweep(searching(searches=[], solutions=6, scored=6), load=engine, load_scorer=scorer).run
    assert command("fit", run, "-o", tmp_path / "p.json").code == 0
    decided = json.loads(command("plan", "-b", "8x", "-p", tmp_path / "p.json", "--json").out)
    assert {o["strategy"] for o in (decided["recommendation"], *decided["alternatives"])} == {
        "sc",
        "bon",
        "prm-weighted",
    }
