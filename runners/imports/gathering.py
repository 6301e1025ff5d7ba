"""Conversion of imported rows to a run: numbering, grading and writing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import isocompute
from isocompute.errors import DataError
from isocompute.runners.grading import GRADERS, AnswerClasses, Grader, load_grader_by_name
from isocompute.runners.grading.golds import extract_gold_answer
from isocompute.runners.imports.formats import IMPORT_FORMATS
from isocompute.runners.imports.grader_choice import choose_import_grader
from isocompute.runners.imports.logged_choices import LoggedChoices
from isocompute.runners.imports.rows import (
    ImportedChoice,
    ImportedMetadata,
    ImportedProblem,
    ImportedRow,
    ImportedSearch,
    ImportedSolution,
    ImportedVerification,
)
from isocompute.runners.imports.summaries import ImportSummary, SourceSummary
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.parsing.verdicts import VERDICT_READER
from isocompute.runners.storage.doubts import describe_doubts, explain_missing_votes
from isocompute.runners.storage.imported_scores import (
    build_imported_score_row,
    describe_missing_scores,
    has_missing_step,
)
from isocompute.runners.storage.log_comparison import compare_with_log
from isocompute.runners.storage.logged_grades import describe_split_verdicts, grade_logged_answers
from isocompute.runners.storage.provenance import GOLD_AS_GIVEN, LOGGED_GRADER, ImportedRun
from isocompute.runners.storage.run import RUN_FORMAT, Run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)
from isocompute.runners.storage.unequal import describe_few_solutions

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
    """A writer that numbers and grades the rows of an import and writes them to a run."""

    def __init__(
        self,
        run: Run,
        format: str,
        grader: str | None,
        failed: str = "drop",
        named: ImportedMetadata | None = None,
    ) -> None:
        self.run, self.format, self.failed = run, format, failed
        self.failures: Counter[str] = Counter()
        self.logged = f"{LOGGED_GRADER}/{format}"
        self.grader: Grader | None = None if grader in (None, LOGGED_GRADER) else load_grader_by_name(str(grader))
        self.title = self.logged if grader == LOGGED_GRADER else self.grader and self.grader.title
        self.named = named or ImportedMetadata()
        self.logged_names, self.about = ImportedMetadata(), self.named
        self.problems: dict[str, ImportedProblem] = {}
        self.classes: dict[str, AnswerClasses] = {}
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
        if self.grader is not None:
            self.grader.close()

    def take_row(self, row: ImportedRow) -> None:
        """Number, grade and write a row; the first rows wait until the grader can be chosen.

        Raises:
            DataError: it refers to a missing row, or cannot be graded.
        """
        if self.title is not None:
            self._write_imported_row(row)
            return
        self.waiting_rows.append(row)
        self.waiting_problems += isinstance(row, ImportedProblem)
        self.waiting_characters += sum(len(cell) for cell in vars(row).values() if isinstance(cell, str))
        if self.waiting_problems > MOST_WAITING_PROBLEMS or self.waiting_characters > MAX_PART_CHARACTERS:
            self._write_waiting_rows()

    def _write_waiting_rows(self) -> None:
        """Choose the grader, and write the rows that waited for it."""
        rows, self.waiting_rows = self.waiting_rows, []
        name = choose_import_grader(rows, IMPORT_FORMATS[self.format].grader)
        self.grader = None if name == LOGGED_GRADER else load_grader_by_name(name)
        self.title = self.logged if self.grader is None else self.grader.title
        for row in rows:
            self._write_imported_row(row)

    def _write_imported_row(self, row: ImportedRow) -> None:
        match row:
            case ImportedMetadata():
                self.logged_names = row
                self.about = replace(row, task=self.named.task or row.task, solver=self.named.solver or row.solver)
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

    def finish(self, source: SourceSummary, run: str) -> ImportSummary:
        """Write what has gathered, and the manifest.

        Raises:
            DataError: the source holds no solutions.
        """
        if self.title is None:
            self._write_waiting_rows()
        if not self.rows[SOLUTIONS_TABLE] + self.rows[SEARCHES_TABLE]:
            raise DataError(f"{source.where} holds no solutions.")
        for writer in self.writers.values():
            writer.flush()
        imported = ImportedRun(
            format=self.format,
            files=source.files,
            source=source.name,
            sha256=source.sha256,
            task=clean_display_name(self.about.task or source.task),
            solver=self.about.solver and clean_display_name(self.about.solver),
            verifier=self.about.verifier and clean_display_name(self.about.verifier),
            aggregate=self.about.aggregate,
            rows={
                table.name: self.rows[table]
                for table in REPORTABLE_COLUMNS
                if table is not SCORES_TABLE or self.rows[table]
            },
            unknown=tuple(
                f"{table.name}.{column}"
                for table, columns in REPORTABLE_COLUMNS.items()
                for column in columns
                if self.rows[table] and (table, column) not in self.reported_columns
            ),
            problems_with=source.problems_with,
            short_problems=source.short_problems,
            failed=self.failed,
            shares=self.has_shares,
        )
        self.run.write_manifest(
            {
                "format": RUN_FORMAT,
                "isocompute": isocompute.__version__,
                "imported": imported.model_dump(mode="json"),
                "grader": self.title,
                "gold": GOLD_AS_GIVEN,
                "verdicts": VERDICT_READER if (VERIFICATIONS_TABLE, "text") in self.reported_columns else self.logged,
            }
        )
        notes, refused = self._check_grades(imported)
        solutions = self.run.read_frame(SOLUTIONS_TABLE, ["problem_id", "solution_id", "answer", "correct", "status"])
        scores = self.run.read_frame(SCORES_TABLE, ["problem_id", "solution_id", "step_scores"])
        return ImportSummary(
            run=run,
            imported=imported,
            grader=str(self.title),
            refused=refused,
            failures=dict(self.failures.most_common()),
            columns=source.columns,
            ignored_columns=source.ignored_columns,
            choices=self.choices.compare_choices(solutions, scores),
            notes=[
                *self._describe_names(),
                *source.notes,
                *self._describe_doubts(),
                *notes,
                *describe_missing_scores(self.sampled, self.scored),
            ],
            **vars(compare_with_log(self.run)),
        )

    def _describe_names(self) -> list[str]:
        """Return sentences on names that were given in the place of the log's."""
        names = [
            ("task", self.logged_names.task, self.named.task),
            ("model", self.logged_names.solver, self.named.solver),
        ]
        return [
            f"The log names the {what} '{clean_display_name(logged)}'; the run has the given name."
            for what, logged, given in names
            if logged and given and logged != given
        ]

    def _check_grades(self, imported: ImportedRun) -> tuple[list[str], int]:
        """Group logged answers, and return notes on the grades and the number of refused comparisons."""
        columns = ["problem_id", "answer", "correct", "completion_tokens", "status"]
        solutions = self.run.read_frame(SOLUTIONS_TABLE, columns)
        sampled = solutions[solutions["status"].eq("ok")]
        missing_votes = explain_missing_votes(sampled, imported)
        notes = [] if missing_votes is None else [missing_votes]
        refused = 0 if self.grader is None else self.grader.refused_count
        if self.grader is None and missing_votes is None:
            split, refused = grade_logged_answers(self.run, self.logged)
            notes += describe_split_verdicts(split)
            solutions = self.run.read_frame(SOLUTIONS_TABLE, columns)
            sampled = solutions[solutions["status"].eq("ok")]
        doubts = describe_doubts(sampled, str(self.title), missing_votes is None)
        counts = {str(name): int(count) for name, count in sampled.groupby("problem_id").size().items()}
        return [*notes, *doubts, *describe_few_solutions(counts)], refused

    def _describe_doubts(self) -> list[str]:
        """Return what makes it doubtful that the source was read as it was meant, in sentences."""
        sampled = {problem: count for (problem, *rest), count in self.numbers.items() if not rest and count > 1}
        answers = [self.raw_answers.get(problem, set()) for problem in sampled]
        sentences = []
        if self.format == "table" and len(sampled) > 1 and all(len(each) == 1 and None not in each for each in answers):
            sentences.append(
                "Every problem has the same answer in all its solutions. If that column is the right answer, import it "
                "with --columns answer=gold."
            )
        return sentences

    def _take_problem(self, row: ImportedProblem) -> None:
        if row.problem_id in self.problems:
            raise DataError(f"{row.where}: the problem '{row.problem_id}' appears twice.")
        self.problems[row.problem_id] = row
        gold = extract_gold_answer(row.gold)
        if self.grader is not None and gold is not None:
            if self.grader.normalise_answer(gold) is None:
                raise DataError(
                    f"{row.where}: the grader '{self.grader.name}' cannot read the right answer "
                    f"{format_error_value(gold)}; name another with --grader."
                )
            self.classes[row.problem_id] = AnswerClasses(self.grader, gold)
        self._write_row(PROBLEMS_TABLE, {**vars(row), "gold": gold, "task": self.about.task or self.format})

    def _take_solution(self, row: ImportedSolution) -> None:
        self.has_shares = self.has_shares or row.is_share
        if row.is_share and self.grader is None:  # no text may be said to be right
            row = replace(row, text=None, answer=None)
        number = self.numbers[row.problem_id,]
        self.numbers[row.problem_id,] += 1
        status = self._find_status(row)
        answer, correct = self._grade_row(row) if status == "ok" else (None, None)
        if status != "ok":
            self.failures[status] += 1
            if self.failed == "wrong":
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

    def _find_status(self, row: ImportedSolution) -> str:
        """Return a row's status; one that the log does not judge fails unless a grader reads its text."""
        if row.status != "ok" or row.unjudged is None:
            return row.status
        return "ok" if self.grader is not None else row.unjudged

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
        answer, correct = self._grade_row(row)
        self._write_row(SEARCHES_TABLE, {**vars(row), "answer": answer, "correct": correct, "status": "ok"})

    def _take_choice(self, row: ImportedChoice) -> None:
        if row.problem_id in self.classes:
            _, correct = self.classes[row.problem_id].grade(row.text)
            self.choices.add_choice(row.strategy, row.S, row.problem_id, correct)

    def _grade_row(self, row: ImportedSolution | ImportedSearch) -> tuple[str | None, bool]:
        """Return a row's answer and whether it is right."""
        problem = self.problems[row.problem_id]
        if self.grader is None:
            if row.correct is None:
                raise DataError(
                    f"{row.where}: the log does not say whether the solution is right; "
                    f"name a grader for its text: --grader {GRADERS.names_as_text}."
                )
            return row.answer or None, row.correct
        has_gold = problem.problem_id in self.classes
        if not has_gold or (row.text is None and row.answer is None):
            what = "text or answer to read" if has_gold else "right answer to compare with"
            raise DataError(
                f"{row.where}: the grader '{self.grader.name}' has no {what}; --grader {LOGGED_GRADER} needs none."
            )
        classes = self.classes[problem.problem_id]
        return classes.grade_answer(row.answer or "") if row.text is None else classes.grade(row.text)

    def _write_row(self, table: RunTable, row: dict[str, Any]) -> None:
        self.rows[table] += 1
        cells = {column.name: row.get(column.name) for column in table.columns}
        self.reported_columns |= {(table, name) for name in REPORTABLE_COLUMNS[table] if cells[name] is not None}
        self.waiting[table] += sum(len(cell) for cell in cells.values() if isinstance(cell, str))
        self.writers[table].add_rows([cells])
        if self.waiting[table] > MAX_PART_CHARACTERS:
            self.writers[table].flush()
            self.waiting[table] = 0


def clean_display_name(name: str) -> str:
    """Return a name on one line, cut short, without characters that move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in name)[:200]
