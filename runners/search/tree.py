"""One search: a strategy that is run on a problem, grows round by round, is logged, and ends in an answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial

from isocompute.runners.config.search import Search, Shape
from isocompute.runners.engines.clock import Interval
from isocompute.runners.grading import Classes, Grader
from isocompute.runners.search.expand import Cost, Ground, Growth, Sprout, attempt, grow
from isocompute.runners.search.registry import SEARCHES
from isocompute.runners.search.rows import Key, Row, fate, node_of, node_row, search_row
from isocompute.runners.search.strategies import Node, chosen
from isocompute.runners.seeds import seed_of
from isocompute.runners.storage.schema import WAITS

Outcome = tuple[Node | None, Cost, str]
"""A node that has grown, or None; what it took; and its status."""


class Tree:
    """A search on one problem. Run again on its log, it comes to where it was without asking for anything.

    Args:
        key: which search.
        rules: how it is made.
        seed: the sweep's.
        ground: what its nodes grow from.
        grader: reads the answers.
        gold: the right one.
        there: its nodes that are logged.
        log: takes the rows of a round.
    """

    def __init__(
        self,
        key: Key,
        rules: Search,
        seed: int,
        ground: Ground,
        grader: Grader,
        gold: str,
        there: dict[int, Row],
        log: Callable[[list[Row]], None],
    ) -> None:
        self.key, self.rules, self.seed, self.ground, self.there, self.log = key, rules, seed, ground, there, log
        seen = [row["answer"] for _, row in sorted(there.items()) if row["answer"] is not None]
        self.classes = Classes(grader, gold, seen)
        self.answers: dict[int, tuple[str | None, bool]] = {}
        self.cost, self.nodes = Cost(), 0
        self.rounds: list[list[Interval | None]] = []

    def run(self) -> Generator[list[Sprout], dict[int, Outcome], Row]:
        """Search: yield the nodes that are to be grown, be sent how each came out, return the search's row."""
        shape = Shape(*self.key[1:5])
        begin, seed = SEARCHES[shape.strategy].begin, seed_of(self.seed, "particles", *self.key)
        running = begin(shape.n, shape.width, self.rules.rounds, seed)
        parents = next(running)
        while True:
            sprouts = self._sprouts(parents)
            grown: dict[int, Outcome] = {s.id: (*node_of(s, row), "ok") for s, row in self._there(sprouts)}
            if missing := [sprout for sprout in sprouts if sprout.id not in grown]:
                grown |= yield missing
            for _, cost, _ in grown.values():
                self.cost.add(**cost.counts)
            self.rounds[-1] = [cost.clock.span for _, cost, _ in grown.values()]
            children = [node for sprout in sprouts if (node := grown[sprout.id][0]) is not None]
            if len(children) < len(sprouts):
                return self._failed(sprouts, grown)
            try:
                parents, candidates = running.send(children), list[Node]()
            except StopIteration as over:
                parents, candidates = [], over.value
            self._decided(sprouts, grown, set(parents), set(candidates))
            if candidates:
                return self._ended(candidates)

    def grow(self, sprout: Sprout, cost: Cost) -> Growth:
        """Begin to grow a node; what it takes is added to the cost."""
        return (grow if self.ground.revision is None else attempt)(self.ground, sprout, cost)

    def _sprouts(self, parents: Sequence[Node]) -> list[Sprout]:
        self.rounds.append([])
        sprouts = []
        for parent in parents:
            self.nodes += 1
            key = (*self.key, self.nodes)
            luck = seed_of(self.seed, "tie", *key) / 2**63
            sprouts.append(Sprout(key, parent, len(self.rounds), luck, partial(seed_of, self.seed, "node", *key)))
        return sprouts

    def _there(self, sprouts: Sequence[Sprout]) -> Iterator[tuple[Sprout, Row]]:
        return ((sprout, self.there[sprout.id]) for sprout in sprouts if sprout.id in self.there)

    def _decided(
        self, sprouts: Sequence[Sprout], grown: dict[int, Outcome], parents: set[Node], candidates: set[Node]
    ) -> None:
        """Read the answers of a round, and log it unless it is."""
        rows = []
        for sprout in sprouts:
            node, cost, _ = grown[sprout.id]
            assert node is not None, "a round with a failure is not decided"
            row = self.there.get(sprout.id)
            if row is not None and row["status"] == "ok":
                self.answers[node.id] = (row["answer"], bool(row["correct"]))
                continue
            said = {}
            if node.finished:
                self.answers[node.id] = self.classes.grade(self.ground.solution(node))
                said = dict(zip(("answer", "correct"), self.answers[node.id], strict=True))
            rows.append(node_row(sprout, "ok", cost, node, fate=fate(node, parents, candidates), **said))
        if rows:
            self.log(rows)

    def _failed(self, sprouts: Sequence[Sprout], grown: dict[int, Outcome]) -> Row:
        """Log a round that cannot be decided, so that the next run asks for no more than what failed."""
        why = [status for node, _, status in grown.values() if node is None]
        rows = []
        for sprout in sprouts:
            node, cost, status = grown[sprout.id]
            if sprout.id not in self.there:
                rows.append(node_row(sprout, status if node is None else WAITS, cost, node))
        self.log(rows)
        return search_row(self.key, f"a node failed: {why[0]}", self.cost, self.rounds)

    def _ended(self, candidates: list[Node]) -> Row:
        """Select the answer."""
        finished = sum(node.finished for node in candidates)
        if not finished:
            for node in candidates:
                self.answers[node.id] = self.classes.grade(self.ground.solution(node))
        selected = chosen(candidates, {id_: answer for id_, (answer, _) in self.answers.items()}, self.rules.select)
        answer, correct = self.answers[selected.id]
        return search_row(
            self.key, "ok", self.cost, self.rounds, answer=answer, correct=correct, selected=selected.id,
            candidates=[node.id for node in candidates], finished=finished,
        )  # fmt: skip
