"""The sampler of one process: it requests the rows that a run lacks, grades the completions and writes them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from isocompute.runners.config.sweep import ModelRole, Sweep
from isocompute.runners.display import Display
from isocompute.runners.engines import Completion, Engine, Request, Sampling
from isocompute.runners.grading import AnswerClasses, Grader
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.prompts import Prompt
from isocompute.runners.sampling.rows import build_completion_row, build_skipped_row
from isocompute.runners.sampling.scoring import load_sweep_scorer, score_solutions
from isocompute.runners.sampling.silence import find_tables_with_text, reject_silent_batches
from isocompute.runners.sampling.unread import UnreadWatch
from isocompute.runners.scorers import Scorer
from isocompute.runners.search.driver import Searcher
from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.doubts import count_run_kinds
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    DIGEST_COLUMN,
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)
from isocompute.runners.storage.taking import SourceSolutions
from isocompute.runners.tasks import Problem

RequestKey = tuple[Any, ...]
"""A table and the key of one of its rows."""


@dataclass(frozen=True)
class SweepSummary:
    """The rows that a sweep sampled in this process, and the content of its run afterwards.

    Args:
        run: path of the run.
        sampled: number of solutions, verifications and search nodes sampled in this process.
        failed: number of failures in this process, by status.
        solutions: number of solutions in the run whose status is ok.
        verifications: number of verifications in the run whose status is ok.
        accuracy: share of the graded solutions that are right; NaN without any.
        answers: number of solutions of each kind, see `count_solution_kinds`.
        refused_comparisons: number of comparisons of answers that the grader gave up on.
        verdicts: number of verifications of each kind, see `count_verification_kinds`.
        searches: number of searches in the run whose status is ok.
        search_accuracy: share of these searches that are right; NaN without any.
        empty_tables: names of the tables of which rows are requested and none is ok.
        stopped: the reason for which the sweep stopped before its last problem; None if it did not.
    """

    run: str
    sampled: int
    failed: dict[str, int]
    solutions: int
    verifications: int
    accuracy: float
    answers: dict[str, int]
    refused_comparisons: int
    verdicts: dict[str, int]
    searches: int
    search_accuracy: float
    empty_tables: tuple[str, ...]
    stopped: str | None = None


class Sampler:
    """A sampler of the rows that a run lacks, for one process.

    Args:
        config: the sweep.
        run: the run, which this process has locked.
        problems: the problems.
        texts: the prompts, by role.
        grader: the grader of answers.
        display: where progress is shown.
        load: returns a model's engine, from the engine's name, the model and its options.
        load_scorer: returns the scorer of the sweep.
        source: the run whose solutions are verified; None if the solver samples them.
        keep_going: whether to go on even if none of the first answers can be read.
    """

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
        source: SourceSolutions | None = None,
        keep_going: bool = False,
    ) -> None:
        self.config, self.run, self.texts, self.grader, self.source = config, run, texts, grader, source
        self.display, self.load, self.load_scorer, self.keep_going = display, load, load_scorer, keep_going
        self.problems = {problem.problem_id: problem for problem in problems}
        self.expected = ExpectedRows(config, list(self.problems))
        self.failed: Counter[str] = Counter()
        self.graded: Counter[bool] = Counter()
        self.sampled, self.unread_answers, self.unread_verdicts = 0, 0, 0
        self.text_digests: dict[tuple[str, int], str] = {}
        """The digest of each text to be verified, by the key of its solution."""

    def sample_missing_rows(self) -> SweepSummary:
        """Sample all missing rows, and return a summary of the run."""
        self._write_problems()
        self._take_solutions()
        self.classes = self._restore_answer_classes()
        self.tables_with_text = find_tables_with_text(self.run)
        self.unread_watch = (
            None
            if self.keep_going or self.source is not None
            else UnreadWatch(self.config, self.run, len(self.problems))
        )
        config, verifier = self.config, self.config.verifier
        solution_writer = self.run.open_writer(SOLUTIONS_TABLE, config.checkpoint_seconds)
        verification_writer = self.run.open_writer(
            VERIFICATIONS_TABLE, config.checkpoint_seconds, after=solution_writer
        )
        self._writers = {SOLUTIONS_TABLE: solution_writer, VERIFICATIONS_TABLE: verification_writer}
        known_solutions = self.run.read_keys(SOLUTIONS_TABLE)
        known_verifications = self.run.read_keys(VERIFICATIONS_TABLE)
        solution_requests = deque(self._build_solution_requests(known_solutions))
        verification_requests = deque(self._build_verification_requests(known_solutions, known_verifications))
        all_solutions, all_verifications = (
            self.expected.count_rows(table) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)
        )
        if solution_requests and self.unread_watch is not None:
            self.unread_watch.require_readable()
        # Solutions that are still to be sampled have no verification requests yet, but their verifications are missing.
        later_solutions = sum(request.key[2] < config.to_verify for request in solution_requests)
        later_verifications = later_solutions * config.verifications
        try:
            if self.source is None and config.solver and verifier and can_share_engine(config.solver, verifier):
                # Existing solutions are verified first; new ones are verified as soon as they finish.
                total = all_solutions + all_verifications
                missing = len(solution_requests) + len(verification_requests) + later_verifications
                self.display.start_phase("sampling", total, total - missing)
                self._run_requests(config.solver, verification_requests + solution_requests, known_verifications)
            else:
                if self.source is None and config.solver is not None:
                    self.display.start_phase("solving", all_solutions, all_solutions - len(solution_requests))
                    self._run_requests(config.solver, solution_requests)
                    self._flush_writers()
                # The first list of verifications lacked those of the solutions that were sampled just now.
                verification_requests = deque(
                    self._build_verification_requests(
                        self.run.read_keys(SOLUTIONS_TABLE), self.run.read_keys(VERIFICATIONS_TABLE)
                    )
                )
                if verifier is not None:
                    self.display.start_phase(
                        "verifying", all_verifications, all_verifications - len(verification_requests)
                    )
                    self._run_requests(verifier, verification_requests)
        finally:
            self._flush_writers()
        self._score_and_search()
        return self._summarise_run()

    def _score_and_search(self) -> None:
        """Score solutions, then run the searches."""
        self.failed += score_solutions(self.config, self.run, self.problems, self.display, self._load_scorer)
        searcher = Searcher(
            self.config, self.run, self.problems, self.texts, self.grader, self.display,
            self._load_models,
        )  # fmt: skip
        searcher.run_searches()
        self.failed += searcher.failure_counts
        self.sampled += searcher.sampled

    def _load_models(self) -> tuple[Engine, Scorer]:
        assert self.config.solver is not None, "a sweep without a solver has no searches"
        return self._load_engine(self.config.solver), self._load_scorer()

    def _load_engine(self, role: ModelRole) -> Engine:
        return self.load(self.config.engine, role.model, **role.options)

    def _load_scorer(self) -> Scorer:
        return load_sweep_scorer(self.config, self.texts, self._load_engine, self.load_scorer)

    def _restore_answer_classes(self) -> dict[str, AnswerClasses]:
        """Return each problem's answer classes from the run's answers; empty for taken solutions, graded already."""
        if self.source is not None:
            return {}
        answers = self.run.read_frame(SOLUTIONS_TABLE, ["problem_id", "answer"]).dropna()
        known_answers = answers.groupby("problem_id")["answer"].unique()
        return {
            name: AnswerClasses(self.grader, p.gold, known_answers.get(name, ())) for name, p in self.problems.items()
        }

    def _flush_writers(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _write_problems(self) -> None:
        """Write the problems that the run lacks."""
        written = self.run.read_keys(PROBLEMS_TABLE)
        writer = self.run.open_writer(PROBLEMS_TABLE)
        writer.add_rows(vars(p) for p in self.problems.values() if (p.problem_id,) not in written)
        writer.flush()

    def _take_solutions(self) -> None:
        """Copy the missing solutions from the source run."""
        if self.source is not None:
            writer = self.run.open_writer(SOLUTIONS_TABLE)
            writer.add_rows(
                row for row in self.source.find_missing_rows(self.run) if row["problem_id"] in self.problems
            )
            writer.flush()

    def _build_solution_requests(self, solved: set[tuple[Any, ...]]) -> Iterator[Request]:
        """Yield the requests for missing solutions, problem by problem."""
        if self.source is not None or (role := self.config.solver) is None:
            return
        prompt = self.texts["solver"]
        for problem in self.problems.values():
            text = prompt.fill(question=problem.question)
            for key in self.expected.find_missing_keys(SOLUTIONS_TABLE, solved, (problem.problem_id,)):
                yield self._build_request((SOLUTIONS_TABLE, *key), text, role)

    def _build_verification_requests(
        self, solved: set[tuple[Any, ...]], verified: set[tuple[Any, ...]]
    ) -> Iterator[Request]:
        """Yield the requests for missing verifications of the solutions in the run."""
        if not self.config.to_verify:
            return
        frame = self.run.read_frame(SOLUTIONS_TABLE, ["problem_id", "solution_id", "text", "finish_reason"])
        for problem, solution_id, text, reason in frame.itertuples(index=False, name=None):
            if (problem, solution_id) in solved and problem in self.problems:
                yield from self._request_verifications(problem, solution_id, text, reason != "length", verified)

    def _request_verifications(
        self, problem: str, solution_id: int, solution: str, is_ended: bool, verified: set[tuple[Any, ...]]
    ) -> Iterator[Request]:
        """Yield a solution's missing verifications one after another, because they share their prompt."""
        role = self.config.verifier
        if role is None or solution_id >= self.config.to_verify:
            return
        visible = cut_thinking(solution, self.config.solutions_thinking_end, is_ended)
        missing = list(self.expected.find_missing_keys(VERIFICATIONS_TABLE, verified, (problem, solution_id)))
        digest = self.text_digests[problem, solution_id] = digest_text(solution)
        if not visible.strip():
            self._writers[VERIFICATIONS_TABLE].add_rows(build_skipped_row(key, digest) for key in missing)
            return
        text = self.texts["verifier"].fill(question=self.problems[problem].question, solution=visible)
        for key in missing:
            yield self._build_request((VERIFICATIONS_TABLE, *key), text, role)

    def _find_role(self, table: RunTable) -> ModelRole:
        """Return the model that writes the rows of a table."""
        role = self.config.solver if table is SOLUTIONS_TABLE else self.config.verifier
        assert role is not None, "nothing is sampled without a model"
        return role

    def _build_request(self, key: RequestKey, text: str, role: ModelRole) -> Request:
        table, *row = key
        sampling = Sampling(role.temperature, role.top_p, role.max_tokens, role.stop, role.logprobs)
        return Request(key, text, derive_seed(self.config.seed, table.name, *row), sampling, role.chat)

    def _run_requests(
        self, role: ModelRole, pending: deque[Request], verify_new: set[tuple[Any, ...]] | None = None
    ) -> None:
        """Sample the requests of one model, grade each completion and write its row.

        Args:
            role: the model.
            pending: the requests. The engine takes them from the left while it runs, so requests can be added.
            verify_new: keys of the verifications in the run, to request those of each new solution as it finishes; None
                if another model verifies.
        """
        if not pending:
            return
        engine = self._load_engine(role)
        try:
            for request, completion in reject_silent_batches(engine.run(pending), self.tables_with_text):
                table, *key = request.key
                row = build_completion_row(table, key, completion, self.classes.get(key[0]), self._find_role(table))
                if table is VERIFICATIONS_TABLE:
                    row[DIGEST_COLUMN.name] = self.text_digests[key[0], key[1]]
                self._writers[table].add_rows([row])
                self._count_completion(table, completion, row)
                if table is SOLUTIONS_TABLE and completion.status == "ok" and verify_new is not None:
                    new_requests = list(
                        self._request_verifications(
                            key[0], key[1], completion.text or "", completion.is_ended, verify_new
                        )
                    )
                    pending.extend(new_requests)
                    expected = self.config.verifications if key[1] < self.config.to_verify else 0
                    skipped = expected - len(new_requests)  # they exist already, or the solution has no visible text
                    self.display.update_progress(skipped, 0, self._describe_progress())
        finally:
            engine.close()

    def _count_completion(self, table: RunTable, completion: Completion, row: dict[str, Any]) -> None:
        """Count a completion, its grade and whether it could be read, and show the progress.

        Raises:
            EngineError: none of the first answers could be read.
        """
        self.sampled += 1
        if completion.status != "ok":
            self.failed[completion.status] += 1
        elif table is SOLUTIONS_TABLE:
            if row["correct"] is not None:
                self.graded[row["correct"]] += 1
            self.unread_answers += row["answer"] is None
        else:
            self.unread_verdicts += row["verdict"] is None
        self.display.update_progress(1, completion.completion_tokens or 0, self._describe_progress())
        if self.unread_watch is not None and table is SOLUTIONS_TABLE and completion.status == "ok":
            self.unread_watch.add_answer(
                row["problem_id"], row["answer"], completion.finish_reason, completion.text or ""
            )

    def _describe_progress(self) -> str:
        """Return the accuracy of this process, and the numbers of unread and failed rows."""
        parts = [f"{self.graded[True] / self.graded.total():.1%} right"] if self.graded else []
        counts = {
            "answers unread": self.unread_answers,
            "verdicts unread": self.unread_verdicts,
            "failed": self.failed.total(),
        }
        return ", ".join([*parts, *(f"{count:,} {what}" for what, count in counts.items() if count)])

    def _summarise_run(self) -> SweepSummary:
        """Return what this process sampled, and what the whole run holds."""
        self.run.verify_lock()  # a moved folder would look empty
        correct = self.run.read_frame(SOLUTIONS_TABLE, ["correct"])["correct"].dropna()
        answers, verdicts = count_run_kinds(self.run)
        rows = {table: len(self.run.read_keys(table)) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)}
        accuracy = float(correct.astype(float).mean())
        done = rows[SOLUTIONS_TABLE], rows[VERIFICATIONS_TABLE]
        searches = self.run.read_frame(SEARCHES_TABLE, ["correct", "status"])
        search_grades = searches.loc[searches["status"] == "ok", "correct"]
        counts = {SOLUTIONS_TABLE: done[0], VERIFICATIONS_TABLE: done[1], SEARCHES_TABLE: len(search_grades)}
        counts |= {SCORES_TABLE: len(self.run.read_keys(SCORES_TABLE))} if self.config.scored else {}
        empty_tables = tuple(
            table.name for table, count in counts.items() if self.expected.count_rows(table) and not count
        )
        return SweepSummary(
            self.run.path, self.sampled, dict(self.failed), *done, accuracy, answers, self.grader.refused_count,
            verdicts, len(search_grades), float(search_grades.astype(float).mean()), empty_tables,
        )  # fmt: skip


def can_share_engine(solver: ModelRole, verifier: ModelRole) -> bool:
    """Return whether solver and verifier can use the same loaded model."""
    return (solver.model, solver.options) == (verifier.model, verifier.options)
