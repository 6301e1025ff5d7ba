"""Driver that runs all searches of all problems and seeds at once, with one engine and one scorer.

A search is a generator that yields nodes to grow and receives the grown nodes (`tree`). A node is a generator that
yields requests to a model and receives the answers (`expand`). So the models serve requests of any search, and scoring
runs in parallel with sampling. Requests of running searches go first: few searches are then open at a time, and their
prefixes are still in the prefix cache.

Within a round of a search a text is scored once, even if several nodes reach it; the cost is charged to the one with
the lowest number.

A round is logged whole, as soon as it is decided. A search that was killed is run again: logged nodes are taken from
the log, without requests to a model, and the search continues after them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any

from isocompute.runners.config.search import SearchShape
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import Display
from isocompute.runners.engines import Engine, Request
from isocompute.runners.engines.worker_thread import THREAD_END_SECONDS, ModelThread
from isocompute.runners.grading import Grader
from isocompute.runners.prompts import Prompt
from isocompute.runners.scorers import Scorer, ScoreRequest, ScoreResult
from isocompute.runners.search.expand import NodeCost, NodeFailure, NodeGrowth, PendingNode, SearchContext
from isocompute.runners.search.rows import SearchKey, SearchRow, read_logged_nodes
from isocompute.runners.search.tree import NodeOutcome, SearchTree
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SEARCHES_TABLE
from isocompute.runners.tasks import Problem

ModelRequest = Request | ScoreRequest
ScoringKey = tuple[tuple[str, ...], int]
"""The steps of a text, and the number of leading ones whose scores are known."""


@dataclass
class SharedScores:
    """The scores of a text, None until they come, and the keys of the round's nodes that reached it."""

    nodes: list[tuple[Any, ...]] = field(default_factory=list)
    result: ScoreResult | None = None

    @property
    def scores_without_cost(self) -> ScoreResult:
        """The scores with zero cost; the cost is charged when the round ends."""
        assert self.result is not None, "scores are read only after they have arrived"
        return replace(self.result, prompt_tokens=0, cached_tokens=0, calls=0, completion_tokens=0)


@dataclass(eq=False)
class OpenSearch:
    """A running search: the outcomes of its present round, and the texts scored for it."""

    tree: SearchTree
    round_generator: Generator[list[PendingNode], dict[int, NodeOutcome], SearchRow]
    awaited_count: int = 0
    outcomes: dict[int, NodeOutcome] = field(default_factory=dict)
    shared_scores: dict[ScoringKey, SharedScores] = field(default_factory=dict)

    def add_scoring_cost(self) -> None:
        """Charge the round's scoring to the lowest-numbered node of each text, once all nodes are known."""
        for shared in self.shared_scores.values():
            assert shared.result is not None, "the round is over"
            if shared.result.status == "ok":
                _, cost, _ = self.outcomes[min(key[-1] for key in shared.nodes)]
                cost.add(**shared.result.cost_columns)


