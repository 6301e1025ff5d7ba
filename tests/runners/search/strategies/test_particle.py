from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest

from isocompute.errors import DataError
from isocompute.runners.search.strategies import run_particle_filter
from isocompute.runners.search.strategies.particle import compute_score_odds
from isocompute.runners.seeds import derive_seed


def plainly(world, n, rounds, seed):
    now, asked, number = [0] * n, [], 0
    for r in range(rounds):
        asked.append([])
        for slot, node in enumerate(now):
            if node == 0 or world.ends[node] is None:
                asked[-1].append(node)
                number += 1
                now[slot] = number
        if r == rounds - 1 or all(world.ends[node] for node in now):
            break
        weights = [0 if world.ends[i] == "length" else world.scores[i] / (1 - world.scores[i]) for i in now]
        rng, total, drawn = random.Random(derive_seed(seed, r)), sum(weights), []
        for _ in range(n):
            mark, slot = rng.random() * total, 0
            while mark >= weights[slot]:
                mark, slot = mark - weights[slot], slot + 1
            drawn.append(now[slot])
        now = drawn
        if all(world.ends[node] for node in now):
            break
    return asked, now


def test_it_does_what_a_plain_one_does_round_by_round(worlds):
    for seed in range(8):
        for n in (1, 2, 5, 16):
            for rounds in (1, 2, 6):
                world = worlds(seed)
                candidates = world.run_strategy(partial(run_particle_filter, n=n, rounds=rounds, seed=seed))
                assert (world.rounds, candidates) == plainly(world, n, rounds, seed)
                assert len(candidates) == n
                assert all(len(asked) <= n for asked in world.rounds)


def test_particles_are_drawn_by_their_odds(worlds):
    world = worlds(0, stop=0, length=0)
    world.scores[1:4] = [0.8, 0.5, 0.2]  # odds 4, 1, 1/4
    drawn = Counter()
    for seed in range(2000):
        world.run_strategy(partial(run_particle_filter, n=3, rounds=2, seed=seed))
        drawn.update(world.rounds[1])
    shares = [drawn[i] / 6000 for i in (1, 2, 3)]
    assert shares == pytest.approx([4 / 5.25, 1 / 5.25, 0.25 / 5.25], abs=0.025)


def test_after_the_last_step_nothing_is_drawn_so_the_best_is_not_lost(worlds):
    for seed in range(8):
        world = worlds(seed)
        world.ends = ["stop"] * len(world.ends)
        assert world.run_strategy(partial(run_particle_filter, n=5, rounds=9, seed=seed)) == [1, 2, 3, 4, 5]


def test_what_was_cut_is_drawn_no_more(worlds):
    for seed in range(8):
        world = worlds(seed, stop=0, length=0)
        world.ends[1], world.scores[1] = "length", 0.999
        world.run_strategy(partial(run_particle_filter, n=3, rounds=2, seed=seed))
        assert len(world.rounds[1]) == 3


def test_a_finished_particle_is_drawn_and_costs_nothing(worlds):
    world = worlds(0, stop=0, length=0)
    world.ends[1], world.scores[1:4] = "stop", [0.999999, 0.000001, 0.000001]
    assert world.run_strategy(partial(run_particle_filter, n=3, rounds=9, seed=0)) == [1, 1, 1]
    assert world.rounds == [[0] * 3]


def test_odds_stay_finite_and_other_scores_are_refused(worlds):
    world = worlds(0)
    world.ends[1:3], world.scores[1:3] = [None, None], [0.0, 1.0]
    world.run_strategy(partial(run_particle_filter, n=2, rounds=1, seed=0))
    assert [compute_score_odds(world.nodes[i]) for i in (1, 2)] == pytest.approx([1e-7, 1e7], rel=1e-6)
    world.scores[1] = 3.5
    with pytest.raises(DataError, match=r"the scorer gave 3\.5; use another scorer"):
        world.run_strategy(partial(run_particle_filter, n=2, rounds=2, seed=0))
