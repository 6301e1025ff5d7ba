"""The rows of an import on their way to a run: numbered, graded, written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import isocompute
from isocompute.errors import DataError
from isocompute.runners.grading import GRADERS, Classes, Grader, load
from isocompute.runners.imports.fields import bare, obvious
from isocompute.runners.imports.formats import FORMATS
from isocompute.runners.imports.rows import About, Problem, Row, Search, Solution, Verification
from isocompute.runners.imports.source import Source
from isocompute.runners.parsing.printable import shown
from isocompute.runners.parsing.verdicts import READER
from isocompute.runners.storage.imported_scores import score_row
from isocompute.runners.storage.provenance import AS_GIVEN, AS_LOGGED, Imported
from isocompute.runners.storage.run import FORMAT, Run
from isocompute.runners.storage.schema import PROBLEMS, SCORES, SEARCHES, SOLUTIONS, VERIFICATIONS, Table

PART = 32 * 2**20
"""Characters of text in a part; whatever is imported, no more than that of each table is held in memory."""

SAID = {
    PROBLEMS: ("question", "gold"),
    SOLUTIONS: ("text", "answer", "prompt_tokens", "cached_tokens", "completion_tokens", "finish_reason"),
    SEARCHES: ("beam_width", "lookahead", "seed", "answer", "generated_tokens", "scorer_prompt_tokens", "steps"),
    VERIFICATIONS: ("text", "verdict", "p_yes", "prompt_tokens", "cached_tokens", "completion_tokens"),
    SCORES: ("scorer_prompt_tokens", "scorer_cached_tokens"),
}  # fmt: skip
"""Columns of which an import says so if no row has them."""


@dataclass(frozen=True)
class Summary:
    """What was imported.

    Args:
        run: the folder.
        grader: name and version of what graded the answers.
        refused: answers that could not be compared within the limits on time and memory.
        accuracy: share of the solutions that are right; None without any.
    """

    run: str
    imported: Imported
    grader: str
    refused: int
    accuracy: float | None


class Gathering:
    """The rows of an import on their way to a run."""

    def __init__(self, run: Run, format: str, grader: str | None) -> None:
        self.run, self.format = run, format
        self.logged = f"{AS_LOGGED}/{format}"
        self.grader: Grader | None = None if grader in (None, AS_LOGGED) else load(str(grader))
        self.title = self.logged if grader == AS_LOGGED else self.grader and self.grader.title
        self.about = About()
        self.problems: dict[str, Problem] = {}
        self.classes: dict[str, Classes] = {}
        self.ungraded: list[Problem] = []
        self.numbers: Counter[tuple[Any, ...]] = Counter()
        self.searches: set[tuple[Any, ...]] = set()
        self.rows: Counter[Table] = Counter()
        self.told: set[tuple[Table, str]] = set()
        self.right: Counter[bool] = Counter()
        self.writers = {table: run.writer(table, seconds=1e9, rows=50_000) for table in SAID}
        self.waiting: Counter[Table] = Counter()

    def __enter__(self) -> Gathering:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self.writers.values():
            writer.abandon()
        if self.grader is not None:
            self.grader.close()

    def take(self, row: Row) -> None:
        """Take a row: number it, grade it, write it.

        Raises:
            DataError: it speaks of what is not there, or cannot be graded.
        """
        match row:
            case About():
                self.about = row
            case Problem():
                self._problem(row)
            case Solution():
                self._solution(row)
            case Verification():
                self._verification(row)
            case Search():
                self._search(row)

    def finish(self, source: Source, run: str) -> Summary:
        """Write what has gathered, and the manifest.

        Raises:
            DataError: there was nothing to import.
        """
        if not self.rows[SOLUTIONS] + self.rows[SEARCHES]:
            raise DataError(f"'{source.path}' holds no solutions.")
        self.title = self.title or self.logged
        self._grade_problems()
        for writer in self.writers.values():
            writer.flush()
        imported = Imported(
            format=self.format,
            files=source.count,
            source=source.path.resolve().name,
            sha256=digest(source.path) if source.path.is_file() else None,
            task=printable(self.about.task or source.path.resolve().stem),
            solver=self.about.solver and printable(self.about.solver),
            verifier=self.about.verifier and printable(self.about.verifier),
            rows={table.name: self.rows[table] for table in SAID if table is not SCORES or self.rows[table]},
            unknown=tuple(
                f"{table.name}.{column}"
                for table, columns in SAID.items()
                for column in columns
                if self.rows[table] and (table, column) not in self.told
            ),
        )
        self.run.write_manifest(
            {
                "format": FORMAT,
                "isocompute": isocompute.__version__,
                "imported": imported.model_dump(mode="json"),
                "grader": self.title,
                "gold": AS_GIVEN,
                "verdicts": READER if (VERIFICATIONS, "text") in self.told else self.logged,
            }
        )
        graded = self.right.total()
        refused = 0 if self.grader is None else self.grader.refused
        return Summary(run, imported, self.title, refused, self.right[True] / graded if graded else None)

    def _problem(self, row: Problem) -> None:
        if row.problem_id in self.problems:
            raise DataError(f"{row.where}: the problem '{row.problem_id}' stands twice.")
        self.problems[row.problem_id] = row
        self.ungraded.append(row)
        if self.title is not None:
            self._grade_problems()

    def _solution(self, row: Solution) -> None:
        number = self.numbers[row.problem_id,]
        self.numbers[row.problem_id,] += 1
        answer, correct = self._graded(row) if row.status == "ok" else (None, None)
        if correct is not None:
            self.right[correct] += 1
        self._write(SOLUTIONS, {**vars(row), "solution_id": number, "answer": answer, "correct": correct})
        if row.step_scores is not None:
            self._write(SCORES, score_row(row.problem_id, number, row.step_scores, row.text))

    def _verification(self, row: Verification) -> None:
        if row.solution_id >= self.numbers[row.problem_id,]:
            raise DataError(
                f"{row.where}: it is of solution {row.solution_id} of '{row.problem_id}', which is not there."
            )
        key = row.problem_id, row.solution_id
        self._write(VERIFICATIONS, {**vars(row), "verification_id": self.numbers[key]})
        self.numbers[key] += 1

    def _search(self, row: Search) -> None:
        key = tuple(getattr(row, name) for name in SEARCHES.key_names)
        if key in self.searches:
            raise DataError(f"{row.where}: the search {key} stands twice.")
        self.searches.add(key)
        answer, correct = self._graded(row)
        self._write(SEARCHES, {**vars(row), "answer": answer, "correct": correct, "status": "ok"})

    def _graded(self, row: Solution | Search) -> tuple[str | None, bool]:
        """Return a row's answer and whether it is right."""
        problem = self.problems[row.problem_id]
        if self.title is None:
            self._choose(problem, row)
            self._grade_problems()
        if self.grader is None:
            if row.correct is None:
                raise DataError(
                    f"{row.where}: the log does not say whether the solution is right; "
                    f"name a grader for its text: --grader {GRADERS.in_words}."
                )
            return row.answer, row.correct
        if row.text is None or problem.problem_id not in self.classes:
            what = "text to read" if row.text is None else "right answer to compare with"
            raise DataError(
                f"{row.where}: the grader '{self.grader.name}' has no {what}; --grader {AS_LOGGED} needs none."
            )
        return self.classes[problem.problem_id].grade(row.text)

    def _choose(self, problem: Problem, row: Solution | Search) -> None:
        """Choose the grader by the first row that is to be graded."""
        gold = bare(problem.gold)
        usual = FORMATS[self.format].grader
        if gold is not None and row.text is not None and (name := obvious(problem.gold or "") or usual):
            self.grader = load(name)
            self.title = self.grader.title
        elif row.correct is not None:
            self.title = self.logged
        else:
            raise DataError(
                f"{row.where}: how an answer is compared with {shown(problem.gold)} is not obvious; "
                f"name a grader: --grader {GRADERS.in_words}."
            )

    def _grade_problems(self) -> None:
        """Write the problems that wait for a grader, which must be able to read their right answers."""
        for problem in self.ungraded:
            gold = bare(problem.gold)
            if self.grader is not None and gold is not None:
                canonical = self.grader.canonical(gold)
                if canonical is None:
                    raise DataError(
                        f"{problem.where}: the right answer {shown(gold)} is none that the grader "
                        f"'{self.grader.name}' can read; --grader names another."
                    )
                self.classes[problem.problem_id] = Classes(self.grader, gold)
            task = self.about.task or self.format
            self._write(PROBLEMS, {**vars(problem), "gold": gold, "task": task})
        self.ungraded.clear()

    def _write(self, table: Table, row: dict[str, Any]) -> None:
        self.rows[table] += 1
        cells = {column.name: row.get(column.name) for column in table.columns}
        self.told |= {(table, name) for name in SAID[table] if cells[name] is not None}
        self.waiting[table] += sum(len(cell) for cell in cells.values() if isinstance(cell, str))
        self.writers[table].add([cells])
        if self.waiting[table] > PART:
            self.writers[table].flush()
            self.waiting[table] = 0


def printable(name: str) -> str:
    """Return a name on one line, cut short, without what would move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in name)[:200]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