class Searcher:
    """A runner of the searches that a run lacks, all at once, for one process.

    Args:
        config: the sweep.
        run: the run that they are logged to.
        problems: the problems by id.
        texts: the prompts, by role.
        grader: the grader of answers.
        display: where progress is shown.
        load: returns the solver's engine and the scorer; called only if they are needed.
    """

    def __init__(
        self,
        config: Sweep,
        run: Run,
        problems: dict[str, Problem],
        texts: dict[str, Prompt],
        grader: Grader,
        display: Display,
        load: Callable[[], tuple[Engine, Scorer]],
    ) -> None:
        self.config, self.run, self.problems, self.texts = config, run, problems, texts
        self.grader, self.display, self.load_models = grader, display, load
        self.failure_counts: Counter[str] = Counter()
        self.correct_counts: Counter[bool] = Counter()
        self.sampled = 0
        self.open_searches: dict[SearchKey, OpenSearch] = {}
        self.growing_nodes: dict[tuple[Any, ...], tuple[NodeGrowth, NodeCost]] = {}

    def run_searches(self) -> None:
        """Run every missing search until it ends or fails."""
        expected = ExpectedRows(self.config, list(self.problems))
        missing = list(expected.find_missing_keys(SEARCHES_TABLE, self.run.read_keys(SEARCHES_TABLE)))
        if not missing:
            return
        total = expected.count_rows(SEARCHES_TABLE)
        self.display.start_phase("searching", total, total - len(missing))
        node_writer = self.run.open_writer(NODES_TABLE, self.config.checkpoint_seconds)
        self.search_writer = self.run.open_writer(SEARCHES_TABLE, self.config.checkpoint_seconds, after=node_writer)
        try:
            logged_nodes = read_logged_nodes(self.run, missing)
            first_requests: list[ModelRequest] = []
            for key in missing:
                tree = self.build_tree(key, logged_nodes[key], node_writer.add_rows)
                self.open_searches[key] = OpenSearch(tree, tree.run())
                # A search that the log already completes records its result here, and requests nothing.
                first_requests += self._step_search(key, None)
            if first_requests:
                self._serve_requests(first_requests)
        finally:
            node_writer.flush()
            self.search_writer.flush()

    def build_tree(
        self, key: SearchKey, logged: dict[int, SearchRow], log: Callable[[list[SearchRow]], None]
    ) -> SearchTree:
        """Return a search that is ready to run.

        Args:
            key: the search.
            logged: its logged nodes, by number.
            log: receives the rows of each new round.
        """
        problem, config = self.problems[key[0]], self.config
        assert config.scorer is not None, "a sweep without a scorer has no searches"
        assert config.solver is not None, "a sweep without a solver has no searches"
        rules = config.searches_by_shape[SearchShape(*key[1:5])]
        context = SearchContext(
            question=problem.question,
            prompt=self.texts["solver"].fill(question=problem.question),
            role=config.solver,
            step=config.step,
            boxed_ends=config.boxed_ends,
            lookahead=rules.lookahead,
            aggregate=config.scorer.aggregate,
            revision=self.texts["reviser"] if rules.revision_prompt else None,
        )
        return SearchTree(key, rules, config.seed, context, self.grader, problem.gold, logged, log)

    def _serve_requests(self, first: list[ModelRequest]) -> None:
        """Pass requests to the models and answers to the nodes until no node is growing."""
        answers: SimpleQueue[Any] = SimpleQueue()
        engine, scorer = self.load_models()
        solver_thread = ModelThread[Request](engine, answers.put)
        scorer_thread = ModelThread[ScoreRequest](scorer, answers.put)
        # After an error, do not wait for long: a thread may be inside a request that never ends.
        join_seconds: float | None = THREAD_END_SECONDS
        try:
            solver_thread.submit_requests(request for request in first if isinstance(request, Request))
            while self.growing_nodes:
                answer = answers.get()
                if isinstance(answer, Future):
                    answer.result()  # a thread that ends without being stopped has failed: raise its error
                requests = self._handle_answer(*answer)
                # Requests of running searches go first; those of searches that have not begun wait.
                solver_thread.submit_requests(
                    (request for request in requests if isinstance(request, Request)), first=True
                )
                scorer_thread.submit_requests(request for request in requests if isinstance(request, ScoreRequest))
            join_seconds = None
        finally:
            for thread in (solver_thread, scorer_thread):
                thread.stop()
            self.search_writer.flush()
            for thread in (solver_thread, scorer_thread):
                thread.join(join_seconds)

    def _handle_answer(self, request: ModelRequest, answer: Any) -> list[ModelRequest]:
        """Pass an answer to the nodes that wait for it; return their next requests."""
        if isinstance(request, Request):
            self.display.update_progress(0, answer.completion_tokens or 0, self._describe_progress())
            return self._resume_node(request.key, answer)
        shared = self.open_searches[request.key[:-1]].shared_scores[request.steps, request.known]
        shared.result = answer
        # A copy, because a resumed node that asks for the same scores again is appended to the list.
        return [further for key in list(shared.nodes) for further in self._resume_node(key, shared.scores_without_cost)]

    def _resume_node(self, key: tuple[Any, ...], answer: Any) -> list[ModelRequest]:
        """Pass an answer to one node; return the next requests."""
        growth, cost = self.growing_nodes[key]
        # The node's generator yields its next request, returns when the node is complete, or raises NodeFailure.
        try:
            return self._filter_request(growth.send(answer))
        except StopIteration as over:
            outcome: NodeOutcome = (over.value, cost, "ok")
            self.sampled += 1
        except NodeFailure as failed:
            outcome = (None, cost, str(failed))
            self.failure_counts[str(failed)] += 1
        del self.growing_nodes[key]
        search_key, number = key[:-1], key[-1]
        search = self.open_searches[search_key]
        search.outcomes[number] = outcome
        if len(search.outcomes) < search.awaited_count:
            return []  # the round waits for its other nodes
        search.add_scoring_cost()
        return self._step_search(search_key, search.outcomes)

    def _filter_request(self, request: ModelRequest) -> list[ModelRequest]:
        """Return a request unless it asks for scores that are known or already requested.

        If the scores are known, return the next requests of the node instead.
        """
        if isinstance(request, Request):
            return [request]
        shared = self.open_searches[request.key[:-1]].shared_scores.setdefault(
            (request.steps, request.known), SharedScores()
        )
        shared.nodes.append(request.key)
        if shared.result is not None:
            return self._resume_node(request.key, shared.scores_without_cost)
        return [request] if len(shared.nodes) == 1 else []

    def _step_search(self, key: SearchKey, grown: dict[int, NodeOutcome] | None) -> list[ModelRequest]:
        """Begin a search, or pass it a grown round; return the first requests of its next nodes."""
        search = self.open_searches[key]
        # The search's generator yields the nodes of its next round, and returns the row of the ended search.
        try:
            pending_nodes = next(search.round_generator) if grown is None else search.round_generator.send(grown)
        except StopIteration as over:
            del self.open_searches[key]
            self._record_search(over.value)
            return []
        search.awaited_count, search.outcomes, search.shared_scores = len(pending_nodes), {}, {}
        requests: list[ModelRequest] = []
        for pending in pending_nodes:
            cost = NodeCost()
            growth = search.tree.grow_node(pending, cost)
            self.growing_nodes[pending.key] = (growth, cost)
            requests += self._filter_request(next(growth))
        return requests

    def _record_search(self, row: SearchRow) -> None:
        """Write the result of an ended search, and show the progress."""
        self.search_writer.add_rows([row])
        if row["status"] == "ok" and row["correct"] is not None:
            self.correct_counts[row["correct"]] += 1
        self.display.update_progress(1, 0, self._describe_progress())

    def _describe_progress(self) -> str:
        """Return the accuracy of this process's searches and the number of failed nodes."""
        right, failed = self.correct_counts[True], self.failure_counts.total()
        parts = [f"{right / self.correct_counts.total():.1%} right"] if self.correct_counts else []
        return ", ".join([*parts, f"{failed:,} failed"] if failed else parts)
