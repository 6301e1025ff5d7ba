"""The format of a plain long table with a row for each solution or verification.

Columns have the names of `IMPORT_COLUMNS`, or are renamed: ``--columns their_name=our_name``. If all verification
columns of a row are empty, its solution was not verified; a verdict that is NaN means a verification without a
readable verdict, unless the row has p_yes, which is then the verdict. A cell may hold a list: verdicts on the row's
solution, or, in the columns of solutions, the solutions of a problem. Several files are read one after the other; rows
that name no solution are further solutions of their problem, so that each file may hold a sample of every problem.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from isocompute.errors import ConfigError, DataError
from isocompute.runners.imports.fields import (
    read_count_field,
    read_flag_field,
    read_label_field,
    read_level_field,
    read_name_field,
    read_probability_field,
    read_text_field,
)
from isocompute.runners.imports.number_names import NumberNames
from isocompute.runners.imports.rows import ImportedProblem, ImportedRow, ImportedSolution, ImportedVerification
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.imports.table_columns import IMPORT_COLUMNS, TOKEN_COUNT_COLUMNS, VERIFICATION_COLUMNS
from isocompute.runners.imports.table_files import TABLE_ENDINGS, read_table_file
from isocompute.runners.imports.table_lists import expand_solutions, expand_verdicts
from isocompute.runners.parsing.verdicts import parse_verdict

MISSING_ANSWERS = ("nan", "none", "null", "n/a", "<na>", "-", "[invalid]")
"""Marks that tools write in the place of an answer that they could not read."""


def read_table_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of a table.

    Raises:
        ConfigError: a column is renamed to an unknown name.
        DataError: a column is missing, or a row does not hold the expected data; the message says which.
    """
    if unknown := [ours for ours in source.columns.values() if ours not in IMPORT_COLUMNS]:
        raise ConfigError(
            f"--columns (columns= in Python): '{unknown[0]}' is not a known column; "
            f"there are {', '.join(IMPORT_COLUMNS)}."
        )
    problems: dict[str, tuple[str | None, str | None]] = {}
    solutions: dict[tuple[str, str], tuple[int, ImportedSolution]] = {}
    numbers: dict[str, int] = {}
    has_own_verdict: Counter[bool] = Counter()
    names: dict[str, str] = {}
    problem_names, solution_names = NumberNames(), NumberNames()
    for where, row in read_expanded_rows(source):
        problem = read_table_problem(row, names, where)
        if (name := problem_names.resolve_name(problem.problem_id)) != problem.problem_id:
            problem = replace(problem, problem_id=name)
        content = problem.question, problem.gold
        if problem.problem_id not in problems:
            problems[problem.problem_id] = content
            yield problem
        elif problems[problem.problem_id] != content:
            raise DataError(f"{where}: the problem '{problem.problem_id}' has another question or answer than before.")
        solution = read_table_solution(row, problem, where)
        label = read_label_field(row, "solution_id", where)
        label = label and solution_names.resolve_name(label, problem.problem_id)
        # A solution without a name gets a key of its own.
        key = problem.problem_id, label or f"\0{numbers.get(problem.problem_id, 0)}"
        if key not in solutions:
            solutions[key] = numbers.get(problem.problem_id, 0), solution
            numbers[problem.problem_id] = solutions[key][0] + 1
            yield solution
        elif not has_verification(row):
            raise DataError(f"{where}: the solution '{label}' of '{problem.problem_id}' appears twice.")
        elif solutions[key][1] != replace(solution, where=solutions[key][1].where):
            raise DataError(f"{where}: the solution '{label}' of '{problem.problem_id}' differs from the one before.")
        if has_verification(row):
            if label is None:
                raise DataError(f"{where}: a verification needs the 'solution_id' of its solution.")
            verification = read_table_verification(row, problem.problem_id, solutions[key][0], where)
            if "verdict" in row and verification.p_yes is not None:
                has_own_verdict[not is_empty_cell(row["verdict"])] += 1
            yield verification
    source.notes += describe_empty_verdicts(has_own_verdict)


