"""The rule by which a request goes to one of several replicas, on one machine and on a cluster.

Each replica has its own prefix cache. So what shares a part, as a prompt, goes to the replica that took the part first,
its home, unless another one has less than half as much to do; then it goes to the one with the least. A part that is to
stay whole, as a search, goes to its home whatever the others have to do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Member = TypeVar("Member", bound=Hashable)

OUTDATED_SHARE = 8
"""Entries of the heap for each replica, from which it is built anew."""


class ReplicaLoads(Generic[Member]):
    """The number of requests that each replica has to do.

    The least is at the top of a heap. A change adds an entry, and an entry whose load is no longer its replica's is
    passed over, so that a request costs no more than the logarithm of the number of replicas.

    Args:
        loads: the loads by replica; of equal ones the first that was ever there counts as the least.

    >>> loads = ReplicaLoads({"a": 2, "b": 1, "c": 1})
    >>> loads.set_load("b", 3)
    >>> loads.find_least(), loads.total
    ('c', 6)
    """

    def __init__(self, loads: Mapping[Member, int]) -> None:
        self.by_replica = dict(loads)
        self.total = sum(loads.values())
        self.ranks: dict[Member, int] = {}
        self.next_ranks = count()
        self._build_heap()

    def set_load(self, replica: Member, load: int) -> None:
        """Set the load of a replica, which may be new, or back after it was removed."""
        self.total += load - self.by_replica.get(replica, 0)
        self.by_replica[replica] = load
        if len(self.heap) < OUTDATED_SHARE * len(self.by_replica):
            heappush(self.heap, (load, self._rank_replica(replica), replica))
        else:
            self._build_heap()

    def remove_replica(self, replica: Member) -> None:
        """Let a replica take no more requests, if it takes any."""
        self.total -= self.by_replica.pop(replica, 0)

    def forget_replica(self, replica: Member) -> None:
        """Keep nothing of a replica that does not come back."""
        self.remove_replica(replica)
        if self.ranks.pop(replica, None) is not None:
            self._build_heap()

    def find_least(self) -> Member:
        """Return the replica with the least to do; there must be one."""
        while True:
            load, _, replica = self.heap[0]
            if self.by_replica.get(replica) == load:
                return replica
            heappop(self.heap)

    def _rank_replica(self, replica: Member) -> int:
        """Return a replica's place in the order in which they came."""
        if replica not in self.ranks:
            self.ranks[replica] = next(self.next_ranks)
        return self.ranks[replica]

    def _build_heap(self) -> None:
        self.heap = [(load, self._rank_replica(each), each) for each, load in self.by_replica.items()]
        heapify(self.heap)


class PrefixAffinity(Generic[Member]):
    """The homes of the parts that requests share.

    Args:
        remembered: the number of parts whose home is remembered.

    >>> affinity, loads = PrefixAffinity(remembered=100), ReplicaLoads({"a": 3, "b": 4})
    >>> affinity.choose_replica("prompt", loads)
    'a'
    >>> loads.set_load("a", 9)
    >>> affinity.choose_replica("prompt", loads), affinity.choose_replica("prompt", loads, is_whole=True)
    ('b', 'a')
    """

    def __init__(self, remembered: int) -> None:
        self.remembered = remembered
        self.homes: OrderedDict[Hashable, Member] = OrderedDict()

    def choose_replica(self, part: Hashable, loads: ReplicaLoads[Member], is_whole: bool = False) -> Member:
        """Return the replica for a request.

        Args:
            part: what the request shares with others.
            loads: of the replicas that take requests.
            is_whole: whether all that shares the part is to be on one replica.
        """
        least, by_replica = loads.find_least(), loads.by_replica
        home = self.homes.get(part, least)
        if home not in by_replica:
            home = least
        self.homes[part] = home
        self.homes.move_to_end(part)
        if len(self.homes) > self.remembered:
            self.homes.popitem(last=False)
        return home if is_whole or by_replica[home] <= 2 * by_replica[least] else least

    def forget_replica(self, replica: Member) -> None:
        """Keep nothing of a replica that does not come back."""
        for part in [part for part, home in self.homes.items() if home == replica]:
            del self.homes[part]
