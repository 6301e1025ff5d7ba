"""The sampler of questions under a policy, for one process."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.display import Display
from isocompute.runners.engines import Engine, Request
from isocompute.runners.sampling.preparing import PreparedSweep
from isocompute.runners.sampling.row_sampler import RowSampler, SampledRow
from isocompute.runners.sampling.sampler import can_share_engine
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE, RunTable
from isocompute.serving.question_progress import QuestionProgress, RowNumbers, StepPolicy


class PolicySampler(RowSampler):
    """A sampler that follows a policy on every question side by side.

    A model that solves and verifies, or solves alone, is never idle while a question waits for it: the next rows of a
    question are requested as soon as its last ones come. Of two models each works while it has requests, and then the
    other does.

    Args:
        ready: the sweep that bounds the rows, with the questions.
        policy: decides on each question.
        width: solutions of a question that are sampled side by side.
        display: where progress is shown.
        load: returns a model's engine, from the engine's name, the model and its options.
        keep_going: whether to go on even if none of the first answers can be read.
    """

    progress_per_row = 0

    def __init__(
        self,
        ready: PreparedSweep,
        policy: StepPolicy,
        width: int,
        display: Display,
        load: Callable[..., Engine],
        keep_going: bool = False,
    ) -> None:
        super().__init__(
            ready.config,
            ready.run,
            ready.problems,
            ready.prompts,
            ready.grader,
            display,
            load,
            keep_going=keep_going,
        )
        self.progress = {name: QuestionProgress(policy, width) for name in self.problems}
        self._texts: dict[tuple[str, int], tuple[str, bool]] = {}  # the text of a solution, and whether it ended

    def sample_questions(self) -> dict[str, QuestionProgress]:
        """Sample until the policy has stopped on every question; return their progress by id."""
        self._write_questions()
        self.open_writers()
        self._read_rows()
        queues: dict[RunTable, deque[Request]] = {SOLUTIONS_TABLE: deque(), VERIFICATIONS_TABLE: deque()}
        solver, verifier = self.config.solver, self.config.verifier
        assert solver is not None, "questions are answered by a solver"
        if verifier is not None and can_share_engine(solver, verifier):
            queues[VERIFICATIONS_TABLE] = queues[SOLUTIONS_TABLE]
        try:
            for name in self.progress:
                self._request_rows(name, queues)
            ended = sum(each.stopped is not None for each in self.progress.values())
            self.display.start_phase("answering", len(self.progress), ended)
            with ExitStack() as stack:
                engines: dict[RunTable, Engine] = {}
                while any(queues.values()):
                    for table, role in ((SOLUTIONS_TABLE, solver), (VERIFICATIONS_TABLE, verifier)):
                        if queues[table] and role is not None:
                            self._run_queue(table, role, queues, engines, stack)
        finally:
            self.flush_writers()
        self.run.verify_lock()  # a moved folder would look empty
        return self.progress

    def _run_queue(
        self,
        table: RunTable,
        role: ModelRole,
        queues: dict[RunTable, deque[Request]],
        engines: dict[RunTable, Engine],
        stack: ExitStack,
    ) -> None:
        """Let one model work until it has no more requests; it stays loaded."""
        if table not in engines:
            engines[table] = self.load_role(role)
            stack.callback(engines[table].close)
        for found, row in self.sample_requests(engines[table], queues[table]):
            self._add_row(found, row)
            self._request_rows(row["problem_id"], queues)
            is_over = self.progress[row["problem_id"]].stopped is not None
            self.display.update_progress(int(is_over), 0, self._describe_progress())

    def _request_rows(self, name: str, queues: dict[RunTable, deque[Request]]) -> None:
        """Request the rows that a question waits for and that were not requested yet."""
        progress = self.progress[name]
        before = None
        while (waiting := progress.list_awaited_rows()) != before:
            before = waiting
            new = [numbers for numbers in waiting if (name, *numbers) not in self._requested]
            self._requested |= {(name, *numbers) for numbers in new}
            queues[SOLUTIONS_TABLE].extend(
                self.request_solution(name, numbers[0]) for numbers in new if len(numbers) == 1
            )
            for solution, numbers in group_verifications(new).items():
                text, is_ended = self._texts[name, solution]
                requests = self.request_verifications(name, solution, text, is_ended, numbers)
                queues[VERIFICATIONS_TABLE].extend(requests)
                if not requests:  # the solution has no visible text: rows say so already
                    progress.verdicts |= {(solution, number): math.nan for number in numbers}
                    before = None

    def _add_row(self, table: RunTable, row: SampledRow) -> None:
        """Add a row to the progress of its question."""
        name, number, is_ok = row["problem_id"], row["solution_id"], row["status"] == "ok"
        progress = self.progress[name]
        if table is VERIFICATIONS_TABLE:
            verdict = row.get("verdict")
            progress.verdicts[number, row["verification_id"]] = math.nan if verdict is None else float(verdict)
            return
        progress.solutions[number] = (row.get("answer") if is_ok else None, not is_ok)
        self._texts[name, number] = (row["text"] or "", row["finish_reason"] != "length")

    def _read_rows(self) -> None:
        """Add the rows of earlier processes; those that failed are requested again."""
        self._requested: set[tuple[str | int, ...]] = set()
        columns = ["problem_id", "solution_id", "text", "answer", "finish_reason", "status"]
        for table, names in (
            (SOLUTIONS_TABLE, columns),
            (VERIFICATIONS_TABLE, [*VERIFICATIONS_TABLE.key_names, "verdict", "status"]),
        ):
            frame = self.run.read_frame(table, names)
            frame = frame[frame["status"].eq("ok") & frame["problem_id"].isin(list(self.problems))].astype(object)
            for row in frame.where(frame.notna(), None).to_dict("records"):
                self._add_row(table, {str(key): value for key, value in row.items()})

    def _write_questions(self) -> None:
        """Write the questions that the run lacks."""
        written = self.run.read_keys(PROBLEMS_TABLE)
        writer = self.run.open_writer(PROBLEMS_TABLE)
        writer.add_rows(vars(p) for p in self.problems.values() if (p.problem_id,) not in written)
        writer.flush()


def group_verifications(rows: list[RowNumbers]) -> dict[int, list[int]]:
    """Return the numbers of verifications by solution.

    >>> group_verifications([(0,), (3, 0), (3, 1)])
    {3: [0, 1]}
    """
    groups: dict[int, list[int]] = {}
    for numbers in rows:
        if len(numbers) == 2:
            groups.setdefault(numbers[0], []).append(numbers[1])
    return groups
