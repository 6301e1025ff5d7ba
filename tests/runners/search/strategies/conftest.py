"""A world without models, in which every step, score and end is known before the search begins."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from isocompute.runners.search.strategies.node import Node, Strategy, root


@dataclass
class World:
    """What the children will be, by their number; and, after `search`, what a strategy did with them.

    Args:
        scores: of the children; few values, so that ties are frequent.
        ends: None, ``stop`` or ``length``.
        luck: of the children.
        rounds: after a search, the numbers of the parents that each round asked for.
        nodes: after a search, every node by its number.
    """

    scores: list[float]
    ends: list[str | None]
    luck: list[float]
    rounds: list[list[int]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return len(self.nodes) - 1

    def search(self, strategy) -> list[int]:
        """Run ``strategy(root)`` to its end; return the numbers of its candidates."""
        self.rounds, self.nodes = [], [root()]
        running: Strategy = strategy(self.nodes[0])
        try:
            parents = next(running)
            while True:
                self.rounds.append([node.id for node in parents])
                children = [self.child(parent) for parent in parents]
                parents = running.send(children)
        except StopIteration as done:
            return [node.id for node in done.value]

    def child(self, parent: Node) -> Node:
        i = len(self.nodes)
        scores = (*parent.scores, self.scores[i])
        self.nodes.append(
            Node(
                i,
                parent,
                len(self.rounds),
                f"step {i}\n\n",
                (i,),
                len(scores),
                self.ends[i],
                scores,
                scores[-1],
                self.luck[i],
            )
        )
        return self.nodes[-1]

    def depth(self, i: int) -> int:
        return len(self.nodes[i].path())


def world(seed: int, stop: float = 0.2, length: float = 0.05, values: int = 4, size: int = 2000) -> World:
    rng = random.Random(seed)
    grid = [round((k + 1) / (values + 1), 3) for k in range(values)]
    return World(
        [rng.choice(grid) for _ in range(size)],
        rng.choices([None, "stop", "length"], [1 - stop - length, stop, length], k=size),
        [rng.random() for _ in range(size)],
    )


@pytest.fixture
def worlds():
    """Makes a world from a seed, and the chances that a step ends its solution, or is cut."""
    return world


SHAPES = [(n, width, rounds) for n in (1, 2, 3, 4, 6, 7, 16) for width in (1, 2, 3, 4, 20) for rounds in (1, 2, 5)]


@pytest.fixture
def shapes():
    """Slots, widths and rounds: n < width, n not a multiple of it, one slot, one round."""
    return SHAPES
