"""Which replica a request goes to; no Ray is needed."""

from __future__ import annotations

from collections import deque

import pytest

from isocompute.runners.cluster.dispatch import Dispatcher, ReplicaLoad
from isocompute.runners.engines import Request, Sampling
from isocompute.runners.scorers import ScoreRequest
from isocompute.runners.storage.schema import SOLUTIONS_TABLE


def row(prompt: str, number: int = 0) -> Request:
    return Request((SOLUTIONS_TABLE, prompt, number), prompt, number, Sampling())


def step(problem: str, number: int = 0, prompt: str = "") -> Request:
    return Request((problem, "beam", number), prompt or problem, number, Sampling())


@pytest.fixture
def dispatcher():
    return Dispatcher()


@pytest.fixture
def replicas(dispatcher):
    return [open_replica(dispatcher, 8) for _ in range(2)]


def open_replica(dispatcher: Dispatcher[ReplicaLoad], in_flight: int) -> ReplicaLoad:
    replica = ReplicaLoad(in_flight, is_open=True)
    dispatcher.note_change(replica)
    return replica


def held(replica: ReplicaLoad) -> list[object]:
    return [given.request for given in replica.inside.values()]


def end_all(dispatcher: Dispatcher[ReplicaLoad], replica: ReplicaLoad) -> None:
    replica.take_all()
    dispatcher.note_change(replica)


def close_replica(dispatcher: Dispatcher[ReplicaLoad], replica: ReplicaLoad) -> None:
    replica.is_open = False
    dispatcher.note_change(replica)


def test_what_shares_a_prompt_goes_to_one_replica_while_both_have_as_much_to_do(dispatcher, replicas):
    dispatcher.assign_requests(deque(row(str(i)) for i in range(8)))
    for replica in replicas:
        replica.in_flight = 16
        dispatcher.note_change(replica)
    before = [held(replica) for replica in replicas]
    dispatcher.assign_requests(deque(row(prompt, i) for i, prompt in enumerate("abab")))
    new = [held(replica)[len(old) :] for replica, old in zip(replicas, before, strict=True)]
    assert [[request.prompt for request in each] for each in new] == [["a", "a"], ["b", "b"]]


def test_one_prompt_alone_is_shared_by_all(dispatcher, replicas):
    dispatcher.assign_requests(deque(row("a", i) for i in range(9)))
    assert [len(replica.inside) for replica in replicas] == [6, 3]


def test_a_search_goes_whole_to_one_replica_even_if_its_prompts_differ(dispatcher, replicas):
    asked = [step("p", i, prompt=f"attempt {i}") for i in range(7)]
    dispatcher.assign_requests(deque([*asked, step("q")]))
    assert held(replicas[0]) == asked
    scores = [ScoreRequest(("p", "beam", i), "p?", ("1\n",)) for i in range(3)]
    dispatcher.assign_requests(deque(scores))
    assert held(replicas[0])[7:] == scores


def test_no_more_is_taken_than_there_is_room_for(dispatcher, replicas):
    pending = deque(row(str(i)) for i in range(20))
    dispatcher.assign_requests(pending)
    assert len(pending) == 4
    close_replica(dispatcher, replicas[0])
    end_all(dispatcher, replicas[0])
    dispatcher.assign_requests(pending)
    assert len(pending) == 4  # the closed one takes nothing


def test_requests_of_a_node_that_went_are_given_first_and_not_blamed(dispatcher, replicas):
    pending = deque(row(str(i)) for i in range(20))
    dispatcher.assign_requests(pending)
    before = held(replicas[0])
    assert dispatcher.return_requests(replicas[0], is_node_gone=True) == []
    end_all(dispatcher, replicas[1])
    dispatcher.assign_requests(pending)
    assert held(replicas[1]) == before
    assert not replicas[1].suspect_count


def test_a_deadly_request_is_found_and_the_others_are_answered(dispatcher):
    deadly, failed, answered, deaths = row("deadly"), [], [], 0
    pending = deque([*(row(str(i)) for i in range(100)), deadly, *(row(str(i)) for i in range(100, 200))])
    replicas = [open_replica(dispatcher, 64)]
    while pending or dispatcher.waiting_count:
        dispatcher.assign_requests(pending)
        if deadly in held(replicas[0]):
            deaths += 1
            failed += dispatcher.return_requests(replicas[0], is_node_gone=False)
            replicas = [open_replica(dispatcher, 64)]
        else:
            answered += held(replicas[0])
            end_all(dispatcher, replicas[0])
    assert [given.request for given in failed] == [deadly]
    assert sorted(int(request.prompt) for request in answered) == list(range(200))
    assert deaths <= 4


def test_suspects_are_kept_apart_while_others_go_on(dispatcher):
    dying = open_replica(dispatcher, 8)
    dispatcher.assign_requests(deque(row(str(i)) for i in range(8)))
    dispatcher.return_requests(dying, is_node_gone=False)
    replicas = [open_replica(dispatcher, 8) for _ in range(2)]
    pending = deque(row(f"new {i}") for i in range(30))
    dispatcher.assign_requests(pending)
    alone = [replica for replica in replicas if replica.suspect_count]
    assert [len(replica.inside) for replica in alone] == [1] * len(alone)
    assert alone


def test_suspects_whose_node_went_are_given_with_the_others(dispatcher):
    dying = open_replica(dispatcher, 8)
    dispatcher.assign_requests(deque(row(str(i)) for i in range(8)))
    dispatcher.return_requests(dying, is_node_gone=False)
    leaving = open_replica(dispatcher, 8)
    dispatcher.assign_requests(deque())
    (suspect,) = held(leaving)
    dispatcher.return_requests(leaving, is_node_gone=True)
    dispatcher.suspects.clear()
    only, pending = open_replica(dispatcher, 8), deque(row(f"new {i}") for i in range(9))
    dispatcher.assign_requests(pending)
    assert held(only) == [suspect, *(row(f"new {i}") for i in range(7))]
    dispatcher.assign_requests(pending)
    assert len(pending) == 2


def test_nothing_is_kept_of_replicas_that_are_gone(dispatcher):
    lasting = open_replica(dispatcher, 64)
    for number in range(20):
        going = open_replica(dispatcher, 64)
        dispatcher.assign_requests(deque(row(f"{number} {i}") for i in range(4)))
        assert going.inside
        dispatcher.return_requests(going, is_node_gone=True)
        dispatcher.forget_replica(going)
    assert {entry[-1] for entry in dispatcher.loads.heap} | {*dispatcher.loads.ranks} == {lasting}
    assert set(dispatcher.affinity.homes.values()) == {lasting}
    assert not dispatcher.room_by_replica.keys() - {lasting}
