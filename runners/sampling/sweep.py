"""Sampling a run: solutions, their verifications and scores, and searches; each row once, however often it starts."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from isocompute.errors import DataError, EngineError, RunError
from isocompute.runners import engines, grading, prompts, scorers, tasks
from isocompute.runners.config.sweep import Role, Sweep
from isocompute.runners.display import Display, Silent
from isocompute.runners.engines import Completion, Engine, Request, Sampling
from isocompute.runners.engines.clock import clock_cells
from isocompute.runners.engines.registry import missing_package
from isocompute.runners.grading import Classes, Grader
from isocompute.runners.parsing.p_yes import p_yes
from isocompute.runners.parsing.thinking import cut
from isocompute.runners.parsing.verdicts import SKIPPED, kinds, verdict_of
from isocompute.runners.prompts import Prompt
from isocompute.runners.sampling.ready import Ready, ask_servers, load_grader, notes
from isocompute.runners.sampling.scoring import score, scorer
from isocompute.runners.sampling.silence import fail_silent_batches, tables_with_text
from isocompute.runners.scorers import Scorer
from isocompute.runners.search.driver import Searcher
from isocompute.runners.seeds import seed_of
from isocompute.runners.storage.check import mend
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.expected import Expected
from isocompute.runners.storage.manifest import agree, agree_solver, kept_provenance, manifest
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    JUDGED,
    PROBLEMS,
    SCORES,
    SEARCHES,
    SOLUTIONS,
    TABLES,
    TOKENS,
    VERIFICATIONS,
    Table,
)
from isocompute.runners.storage.taking import Source, read_source
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


def sweep(
    config: Sweep,
    display: Display | None = None,
    load: Callable[..., Engine] = engines.load,
    load_scorer: Callable[..., Scorer] = scorers.load,
    only: Collection[str] | None = None,
) -> Summary:
    """Sample whatever the run lacks.

    Args:
        config: what to sample.
        display: where progress is shown; nowhere if not given.
        load: what turns an engine's name, a model and its options into an engine.
        load_scorer: what turns a scorer's kind, a model and its options into a scorer.
        only: the problems that are sampled, by their ids; all if not given.

    Raises:
        ConfigError, DataError: the task or a prompt is wrong.
        EngineError: a model cannot be loaded.
        RunError: the run was made by another configuration, or another process is writing it.
    """
    display = display or Silent()
    ready = prepared(config)
    config, run, problems, texts, asked = ready.config, ready.run, ready.problems, ready.texts, ready.asked
    check_models(config)
    with run.lock() as lock, load_grader(config, asked["grader"]) as grader:
        if not lock.guarded:
            display.note(
                f"Nothing guards the run at '{run.path}': its store cannot keep a second writer out. Start no other "
                "sweep of it before this one has ended."
            )
        check_begun(ready, grader)  # again: another process may have begun it meanwhile
        for stray in mend(run) if run.exists else ():
            display.note(f"Set aside from {stray.path}: {stray.what}.")
        run.write_manifest(asked | (kept_provenance(run) if run.exists else {}))
        for text in notes(ready):
            display.note(text)
        problems = [problem for problem in problems if only is None or problem.problem_id in only]
        return Sampler(config, run, problems, texts, grader, display, load, load_scorer, ready.source).work()


def prepared(config: Sweep) -> Ready:
    """Prepare a sweep.

    Raises:
        ConfigError, DataError, EngineError, RunError: as `sweep`, before anything is written.
    """
    run = Run(config.run)
    if config.task is not None:
        source, task = None, tasks.load(config.task)
        grader = grading.load(task.grader)
        for problem in task.problems:
            check_gold(problem, grader)
        made: dict[str, Any] = {"origin": task.origin, "grader": grader.title}
        problems = task.problems
    else:
        source = read_source(config, run)
        config, problems = config.with_taken(source.taken), source.problems
        agree_solver(config)
        grader = load_grader(config, source.grader)
        made = {"origin": source.origin, "grader": source.grader, "gold": source.gold}
    texts = {} if config.solver is None else {"solver": prompts.load(config.solver.prompt, needs=("question",))}
    if config.verifier is not None:
        texts["verifier"] = prompts.load(config.verifier.prompt, needs=("question", "solution"))
    if config.revising is not None:
        texts["reviser"] = prompts.load(config.revising, needs=("question", "solution"))
    for role in (config.solver, config.verifier):
        if role is not None and engines.ENGINES[config.engine].is_local:
            engines.check(role.model)  # now, and not when all is solved
    if config.scorer is not None and config.scorer.model is not None and scorers.SCORERS[config.scorer.kind].format:
        engines.check(config.scorer.model)
    served = ask_servers(config, run)
    ready = Ready(config, run, problems, texts, manifest(config, texts, served=served, **made), source, served)
    check_begun(ready, grader)
    return ready


def check_models(config: Sweep) -> None:
    """Raise unless the checkpoints of a sweep are whole: all of them now, and not the verifier's when all is solved.

    Raises:
        EngineError: a model lacks weights, or has some that are no numbers; or what reads them is not installed.
    """
    roles = (config.solver, config.verifier) if engines.ENGINES[config.engine].is_local else ()
    models: set[tuple[str, str, str | None]] = {(role.model, config.engine, None) for role in roles if role is not None}
    if (scorer := config.scorer) is not None and scorer.model is not None:
        entry = scorers.SCORERS[scorer.kind]
        if entry.format:
            models.add((scorer.model, scorer.engine, entry.head))
    if folders := [model for model in models if engines.is_folder(model[0])]:
        try:
            from isocompute.runners.engines.whole import check_weights
            from isocompute.runners.scorers.heads import CLASSES
        except ImportError as error:
            first = min(engine for _, engine, _ in folders)
            said = missing_package(f"The engine '{first}'", error, engines.ENGINES[first].extra)
            raise EngineError(said) from error

        for model, engine, head in folders:
            check_weights(model, engine, None if head is None else CLASSES[head])


def check_begun(ready: Ready, grader: Grader) -> None:
    """Raise unless a run can go on as it is asked for, or its folder is free for a new one.

    Raises:
        RunError: it was made by another configuration, took solutions that have changed since, has rows and no
            manifest, or holds what is no run's.
    """
    run = ready.run
    if run.exists:
        agree(run, ready.config, ready.problems, ready.asked, grader)
        if ready.source is not None:
            ready.source.refuse_changed(run)
            ready.source.missing(run)  # which raises if no more can be taken
        return
    if rows := [table.name for table in (SOLUTIONS, *TABLES.values()) if run.parts(table)]:
        raise RunError(
            f"The run at '{run.path}' has {rows[0]} and no manifest.json, so nothing says what they were made with; "
            "put it back from a copy, or name another run."
        )
    if foreign := run.foreign():
        raise RunError(
            f"The folder '{run.path}' cannot become a run: it holds '{foreign}', which no run has; name a folder that "
            "is empty or not there yet."
        )


def check_gold(problem: Problem, grader: Grader) -> None:
    """Raise unless the grader can read a problem's right answer. The run holds it as it was given.

    Raises:
        DataError: the grader reads no answer in it.
    """
    if grader.canonical(problem.gold) is None:
        raise DataError(
            f"The right answer of '{problem.problem_id}' in {problem.task} is none that the grader '{grader.name}' "
            "can read."
        )


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
            self._writers[VERIFICATIONS].add(skipped(key, digest) for key in missing)
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
                row = row_of(table, key, completion, self.classes.get(key[0]), self._role(table))
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


def tokens(completion: Completion) -> dict[str, Any]:
    """Return the columns that every sampled row has."""
    said = {name: getattr(completion, name) for name in (*TOKENS, "finish_reason", "status")}
    return said | clock_cells(completion.started_at, completion.seconds)


def skipped(key: tuple[Any, ...], digest: str) -> dict[str, Any]:
    """Return the row of a verification that costs and says nothing: the solution has nothing to verify."""
    row = dict(zip(VERIFICATIONS.key_names, key, strict=True))
    row |= dict.fromkeys(TOKENS, 0)
    return {**row, "finish_reason": SKIPPED, "status": "ok", JUDGED.name: digest}


def row_of(table: Table, key: list[Any], completion: Completion, classes: Classes | None, role: Role) -> dict[str, Any]:
    """Grade a solution, or read a verification's verdict; what failed has neither answer nor verdict."""
    row = {**dict(zip(table.key_names, key, strict=True)), "text": completion.text, **tokens(completion)}
    if completion.text is None:
        return row
    visible = cut(completion.text, role.thinking_end)
    if table is SOLUTIONS:
        assert classes is not None, "what is sampled is graded"
        row["answer"], row["correct"] = classes.grade(visible)
    else:
        row["verdict"] = verdict_of(visible)
        row["p_yes"] = p_yes(completion.tokens, visible) if completion.tokens else None
    return row
