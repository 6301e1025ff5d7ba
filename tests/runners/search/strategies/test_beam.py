from __future__ import annotations

from functools import partial
from math import ceil

import pytest

from isocompute.runners.search.strategies import run_beam_search


def plainly(world, n, width, rounds):
    """Slot by slot: who stands in it, and if that may change. Returns the parents by round, and who stands there."""
    slots, asked, number = [0] * n, [], 0
    free = list(range(n))
    for _ in range(rounds):
        if not free:
            break
        asked.append([slots[i] for i in free])
        for i in free:
            number += 1
            slots[i] = number
        free = [i for i in free if world.ends[slots[i]] is None]
        ranked = sorted((slots[i] for i in free), key=lambda c: (world.scores[c], world.tie_breakers[c]), reverse=True)
        keep = ceil(len(free) / min(width, n))
        queue = []
        for rank in range(keep):
            queue += [ranked[rank]] * sum(1 for slot in range(len(free)) if slot % keep == rank)
        if len(asked) < rounds:
            for i, parent in zip(free, queue, strict=True):
                slots[i] = parent
    return asked, slots


def test_it_does_what_a_plain_one_does_round_by_round(worlds, shapes):
    for seed in range(3):
        for n, width, rounds in shapes:
            world = worlds(seed)
            candidates = world.run_strategy(partial(run_beam_search, n=n, width=width, rounds=rounds))
            asked, slots = plainly(world, n, width, rounds)
            assert world.rounds == asked
            assert sorted(candidates) == sorted(slots)


def test_while_nothing_ends_the_best_n_over_m_get_m_children_each(worlds):
    world = worlds(0, stop=0, length=0)
    world.run_strategy(partial(run_beam_search, n=16, width=4, rounds=3))
    best = sorted(range(1, 17), key=lambda i: (world.scores[i], world.tie_breakers[i]), reverse=True)[:4]
    assert world.rounds[0] == [0] * 16
    assert world.rounds[1] == [i for i in best for _ in range(4)]


def test_n_candidates_and_as_many_steps_as_they_have_together(worlds, shapes):
    for seed in range(3):
        for n, width, rounds in shapes:
            world = worlds(seed)
            candidates = world.run_strategy(partial(run_beam_search, n=n, width=width, rounds=rounds))
            assert len(candidates) == len(set(candidates)) == n
            assert world.step_count == sum(world.count_depth(i) for i in candidates) <= n * rounds
            assert all(len(asked) <= n for asked in world.rounds)
            assert len(world.rounds) <= rounds
            assert all(world.rounds[r].count(i) <= width for r in range(1, len(world.rounds)) for i in world.rounds[r])


def test_what_ends_is_not_grown_and_nothing_takes_its_slot(worlds):
    world = worlds(3, stop=0.4)
    candidates = world.run_strategy(partial(run_beam_search, n=8, width=2, rounds=6))
    ended = 0
    for asked, number in zip(world.rounds, range(1, 7), strict=False):
        assert len(asked) == 8 - ended
        assert all(world.nodes[i].is_alive for i in asked)
        ended += sum(1 for node in world.nodes if node.round == number and not node.is_alive)
    assert {node.id for node in world.nodes if not node.is_alive} <= set(candidates)


def test_a_width_above_n_is_n(worlds):
    one, other = worlds(5), worlds(5)
    assert one.run_strategy(partial(run_beam_search, n=3, width=3, rounds=4)) == other.run_strategy(
        partial(run_beam_search, n=3, width=9, rounds=4)
    )
    assert one.rounds == other.rounds
    assert all(len(set(asked)) == 1 for asked in one.rounds)  # one node is kept, and not everything


def test_ties_are_broken_by_luck_and_not_by_position(worlds):
    firsts = set()
    for seed in range(40):
        world = worlds(seed, stop=0, length=0, values=1)
        world.run_strategy(partial(run_beam_search, n=4, width=4, rounds=2))
        firsts.add(world.rounds[1][0])
        assert world.rounds[1] == [max(range(1, 5), key=lambda i: world.tie_breakers[i])] * 4
    assert firsts == {1, 2, 3, 4}


@pytest.mark.parametrize("end", ["stop", "length"])
def test_one_step_is_a_search_too(worlds, end):
    world = worlds(0)
    world.ends = [end] * len(world.ends)
    assert world.run_strategy(partial(run_beam_search, n=4, width=2, rounds=40)) == [1, 2, 3, 4]
    assert world.rounds == [[0] * 4]
    assert [world.nodes[i].is_finished for i in (1, 2, 3, 4)] == [end == "stop"] * 4


def test_at_the_last_round_what_has_not_ended_is_returned_and_is_not_finished(worlds):
    world = worlds(0, stop=0, length=0)
    candidates = world.run_strategy(partial(run_beam_search, n=4, width=2, rounds=3))
    assert candidates == [9, 10, 11, 12]
    assert not any(world.nodes[i].is_finished for i in candidates)
