"""Requests that wait for a replica, and those that are given again after a replica's death.

Which replica a request goes to is the rule of `isocompute.runners.engines.affinity`; a search goes whole to one.

A request may be the cause of a replica's death, as one that exhausts its memory. So the requests that a dead replica
held are given again in smaller and smaller company: each death divides the most requests beside it by `SHRINK`. One
that was alone in a replica that died, and had died before, is not given again.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar

from isocompute.runners.engines.affinity import PrefixAffinity, ReplicaLoads

REMEMBERED_PARTS = 65536
"""Number of prompts and searches whose replica is remembered."""

SHRINK = 8
"""The factor by which a replica's requests become fewer after each death that one of them was in."""

MOST_DEATHS = 3
"""Deaths from which a request that was alone in a replica fails."""


@dataclass(eq=False)
class GivenRequest:
    """A request of the driver, and the number of replicas that died while they held it."""

    request: Any
    deaths: int = 0

    def count_allowed(self, in_flight: int) -> int:
        """Return the most requests that a replica may hold with this one."""
        return max(1, in_flight // int(SHRINK**self.deaths))


@dataclass(eq=False)
class ReplicaLoad:
    """The requests that a replica holds.

    Args:
        in_flight: the most that it is to hold.
        inside: those that it holds, by number.
        is_open: whether it takes more.
        suspect_count: the number of those inside that were in a replica that died.
    """

    in_flight: int = 0
    inside: dict[int, GivenRequest] = field(default_factory=dict)
    is_open: bool = False
    suspect_count: int = 0

    def put_inside(self, number: int, given: GivenRequest) -> None:
        """Add a request."""
        self.inside[number] = given
        self.suspect_count += given.deaths > 0

    def take_out(self, number: int) -> GivenRequest | None:
        """Remove a request and return it; None if it is not inside."""
        given = self.inside.pop(number, None)
        if given is not None:
            self.suspect_count -= given.deaths > 0
        return given

    def take_all(self) -> list[GivenRequest]:
        """Remove all requests and return them."""
        held, self.inside, self.suspect_count = list(self.inside.values()), {}, 0
        return held

    def has_room_for(self, given: GivenRequest) -> bool:
        """Return whether a request that was in a death may join those inside."""
        allowed = min(each.count_allowed(self.in_flight) for each in (given, *self.inside.values()))
        return self.is_open and len(self.inside) < allowed


Load = TypeVar("Load", bound=ReplicaLoad)


def find_shared_part(request: Any) -> tuple[bool, Hashable]:
    """Return whether a request belongs to a search, and what it shares with others: a search its problem.

    A row's key begins with its table, a search's and a score's with its problem.
    """
    first = request.key[0]
    return (True, first) if isinstance(first, str) else (False, request.prompt)


class Dispatcher(Generic[Load]):
    """The requests that wait, and the loads of the replicas that take them.

    What it costs to give a request does not grow with the number of replicas; only after a death, while suspects wait,
    all replicas are looked through.
    """

    def __init__(self) -> None:
        self.returned: deque[GivenRequest] = deque()
        """Requests of replicas whose node is gone; they go before new ones."""
        self.suspects: deque[GivenRequest] = deque()
        """Requests of replicas that died alone."""
        self.opened: dict[Load, None] = {}
        self.loads: ReplicaLoads[Load] = ReplicaLoads({})
        """Of the open replicas without suspects, which take new requests."""
        self.room_by_replica: dict[Load, int] = {}
        self.room = 0
        self.affinity: PrefixAffinity[Load] = PrefixAffinity(REMEMBERED_PARTS)
        self.numbers = count()

    @property
    def waiting_count(self) -> int:
        """The number of requests to give again."""
        return len(self.returned) + len(self.suspects)

    def note_change(self, replica: Load) -> None:
        """Take note that a replica was opened or closed, or that requests left it."""
        room = 0
        if replica.is_open:
            self.opened[replica] = None
        else:
            self.opened.pop(replica, None)
        if replica.is_open and not replica.suspect_count:
            load = len(replica.inside)
            self.loads.set_load(replica, load)
            room = max(0, replica.in_flight - load)
        else:
            self.loads.remove_replica(replica)
        self.room += room - self.room_by_replica.pop(replica, 0)
        if room:
            self.room_by_replica[replica] = room

    def forget_replica(self, replica: Load) -> None:
        """Keep nothing of a replica that holds no requests and is gone."""
        replica.is_open = False
        self.note_change(replica)
        self.loads.forget_replica(replica)
        self.affinity.forget_replica(replica)

    def assign_requests(self, pending: deque[Any]) -> dict[Load, dict[int, GivenRequest]]:
        """Take as many requests as the replicas have room for, count them inside, and return them by replica."""
        taken: dict[Load, dict[int, GivenRequest]] = defaultdict(dict)
        if self.suspects and self.opened:
            self._assign_suspects(taken)
        emptied = self.loads.find_least() if self.suspects and self.loads.by_replica else None
        room = self.room
        if emptied is not None:  # the one with the least to do is emptied for the suspects
            room -= self.room_by_replica.get(emptied, 0)
            self.loads.remove_replica(emptied)
        for _ in range(min(room, len(self.returned) + len(pending))):
            given = self.returned.popleft() if self.returned else GivenRequest(pending.popleft())
            is_search, part = find_shared_part(given.request)
            replica = self.affinity.choose_replica(part, self.loads, is_whole=is_search)
            self._put_inside(replica, given, taken)
            self.loads.set_load(replica, len(replica.inside))
        for replica in (*taken, *([] if emptied is None else [emptied])):
            self.note_change(replica)
        return taken

    def return_requests(self, replica: Load, is_node_gone: bool) -> list[GivenRequest]:
        """Take back what a replica held that is gone; return the requests that fail, because they must be the cause.

        Args:
            replica: the replica.
            is_node_gone: whether its node went too; then no request is the cause.
        """
        held, replica.is_open = replica.take_all(), False
        self.note_change(replica)
        if is_node_gone:
            self.returned.extendleft(reversed(held))
            return []
        for given in held:
            given.deaths += 1
        if len(held) == 1 and held[0].deaths >= MOST_DEATHS:
            return held
        self.suspects.extend(held)
        return []

    def drop_requests(self) -> None:
        """Forget what waits, because the caller stopped reading."""
        self.returned.clear()
        self.suspects.clear()

    def _assign_suspects(self, taken: dict[Load, dict[int, GivenRequest]]) -> None:
        loads = ReplicaLoads({replica: len(replica.inside) for replica in self.opened})
        for _ in range(len(self.suspects)):
            given, replica = self.suspects.popleft(), loads.find_least()
            if replica.has_room_for(given):
                self._put_inside(replica, given, taken)
                self.note_change(replica)
                loads.set_load(replica, len(replica.inside))
            else:
                self.suspects.append(given)

    def _put_inside(self, replica: Load, given: GivenRequest, taken: dict[Load, dict[int, GivenRequest]]) -> None:
        number = next(self.numbers)
        replica.put_inside(number, given)
        taken[replica][number] = given
