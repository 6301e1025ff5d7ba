"""Numbering, grading and writing of imported rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from isocompute.errors import DataError
from isocompute.limits import LONGEST_TEXT, require_text_length
from isocompute.runners.imports.logged_choices import LoggedChoices
from isocompute.runners.imports.options import ImportOptions
from isocompute.runners.imports.row_counts import RowCounts
from isocompute.runners.imports.row_grading import RowGrader
from isocompute.runners.imports.rows import (
    ImportedChoice,
    ImportedMetadata,
    ImportedProblem,
    ImportedRow,
    ImportedSearch,
    ImportedSolution,
    ImportedVerification,
)
from isocompute.runners.storage.imported_scores import build_imported_score_row, has_missing_step
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)

MAX_PART_CHARACTERS = 32 * 2**20
"""Characters of text in a part, and so the most of each table that is held in memory."""

REPORTABLE_COLUMNS = {
    PROBLEMS_TABLE: ("question", "gold"),
    SOLUTIONS_TABLE: ("text", "answer", "prompt_tokens", "cached_tokens", "completion_tokens", "finish_reason"),
    SEARCHES_TABLE: ("beam_width", "lookahead", "seed", "answer", "generated_tokens", "scorer_prompt_tokens", "steps"),
    VERIFICATIONS_TABLE: ("text", "verdict", "p_yes", "prompt_tokens", "cached_tokens", "completion_tokens"),
    SCORES_TABLE: ("scorer_prompt_tokens", "scorer_cached_tokens"),
}  # fmt: skip
"""Columns that the summary lists as unknown if no row has them."""

MOST_WAITING_PROBLEMS = 200
"""Problems that are read before the grader is chosen by their right answers."""


class ImportWriter:
    """A writer that numbers and grades the rows of an import and writes them to a run.

    Args:
        run: the run.
        format: the format of the log.
        options: the options of the import.

    Attributes:
        grading: the grader of the rows.
        failures: failed solutions by reason.
        logged_names: the log's names of the task and the models.
        about: the names that the run gets.
        row_counts: the rows that were taken, by problem and solution.
        numbers: the solutions of each problem so far, by its name, and the verifications of each solution.
        rows: the rows of each table so far.
        reported_columns: columns of which some row has a value.
        choices: the tool's own choices.
        sampled: solutions so far that did not fail.
        scored: those of them with all their scores.
        has_shares: whether the log says of some problems only how many solutions are right.
        raw_answers: the logged answers to each problem.
    """

    def __init__(self, run: Run, format: str, options: ImportOptions) -> None:
        self.run, self.format, self.options = run, format, options
        self.grading = RowGrader(format, options.grader)
        self.failures: Counter[str] = Counter()
        self.logged_names = ImportedMetadata()
        self.about = ImportedMetadata(options.task, options.model)
        self.problems: set[str] = set()
        self.row_counts = RowCounts()
        self.numbers: Counter[tuple[Any, ...]] = Counter()
        self.searches: set[tuple[Any, ...]] = set()
        self.rows: Counter[RunTable] = Counter()
        self.reported_columns: set[tuple[RunTable, str]] = set()
        self.choices = LoggedChoices()
        self.sampled = self.scored = 0
        self.has_shares = False
        self.waiting_rows: list[ImportedRow] = []
        self.waiting_characters = self.waiting_problems = 0
        self.raw_answers: dict[str, set[str | None]] = {}
        self.writers = {table: run.open_writer(table, seconds=1e9, rows=50_000) for table in REPORTABLE_COLUMNS}
        self.waiting: Counter[RunTable] = Counter()

    def __enter__(self) -> ImportWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self.writers.values():
            writer.drop_rows()
        self.grading.close()

    def take_row(self, row: ImportedRow) -> None:
        """Number, grade and write a row; the first rows wait until the grader can be chosen.

        Raises:
            DataError: it refers to a missing row, has a text that is too long, is one of too many, or cannot be graded.
        """
        where = getattr(row, "where", "the log")
        for name, cell in vars(row).items():
            if isinstance(cell, str) and len(cell) > LONGEST_TEXT:
                require_text_length(cell, f"{where}: '{name}'")
        self.row_counts.add_row(row)
        if self.grading.title is not None:
            self._write_imported_row(row)
            return
        self.waiting_rows.append(row)
        self.waiting_problems += isinstance(row, ImportedProblem)
        self.waiting_characters += sum(len(cell) for cell in vars(row).values() if isinstance(cell, str))
        if self.waiting_problems > MOST_WAITING_PROBLEMS or self.waiting_characters > MAX_PART_CHARACTERS:
            self._write_waiting_rows()

    def write_remaining_rows(self) -> None:
        """Write the rows that wait, and what the tables' writers hold.

        Raises:
            DataError: as `take_row`.
        """
        if self.grading.title is None:
            self._write_waiting_rows()
        for writer in self.writers.values():
            writer.flush()

    def _write_waiting_rows(self) -> None:
        """Choose the grader, and write the rows that waited for it."""
        rows, self.waiting_rows = self.waiting_rows, []
        self.grading.choose_grader(rows)
        for row in rows:
            self._write_imported_row(row)

    def _write_imported_row(self, row: ImportedRow) -> None:
        match row:
            case ImportedMetadata():
                self.logged_names = row
                task, model = self.options.task or row.task, self.options.model or row.solver
                self.about = replace(row, task=task, solver=model)
            case ImportedProblem():
                self._take_problem(row)
            case ImportedSolution():
                self._take_solution(row)
            case ImportedVerification():
                self._take_verification(row)
            case ImportedSearch():
                self._take_search(row)
            case ImportedChoice():
                self._take_choice(row)

    def _take_problem(self, row: ImportedProblem) -> None:
        if row.problem_id in self.problems:
            raise DataError(f"{row.where}: the problem '{row.problem_id}' appears twice.")
        self.problems.add(row.problem_id)
        gold = self.grading.add_problem(row)
        self._write_row(PROBLEMS_TABLE, {**vars(row), "gold": gold, "task": self.about.task or self.format})

    def _take_solution(self, row: ImportedSolution) -> None:
        self.has_shares = self.has_shares or row.is_share
        if row.is_share and self.grading.grader is None:  # neither a text nor its length may be said to be right
            row = replace(row, text=None, answer=None, completion_tokens=None)
        number = self.numbers[row.problem_id,]
        self.numbers[row.problem_id,] += 1
        status = self.grading.find_status(row)
        answer, correct = self.grading.grade_row(row) if status == "ok" else (None, None)
        if status != "ok":
            self.failures[status] += 1
            if self.options.failed == "wrong":
                status, correct = "ok", False
        self.raw_answers.setdefault(row.problem_id, set()).add(row.answer)
        graded = {"solution_id": number, "answer": answer, "correct": correct, "status": status}
        logged = {"logged_answer": row.answer or None, "logged_correct": row.correct}
        self._write_row(SOLUTIONS_TABLE, {**vars(row), **graded, **logged})
        if status == "ok":
            self.sampled += 1
            self.scored += row.step_scores is not None and not has_missing_step(row.step_scores)
        if row.step_scores is not None:
            self._write_row(SCORES_TABLE, build_imported_score_row(row.problem_id, number, row.step_scores, row.text))

    def _take_verification(self, row: ImportedVerification) -> None:
        if row.solution_id >= self.numbers[row.problem_id,]:
            raise DataError(
                f"{row.where}: the verified solution {row.solution_id} of '{row.problem_id}' does not exist."
            )
        key = row.problem_id, row.solution_id
        self._write_row(VERIFICATIONS_TABLE, {**vars(row), "verification_id": self.numbers[key]})
        self.numbers[key] += 1

    def _take_search(self, row: ImportedSearch) -> None:
        key = tuple(getattr(row, name) for name in SEARCHES_TABLE.key_names)
        if key in self.searches:
            raise DataError(f"{row.where}: the search {key} appears twice.")
        self.searches.add(key)
        answer, correct = self.grading.grade_row(row)
        self._write_row(SEARCHES_TABLE, {**vars(row), "answer": answer, "correct": correct, "status": "ok"})

    def _take_choice(self, row: ImportedChoice) -> None:
        correct = self.grading.grade_choice(row)
        if correct is not None:
            self.choices.add_choice(row.strategy, row.S, row.problem_id, correct)

    def _write_row(self, table: RunTable, row: dict[str, Any]) -> None:
        self.rows[table] += 1
        cells = {column.name: row.get(column.name) for column in table.columns}
        self.reported_columns |= {(table, name) for name in REPORTABLE_COLUMNS[table] if cells[name] is not None}
        self.waiting[table] += sum(len(cell) for cell in cells.values() if isinstance(cell, str))
        self.writers[table].add_rows([cells])
        if self.waiting[table] > MAX_PART_CHARACTERS:
            self.writers[table].flush()
            self.waiting[table] = 0
