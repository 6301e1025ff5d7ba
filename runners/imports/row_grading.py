"""The grading of imported rows: by a grader, or as the log says."""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import DataError
from isocompute.runners.grading import GRADERS, AnswerClasses, Grader, load_grader_by_name
from isocompute.runners.grading.golds import extract_gold_answer
from isocompute.runners.imports.formats import IMPORT_FORMATS
from isocompute.runners.imports.grader_choice import choose_import_grader
from isocompute.runners.imports.rows import (
    ImportedChoice,
    ImportedProblem,
    ImportedRow,
    ImportedSearch,
    ImportedSolution,
)
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.provenance import LOGGED_GRADER


class RowGrader:
    """The grader of an import's rows, which may be chosen after some rows were read.

    Args:
        format: the format of the log.
        name: a grader's name, or ``as-logged``; None if it is to be chosen.

    Attributes:
        logged: the title of grades that the log gave.
        grader: reads texts and answers; None if they are taken as logged, or before one is chosen.
        title: name and version of the grader; None before one is chosen.
    """

    def __init__(self, format: str, name: str | None) -> None:
        self.format = format
        self.logged = f"{LOGGED_GRADER}/{format}"
        self.grader: Grader | None = None
        self.title: str | None = None
        if name is not None:
            self.use_grader(name)
        self._classes: dict[str, AnswerClasses] = {}

    def use_grader(self, name: str) -> None:
        """Use a grader, or take answers as logged."""
        self.grader = None if name == LOGGED_GRADER else load_grader_by_name(name)
        self.title = self.logged if self.grader is None else self.grader.title

    def choose_grader(self, rows: Sequence[ImportedRow]) -> None:
        """Choose the grader by the first rows."""
        self.use_grader(choose_import_grader(rows, IMPORT_FORMATS[self.format].grader))

    @property
    def refused_count(self) -> int:
        """The number of comparisons so far that exceeded the limits."""
        return 0 if self.grader is None else self.grader.refused_count

    def close(self) -> None:
        """End the grader's process."""
        if self.grader is not None:
            self.grader.close()

    def add_problem(self, row: ImportedProblem) -> str | None:
        """Add a problem, and return its right answer.

        Raises:
            DataError: the grader cannot read the right answer.
        """
        gold = extract_gold_answer(row.gold)
        if self.grader is not None and gold is not None:
            if self.grader.normalise_answer(gold) is None:
                raise DataError(
                    f"{row.where}: the grader '{self.grader.name}' cannot read the right answer "
                    f"{format_error_value(gold)}; name another with --grader (grader= in Python)."
                )
            self._classes[row.problem_id] = AnswerClasses(self.grader, gold)
        return gold

    def find_status(self, row: ImportedSolution) -> str:
        """Return a row's status; one that the log does not judge fails unless a grader reads its text."""
        if row.status != "ok" or row.unjudged is None:
            return row.status
        return "ok" if self.grader is not None else row.unjudged

    def grade_row(self, row: ImportedSolution | ImportedSearch) -> tuple[str | None, bool]:
        """Return a row's answer and whether it is right.

        Raises:
            DataError: there is nothing to read, or nothing to compare with.
        """
        if self.grader is None:
            if row.correct is None:
                raise DataError(
                    f"{row.where}: the log does not say whether the solution is right; "
                    f"name a grader for its text: --grader {GRADERS.names_as_text} (grader= in Python)."
                )
            return row.answer or None, row.correct
        classes = self._classes.get(row.problem_id)
        if classes is None or (row.text is None and row.answer is None):
            what = "right answer to compare with" if classes is None else "text or answer to read"
            raise DataError(
                f"{row.where}: the grader '{self.grader.name}' has no {what}; --grader {LOGGED_GRADER} "
                "(grader= in Python) needs none."
            )
        if row.text is None:
            return classes.grade_answer(row.answer or "")
        answer, is_right = classes.grade(row.text)
        return answer, is_right is True

    def grade_choice(self, row: ImportedChoice) -> bool | None:
        """Return whether the tool's choice is right; None if there is nothing to compare it with."""
        classes = self._classes.get(row.problem_id)
        return None if classes is None else classes.grade(row.text)[1]
