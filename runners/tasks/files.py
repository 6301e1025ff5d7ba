"""Problems from your own files: JSON lines, CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import ConfigError, DataError, RunError
from isocompute.runners.documents import NotJSONError, check_column_names, parse_json
from isocompute.runners.parsing.printable import describe_reason
from isocompute.runners.storage.files import read_file
from isocompute.runners.storage.parquet_sizes import OBJECT_BYTES, PARQUET_ERRORS, read_parquet_batches
from isocompute.runners.table_lines import check_column_count, read_csv_lines
from isocompute.runners.tasks.problem import Problem, ProblemColumns, read_problem_rows, require_columns

MAX_TASK_BYTES = 256 * 2**20
"""The largest file of problems or questions."""
TASK_ROWS = 1000
"""Rows of a Parquet file that are read at once, if they are short."""

ProblemRows = Iterator[tuple[str, dict[str, Any]]]


def read_file_problems(
    path: str, columns: ProblemColumns | None = None, count: int | None = None, seed: int = 0
) -> list[Problem]:
    """Read problems from a file, as CSV (``.csv``), Parquet (``.parquet``), or else JSON lines.

    Args:
        path: the file, on a local disk or in one of the stores of `runners.storage.files`.
        columns: names of the columns; ``question`` and ``answer`` if not given.
        count: number of problems, from the top; all if not given.
        seed: shuffles the options of multiple choice if the right one has a column of its own.

    Raises:
        ConfigError: the file does not exist.
        DataError: the file is not in the format of its ending, or a row lacks something; the message names the row.
    """
    columns = columns or ProblemColumns()
    ending = PurePosixPath(path).suffix.lower()
    rows = {".csv": read_task_csv, ".parquet": read_task_parquet}.get(ending, read_task_json)(
        path, read_task_file(path), columns
    )
    problems = read_problem_rows(PurePosixPath(path).stem, islice(rows, count), columns, seed)
    if not problems:
        raise DataError(f"{path} holds no questions.")
    return problems


def read_task_file(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return read_file(path, MAX_TASK_BYTES)
    except OSError as error:
        raise ConfigError(f"task.path: '{path}' cannot be read: {error.strerror or error}.") from None
    except (DataError, RunError) as error:
        raise ConfigError(f"task.path: {error}") from None


def decode_text(path: str, content: bytes) -> Iterator[str]:
    """Yield the lines of a file's text, with their ends unchanged.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        yield from open_text(content)
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text.") from None


def decode_csv_lines(path: str, content: bytes) -> Iterator[str]:
    """Yield the lines of a CSV file, with their ends unchanged.

    Raises:
        DataError: it is not UTF-8, or a line is too long.
    """
    try:
        yield from read_csv_lines(open_text(content), path)
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text.") from None


def open_text(content: bytes) -> io.TextIOWrapper:
    """Open a file's text, of which the ends of lines stay as they are."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")


def read_task_json(path: str, content: bytes, columns: ProblemColumns) -> ProblemRows:
    """Yield the objects of a JSON-lines file.

    Raises:
        DataError: a line is not an object, or repeats a key.
    """
    for number, line in enumerate(decode_text(path, content), start=1):
        where = f"{path}, line {number}"
        try:
            row = parse_json(line, where)
        except NotJSONError:
            row = None
        if not isinstance(row, dict):
            raise DataError(f"{where} is not a JSON object.")
        yield where, row


def read_task_csv(path: str, content: bytes, columns: ProblemColumns) -> ProblemRows:
    """Yield the rows of a CSV file, whose first line names the columns.

    Raises:
        DataError: a column is missing or repeated, or the file is not CSV.
    """
    reader = csv.DictReader(decode_csv_lines(path, content), strict=True)
    number = 0
    try:
        check_column_count(reader.fieldnames or [], path)
        require_columns(path, columns, list(reader.fieldnames or []))
        check_column_names(reader.fieldnames or [], path)
        for number, row in enumerate(reader, start=1):
            if None in row:
                raise DataError(f"{path}, row {number} has more fields than the first line names.")
            yield f"{path}, row {number}", row
    except csv.Error as error:
        raise DataError(f"{path}, after row {number}: not CSV: {error}.") from None


def read_task_parquet(path: str, content: bytes, columns: ProblemColumns) -> ProblemRows:
    """Yield the rows of a Parquet file.

    Raises:
        DataError: a column is missing or repeated, or the file is not Parquet.
    """
    try:
        source = pa.BufferReader(content)
        file = pq.ParquetFile(source)
        require_columns(path, columns, file.schema_arrow.names)
        check_column_names(file.schema_arrow.names, path)
        present = columns.find_present(file.schema_arrow.names)
        rows = [
            row
            for batch in read_parquet_batches(file, source, present, path, TASK_ROWS, OBJECT_BYTES)
            for row in batch.to_pylist()
        ]
    except PARQUET_ERRORS as error:
        raise DataError(f"{path} cannot be read as Parquet: {describe_reason(error)}.") from None
    except (ValueError, OverflowError) as error:  # text that is not UTF-8, a block with a name twice, a time
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: a row cannot be read: {describe_reason(error)}.") from None
    for number, row in enumerate(rows, start=1):
        yield f"{path}, row {number}", row
