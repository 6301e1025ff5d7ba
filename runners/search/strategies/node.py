"""Nodes of a search tree, and the sharing of slots among them.

A strategy is a generator that does not depend on models. It yields a list of nodes to grow, each node once for every
child it gets. It receives the children in the same order, each one step longer and scored. It returns its candidates.
One yield is one round.

Rules for every strategy:

- ``n`` is the number of slots: no round grows more than ``n`` children. A candidate that has ended keeps its slot, and
  no other node takes it. (For `particle` only the first sentence holds, because it draws all slots anew each round.)
- A width above ``n`` counts as ``n``.
- Ties in score are broken by `Node.tie_breaker`, which is drawn from the search's seed and the node's number. So a tie
  is broken at random and not by position, and the same way when the search is run again.
- Children of one parent with the same text are all kept: each took a slot and was paid for.
- Candidates that have not ended after the last round are returned with the others; their `Node.is_finished` is false.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One step of a solution, after those of its ancestors; the root is the problem.

    Args:
        id: 0 for the root; children are numbered in the order of the requests.
        parent: the node it continues; None for the root.
        round: the round in which it grew, from 1; 0 for the root.
        text: the step with its delimiter.
        tokens: the step as the solver's tokens; None if its engine does not report them.
        length: tokens on the path from the root to here; None if unknown.
        end: None if the solution continues; ``stop`` if it is complete; ``length`` if the token limit cut it.
        scores: the step scores of the path, in order.
        score: the aggregate of `scores`, or of a rollout's scores from here; NaN if no step is scored.
        tie_breaker: decides between equal scores; uniform in 0 … 1.
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
        """True if the solution continues."""
        return self.end is None

    @property
    def is_finished(self) -> bool:
        """True if the solution is complete; one that was cut is not."""
        return self.end == "stop"

    @property
    def rank_key(self) -> tuple[float, float]:
        """The sort key of nodes: the score, NaN lowest, then the tie breaker."""
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
"""A generator that yields the nodes to grow, receives their children, and returns its candidates."""


def make_root_node(tokens: tuple[int, ...] | None = ()) -> Node:
    """Return the root of a search, with no text."""
    return Node(0, None, 0, "", tokens, 0, None, (), math.nan, 0.0)


def select_best_nodes(nodes: Iterable[Node], count: int) -> list[Node]:
    """Return the best nodes, the best first."""
    return sorted(nodes, key=lambda node: node.rank_key, reverse=True)[:count]


def divide_slots(slots: int, parts: int) -> list[int]:
    """Return shares of slots that are as even as possible, the larger shares first.

    >>> divide_slots(13, 4)
    [4, 3, 3, 3]
    """
    return [slots // parts + (i < slots % parts) for i in range(parts)]


def expand_parents(nodes: Sequence[Node], counts: Iterable[int]) -> list[Node]:
    """Return each node once for every child it gets; copies are adjacent because they share their prefix."""
    return [node for node, count in zip(nodes, counts, strict=True) for _ in range(count)]
