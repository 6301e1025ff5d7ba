from __future__ import annotations

import math
import random
from functools import partial

import pytest

from isocompute.runners.search.strategies import run_rebase
from isocompute.runners.search.strategies.rebase import assign_children


def published(scores, slots, temperature):
    """The rule as published: round up, the best first, what is left of the slots over what is left of the weights."""
    weights = [math.exp(score / temperature) for score in scores]
    counts = []
    for i, weight in enumerate(weights):
        counts.append(math.ceil(slots * weight / math.fsum(weights[i:]) - 1e-9))
        slots -= counts[-1]
    return counts


def plainly(world, n, rounds):
    asked, ended, number = [], [], 0
    parents, alive = [0] * n, []
    for _ in range(rounds):
        asked.append(parents)
        children = list(range(number + 1, number + 1 + len(parents)))
        number += len(parents)
        ended += [c for c in children if world.ends[c] is not None]
        alive = sorted(
            (c for c in children if world.ends[c] is None), key=lambda c: (-world.scores[c], -world.tie_breakers[c])
        )
        if not alive:
            break
        counts = published([world.scores[c] for c in alive], n - len(ended), 0.2)
        parents = [c for c, count in zip(alive, counts, strict=True) for _ in range(count)]
    return asked, ended + alive


def test_it_does_what_a_plain_one_does_round_by_round(worlds):
    for seed in range(8):
        for n in (1, 2, 5, 16):
            for rounds in (1, 2, 6):
                world = worlds(seed)
                candidates = world.run_strategy(partial(run_rebase, n=n, rounds=rounds))
                assert (world.rounds, candidates) == plainly(world, n, rounds)
                assert len(set(candidates)) == n
                assert world.step_count == sum(world.count_depth(i) for i in candidates) <= n * rounds


def test_shares_are_the_published_ones_and_all_are_given():
    rng = random.Random(0)
    for _ in range(300):
        scores = sorted((rng.random() for _ in range(rng.randint(1, 12))), reverse=True)
        slots, temperature = rng.randint(0, 40), rng.choice([0.05, 0.2, 1.0])
        counts = assign_children(scores, slots, temperature)
        assert counts == published(scores, slots, temperature)
        assert sum(counts) == slots
        assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("score", [0.1, 0.3, 0.7, -12.3])
@pytest.mark.parametrize("nodes", [1, 3, 6, 7, 10, 49])
def test_equal_nodes_get_equal_shares_whatever_floating_point_says(score, nodes):
    assert assign_children([score] * nodes, 3 * nodes, 0.2) == [3] * nodes


def test_scores_far_apart_neither_overflow_nor_lose_a_slot():
    assert assign_children([1e6, 0.0, -1e6], 5, 0.2) == [5, 0, 0]
