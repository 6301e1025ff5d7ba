"""Conversion of imported rows to a run: numbering, grading and writing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import isocompute
from isocompute.errors import DataError
from isocompute.runners.grading import GRADERS, AnswerClasses, Grader, load_grader_by_name
from isocompute.runners.imports.fields import extract_gold_answer, infer_grader_name
from isocompute.runners.imports.formats import IMPORT_FORMATS
from isocompute.runners.imports.rows import (
    ImportedMetadata,
    ImportedProblem,
    ImportedRow,
    ImportedSearch,
    ImportedSolution,
    ImportedVerification,
)
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.imports.summaries import GradeDifference, ImportSummary, SourceSummary
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.parsing.verdicts import VERDICT_READER
from isocompute.runners.storage.doubts import describe_doubts, has_known_answers
from isocompute.runners.storage.imported_scores import build_imported_score_row
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


MOST_EXAMPLES = 3
"""The most differences between two gradings that are shown."""


def summarise_source(source: ImportSource) -> SourceSummary:
    """Return what a manifest says of a file or folder."""
    place = source.path.resolve()
    digest = hash_source_file(source.path) if source.path.is_file() else None
    ignored = [column for column in source.seen_columns if column not in source.used_columns]
    used = dict(source.used_columns)
    return SourceSummary(
        f"'{source.path}'", place.name, place.stem, source.file_count, digest, used, ignored, source.notes
    )


class ImportWriter:
    """A writer that numbers and grades the rows of an import and writes them to a run."""

    def __init__(self, run: Run, format: str, grader: str | None, failed: str = "drop") -> None:
        self.run, self.format, self.failed = run, format, failed
        self.failures: Counter[str] = Counter()
        self.logged = f"{LOGGED_GRADER}/{format}"
        self.grader: Grader | None = None if grader in (None, LOGGED_GRADER) else load_grader_by_name(str(grader))
        self.title = self.logged if grader == LOGGED_GRADER else self.grader and self.grader.title
        self.about = ImportedMetadata()
        self.problems: dict[str, ImportedProblem] = {}
        self.classes: dict[str, AnswerClasses] = {}
        self.ungraded: list[ImportedProblem] = []
        self.numbers: Counter[tuple[Any, ...]] = Counter()
        self.searches: set[tuple[Any, ...]] = set()
        self.rows: Counter[RunTable] = Counter()
        self.reported_columns: set[tuple[RunTable, str]] = set()
        self.correct_counts: Counter[bool] = Counter()
        self.logged_counts: Counter[bool] = Counter()
        self.differing = 0
        self.examples: list[GradeDifference] = []
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
        """Number, grade and write a row.

        Raises:
            DataError: it refers to a missing row, or cannot be graded.
        """
        match row:
            case ImportedMetadata():
                self.about = row
            case ImportedProblem():
                self._take_problem(row)
            case ImportedSolution():
                self._take_solution(row)
            case ImportedVerification():
                self._take_verification(row)
            case ImportedSearch():
                self._take_search(row)

    def finish(self, source: SourceSummary, run: str) -> ImportSummary:
        """Write what has gathered, and the manifest.

        Raises:
            DataError: the source holds no solutions.
        """
        if not self.rows[SOLUTIONS_TABLE] + self.rows[SEARCHES_TABLE]:
            raise DataError(f"{source.where} holds no solutions.")
        self.title = self.title or self.logged
        self._grade_problems()
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
        columns = ["problem_id", "answer", "correct", "completion_tokens", "status"]
        solutions = self.run.read_frame(SOLUTIONS_TABLE, columns)
        sampled = solutions[solutions["status"].eq("ok")]
        doubts = describe_doubts(sampled, self.title, has_known_answers(sampled))
        graded = self.correct_counts.total()
        refused = 0 if self.grader is None else self.grader.refused_count
        judged = self.logged_counts.total()
        return ImportSummary(
            run=run,
            imported=imported,
            grader=self.title,
            refused=refused,
            accuracy=self.correct_counts[True] / graded if graded else None,
            logged_accuracy=self.logged_counts[True] / judged if judged else None,
            failures=dict(self.failures.most_common()),
            differing=self.differing,
            examples=self.examples,
            columns=source.columns,
            ignored_columns=source.ignored_columns,
            notes=[*source.notes, *self._describe_doubts(), *doubts],
        )

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
        self.ungraded.append(row)
        if self.title is not None:
            self._grade_problems()

    def _take_solution(self, row: ImportedSolution) -> None:
        if row.is_share:
            self._require_grader(row)
            if self.grader is None:  # no text may be said to be right
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
        if correct is not None:
            self.correct_counts[correct] += 1
            self._compare_grades(row, number, answer, correct)
        graded = {"solution_id": number, "answer": answer, "correct": correct, "status": status}
        self._write_row(SOLUTIONS_TABLE, {**vars(row), **graded})
        if row.step_scores is not None:
            self._write_row(SCORES_TABLE, build_imported_score_row(row.problem_id, number, row.step_scores, row.text))

    def _find_status(self, row: ImportedSolution) -> str:
        """Return a row's status; one that the log does not judge fails unless a grader reads its text."""
        if row.status != "ok" or row.unjudged is None:
            return row.status
        self._require_grader(row)
        return "ok" if self.grader is not None else row.unjudged

    def _compare_grades(self, row: ImportedSolution, number: int, answer: str | None, correct: bool) -> None:
        """Count what the log says of a solution, and where the grader says something else."""
        if row.correct is None:
            return
        self.logged_counts[row.correct] += 1
        if row.correct != correct and not row.is_share:
            self.differing += 1
            if len(self.examples) < MOST_EXAMPLES:
                gold = extract_gold_answer(self.problems[row.problem_id].gold)
                self.examples.append(GradeDifference(row.problem_id, number, gold, answer, row.correct, correct))

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

    def _grade_row(self, row: ImportedSolution | ImportedSearch) -> tuple[str | None, bool]:
        """Return a row's answer and whether it is right."""
        problem = self.problems[row.problem_id]
        self._require_grader(row)
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

    def _require_grader(self, row: ImportedSolution | ImportedSearch) -> None:
        """Choose the grader by the first row to grade, unless it is known."""
        if self.title is None:
            self._choose_grader(self.problems[row.problem_id], row)
            self._grade_problems()

    def _choose_grader(self, problem: ImportedProblem, row: ImportedSolution | ImportedSearch) -> None:
        """Choose the grader by a row and the right answer to its problem."""
        gold = extract_gold_answer(problem.gold)
        usual = IMPORT_FORMATS[self.format].grader
        is_readable = row.text is not None or (row.answer is not None and row.correct is None)
        if row.text is None:
            usual = usual or find_general_grader()
        if gold is not None and is_readable and (name := infer_grader_name(problem.gold or "") or usual):
            self.grader = load_grader_by_name(name)
            self.title = self.grader.title
        elif row.correct is not None or (isinstance(row, ImportedSolution) and row.unjudged):
            self.title = self.logged
        elif gold is None:
            raise DataError(f"{row.where}: the log has no right answer, nor does it say whether the solution is right.")
        else:
            raise DataError(
                f"{row.where}: it is unclear how to compare answers with {format_error_value(problem.gold)}; name a "
                f"grader: --grader {GRADERS.names_as_text}."
            )

    def _grade_problems(self) -> None:
        """Write the problems that wait for a grader, and check that it can read their right answers."""
        for problem in self.ungraded:
            gold = extract_gold_answer(problem.gold)
            if self.grader is not None and gold is not None:
                canonical = self.grader.normalise_answer(gold)
                if canonical is None:
                    raise DataError(
                        f"{problem.where}: the grader '{self.grader.name}' cannot read the right answer "
                        f"{format_error_value(gold)}; name another with --grader."
                    )
                self.classes[problem.problem_id] = AnswerClasses(self.grader, gold)
            task = self.about.task or self.format
            self._write_row(PROBLEMS_TABLE, {**vars(problem), "gold": gold, "task": task})
        self.ungraded.clear()

    def _write_row(self, table: RunTable, row: dict[str, Any]) -> None:
        self.rows[table] += 1
        cells = {column.name: row.get(column.name) for column in table.columns}
        self.reported_columns |= {(table, name) for name in REPORTABLE_COLUMNS[table] if cells[name] is not None}
        self.waiting[table] += sum(len(cell) for cell in cells.values() if isinstance(cell, str))
        self.writers[table].add_rows([cells])
        if self.waiting[table] > MAX_PART_CHARACTERS:
            self.writers[table].flush()
            self.waiting[table] = 0


def find_general_grader() -> str:
    """Return the grader for answers of any kind: mathematics, or numbers where its package is not installed."""
    return "numeric" if find_spec("math_verify") is None else "math"


def clean_display_name(name: str) -> str:
    """Return a name on one line, cut short, without characters that move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in name)[:200]


def hash_source_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