def read_expanded_rows(source: ImportSource) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of all files under our column names, with a row for each solution and verification."""
    columns = frozenset({*IMPORT_COLUMNS, *source.columns})
    for path in source.find_files(*TABLE_ENDINGS):
        for where, row in rename_columns(source, read_table_file(source, path, columns)):
            for place, solution in expand_solutions(row, where):
                yield from expand_verdicts(solution, place)


def rename_columns(
    source: ImportSource, rows: Iterator[tuple[str, dict[str, Any]]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield rows under the column names used here, without other columns.

    If a column is renamed to the name of another column that the file already has, it is not clear which one is meant,
    so nothing is imported.

    Raises:
        DataError: a column is missing, or two would have the same name.
    """
    renamed = {ours: theirs for theirs, ours in source.columns.items() if ours not in source.columns}
    for where, row in rows:
        if clashes := [ours for ours in renamed if ours in row]:
            raise DataError(
                f"{where}: '{renamed[clashes[0]]}' is to be renamed '{clashes[0]}', but a column of that name exists; "
                "rename that one too with --columns (columns= in Python), or remove it from the file."
            )
        if missing := [theirs for theirs in source.columns if theirs not in row]:
            raise DataError(f"{where}: there is no column '{missing[0]}'; it has {', '.join(map(str, row))[:200]}.")
        ours = {
            column: cell for column, cell in row.items() if column in IMPORT_COLUMNS and column not in source.columns
        }
        source.used_columns.update({column: column for column in ours} | source.columns)
        yield where, ours | {ours: row[theirs] for theirs, ours in source.columns.items()}


def read_table_problem(row: dict[str, Any], names: dict[str, str], where: str) -> ImportedProblem:
    """Return the problem of a row.

    Args:
        row: the row.
        names: names of problems by question, for a table without a column of names; new questions are added.
        where: place of the row, for errors.

    Raises:
        DataError: it has neither.
    """
    question, gold, subject, cluster = (
        read_text_field(row, key, where) for key in ("question", "gold", "subject", "cluster")
    )
    if "problem_id" not in row and question:
        name = names.setdefault(question, f"question-{len(names)}")
    else:
        name = read_name_field(row, "problem_id", where)
    return ImportedProblem(name, where, question, gold, subject, read_level_field(row, "level", where), cluster)


def read_table_solution(row: dict[str, Any], problem: ImportedProblem, where: str) -> ImportedSolution:
    """Return the solution of a row; in a table with an answer column, a solution with an empty answer is wrong."""
    answer, correct = read_text_field(row, "answer", where), read_flag_field(row, "correct", where)
    if answer is not None and answer.strip().casefold() in MISSING_ANSWERS and answer != problem.gold:
        answer = ""
    answer = "" if answer is None and "answer" in row else answer
    tokens: dict[str, Any] = {kind: read_count_field(row, kind, where) for kind in TOKEN_COUNT_COLUMNS}
    score = read_probability_field(row, "score", where)
    return ImportedSolution(
        problem.problem_id,
        where,
        read_text_field(row, "solution", where),
        answer,
        correct,
        **tokens,
        finish_reason=read_text_field(row, "finish_reason", where),
        step_scores=None if score is None else [score],
    )


def has_verification(row: dict[str, Any]) -> bool:
    """Return whether a row holds a verification."""
    return any(row.get(column) is not None for column in VERIFICATION_COLUMNS)


def is_empty_cell(cell: Any) -> bool:
    """Return whether a cell is empty, or NaN.

    >>> [is_empty_cell(cell) for cell in (None, math.nan, " ", "NaN", 0, "no")]
    [True, True, True, True, False, False]
    """
    if isinstance(cell, str):
        return cell.strip().lower() in ("", "nan")
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def describe_empty_verdicts(has_own_verdict: Mapping[bool, int]) -> list[str]:
    """Return a sentence on verifications with p_yes, by whether they have a verdict of their own."""
    empty, total = has_own_verdict.get(False, 0), sum(has_own_verdict.values())
    if not empty:
        return []
    where = "in every row" if empty == total else f"in {empty:,} of {total:,} verifications with p_yes"
    return [f"The column 'verdict' is empty {where}; there the verdict is p_yes."]


def read_table_verification(row: dict[str, Any], problem: str, solution: int, where: str) -> ImportedVerification:
    """Return the verification of a row; without a verdict column the verdict is read in its text, or else is p_yes."""
    text = read_text_field(row, "verification", where)
    p_yes = read_probability_field(row, "p_yes", where)
    verdict = read_probability_field(row, "verdict", where) if "verdict" in row else parse_verdict(text or "")
    if verdict is None and is_empty_cell(row.get("verdict")) and ("verdict" in row or text is None):
        verdict = p_yes
    tokens: dict[str, Any] = {
        kind: read_count_field(row, f"verification_{kind}", where) for kind in TOKEN_COUNT_COLUMNS
    }
    return ImportedVerification(problem, solution, where, text, verdict, p_yes, **tokens)
