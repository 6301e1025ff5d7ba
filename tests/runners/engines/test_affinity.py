"""The rule by which a request goes to a replica, against the same rule said plainly."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocompute.runners.engines.affinity import OUTDATED_SHARE, PrefixAffinity, ReplicaLoads


def choose(prompts: str, *loads: int, affinity: PrefixAffinity[int] | None = None) -> list[int]:
    affinity = PrefixAffinity(100) if affinity is None else affinity
    return [affinity.choose_replica(prompt, ReplicaLoads(dict(enumerate(loads)))) for prompt in prompts]


@pytest.fixture
def affinity():
    return PrefixAffinity(remembered=100)


def test_what_shares_a_prompt_goes_to_the_same_replica_while_both_have_as_much_to_do(affinity):
    assert choose("abab", 3, 5, affinity=affinity) == [0] * 4
    assert choose("cac", 5, 3, affinity=affinity) == [1, 0, 1]


def test_what_shares_a_prompt_goes_elsewhere_if_its_replica_has_more_than_twice_as_much_to_do(affinity):
    assert choose("a", 0, 0, affinity=affinity) == [0]
    assert [choose("a", load, 3, affinity=affinity) for load in (6, 7, 6)] == [[0], [1], [0]]


def test_one_prompt_alone_is_shared_by_all(affinity):
    loads = ReplicaLoads({0: 0, 1: 0})
    for _ in range(30):
        replica = affinity.choose_replica("a", loads)
        loads.set_load(replica, loads.by_replica[replica] + 1)
    assert loads.by_replica == {0: 20, 1: 10}


def test_only_so_many_prompts_are_remembered():
    affinity = PrefixAffinity(remembered=3)
    choose("abcad", 0, 1, affinity=affinity)
    assert list(affinity.homes) == ["c", "a", "d"]


def test_the_heap_does_not_grow_with_the_requests():
    loads = ReplicaLoads({0: 0, 1: 0, 2: 0})
    for step in range(1000):
        loads.set_load(1 + step % 2, step)  # the least is another one, so that no entry comes to the top
    assert len(loads.heap) <= OUTDATED_SHARE * 3


class PlainRule:
    """The rule as it is said: it looks through the loads of all replicas for each request."""

    def __init__(self, remembered: int) -> None:
        self.remembered = remembered
        self.homes: OrderedDict[str, int] = OrderedDict()

    def choose_replica(self, part: str, loads: dict[int, int], is_whole: bool) -> int:
        least = min(sorted(loads), key=loads.__getitem__)
        home = self.homes.get(part, least)
        if home not in loads:
            home = least
        self.homes[part] = home
        self.homes.move_to_end(part)
        if len(self.homes) > self.remembered:
            self.homes.popitem(last=False)
        return home if is_whole or loads[home] <= 2 * loads[least] else least


EVENTS = st.lists(
    st.tuples(st.sampled_from(["ask", "ask whole", "answer", "go", "come"]), st.integers(0, 11)), max_size=200
)


@settings(max_examples=300)
@given(count=st.integers(1, 9), remembered=st.integers(1, 12), events=EVENTS)
def test_the_choices_are_those_of_the_plain_rule(count, remembered, events):
    plain, affinity = PlainRule(remembered), PrefixAffinity(remembered)
    expected, loads = dict.fromkeys(range(count), 0), ReplicaLoads(dict.fromkeys(range(count), 0))
    for event, number in events:
        replica = number % count
        if event in ("ask", "ask whole") and expected:
            is_whole = event == "ask whole"
            chosen = plain.choose_replica(f"part {number}", expected, is_whole)
            assert affinity.choose_replica(f"part {number}", loads, is_whole) == chosen
            expected[chosen] += 1
            loads.set_load(chosen, expected[chosen])
        elif event == "answer" and expected.get(replica):
            expected[replica] -= 1
            loads.set_load(replica, expected[replica])
        elif event == "go" and replica in expected:
            del expected[replica]
            loads.remove_replica(replica)
        elif event == "come" and replica not in expected:
            expected[replica] = 0
            loads.set_load(replica, 0)
        assert loads.total == sum(expected.values())
        assert loads.by_replica == expected
