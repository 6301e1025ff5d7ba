"""The format of counts: a table with a row for each problem, its number of solutions, and how many of them are right.

The columns are `problem`, `n` and `right`, or have one of the other names in `COUNT_COLUMNS`. Each problem becomes n
solutions that are right or wrong, without texts and answers, so that coverage is exact and votes are unknown. Which of
them are right is not known, so their order is random; the same table always gives the same order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from isocompute.errors import ConfigError, DataError
from isocompute.runners.imports.fields import read_count_field, read_level_field, read_name_field, read_text_field
from isocompute.runners.imports.number_names import NumberNames
from isocompute.runners.imports.rows import ImportedProblem, ImportedRow, ImportedSolution
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.imports.table_files import TABLE_ENDINGS, read_table_file

COUNT_COLUMNS = {
    "problem": ("problem_id", "task_id", "question_id", "sample_id", "doc_id", "id", "name", "task", "index", "idx"),
    "n": ("samples", "total", "num_samples", "n_samples", "num_total", "n_total", "attempts", "solutions", "trials"),
    "right": ("correct", "c", "num_correct", "n_correct", "passed", "num_passed", "n_passed", "successes", "solved"),
    "question": (),
    "subject": (),
    "level": ("difficulty",),
    "cluster": (),
}
"""Our names of the columns, and the other names by which each is known."""

REQUIRED_COLUMNS = ("problem", "n", "right")

MOST_COUNTED_SOLUTIONS = 5_000_000
"""Solutions of all problems; each becomes a row of the run."""


def read_count_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the problems of a table, each with its solutions.

    Raises:
        ConfigError: a column is renamed to an unknown name.
        DataError: a column is missing or could be either of two, or a row does not hold counts; the message says which.
    """
    if unknown := [ours for ours in source.columns.values() if ours not in COUNT_COLUMNS]:
        raise ConfigError(
            f"--columns (columns= in Python): '{unknown[0]}' is not a known column; "
            f"there are {', '.join(COUNT_COLUMNS)}."
        )
    problems: set[str] = set()
    names = NumberNames()
    total = 0
    for path in source.find_files(*TABLE_ENDINGS):
        columns: dict[str, str] | None = None
        for where, row in read_table_file(source, path, None):
            columns = columns or choose_count_columns(row, source.columns, where)
            source.used_columns.update({theirs: ours for ours, theirs in columns.items()})
            cells = {ours: row.get(theirs) for ours, theirs in columns.items()}
            problem, n, right = read_counts(cells, where)
            if names.resolve_name(problem.problem_id) in problems:
                raise DataError(f"{where}: the problem '{problem.problem_id}' appears twice; give it one row.")
            problems.add(problem.problem_id)
            total += n
            if total > MOST_COUNTED_SOLUTIONS:
                raise DataError(
                    f"{where}: these are more than {MOST_COUNTED_SOLUTIONS:,} solutions, the most of a run."
                )
            yield problem
            yield from shuffle_right_solutions(problem.problem_id, n, right, where)


def choose_count_columns(row: Mapping[str, Any], given: Mapping[str, str], where: str) -> dict[str, str]:
    """Return the table's columns by our names.

    >>> choose_count_columns({"task_id": "a", "Total": 4, "c": 1, "note": ""}, {}, "here")
    {'problem': 'task_id', 'n': 'Total', 'right': 'c'}

    Args:
        row: a row.
        given: our names of columns, by the table's, as the user gives them.
        where: place of the row, for errors.

    Raises:
        DataError: a required column is missing, or could be either of two.
    """
    if missing := [theirs for theirs in given if theirs not in row]:
        raise DataError(f"{where}: there is no column '{missing[0]}'; it has {list_columns(row)}.")
    chosen = {ours: theirs for theirs, ours in given.items()}
    plain = {column: str(column).strip().lower().replace(" ", "_").replace("-", "_") for column in row}
    for ours, others in COUNT_COLUMNS.items():
        if ours in chosen:
            continue
        free = [column for column in row if column not in given]
        same = [column for column in free if plain[column] == ours]
        found = same or [column for column in free if plain[column] in others]
        if len(found) > 1:
            raise DataError(
                f"{where}: '{found[0]}' and '{found[1]}' could both be '{ours}'; choose one with --columns "
                f"{found[0]}={ours} (columns= in Python)."
            )
        if found:
            chosen[ours] = found[0]
        elif ours in REQUIRED_COLUMNS:
            raise DataError(
                f"{where}: no column is '{ours}' ({', '.join(others[:4])} …); name it with --columns THEIRS={ours} "
                f"(columns= in Python); "
                f"there are {list_columns(row)}."
            )
    return chosen


def list_columns(row: Mapping[str, Any]) -> str:
    """Return the names of a row's columns for an error, cut short."""
    return ", ".join(map(str, row))[:200]


def read_counts(cells: dict[str, Any], where: str) -> tuple[ImportedProblem, int, int]:
    """Return a problem, its number of solutions, and the number of right ones.

    Raises:
        DataError: a count is missing or not a whole number, or more are right than there are.
    """
    problem = ImportedProblem(
        read_name_field(cells, "problem", where),
        where,
        read_text_field(cells, "question", where),
        None,
        read_text_field(cells, "subject", where),
        read_level_field(cells, "level", where),
        read_text_field(cells, "cluster", where),
    )
    n, right = (read_count_field(cells, name, where) for name in ("n", "right"))
    if n is None or right is None:
        raise DataError(f"{where}: '{'n' if n is None else 'right'}' is missing.")
    if right > n:
        raise DataError(f"{where}: {right:,} solutions of '{problem.problem_id}' are right, but there are only {n:,}.")
    return problem, n, right


def shuffle_right_solutions(problem: str, n: int, right: int, where: str) -> Iterator[ImportedSolution]:
    """Yield the solutions of a problem, of which some are right, in a random order that the problem's name decides.

    Where problems have different numbers of solutions, an estimate may use the first ones of each. In a random order
    these are as often right as the others.
    """
    places = set(random.Random(f"{problem}/{n}/{right}").sample(range(n), right))
    for i in range(n):
        yield ImportedSolution(problem, where, correct=i in places)
