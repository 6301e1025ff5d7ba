"""One search on one problem: it grows round by round, is logged, and ends with an answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial

from isocompute.runners.config.search import SearchConfig, SearchShape
from isocompute.runners.engines.clock import TimeSpan
from isocompute.runners.grading import AnswerClasses, Grader
from isocompute.runners.search.expand import NodeCost, NodeGrowth, PendingNode, SearchContext, grow_attempt, grow_step
from isocompute.runners.search.registry import SEARCH_STRATEGIES
from isocompute.runners.search.rows import (
    SearchKey,
    SearchRow,
    build_node_row,
    build_search_row,
    classify_node,
    restore_node,
)
from isocompute.runners.search.strategies import Node, select_candidate
from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.schema import WAITING_STATUS

NodeOutcome = tuple[Node | None, NodeCost, str]
"""A grown node or None, its cost and its status."""


class SearchTree:
    """A search on one problem. Nodes that are in the log are restored and not requested again.

    Args:
        key: the search.
        rules: its configuration.
        seed: the sweep's seed.
        context: the context of its nodes.
        grader: the grader of answers.
        gold: the gold answer; None if it is unknown.
        logged_rows: its logged nodes, by number.
        log: receives the rows of a round.
    """

    def __init__(
        self,
        key: SearchKey,
        rules: SearchConfig,
        seed: int,
        context: SearchContext,
        grader: Grader,
        gold: str | None,
        logged_rows: dict[int, SearchRow],
        log: Callable[[list[SearchRow]], None],
    ) -> None:
        self.key, self.rules, self.seed, self.context = key, rules, seed, context
        self.logged_rows, self.log = logged_rows, log
        logged_answers = [row["answer"] for _, row in sorted(logged_rows.items()) if row["answer"] is not None]
        self.classes = AnswerClasses(grader, gold, logged_answers)
        self.answers: dict[int, tuple[str | None, bool | None]] = {}
        self.cost, self.node_count = NodeCost(), 0
        self.rounds: list[list[TimeSpan | None]] = []

    def run(self) -> Generator[list[PendingNode], dict[int, NodeOutcome], SearchRow]:
        """Run the search: yield the nodes to grow, receive their outcomes, and return the search's row."""
        shape = SearchShape(*self.key[1:5])
        begin, seed = SEARCH_STRATEGIES[shape.strategy].begin, derive_seed(self.seed, "particles", *self.key)
        running = begin(shape.n, shape.width, self.rules.rounds, seed)
        parents = next(running)
        while True:
            pending_nodes = self._make_pending_nodes(parents)
            grown: dict[int, NodeOutcome] = {
                s.id: (*restore_node(s, row), "ok") for s, row in self._find_logged_rows(pending_nodes)
            }
            if missing := [pending for pending in pending_nodes if pending.id not in grown]:
                grown |= yield missing
            for _, cost, _ in grown.values():
                self.cost.add(**cost.counts)
            self.rounds[-1] = [cost.clock.span for _, cost, _ in grown.values()]
            children = [node for pending in pending_nodes if (node := grown[pending.id][0]) is not None]
            if len(children) < len(pending_nodes):
                return self._log_failed_round(pending_nodes, grown)
            try:
                parents, candidates = running.send(children), list[Node]()
            except StopIteration as over:
                parents, candidates = [], over.value
            self._log_round(pending_nodes, grown, set(parents), set(candidates))
            if candidates:
                return self._select_answer(candidates)

    def grow_node(self, pending: PendingNode, cost: NodeCost) -> NodeGrowth:
        """Return the growth of a node; its cost is added to ``cost``."""
        return (grow_step if self.context.revision is None else grow_attempt)(self.context, pending, cost)

    def _make_pending_nodes(self, parents: Sequence[Node]) -> list[PendingNode]:
        self.rounds.append([])
        pending_nodes = []
        for parent in parents:
            self.node_count += 1
            key = (*self.key, self.node_count)
            tie_break = derive_seed(self.seed, "tie", *key) / 2**63
            pending_nodes.append(
                PendingNode(key, parent, len(self.rounds), tie_break, partial(derive_seed, self.seed, "node", *key))
            )
        return pending_nodes

    def _find_logged_rows(self, pending_nodes: Sequence[PendingNode]) -> Iterator[tuple[PendingNode, SearchRow]]:
        return ((pending, self.logged_rows[pending.id]) for pending in pending_nodes if pending.id in self.logged_rows)

    def _log_round(
        self,
        pending_nodes: Sequence[PendingNode],
        grown: dict[int, NodeOutcome],
        parents: set[Node],
        candidates: set[Node],
    ) -> None:
        """Grade the finished nodes of a round, and log the nodes that are not logged yet."""
        rows = []
        for pending in pending_nodes:
            node, cost, _ = grown[pending.id]
            assert node is not None, "a round with a failed node is not decided"
            row = self.logged_rows.get(pending.id)
            if row is not None and row["status"] == "ok":
                self.answers[node.id] = (row["answer"], row["correct"])
                continue
            grade = {}
            if node.is_finished:
                self.answers[node.id] = self.classes.grade(self.context.build_solution_text(node))
                grade = dict(zip(("answer", "correct"), self.answers[node.id], strict=True))
            rows.append(
                build_node_row(pending, "ok", cost, node, fate=classify_node(node, parents, candidates), **grade)
            )
        if rows:
            self.log(rows)

    def _log_failed_round(self, pending_nodes: Sequence[PendingNode], grown: dict[int, NodeOutcome]) -> SearchRow:
        """Log a round that cannot be decided, so that the next run requests only the failed nodes."""
        reasons = [status for node, _, status in grown.values() if node is None]
        rows = []
        for pending in pending_nodes:
            node, cost, status = grown[pending.id]
            if pending.id not in self.logged_rows:
                rows.append(build_node_row(pending, status if node is None else WAITING_STATUS, cost, node))
        self.log(rows)
        return build_search_row(self.key, f"a node failed: {reasons[0]}", self.cost, self.rounds)

    def _select_answer(self, candidates: list[Node]) -> SearchRow:
        """Select the answer and return the search's row; unfinished candidates count only if none is finished."""
        finished = sum(node.is_finished for node in candidates)
        if not finished:
            for node in candidates:
                self.answers[node.id] = self.classes.grade(self.context.build_solution_text(node))
        selected = select_candidate(
            candidates, {id_: answer for id_, (answer, _) in self.answers.items()}, self.rules.select
        )
        answer, correct = self.answers[selected.id]
        return build_search_row(
            self.key, "ok", self.cost, self.rounds, answer=answer, correct=correct, selected=selected.id,
            candidates=[node.id for node in candidates], finished=finished,
        )  # fmt: skip
