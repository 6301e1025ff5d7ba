"""Searching: all searches of all problems and seeds at once, in one engine and one scorer.

A search is a generator that yields the nodes it wants grown and is sent them grown (`tree`); a node is one that yields
what it asks of a model (`growth`). So the models serve whatever is asked for, of whichever search, and scoring goes on
beside solving. Searches that are under way are served before those that are not begun: few of them are open at a time,
and what they go on from is still in the prefix cache.

Within a round of a search a text is scored once, however many nodes come to it; the one with the lowest number is
charged.

A round is logged as soon as it is decided, whole or not at all. A search that was killed is run again on its log,
which answers until it ends; that asks no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any

from isocompute.runners.config.search import Shape
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import Display
from isocompute.runners.engines import Engine, Request
from isocompute.runners.engines.worker_thread import PATIENCE, Threaded
from isocompute.runners.grading import Grader
from isocompute.runners.prompts import Prompt
from isocompute.runners.scorers import Scored, Scorer, ScoreRequest
from isocompute.runners.search.expand import Cost, Failed, Ground, Growth, Sprout
from isocompute.runners.search.rows import Key, Row, logged
from isocompute.runners.search.tree import Outcome, Tree
from isocompute.runners.storage.expected import Expected
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES, SEARCHES
from isocompute.runners.tasks import Problem

Asked = Request | ScoreRequest
Text = tuple[tuple[str, ...], int]
"""Steps that are to be scored, and how many of them need no score."""


@dataclass
class Shared:
    """A text that is scored: the nodes of a round that came to it, and its scores when they are there."""

    nodes: list[tuple[Any, ...]] = field(default_factory=list)
    scored: Scored | None = None

    @property
    def free(self) -> Scored:
        """The scores, for a node that is charged nothing so far."""
        assert self.scored is not None, "nobody is told scores that are not there"
        return replace(self.scored, prompt_tokens=0, cached_tokens=0, calls=0, completion_tokens=0)


@dataclass(eq=False)
class Open:
    """A search under way: the nodes of its round as they come in, and the texts that are scored for them."""

    tree: Tree
    running: Generator[list[Sprout], dict[int, Outcome], Row]
    awaited: int = 0
    grown: dict[int, Outcome] = field(default_factory=dict)
    texts: dict[Text, Shared] = field(default_factory=dict)

    def charge(self) -> None:
        """Charge for the scores of the round, now that it is known which nodes came to each text."""
        for shared in self.texts.values():
            assert shared.scored is not None, "the round is over"
            if shared.scored.status == "ok":
                _, cost, _ = self.grown[min(key[-1] for key in shared.nodes)]
                cost.add(**shared.scored.spent)


class Searcher:
    """One process's searching: the searches that a run lacks, all at once.

    Args:
        config: the sweep.
        run: where they are logged.
        problems: by their ids.
        texts: the prompts, by role.
        grader: reads the answers.
        display: where progress is shown.
        load: gives the solver's engine and the scorer, when they are needed.
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
        self.grader, self.display, self.load = grader, display, load
        self.failed: Counter[str] = Counter()
        self.right: Counter[bool] = Counter()
        self.sampled = 0
        self.open: dict[Key, Open] = {}
        self.growing: dict[tuple[Any, ...], tuple[Growth, Cost]] = {}

    def work(self) -> None:
        """Search until every search that is asked for has ended, or failed."""
        expected = Expected(self.config, list(self.problems))
        missing = list(expected.missing(SEARCHES, self.run.keys(SEARCHES)))
        if not missing:
            return
        asked = expected.count(SEARCHES)
        self.display.phase("searching", asked, asked - len(missing))
        nodes = self.run.writer(NODES, self.config.checkpoint_seconds)
        self.ends = self.run.writer(SEARCHES, self.config.checkpoint_seconds, after=nodes)
        try:
            log = logged(self.run, missing)
            first: list[Asked] = []
            for key in missing:
                tree = self.tree(key, log[key], nodes.add)
                self.open[key] = Open(tree, tree.run())
                first += self._advance(key, None)
            if first:
                self._serve(first)
        finally:
            nodes.flush()
            self.ends.flush()

    def tree(self, key: Key, there: dict[int, Row], log: Callable[[list[Row]], None]) -> Tree:
        """Return a search that is to be run: the nodes that are there, and what takes the rows of a further round."""
        problem, config = self.problems[key[0]], self.config
        assert config.scorer is not None, "a sweep without a scorer has no searches"
        assert config.solver is not None, "nor has one without a solver"
        rules = config.by_shape[Shape(*key[1:5])]
        ground = Ground(
            question=problem.question,
            prompt=self.texts["solver"].fill(question=problem.question),
            role=config.solver,
            step=config.step,
            boxed_ends=config.boxed_ends,
            lookahead=rules.lookahead,
            aggregate=config.scorer.aggregate,
            revision=self.texts["reviser"] if rules.asks else None,
        )
        return Tree(key, rules, config.seed, ground, self.grader, problem.gold, there, log)

    def _serve(self, first: list[Asked]) -> None:
        """Put what is asked for to the models, and what they answer to who asked, until nobody asks."""
        answers: SimpleQueue[Any] = SimpleQueue()
        engine, scorer = self.load()
        solving, scoring = Threaded[Request](engine, answers.put), Threaded[ScoreRequest](scorer, answers.put)
        patience: float | None = PATIENCE
        try:
            solving.ask(request for request in first if isinstance(request, Request))
            while self.growing:
                answer = answers.get()
                if isinstance(answer, Future):
                    answer.result()  # a thread that is not told to ends by an error alone
                asked = self._answered(*answer)
                solving.ask((request for request in asked if isinstance(request, Request)), first=True)
                scoring.ask(request for request in asked if isinstance(request, ScoreRequest))
            patience = None
        finally:
            for model in (solving, scoring):
                model.stop()
            self.ends.flush()
            for model in (solving, scoring):
                model.join(patience)

    def _answered(self, request: Asked, answer: Any) -> list[Asked]:
        """Give an answer to the nodes that asked; return what is asked for next."""
        if isinstance(request, Request):
            self.display.advance(0, answer.completion_tokens or 0, self._aside())
            return self._next(request.key, answer)
        shared = self.open[request.key[:-1]].texts[request.steps, request.known]
        shared.scored = answer
        return [further for key in list(shared.nodes) for further in self._next(key, shared.free)]

    def _next(self, key: tuple[Any, ...], answer: Any) -> list[Asked]:
        """Let a node grow on; return what is asked for next."""
        growth, cost = self.growing[key]
        try:
            return self._once(growth.send(answer))
        except StopIteration as over:
            outcome: Outcome = (over.value, cost, "ok")
            self.sampled += 1
        except Failed as failed:
            outcome = (None, cost, str(failed))
            self.failed[str(failed)] += 1
        del self.growing[key]
        name, number = key[:-1], key[-1]
        search = self.open[name]
        search.grown[number] = outcome
        if len(search.grown) < search.awaited:
            return []
        search.charge()
        return self._advance(name, search.grown)

    def _once(self, request: Asked) -> list[Asked]:
        """Ask for what is asked for, but for the scores of a text that is scored already, or is being scored."""
        if isinstance(request, Request):
            return [request]
        shared = self.open[request.key[:-1]].texts.setdefault((request.steps, request.known), Shared())
        shared.nodes.append(request.key)
        if shared.scored is not None:
            return self._next(request.key, shared.free)
        return [request] if len(shared.nodes) == 1 else []

    def _advance(self, key: Key, grown: dict[int, Outcome] | None) -> list[Asked]:
        """Let a search go on, or begin; return what its next nodes ask for first."""
        search = self.open[key]
        try:
            sprouts = next(search.running) if grown is None else search.running.send(grown)
        except StopIteration as over:
            del self.open[key]
            self._ended(over.value)
            return []
        search.awaited, search.grown, search.texts = len(sprouts), {}, {}
        asked: list[Asked] = []
        for sprout in sprouts:
            cost = Cost()
            growth = search.tree.grow(sprout, cost)
            self.growing[sprout.key] = (growth, cost)
            asked += self._once(next(growth))
        return asked

    def _ended(self, row: Row) -> None:
        self.ends.add([row])
        if row["status"] == "ok":
            self.right[row["correct"]] += 1
        self.display.advance(1, 0, self._aside())

    def _aside(self) -> str:
        """Say how it goes: the searches of this process that are right, and the nodes that failed."""
        right, failed = self.right[True], self.failed.total()
        said = [f"{right / self.right.total():.1%} right"] if self.right else []
        return ", ".join([*said, f"{failed:,} failed"] if failed else said)
