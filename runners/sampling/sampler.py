"""The sampler of a sweep in one process: it samples and scores the rows that the run lacks, and searches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import Display
from isocompute.runners.engines import Engine, Request
from isocompute.runners.grading import Grader
from isocompute.runners.prompts import Prompt
from isocompute.runners.sampling.row_sampler import RowSampler
from isocompute.runners.sampling.scoring import load_sweep_scorer, score_solutions
from isocompute.runners.sampling.solution_texts import read_solution_texts
from isocompute.runners.scorers import Scorer
from isocompute.runners.search.driver import Searcher
from isocompute.runners.storage.doubts import count_run_kinds
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.row_states import RowStates, read_row_states
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.scan import count_ok_rows
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)
from isocompute.runners.storage.taking import SourceSolutions
from isocompute.runners.tasks import Problem


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


class Sampler(RowSampler):
    """A sampler of the rows that a sweep's run lacks, for one process.

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
        super().__init__(config, run, problems, texts, grader, display, load, source is not None, keep_going)
        self.source, self.load_scorer = source, load_scorer
        self.expected = ExpectedRows(config, list(self.problems))

    def sample_missing_rows(self) -> SweepSummary:
        """Sample all missing rows, and return a summary of the run."""
        self._write_problems()
        self._take_solutions()
        self.open_writers()
        config, verifier = self.config, self.config.verifier
        known_solutions, known_verifications = (
            self._read_states(SOLUTIONS_TABLE),
            self._read_states(VERIFICATIONS_TABLE),
        )
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
                    self.flush_writers()
                # The first list of verifications lacked those of the solutions that were sampled just now.
                verification_requests = deque(
                    self._build_verification_requests(
                        self._read_states(SOLUTIONS_TABLE), self._read_states(VERIFICATIONS_TABLE)
                    )
                )
                if verifier is not None:
                    self.display.start_phase(
                        "verifying", all_verifications, all_verifications - len(verification_requests)
                    )
                    self._run_requests(verifier, verification_requests)
        finally:
            self.flush_writers()
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
        return self.load_role(self.config.solver), self._load_scorer()

    def _load_scorer(self) -> Scorer:
        return load_sweep_scorer(self.config, self.texts, self.load_role, self.load_scorer)

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

    def _read_states(self, table: RunTable) -> RowStates:
        """Read which of the requested rows of a table the run has."""
        return read_row_states(self.run, table, list(self.problems), [*self.expected.get_axis_sizes(table).values()])

    def _build_solution_requests(self, solved: RowStates) -> Iterator[Request]:
        """Yield the requests for missing solutions, problem by problem."""
        if self.source is not None or self.config.solver is None:
            return
        for problem in self.problems:
            for _, number in solved.find_missing(problem):
                yield self.request_solution(problem, number)

    def _build_verification_requests(self, solved: RowStates, verified: RowStates) -> Iterator[Request]:
        """Yield the requests for missing verifications of the solutions in the run."""
        if not self.config.to_verify:
            return
        texts = read_solution_texts(self.run, verified, verified.mark_incomplete())
        for problem, solution_id, text, reason in texts:
            if (problem, solution_id) in solved:
                assert text is not None, "a solution that is ok has a text"
                yield from self._request_missing_verifications(problem, solution_id, text, reason != "length", verified)

    def _request_missing_verifications(
        self, problem: str, solution_id: int, solution: str, is_ended: bool, verified: RowStates
    ) -> list[Request]:
        """Return the requests for a solution's missing verifications."""
        if self.config.verifier is None or solution_id >= self.config.to_verify:
            return []
        numbers = [number for *_, number in verified.find_missing(problem, solution_id)]
        return self.request_verifications(problem, solution_id, solution, is_ended, numbers)

    def _run_requests(self, role: ModelRole, pending: deque[Request], verify_new: RowStates | None = None) -> None:
        """Sample the requests of one model, grade each completion and write its row.

        Args:
            role: the model.
            pending: the requests. The engine takes them from the left while it runs, so requests can be added.
            verify_new: the verifications in the run, to request those of each new solution as it finishes; None
                if another model verifies.
        """
        if not pending:
            return
        engine = self.load_role(role)
        try:
            for table, row in self.sample_requests(engine, pending):
                if table is SOLUTIONS_TABLE and row["status"] == "ok" and verify_new is not None:
                    number, is_ended = row["solution_id"], row["finish_reason"] != "length"
                    new_requests = self._request_missing_verifications(
                        row["problem_id"], number, row["text"] or "", is_ended, verify_new
                    )
                    pending.extend(new_requests)
                    expected = self.config.verifications if number < self.config.to_verify else 0
                    skipped = expected - len(new_requests)  # they exist already, or the solution has no visible text
                    self.display.update_progress(skipped, 0, self._describe_progress())
        finally:
            engine.close()

    def _summarise_run(self) -> SweepSummary:
        """Return what this process sampled, and what the whole run holds."""
        self.run.verify_lock()  # a moved folder would look empty
        correct = self.run.read_frame(SOLUTIONS_TABLE, ["correct"])["correct"].dropna()
        answers, verdicts = count_run_kinds(self.run)
        accuracy = float(correct.astype(float).mean())
        done = sum(answers.values()) - answers["failed"], sum(verdicts.values()) - verdicts["failed"]
        searches = self.run.read_frame(SEARCHES_TABLE, ["correct", "status"])
        search_grades = searches.loc[searches["status"] == "ok", "correct"]
        counts = {SOLUTIONS_TABLE: done[0], VERIFICATIONS_TABLE: done[1], SEARCHES_TABLE: len(search_grades)}
        counts |= {SCORES_TABLE: count_ok_rows(self.run, SCORES_TABLE)} if self.config.scored else {}
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
