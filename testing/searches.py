"""Tests that every search strategy must pass, in simulated worlds without models."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from isocompute.runners.search.registry import SearchStrategy
from isocompute.runners.search.strategies.node import Node, SearchGenerator, make_root_node


@dataclass
class SearchWorld:
    """A simulated world in which every step, score and end is fixed before a search begins.

    Args:
        scores: scores of the children by their number; few different values, so that ties are frequent.
        ends: ends of the children by their number: None, ``stop`` or ``length``.
        tie_breakers: tie breakers of the children by their number.
        rounds: after a search, the numbers of the parents that each round extends.
        nodes: after a search, all nodes by their number.
    """

    scores: list[float]
    ends: list[str | None]
    tie_breakers: list[float]
    rounds: list[list[int]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    @property
    def step_count(self) -> int:
        """The number of sampled steps."""
        return len(self.nodes) - 1

    def run_strategy(self, strategy: Callable[[Node], SearchGenerator]) -> list[int]:
        """Run a strategy from the root to its end, and return the numbers of its candidates."""
        self.rounds, self.nodes = [], [make_root_node()]
        running = strategy(self.nodes[0])
        try:
            parents = next(running)
            while True:
                self.rounds.append([node.id for node in parents])
                parents = running.send([self.grow_child(parent) for parent in parents])
        except StopIteration as done:
            return [node.id for node in done.value]

    def grow_child(self, parent: Node) -> Node:
        """Grow the next child of a node."""
        i = len(self.nodes)
        scores = (*parent.scores, self.scores[i])
        child = Node(
            id=i,
            parent=parent,
            round=len(self.rounds),
            text=f"step {i}\n\n",
            tokens=(i,),
            length=len(scores),
            end=self.ends[i],
            scores=scores,
            score=scores[-1],
            tie_breaker=self.tie_breakers[i],
        )
        self.nodes.append(child)
        return child

    def count_depth(self, i: int) -> int:
        """Return the number of steps that lead to a node."""
        return len(self.nodes[i].collect_path())


def make_search_world(
    seed: int, stop: float = 0.2, length: float = 0.05, values: int = 4, size: int = 2000
) -> SearchWorld:
    """Make a random world.

    Args:
        seed: seed of the world.
        stop: probability that a step completes its solution.
        length: probability that a step is cut at the token limit.
        values: number of different scores.
        size: number of children that can be grown.
    """
    rng = random.Random(seed)
    grid = [round((k + 1) / (values + 1), 3) for k in range(values)]
    return SearchWorld(
        [rng.choice(grid) for _ in range(size)],
        rng.choices([None, "stop", "length"], [1 - stop - length, stop, length], k=size),
        [rng.random() for _ in range(size)],
    )


class SearchSuite:
    """Tests of a search strategy.

    Attributes:
        entry: the strategy's registry entry.
        shapes: tested slots, widths and rounds; they include n < width, n not a multiple of it, one slot, one round.
        seeds: seeds of the worlds.
    """

    entry: SearchStrategy
    shapes = tuple((n, width, rounds) for n in (1, 2, 3, 6, 16) for width in (1, 2, 4, 20) for rounds in (1, 2, 5))
    seeds = range(3)

    def run_search(self, world: SearchWorld, n: int, width: int, rounds: int, seed: int = 0) -> list[int]:
        """Run the strategy in a world, and return the numbers of its candidates."""
        width = width if self.entry.has_width else 0
        return world.run_strategy(lambda _: self.entry.begin(n, width, rounds, seed))

    def test_no_round_grows_more_than_its_slots_and_there_are_candidates(self) -> None:
        for seed in self.seeds:
            for n, width, rounds in self.shapes:
                world = make_search_world(seed)
                candidates = self.run_search(world, n, width, rounds)
                assert candidates
                assert all(0 < candidate < len(world.nodes) for candidate in candidates)
                assert all(1 <= len(asked) <= n for asked in world.rounds)
                assert world.step_count <= n * max(rounds, n)

    def test_rounds_are_bounded(self) -> None:
        for n, width, rounds in self.shapes:
            world = make_search_world(1, stop=0, length=0)
            self.run_search(world, n, width, rounds)
            assert len(world.rounds) <= (n if self.entry.revises else rounds)

    def test_only_nodes_of_the_tree_are_grown_and_none_that_has_ended(self) -> None:
        for seed in self.seeds:
            for n, width, rounds in self.shapes:
                world = make_search_world(seed)
                self.run_search(world, n, width, rounds)
                grown = 0
                for asked in world.rounds:
                    assert all(0 <= parent <= grown for parent in asked)
                    if not self.entry.revises:  # revisions extend attempts that have ended
                        assert all(world.nodes[parent].is_alive for parent in asked)
                    grown += len(asked)

    def test_the_same_world_and_seed_give_the_same_search(self) -> None:
        for n, width, rounds in self.shapes:
            one, other = make_search_world(5), make_search_world(5)
            assert self.run_search(one, n, width, rounds, 3) == self.run_search(other, n, width, rounds, 3)
            assert one.rounds == other.rounds

    def test_solutions_of_one_step_are_a_search_too(self) -> None:
        for end in ("stop", "length"):
            world = make_search_world(0)
            world.ends = [end] * len(world.ends)
            candidates = self.run_search(world, 4, 2, 40)
            assert candidates
            assert all(world.nodes[i].is_finished == (end == "stop") for i in candidates)
