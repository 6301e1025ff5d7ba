"""The sampler of rows by their keys: it requests them, grades the completions and writes them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from isocompute.runners import engines
from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import Display
from isocompute.runners.engines import Completion, Engine, Request, Sampling
from isocompute.runners.grading import AnswerClasses, Grader
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.prompts import Prompt
from isocompute.runners.sampling.rows import build_completion_row, build_skipped_row
from isocompute.runners.sampling.silence import find_tables_with_text, reject_silent_batches
from isocompute.runners.sampling.unread import UnreadWatch
from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.kept_files import KeptFiles
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import DIGEST_COLUMN, SOLUTIONS_TABLE, VERIFICATIONS_TABLE, RunTable
from isocompute.runners.tasks import Problem

RequestKey = tuple[Any, ...]
"""A table and the key of one of its rows."""

RECORDS_FOLDER = "batches"
"""The folder of a run in which an engine keeps records of what it asked for."""

SampledRow = dict[str, Any]
"""A row of solutions or verifications by column."""


class RowSampler:
    """A sampler of the solutions and verifications that it is asked for, for one process.

    A row's seed follows from its key, so a row is the same draw whoever asks for it.

    Args:
        config: the sweep whose models and settings are used.
        run: the run, which this process has locked.
        problems: the problems.
        texts: the prompts, by role.
        grader: the grader of answers.
        display: where progress is shown.
        load: returns a model's engine, from the engine's name, the model and its options.
        takes_solutions: whether the solutions come from another run, where they were graded.
        keep_going: whether to go on even if none of the first answers can be read.
    """

    progress_per_row = 1
    """By how much a row advances the progress that is shown."""

    def __init__(
        self,
        config: Sweep,
        run: Run,
        problems: list[Problem],
        texts: dict[str, Prompt],
        grader: Grader,
        display: Display,
        load: Callable[..., Engine],
        takes_solutions: bool = False,
        keep_going: bool = False,
    ) -> None:
        self.config, self.run, self.texts, self.grader = config, run, texts, grader
        self.display, self.load, self.keep_going = display, load, keep_going
        self.problems = {problem.problem_id: problem for problem in problems}
        self.takes_solutions = takes_solutions
        self.failed: Counter[str] = Counter()
        self.graded: Counter[bool] = Counter()
        self.sampled, self.unread_answers, self.unread_verdicts = 0, 0, 0
        self.text_digests: dict[tuple[str, int], str] = {}
        """The digest of each text to be verified, by the key of its solution."""

    def open_writers(self) -> None:
        """Read what the run holds of earlier processes, and open the writers of rows."""
        self.classes = self._restore_answer_classes()
        self.tables_with_text = find_tables_with_text(self.run)
        self.unread_watch = (
            None if self.keep_going or self.takes_solutions else UnreadWatch(self.config, self.run, len(self.problems))
        )
        solution_writer = self.run.open_writer(SOLUTIONS_TABLE, self.config.checkpoint_seconds)
        verification_writer = self.run.open_writer(
            VERIFICATIONS_TABLE, self.config.checkpoint_seconds, after=solution_writer
        )
        self._writers = {SOLUTIONS_TABLE: solution_writer, VERIFICATIONS_TABLE: verification_writer}

    def flush_writers(self) -> None:
        """Write the rows that wait."""
        for writer in self._writers.values():
            writer.flush()

    def request_solution(self, problem: str, solution_id: int) -> Request:
        """Return the request for a solution."""
        assert self.config.solver is not None, "nothing is solved without a solver"
        text = self.texts["solver"].fill(question=self.problems[problem].question)
        return self._build_request((SOLUTIONS_TABLE, problem, solution_id), text, self.config.solver)

    def request_verifications(
        self, problem: str, solution_id: int, solution: str, is_ended: bool, numbers: Iterable[int]
    ) -> list[Request]:
        """Return the requests for verifications of a solution, one after another, because they share their prompt.

        A solution without visible text is not verified: rows that say so are written, and nothing is requested.

        Args:
            problem: the problem's id.
            solution_id: the solution's number.
            solution: its text.
            is_ended: whether the model ended the text.
            numbers: the numbers of the verifications.
        """
        role = self.config.verifier
        assert role is not None, "nothing is verified without a verifier"
        visible = cut_thinking(solution, self.config.solutions_thinking_end, is_ended)
        keys = [(problem, solution_id, number) for number in numbers]
        digest = self.text_digests[problem, solution_id] = digest_text(solution)
        if not visible.strip():
            self._writers[VERIFICATIONS_TABLE].add_rows(build_skipped_row(key, digest) for key in keys)
            return []
        text = self.texts["verifier"].fill(question=self.problems[problem].question, solution=visible)
        return [self._build_request((VERIFICATIONS_TABLE, *key), text, role) for key in keys]

    def sample_requests(self, engine: Engine, pending: deque[Request]) -> Iterator[tuple[RunTable, SampledRow]]:
        """Sample requests; yield each row with its table, graded and written.

        Args:
            engine: the model.
            pending: the requests. The engine takes them from the left while it runs, so requests can be added.

        Raises:
            EngineError: none of the first answers can be read.
        """
        for request, completion in reject_silent_batches(engine.run(pending), self.tables_with_text):
            table, *key = request.key
            row = build_completion_row(table, key, completion, self.classes.get(key[0]), self._find_role(table))
            if table is VERIFICATIONS_TABLE:
                row[DIGEST_COLUMN.name] = self.text_digests[key[0], key[1]]
            self._writers[table].add_rows([row])
            self._count_completion(table, completion, row)
            yield table, row

    def load_role(self, role: ModelRole) -> Engine:
        """Load the engine of a role."""
        name = self.config.engine
        kept: dict[str, Any] = {}
        if engines.ENGINES[name].keeps_records:
            kept = {"records": KeptFiles(self.run, RECORDS_FOLDER), "note": self.display.note}
        return self.load(name, role.model, **role.options, **kept)

    def _restore_answer_classes(self) -> dict[str, AnswerClasses]:
        """Return each problem's answer classes from the run's answers; empty for taken solutions, graded already."""
        if self.takes_solutions:
            return {}
        answers = self.run.read_frame(SOLUTIONS_TABLE, ["problem_id", "answer"]).dropna()
        known_answers = answers.groupby("problem_id")["answer"].unique()
        return {
            name: AnswerClasses(self.grader, p.gold, known_answers.get(name, ())) for name, p in self.problems.items()
        }

    def _find_role(self, table: RunTable) -> ModelRole:
        """Return the model that writes the rows of a table."""
        role = self.config.solver if table is SOLUTIONS_TABLE else self.config.verifier
        assert role is not None, "nothing is sampled without a model"
        return role

    def _build_request(self, key: RequestKey, text: str, role: ModelRole) -> Request:
        table, *row = key
        sampling = Sampling(role.temperature, role.top_p, role.max_tokens, role.stop, role.logprobs)
        return Request(key, text, derive_seed(self.config.seed, table.name, *row), sampling, role.chat)

    def _count_completion(self, table: RunTable, completion: Completion, row: SampledRow) -> None:
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
        self.display.update_progress(
            self.progress_per_row, completion.completion_tokens or 0, self._describe_progress()
        )
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
