"""The nodes of a search's tree, and how slots are shared among them.

A strategy is a generator that knows nothing of models. It yields the nodes to grow, one child each, a node as often as
it is to have children; it is sent the children in the same order, each longer by one step and scored; and it returns
its candidates. One yield is one round.

What holds for every strategy:

- ``n`` is the number of slots: no round grows more than ``n`` children. A candidate that has ended keeps its slot, and
  nothing takes its place (of `particle`, which draws its slots anew each round, only the first holds).
- A width above ``n`` is ``n``.
- Of equal scores the luckier node is better: `Node.luck` is drawn from the search's seed and the node's number, so a
  tie is broken by chance, never by position, and the same way when the search is run again.
- Children with the same text under one parent are kept as they are: each took a slot, and each was paid for.
- Candidates that have not ended when the rounds are over are returned with the others, and are not `Node.is_finished`.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One step of a solution, after those of its parents; the root is the problem.

    Args:
        id: 0 of the root; children are numbered in the order in which they are asked for.
        parent: what it goes on from; None of the root.
        round: in which it grew, from 1; 0 of the root.
        text: the step with its delimiter.
        tokens: the step as the solver's tokens; None if its engine does not say them.
        length: tokens on the path from the root to here; None if unknown.
        end: None, it goes on; ``stop``, the solution is complete; ``length``, the token limit cut it.
        scores: of the path's steps, in their order.
        score: what `scores` come to, or those of a rollout from here; NaN if no step has any.
        luck: breaks ties, uniform in 0 … 1.
    """

    id: int
    parent: Node | None
    round: int
    text: str
    tokens: tuple[int, ...] | None
    length: int | None
    end: str | None
    scores: tuple[float, ...]
    score: float
    tie_breaker: float

    @property
    def is_alive(self) -> bool:
        """Whether it goes on."""
        return self.end is None

    @property
    def is_finished(self) -> bool:
        """Whether it completes a solution; what was cut does not."""
        return self.end == "stop"

    @property
    def rank_key(self) -> tuple[float, float]:
        """What nodes are ordered by: the score, NaN the lowest, then luck."""
        return (-math.inf if math.isnan(self.score) else self.score, self.tie_breaker)

    def collect_path(self) -> list[Node]:
        """Return the nodes from the first step to this one."""
        nodes: list[Node] = []
        node = self
        while node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]


SearchGenerator = Generator[list[Node], list[Node], list[Node]]
"""Yields the nodes to grow, is sent their children, returns its candidates."""


def make_root_node(tokens: tuple[int, ...] | None = ()) -> Node:
    """Return the node that every search begins with: nothing is written yet."""
    return Node(0, None, 0, "", tokens, 0, None, (), math.nan, 0.0)


def select_best_nodes(nodes: Iterable[Node], count: int) -> list[Node]:
    """Return the best nodes, the best first."""
    return sorted(nodes, key=lambda node: node.rank_key, reverse=True)[:count]


def divide_slots(slots: int, parts: int) -> list[int]:
    """Deal slots as evenly as they go, the larger shares first.

    >>> divide_slots(13, 4)
    [4, 3, 3, 3]
    """
    return [slots // parts + (i < slots % parts) for i in range(parts)]


def expand_parents(nodes: Sequence[Node], counts: Iterable[int]) -> list[Node]:
    """Return each node as often as it is to have children, side by side: they share their prefix."""
    return [node for node, count in zip(nodes, counts, strict=True) for _ in range(count)]
