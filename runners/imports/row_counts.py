"""The most rows of one problem and of one solution: a small file can hold one row a million times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.rows import ImportedRow, ImportedSolution, ImportedVerification

MOST_SOLUTIONS = 100_000
"""The most solutions of a problem."""

MOST_IMPORTED_VERIFICATIONS = 100_000
"""The most verifications of a solution."""


class RowCounts:
    """Counts the solutions of each problem, and the verifications of each solution, as they are read."""

    def __init__(self) -> None:
        self.counts: Counter[Any] = Counter()

    def add_row(self, row: ImportedRow) -> None:
        """Count a row.

        Raises:
            DataError: its problem or its solution has too many.
        """
        if isinstance(row, ImportedSolution):
            self.counts[row.problem_id] += 1
            if self.counts[row.problem_id] > MOST_SOLUTIONS:
                raise DataError(
                    f"{row.where}: the problem '{row.problem_id}' has more than {MOST_SOLUTIONS:,} solutions, the most "
                    "that are read."
                )
        elif isinstance(row, ImportedVerification):
            key = row.problem_id, row.solution_id
            self.counts[key] += 1
            if self.counts[key] > MOST_IMPORTED_VERIFICATIONS:
                raise DataError(
                    f"{row.where}: a solution of '{row.problem_id}' has more than {MOST_IMPORTED_VERIFICATIONS:,} "
                    "verifications, the most that are read."
                )


def require_list_length(cells: Sized, name: str, where: str) -> None:
    """Raise if a cell lists more than a problem or a solution may have.

    Args:
        cells: the entries.
        name: the cell's column.
        where: its row, for errors.

    Raises:
        DataError: it does.

    >>> require_list_length(range(200_000), "solution", "t.csv, row 1")
    Traceback (most recent call last):
    isocompute.errors.DataError: t.csv, row 1: 'solution' lists 200,000 entries; a problem has at most 100,000 \
solutions, and a solution as many verifications.
    """
    if len(cells) > MOST_SOLUTIONS:
        raise DataError(
            f"{where}: '{name}' lists {len(cells):,} entries; a problem has at most {MOST_SOLUTIONS:,} solutions, and "
            "a solution as many verifications."
        )
