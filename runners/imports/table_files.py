"""Files of tables: CSV, Parquet, JSON lines, and JSON lists of objects; of text also compressed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import DataError
from isocompute.limits import DOCUMENT_GIB, WORK_GIB, require_memory
from isocompute.runners.documents import check_column_names
from isocompute.runners.imports.packed import get_file_ending, measure_position, open_source_file
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.parsing.printable import describe_reason
from isocompute.runners.storage.files import open_regular_file
from isocompute.runners.storage.parquet_sizes import OBJECT_BYTES, PARQUET_ERRORS, read_parquet_batches
from isocompute.runners.table_lines import LONGEST_LINE, check_column_count, read_csv_lines

BATCH_ROWS = 1000
"""Rows of a Parquet file that are read at once, if they are short."""

MOST_OBJECTS = 1_000_000
"""Values of such rows that are objects of Python at once, unless a single row has more."""

TABLE_ENDINGS = (".csv", ".parquet", ".jsonl", ".json")

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""The characters that may separate the columns of a CSV file, with their names."""

HEADER_BYTES = 8192
"""Bytes of a CSV file in which its first line is looked for."""


def read_table_file(
    source: ImportSource, path: Path, columns: frozenset[str] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a file, each with its location; of a Parquet file the named columns, or all.

    Raises:
        DataError: the file is not in the format of its ending.
    """
    ending = get_file_ending(path)
    if ending == ".parquet":
        yield from read_parquet_table(source, path, columns)
        return
    for where, row in read_csv_table(source, path) if ending == ".csv" else source.read_json_lines(path):
        source.seen_columns.update(dict.fromkeys(map(str, row)))
        yield where, row


def read_csv_table(source: ImportSource, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a CSV file, whose first line names the columns; an empty cell becomes None.

    A file whose first line has no comma may be separated by semicolons or tabs.

    Raises:
        DataError: it is not CSV, a column is repeated, or a line is too long.
    """
    number, before = 0, source.bytes_read
    try:
        with open_source_file(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as decoded:
            delimiter = find_delimiter(file.peek(HEADER_BYTES)[:HEADER_BYTES].decode("utf-8-sig", "replace"))
            if delimiter != ",":
                source.notes.append(f"The columns of {path.name} are separated by {DELIMITERS[delimiter]}.")
            lines = read_csv_lines(decoded, str(path), delimiter)
            reader = csv.DictReader(lines, strict=True, delimiter=delimiter)
            with allow_large_fields():
                names = reader.fieldnames or []
            check_column_count(names, str(path))
            check_column_names(names, str(path))
            for number, row in enumerate(read_large_rows(reader), start=1):
                if None in row or None in row.values():
                    raise DataError(f"{path}, row {number} has another number of fields than the first line.")
                source.bytes_read = before + measure_position(file)
                yield f"{path}, row {number}", {column: cell or None for column, cell in row.items()}
    except (csv.Error, OSError) as error:
        raise DataError(f"{path}, after row {number}: not CSV: {error}.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text.") from None


def find_delimiter(head: str) -> str:
    r"""Return what separates the columns that a table's first line names: a comma, unless that finds a single column.

    >>> [find_delimiter(line) for line in ("a,b;c", "a;b", "a\tb", '"a;b"', "a", "")]
    [',', ';', '\t', ',', ',', ',']
    """
    line = head.lstrip().splitlines()[:1]
    counts = {delimiter: len(next(csv.reader(line, delimiter=delimiter), [])) for delimiter in DELIMITERS}
    return "," if counts[","] > 1 else max(DELIMITERS, key=counts.__getitem__)


@contextmanager
def allow_large_fields() -> Iterator[None]:
    """Allow large fields in CSV files within the context; the limit applies to the whole process."""
    usual = csv.field_size_limit(LONGEST_LINE)
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


def read_parquet_table(
    source: ImportSource, path: Path, columns: frozenset[str] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a Parquet file, a batch at a time.

    Raises:
        DataError: it is not Parquet, or a column is repeated.
    """
    number = 0
    try:
        with open_regular_file(path) as opened:
            file = pq.ParquetFile(opened)
            check_column_names(file.schema_arrow.names, str(path))
            source.seen_columns.update(dict.fromkeys(file.schema_arrow.names))
            wanted = [column for column in file.schema_arrow.names if columns is None or column in columns]
            for batch in read_parquet_batches(file, opened, wanted, str(path), BATCH_ROWS, usual=WORK_GIB):
                for row in list_rows(batch, f"{path}, after row {number}: a row"):
                    number += 1
                    yield f"{path}, row {number}", row
                source.bytes_read = source.total_bytes * number // max(file.metadata.num_rows, 1)
    except PARQUET_ERRORS as error:
        raise DataError(f"{path} cannot be read as Parquet: {describe_reason(error)}.") from None
    except (ValueError, OverflowError) as error:  # text that is not UTF-8, a block with a name twice, a time
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}, after row {number}: a row cannot be read: {describe_reason(error)}.") from None


def list_rows(batch: pa.RecordBatch, where: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a batch; of rows with long lists, a few are made at a time.

    Args:
        batch: the rows.
        where: one of the rows, for errors.

    Raises:
        DataError: a row would take too much memory.
    """
    together = sum(map(count_values, batch.columns))
    rows = max(1, min(batch.num_rows, batch.num_rows * MOST_OBJECTS // max(together, 1)))
    for start in range(0, batch.num_rows, rows):
        few = batch.slice(start, rows)
        require_memory(sum(map(count_values, few.columns)) * OBJECT_BYTES, where, DOCUMENT_GIB)
        yield from few.to_pylist()


def count_values(column: pa.Array) -> int:
    """Return the number of values in a column, with those in its lists and blocks.

    >>> count_values(pa.array([[1, 2, 3], [], None]))
    6
    """
    kind = column.type
    if pa.types.is_map(kind):
        first, last = column.offsets[0].as_py(), column.offsets[len(column)].as_py()
        return len(column) + sum(
            count_values(inner.slice(first, last - first)) for inner in (column.keys, column.items)
        )
    if any(is_list(kind) for is_list in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)):
        return len(column) + count_values(column.flatten())
    if pa.types.is_struct(kind):
        return len(column) + sum(map(count_values, column.flatten()))
    return len(column)
