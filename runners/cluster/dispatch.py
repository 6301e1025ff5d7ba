"""Choice of the replica that a request goes to.

What shares a prompt goes to the replica that has it in its prefix cache, unless another has less than half as much to
do. A search goes whole to one replica, whatever the others have to do.

A request may be the cause of a replica's death, as one that exhausts its memory. So the requests that a dead replica
held are given again in smaller and smaller company: each death divides the most requests beside it by `SHRINK`. One
that was alone in a replica that died, and had died before, is not given again.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar

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
    """

    in_flight: int = 0
    inside: dict[int, GivenRequest] = field(default_factory=dict)
    is_open: bool = False

    @property
    def suspects(self) -> list[GivenRequest]:
        """The requests inside that were in a replica that died."""
        return [given for given in self.inside.values() if given.deaths]

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
    """The requests that wait, and the replicas that others of their kind went to."""

    def __init__(self) -> None:
        self.returned: deque[GivenRequest] = deque()
        """Requests of replicas whose node is gone; they go before new ones."""
        self.suspects: deque[GivenRequest] = deque()
        """Requests of replicas that died alone."""
        self.homes: OrderedDict[Hashable, Load] = OrderedDict()
        self.numbers = count()

    @property
    def waiting_count(self) -> int:
        """The number of requests to give again."""
        return len(self.returned) + len(self.suspects)

    def assign_requests(self, pending: deque[Any], replicas: Sequence[Load]) -> dict[Load, dict[int, GivenRequest]]:
        """Take as many requests as the replicas have room for, count them inside, and return them by replica."""
        taken: dict[Load, dict[int, GivenRequest]] = defaultdict(dict)
        free = [replica for replica in replicas if replica.is_open]
        for _ in range(len(self.suspects) if free else 0):
            given, replica = self.suspects.popleft(), min(free, key=get_load)
            if replica.has_room_for(given):
                self._put_inside(replica, given, taken)
            else:
                self.suspects.append(given)
        free = [replica for replica in free if not replica.suspects]
        if self.suspects and free:  # the one with the least to do is emptied for them
            free.remove(min(free, key=get_load))
        room = sum(max(0, replica.in_flight - len(replica.inside)) for replica in free)
        for _ in range(min(room, len(self.returned) + len(pending))):
            given = self.returned.popleft() if self.returned else GivenRequest(pending.popleft())
            self._put_inside(self._choose_replica(given, free), given, taken)
        return taken

    def return_requests(self, replica: Load, is_node_gone: bool) -> list[GivenRequest]:
        """Take back what a replica held that is gone; return the requests that fail, because they must be the cause.

        Args:
            replica: the replica.
            is_node_gone: whether its node went too; then no request is the cause.
        """
        held, replica.inside = list(replica.inside.values()), {}
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

    def _put_inside(self, replica: Load, given: GivenRequest, taken: dict[Load, dict[int, GivenRequest]]) -> None:
        number = next(self.numbers)
        replica.inside[number] = taken[replica][number] = given

    def _choose_replica(self, given: GivenRequest, free: Sequence[Load]) -> Load:
        least = min(free, key=get_load)
        is_search, part = find_shared_part(given.request)
        home = self.homes.get(part, least)
        if home not in free:
            home = least
        self.homes[part] = home
        self.homes.move_to_end(part)
        if len(self.homes) > REMEMBERED_PARTS:
            self.homes.popitem(last=False)
        return home if is_search or get_load(home) <= 2 * get_load(least) else least


def get_load(replica: ReplicaLoad) -> int:
    """Return the number of requests that a replica holds."""
    return len(replica.inside)
