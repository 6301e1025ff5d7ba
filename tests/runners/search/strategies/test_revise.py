from __future__ import annotations

from functools import partial

import pytest

from isocompute.runners.search.strategies import run_revisions


@pytest.mark.parametrize(
    ("n", "width", "chains"),
    [(1, 1, [1]), (4, 1, [1] * 4), (4, 4, [4]), (4, 9, [4]), (6, 2, [2] * 3), (7, 3, [3, 2, 2]), (16, 4, [4] * 4)],
)
def test_n_attempts_stand_in_parallel_chains(worlds, n, width, chains):
    world = worlds(0, stop=0.7, length=0.3)
    candidates = world.run_strategy(partial(run_revisions, n=n, width=width))
    assert sorted(candidates) == list(range(1, n + 1))
    assert [len(asked) for asked in world.rounds] == [sum(c > r for c in chains) for r in range(max(chains))]
    parents = {node.parent.id for node in world.nodes[1:]}
    leaves = [node for node in world.nodes[1:] if node.id not in parents]
    assert sorted((len(leaf.collect_path()) for leaf in leaves), reverse=True) == chains


def test_an_attempt_is_revised_however_it_ended(worlds):
    world = worlds(0)
    world.ends = ["length"] * len(world.ends)
    world.run_strategy(partial(run_revisions, n=4, width=2))
    assert world.rounds == [[0, 0], [1, 2]]
