"""One process's work on a run: what is missing is asked for, what comes back is graded and logged."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from isocompute.runners.config.sweep import Role, Sweep
from isocompute.runners.display import Display
from isocompute.runners.engines import Completion, Engine, Request, Sampling
from isocompute.runners.grading import Classes, Grader
from isocompute.runners.parsing.thinking import cut
from isocompute.runners.parsing.verdicts import kinds
from isocompute.runners.prompts import Prompt
from isocompute.runners.sampling.rows import sampled_row, skipped_row
from isocompute.runners.sampling.scoring import score, scorer
from isocompute.runners.sampling.silence import fail_silent_batches, tables_with_text
from isocompute.runners.scorers import Scorer
from isocompute.runners.search.driver import Searcher
from isocompute.runners.seeds import seed_of
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.expected import Expected
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    JUDGED,
    PROBLEMS,
    SCORES,
    SEARCHES,
    SOLUTIONS,
    VERIFICATIONS,
    Table,
)
from isocompute.runners.storage.taking import Source
from isocompute.runners.tasks import Problem

Key = tuple[Any, ...]
"""A table, and the key of one of its rows."""


@dataclass(frozen=True)
class Summary:
    """What a sweep did in this process, and what is in the run now."""

    run: str
    sampled: int
    failed: dict[str, int]
    solutions: int
    verifications: int
    accuracy: float
    refused: int
    verdicts: dict[str, int]
    searches: int
    search_accuracy: float
    lacking: tuple[str, ...]
    """The kinds of rows that were asked for and of which not one is there."""


class Sampler:
    """One process's work on a run: what is missing is asked for, what comes back is graded and logged."""

    def __init__(
        self,
        config: Sweep,
        run: Run,
        problems: list[Problem],
        texts: dict[str, Prompt],
        grader: Grader,
        display: Display,
        load: Callable[..., Engine],
        load_scorer: Callable[..., Scorer],
        source: Source | None = None,
    ) -> None:
        self.config, self.run, self.texts, self.grader, self.source = config, run, texts, grader, source
        self.display, self.load, self.load_scorer = display, load, load_scorer
        self.problems = {problem.problem_id: problem for problem in problems}
        self.expected = Expected(config, list(self.problems))
        self.failed: Counter[str] = Counter()
        self.graded: Counter[bool] = Counter()
        self.sampled = 0
        self.judged: dict[tuple[str, int], str] = {}
        """The digest of the text that is verified, by the key of its solution."""

    def work(self) -> Summary:
        """Sample all that is missing, and say what the run holds then."""
        self._write_problems()
        self._take_solutions()
        self.classes = self._classes()
        self.spoken = tables_with_text(self.run)
        config, verifier = self.config, self.config.verifier
        solutions = self.run.writer(SOLUTIONS, config.checkpoint_seconds)
        verifications = self.run.writer(VERIFICATIONS, config.checkpoint_seconds, after=solutions)
        self._writers = {SOLUTIONS: solutions, VERIFICATIONS: verifications}
        solved, verified = self.run.keys(SOLUTIONS), self.run.keys(VERIFICATIONS)
        solve = deque(self._solving(solved))
        verify = deque(self._verifying(solved, verified))
        all_solutions, all_verifications = (self.expected.count(table) for table in (SOLUTIONS, VERIFICATIONS))
        waiting = sum(request.key[2] < config.to_verify for request in solve) * config.verifications
        try:
            if self.source is None and config.solver and verifier and same_engine(config.solver, verifier):
                # What is solved already is verified first; the verifications of new solutions join as these finish.
                total = all_solutions + all_verifications
                self.display.phase("sampling", total, total - len(solve) - len(verify) - waiting)
                self._ask(config.solver, verify + solve, verified)
            else:
                if self.source is None and config.solver is not None:
                    self.display.phase("solving", all_solutions, all_solutions - len(solve))
                    self._ask(config.solver, solve)
                    self._flush()
                verify = deque(self._verifying(self.run.keys(SOLUTIONS), self.run.keys(VERIFICATIONS)))
                if verifier is not None:
                    self.display.phase("verifying", all_verifications, all_verifications - len(verify))
                    self._ask(verifier, verify)
        finally:
            self._flush()
        self._search()
        return self._summary()

    def _search(self) -> None:
        """Score what is there, and search."""
        self.failed += score(self.config, self.run, self.problems, self.display, self._scorer)
        searcher = Searcher(
            self.config, self.run, self.problems, self.texts, self.grader, self.display,
            self._models,
        )  # fmt: skip
        searcher.work()
        self.failed += searcher.failed
        self.sampled += searcher.sampled

    def _models(self) -> tuple[Engine, Scorer]:
        assert self.config.solver is not None, "a sweep without a solver has no searches"
        return self._engine(self.config.solver), self._scorer()

    def _engine(self, role: Role) -> Engine:
        return self.load(self.config.engine, role.model, **role.options)

    def _scorer(self) -> Scorer:
        return scorer(self.config, self.texts, self._engine, self.load_scorer)

    def _classes(self) -> dict[str, Classes]:
        """Take up each problem's classes of answers where the run left them; what is taken is graded already."""
        if self.source is not None:
            return {}
        answers = self.run.frame(SOLUTIONS, ["problem_id", "answer"]).dropna()
        seen = answers.groupby("problem_id")["answer"].unique()
        return {name: Classes(self.grader, p.gold, seen.get(name, ())) for name, p in self.problems.items()}

    def _flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _write_problems(self) -> None:
        there = self.run.keys(PROBLEMS)
        writer = self.run.writer(PROBLEMS)
        writer.add(vars(p) for p in self.problems.values() if (p.problem_id,) not in there)
        writer.flush()

    def _take_solutions(self) -> None:
        """Write the solutions of the other run that are not there yet, as they stand there."""
        if self.source is not None:
            writer = self.run.writer(SOLUTIONS)
            writer.add(row for row in self.source.missing(self.run) if row["problem_id"] in self.problems)
            writer.flush()

    def _solving(self, solved: set[tuple[Any, ...]]) -> Iterator[Request]:
        if self.source is not None or (role := self.config.solver) is None:
            return
        prompt = self.texts["solver"]
        for problem in self.problems.values():
            text = prompt.fill(question=problem.question)
            for key in self.expected.missing(SOLUTIONS, solved, (problem.problem_id,)):
                yield self._request((SOLUTIONS, *key), text, role)

    def _verifying(self, solved: set[tuple[Any, ...]], verified: set[tuple[Any, ...]]) -> Iterator[Request]:
        if not self.config.to_verify:
            return
        frame = self.run.frame(SOLUTIONS, ["problem_id", "solution_id", "text"])
        for problem, i, text in frame.itertuples(index=False, name=None):
            if (problem, i) in solved and problem in self.problems:
                yield from self._verifications(problem, i, text, verified)

    def _verifications(self, problem: str, i: int, solution: str, verified: set[tuple[Any, ...]]) -> Iterator[Request]:
        """Ask for a solution's missing verifications, side by side: they share their prompt."""
        role = self.config.verifier
        if role is None or i >= self.config.to_verify:
            return
        visible = cut(solution, self.config.solutions_thinking_end)
        missing = list(self.expected.missing(VERIFICATIONS, verified, (problem, i)))
        digest = self.judged[problem, i] = digest_text(solution)
        if not visible.strip():
            self._writers[VERIFICATIONS].add(skipped_row(key, digest) for key in missing)
            return
        text = self.texts["verifier"].fill(question=self.problems[problem].question, solution=visible)
        for key in missing:
            yield self._request((VERIFICATIONS, *key), text, role)

    def _role(self, table: Table) -> Role:
        role = self.config.solver if table is SOLUTIONS else self.config.verifier
        assert role is not None, "without a model nothing is sampled"
        return role

    def _request(self, key: Key, text: str, role: Role) -> Request:
        table, *row = key
        sampling = Sampling(role.temperature, role.top_p, role.max_tokens, role.stop, role.logprobs)
        return Request(key, text, seed_of(self.config.seed, table.name, *row), sampling, role.chat)

    def _ask(self, role: Role, pending: deque[Request], verify_new: set[tuple[Any, ...]] | None = None) -> None:
        if not pending:
            return
        engine = self._engine(role)
        try:
            for request, completion in fail_silent_batches(engine.run(pending), self.spoken):
                table, *key = request.key
                row = sampled_row(table, key, completion, self.classes.get(key[0]), self._role(table))
                if table is VERIFICATIONS:
                    row[JUDGED.name] = self.judged[key[0], key[1]]
                self._writers[table].add([row])
                self._count(completion, row.get("correct"))
                if table is SOLUTIONS and completion.status == "ok" and verify_new is not None:
                    follow = list(self._verifications(key[0], key[1], completion.text or "", verify_new))
                    pending.extend(follow)
                    expected = self.config.verifications if key[1] < self.config.to_verify else 0
                    self.display.advance(expected - len(follow), 0, self._aside())  # those that are skipped
        finally:
            engine.close()

    def _count(self, completion: Completion, correct: bool | None) -> None:
        self.sampled += 1
        if completion.status != "ok":
            self.failed[completion.status] += 1
        if correct is not None:
            self.graded[correct] += 1
        self.display.advance(1, completion.completion_tokens or 0, self._aside())

    def _aside(self) -> str:
        """Say how it goes: the solutions of this process that are right, and the rows that failed."""
        right, failed = self.graded[True], self.failed.total()
        said = [f"{right / self.graded.total():.1%} right"] if self.graded else []
        return ", ".join([*said, f"{failed:,} failed"] if failed else said)

    def _summary(self) -> Summary:
        self.run.verify()  # a folder that was moved would look empty
        correct = self.run.frame(SOLUTIONS, ["correct"])["correct"].dropna()
        rows = {table: len(self.run.keys(table)) for table in (SOLUTIONS, VERIFICATIONS)}
        accuracy = float(correct.astype(float).mean())
        done = rows[SOLUTIONS], rows[VERIFICATIONS]
        judged = kinds(self.run.frame(VERIFICATIONS, ["verdict", "finish_reason", "status"]))
        searches = self.run.frame(SEARCHES, ["correct", "status"])
        found = searches.loc[searches["status"] == "ok", "correct"]
        there = {SOLUTIONS: done[0], VERIFICATIONS: done[1], SEARCHES: len(found)}
        there |= {SCORES: len(self.run.keys(SCORES))} if self.config.scored else {}
        lacking = tuple(table.name for table, count in there.items() if self.expected.count(table) and not count)
        return Summary(
            self.run.path, self.sampled, dict(self.failed), *done, accuracy, self.grader.refused, judged,
            len(found), float(found.astype(float).mean()), lacking,
        )  # fmt: skip


def same_engine(solver: Role, verifier: Role) -> bool:
    """Whether one loaded model serves both roles."""
    return (solver.model, solver.options) == (verifier.model, verifier.options)
