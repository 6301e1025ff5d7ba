from __future__ import annotations

from functools import partial
from math import ceil

from isocompute.runners.search.strategies import run_dvts


def plainly(world, n, width, rounds):
    """One subtree after the other would do, but for the numbers of their children: so they take turns."""
    width = min(width, n)
    trees = [{"top": 0, "slots": sum(1 for i in range(n) if i % ceil(n / width) == t)} for t in range(ceil(n / width))]
    asked, ended, number = [], [], 0
    last: list[int] = []
    for _ in range(rounds):
        going = [tree for tree in trees if tree["slots"]]
        if not going:
            break
        asked.append([tree["top"] for tree in going for _ in range(tree["slots"])])
        last = []
        for tree in going:
            children = list(range(number + 1, number + 1 + tree["slots"]))
            number += tree["slots"]
            ended += [c for c in children if world.ends[c] is not None]
            eligible = [c for c in children if world.ends[c] != "length"]
            eligible.sort(key=lambda c: (world.scores[c], world.tie_breakers[c]))
            if not eligible or world.ends[eligible[-1]] == "stop":
                tree["slots"] = 0
            else:
                tree["top"] = eligible[-1]
                unfinished = [c for c in children if world.ends[c] is None]
                tree["slots"] = len(unfinished)
                last += unfinished
    return asked, ended + last


def test_it_does_what_a_plain_one_does_round_by_round(worlds, shapes):
    for seed in range(3):
        for n, width, rounds in shapes:
            world = worlds(seed)
            candidates = world.run_strategy(partial(run_dvts, n=n, width=width, rounds=rounds))
            assert (world.rounds, candidates) == plainly(world, n, width, rounds)


def test_work_and_candidates_are_bounded_by_the_slots(worlds, shapes):
    for seed in range(3):
        for n, width, rounds in shapes:
            world = worlds(seed)
            candidates = world.run_strategy(partial(run_dvts, n=n, width=width, rounds=rounds))
            assert 1 <= len(candidates) == len(set(candidates)) <= n
            assert all(len(asked) <= n for asked in world.rounds)
            assert world.step_count <= n * rounds
            assert len(world.rounds) <= rounds


def test_each_subtree_keeps_its_own_best_and_never_meets_another(worlds):
    world = worlds(1, stop=0, length=0)
    candidates = world.run_strategy(partial(run_dvts, n=8, width=4, rounds=3))
    tops = [max(range(*span), key=lambda i: (world.scores[i], world.tie_breakers[i])) for span in ((1, 5), (5, 9))]
    assert world.rounds[:2] == [[0] * 8, [tops[0]] * 4 + [tops[1]] * 4]
    firsts = [world.nodes[i].collect_path()[0].id for i in candidates]
    assert firsts == [tops[0]] * 4 + [tops[1]] * 4


def test_when_the_best_child_has_finished_the_subtree_ends_and_drops_the_others(worlds):
    world = worlds(0)
    world.scores[1:5], world.ends[1:5] = [0.9, 0.2, 0.5, 0.4], ["stop", None, "stop", None]
    assert world.run_strategy(partial(run_dvts, n=4, width=4, rounds=9)) == [1, 3]
    assert world.rounds == [[0] * 4]


def test_a_finished_child_that_is_not_the_best_is_kept_and_takes_a_slot(worlds):
    world = worlds(0)
    world.scores[1:8], world.ends[1:8] = [0.2, 0.9, 0.5, 0.4, 0.1, 0.2, 0.3], ["stop", None, None, None, *["stop"] * 3]
    assert world.run_strategy(partial(run_dvts, n=4, width=4, rounds=9)) == [1, 5, 6, 7]
    assert world.rounds == [[0] * 4, [2] * 3]


def test_what_was_cut_is_never_gone_on_from(worlds):
    world = worlds(0)
    world.scores[1:4], world.ends[1:4] = [0.9, 0.5, 0.1], ["length", None, None]
    world.run_strategy(partial(run_dvts, n=3, width=3, rounds=2))
    assert world.rounds[1] == [2, 2]


def test_when_all_are_cut_the_subtree_ends(worlds):
    world = worlds(0)
    world.ends = ["length"] * len(world.ends)
    assert world.run_strategy(partial(run_dvts, n=3, width=3, rounds=5)) == [1, 2, 3]
