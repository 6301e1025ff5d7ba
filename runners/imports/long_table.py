"""The format of a plain long table, as CSV, Parquet or JSON lines, with a row for each solution or verification.

Columns have the names of `IMPORT_COLUMNS`, or are renamed: ``--columns their_name=our_name``. If all verification
columns of a row are empty, its solution was not verified; a verdict that is NaN means a verification without a
readable verdict.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import ConfigError, DataError
from isocompute.runners.documents import check_column_names
from isocompute.runners.imports.fields import (
    extract_gold_answer,
    read_count_field,
    read_flag_field,
    read_name_field,
    read_probability_field,
    read_text_field,
)
from isocompute.runners.imports.rows import ImportedProblem, ImportedRow, ImportedSolution, ImportedVerification
from isocompute.runners.imports.source import MAX_DOCUMENT_BYTES, ImportSource
from isocompute.runners.parsing.verdicts import parse_verdict

TOKEN_COUNT_COLUMNS = ("prompt_tokens", "cached_tokens", "completion_tokens")

IMPORT_COLUMNS = {
    "problem_id": "the problem's name",
    "question": "the question",
    "gold": "the right answer",
    "subject": "field of knowledge",
    "level": "difficulty, a whole number",
    "solution_id": "the solution's name, unique in its problem",
    "solution": "what the solver wrote",
    "answer": "the answer read in that text",
    "correct": "whether the answer is right",
    "prompt_tokens": "tokens in the solution's prompt",
    "cached_tokens": "prompt tokens read from a cache",
    "completion_tokens": "tokens sampled for the solution",
    "finish_reason": "stop, or length",
    "verification": "what the verifier wrote",
    "verdict": "the verdict: yes, no, or a number from 0 to 1",
    "p_yes": "the probability of yes",
    "verification_prompt_tokens": "tokens in the verification's prompt",
    "verification_cached_tokens": "prompt tokens read from a cache",
    "verification_completion_tokens": "tokens sampled for the verification",
}
"""Columns by name, with their content."""

VERIFICATION_COLUMNS = ("verification", "verdict", "p_yes", *(f"verification_{kind}" for kind in TOKEN_COUNT_COLUMNS))


def read_table_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of a table.

    Raises:
        ConfigError: a column is renamed to an unknown name.
        DataError: a column is missing, or a row does not hold the expected data; the message says which.
    """
    if unknown := [ours for ours in source.columns.values() if ours not in IMPORT_COLUMNS]:
        raise ConfigError(f"--columns: '{unknown[0]}' is not a known column; there are {', '.join(IMPORT_COLUMNS)}.")
    files = source.find_files(".csv", ".parquet", ".jsonl")
    if len(files) > 1:
        raise DataError(f"'{source.path}' holds several tables; name one: {', '.join(file.name for file in files)}.")
    problems: dict[str, tuple[str | None, str | None]] = {}
    solutions: dict[tuple[str, str], tuple[int, ImportedSolution]] = {}
    numbers: dict[str, int] = {}
    for where, row in rename_columns(source, read_table_file(source, files[0])):
        problem = read_table_problem(row, where)
        content = problem.question, problem.gold
        if problem.problem_id not in problems:
            problems[problem.problem_id] = content
            yield problem
        elif problems[problem.problem_id] != content:
            raise DataError(f"{where}: the problem '{problem.problem_id}' has another question or answer than before.")
        solution = read_table_solution(row, problem, where)
        label = read_text_field(row, "solution_id", where)
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
            yield read_table_verification(row, problem.problem_id, solutions[key][0], where)


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
                "rename that one too with --columns, or remove it from the file."
            )
        if missing := [theirs for theirs in source.columns if theirs not in row]:
            raise DataError(f"{where}: there is no column '{missing[0]}'; it has {', '.join(map(str, row))[:200]}.")
        ours = {
            column: cell for column, cell in row.items() if column in IMPORT_COLUMNS and column not in source.columns
        }
        yield where, ours | {ours: row[theirs] for theirs, ours in source.columns.items()}


def read_table_file(source: ImportSource, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a file, each with its location.

    Raises:
        DataError: the file is not in the format of its ending.
    """
    kinds = {".csv": read_csv_table, ".parquet": read_parquet_table, ".jsonl": ImportSource.read_json_lines}
    yield from kinds[path.suffix](source, path)


def read_csv_table(source: ImportSource, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a CSV file, whose first line names the columns; an empty cell becomes None.

    Raises:
        DataError: it is not CSV, or a column is repeated.
    """
    number = 0
    try:
        with path.open("rb") as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as decoded:
            reader = csv.DictReader(decoded, strict=True)
            with allow_large_fields():
                names = reader.fieldnames or []
            check_column_names(names, str(path))
            for number, row in enumerate(read_large_rows(reader), start=1):
                if None in row or None in row.values():
                    raise DataError(f"{path}, row {number} has another number of fields than the first line.")
                source.bytes_read = file.tell()
                yield f"{path}, row {number}", {column: cell or None for column, cell in row.items()}
    except (csv.Error, OSError) as error:
        raise DataError(f"{path}, after row {number}: not CSV: {error}.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text.") from None


@contextmanager
def allow_large_fields() -> Iterator[None]:
    """Allow large fields in CSV files within the context; the limit applies to the whole process."""
    usual = csv.field_size_limit(MAX_DOCUMENT_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def read_large_rows(reader: csv.DictReader[str]) -> Iterator[dict[Any, Any]]:
    """Yield the rows of a reader, allowing large fields."""
    while True:
        with allow_large_fields():
            row = next(reader, None)
        if row is None:
            return
        yield row


def read_parquet_table(source: ImportSource, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a Parquet file, a batch at a time.

    Raises:
        DataError: it is not Parquet, or a column is repeated.
    """
    number = 0
    try:
        file = pq.ParquetFile(path)
        check_column_names(file.schema_arrow.names, str(path))
        wanted = [column for column in file.schema_arrow.names if column in IMPORT_COLUMNS or column in source.columns]
        for batch in file.iter_batches(batch_size=1000, columns=wanted):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
            source.bytes_read = source.total_bytes * number // max(file.metadata.num_rows, 1)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a Parquet file: {str(error).splitlines()[0].rstrip('.')}.") from None
    except ValueError as error:  # text that is not UTF-8, or a block with a name twice
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}, after row {number}: a row cannot be read: {str(error).rstrip('.')}.") from None


def read_table_problem(row: dict[str, Any], where: str) -> ImportedProblem:
    """Return the problem of a row."""
    question, gold, subject = (read_text_field(row, key, where) for key in ("question", "gold", "subject"))
    return ImportedProblem(
        read_name_field(row, "problem_id", where), where, question, gold, subject, read_count_field(row, "level", where)
    )


def read_table_solution(row: dict[str, Any], problem: ImportedProblem, where: str) -> ImportedSolution:
    """Return the solution of a row; in a table with an answer column, a solution with an empty answer is wrong."""
    answer, correct = read_text_field(row, "answer", where), read_flag_field(row, "correct", where)
    if correct is None and "answer" in row and problem.gold is not None:
        correct = answer is not None and answer.strip() == extract_gold_answer(problem.gold)
    tokens: dict[str, Any] = {kind: read_count_field(row, kind, where) for kind in TOKEN_COUNT_COLUMNS}
    ended = read_text_field(row, "finish_reason", where)
    return ImportedSolution(
        problem.problem_id,
        where,
        read_text_field(row, "solution", where),
        answer,
        correct,
        **tokens,
        finish_reason=ended,
    )


def has_verification(row: dict[str, Any]) -> bool:
    """Return whether a row holds a verification."""
    return any(row.get(column) is not None for column in VERIFICATION_COLUMNS)


def read_table_verification(row: dict[str, Any], problem: str, solution: int, where: str) -> ImportedVerification:
    """Return the verification of a row; without a verdict column the verdict is read in its text."""
    text = read_text_field(row, "verification", where)
    verdict = read_probability_field(row, "verdict", where) if "verdict" in row else parse_verdict(text or "")
    tokens: dict[str, Any] = {
        kind: read_count_field(row, f"verification_{kind}", where) for kind in TOKEN_COUNT_COLUMNS
    }
    return ImportedVerification(
        problem, solution, where, text, verdict, read_probability_field(row, "p_yes", where), **tokens
    )
