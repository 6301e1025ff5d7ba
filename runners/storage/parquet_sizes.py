"""The memory that a Parquet file takes once it is read, and reading it in batches of rows that stay within it.

The footer and the headers of the pages are read first. A value that repeats is stored once with its number, in a
dictionary or as the beginning of the value before it, so that a file of a kilobyte can hold a billion rows, or a
hundred thousand of 20 MB each.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isocompute.errors import DataError
from isocompute.limits import DOCUMENT_GIB, require_memory
from isocompute.runners.storage.parquet_pages import ParquetPage, read_pages

VALUE_BYTES = 9
"""Bytes of a value in Arrow, beside the characters of a text: a number or an offset, and whether it is there."""

OBJECT_BYTES = 100
"""Bytes of a value as an object of Python, with its place in its row."""

BATCH_BYTES = 2**27
"""Bytes of the texts in a batch of rows; reading it takes a few times as much."""

PAGE_GIB = 0.25
"""GiB of a page, which is unpacked as a whole and holds whole values."""

LOCAL_SOURCES = (io.BufferedReader, io.BytesIO, pa.BufferReader)
"""Sources of which the headers of all pages are read; of a store, each would be a request."""


def read_parquet_batches(
    file: pq.ParquetFile,
    source: Any,
    columns: Collection[str],
    where: str,
    rows: int,
    value_bytes: int = VALUE_BYTES,
    usual: float = DOCUMENT_GIB,
) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a Parquet file in batches of rows, none of which takes much more than `BATCH_BYTES`.

    Args:
        file: the file.
        source: what it was opened from, a file or a buffer.
        columns: the columns to be read.
        where: its name, for errors.
        rows: the most rows of a batch.
        value_bytes: the bytes of a value.
        usual: the limit of all of them together in GiB, see `require_memory`.

    Raises:
        DataError: its pages are not as its footer says, or it would take too much memory.
    """
    check_parquet_size(file, columns, where, value_bytes, usual)
    most = min(rows, find_batch_rows(file, source, columns, where, rows))
    for batch in file.iter_batches(most, columns=list(columns)):
        cells = [cell.dictionary_decode() if isinstance(cell, pa.DictionaryArray) else cell for cell in batch.columns]
        yield pa.RecordBatch.from_arrays(cells, names=batch.schema.names)


def read_parquet_table(
    file: pq.ParquetFile,
    source: Any,
    columns: Collection[str],
    where: str,
    value_bytes: int = VALUE_BYTES,
    usual: float = DOCUMENT_GIB,
) -> pa.Table:
    """Return some columns of a Parquet file as a whole; raises as `read_parquet_batches`."""
    total, batches = 0, []
    rows = max(1, file.metadata.num_rows)
    for batch in read_parquet_batches(file, source, columns, where, rows, value_bytes, usual):
        total += batch.nbytes
        require_memory(total, f"{where}, of which {sum(map(len, batches)) + len(batch):,} rows are read,", usual)
        batches.append(batch)
    schema = pa.schema([file.schema_arrow.field(name) for name in columns])
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema)


def check_parquet_size(
    file: pq.ParquetFile,
    columns: Collection[str] | None,
    where: str,
    value_bytes: int = VALUE_BYTES,
    usual: float = DOCUMENT_GIB,
) -> None:
    """Raise if the columns of a Parquet file would take too much memory, as its footer says.

    Args:
        file: the file.
        columns: the columns to be read; all if None.
        where: its name, for errors.
        value_bytes: the bytes of a value.
        usual: the limit in GiB, see `require_memory`.

    Raises:
        DataError: they would.
    """
    needed = sum(
        max(0, chunk.total_uncompressed_size) + value_bytes * max(0, chunk.num_values)
        for chunk in list_chunks(file, columns)
    )
    require_memory(needed, f"{where}, whose footer names {file.metadata.num_rows:,} rows,", usual)


def list_chunks(file: pq.ParquetFile, columns: Collection[str] | None = None) -> Iterator[Any]:
    """Yield the metadata of the columns in each row group; of all columns if None are named."""
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group)
        for at in range(rows.num_columns):
            chunk = rows.column(at)
            if columns is None or chunk.path_in_schema.partition(".")[0] in columns:
                yield chunk


def find_batch_rows(file: pq.ParquetFile, source: Any, columns: Collection[str], where: str, rows: int) -> int:
    """Return how many rows of a file take at most `BATCH_BYTES`, at least 1.

    Args:
        file: the file.
        source: what it was opened from.
        columns: the columns to be read.
        where: its name, for errors.
        rows: the most rows that are wanted.

    Raises:
        DataError: its pages are not as its footer says, or a value or a list in it is too large.
    """
    row_bytes = 0.0
    for group in range(file.metadata.num_row_groups):
        needed = 0.0
        for at in range(file.metadata.num_columns):
            chunk = file.metadata.row_group(group).column(at)
            if chunk.num_values > 0 and chunk.path_in_schema.partition(".")[0] in columns:
                pages = list(read_pages(source, chunk, where)) if isinstance(source, LOCAL_SOURCES) else []
                check_pages(pages, chunk, where)
                needed += measure_row(file, source, group, at, pages, where, rows)
        row_bytes = max(row_bytes, needed)
    return max(1, int(BATCH_BYTES / max(row_bytes, 1.0)))


def check_pages(pages: list[ParquetPage], chunk: Any, where: str) -> None:
    """Raise unless the pages of a column are as large as its footer says, and none is too large.

    Raises:
        DataError: they are not.
    """
    if sum(page.size for page in pages) > max(0, chunk.total_uncompressed_size):
        raise DataError(f"{where} cannot be read as Parquet: its pages are larger than its footer says.")
    largest = max((page.size for page in pages), default=0)
    require_memory(largest, f"{where}, a page of '{chunk.path_in_schema}' in it,", PAGE_GIB)


def measure_row(
    file: pq.ParquetFile, source: Any, group: int, at: int, pages: list[ParquetPage], where: str, rows: int
) -> float:
    """Return the bytes of a row in a column at most: its longest value, or the mean of the page with the longest mean.

    Args:
        file: the file.
        source: what it was opened from.
        group: the row group.
        at: the place of the column in it.
        pages: its pages; of a store, they are not known.
        where: the file's name, for errors.
        rows: the rows that are wanted at once; if so many fit in any case, nothing more is looked at.

    Raises:
        DataError: lists in it are too large.
    """
    chunk, in_lists = file.metadata.row_group(group).column(at), file.schema.column(at).max_repetition_level > 0
    whole = max(0, chunk.total_uncompressed_size)
    largest = max((page.size for page in pages), default=whole)
    mean = max((page.size / max(page.values, 1) for page in pages if not page.is_dictionary), default=0.0)
    longest = together = 0.0
    if chunk.physical_type == "BYTE_ARRAY" and largest * min(rows, chunk.num_values) > BATCH_BYTES // 8:
        if "DELTA_BYTE_ARRAY" in chunk.encodings:
            longest, together = largest, largest * chunk.num_values
        elif chunk.has_dictionary_page:
            longest, together = measure_dictionary(file, source, group, at)
    if not in_lists:
        return max(mean, longest, whole / chunk.num_values)
    together = max(together, whole + VALUE_BYTES * chunk.num_values)  # any row may hold nearly all of the values
    require_memory(together, f"{where}, the lists of '{chunk.path_in_schema}' in a group of its rows,", DOCUMENT_GIB)
    return together if together > BATCH_BYTES else together / max(1, file.metadata.row_group(group).num_rows)


def measure_dictionary(file: pq.ParquetFile, source: Any, group: int, at: int) -> tuple[float, float]:
    """Return the bytes of the longest value in a column's dictionary, and of all values if lists hold them, else 0.

    The column is read as numbers into its dictionary; of values outside lists, the first number alone.
    """
    path = file.schema.column(at).path
    in_lists = file.schema.column(at).max_repetition_level > 0
    source.seek(0)
    again = pq.ParquetFile(source, metadata=file.metadata, read_dictionary=[path], buffer_size=2**16)
    longest = together = 0.0
    for batch in again.iter_batches(2**20 if in_lists else 1, row_groups=[group], columns=[path]):
        for values in map(find_dictionary, batch.columns):
            if values is not None:
                lengths = pc.binary_length(values.dictionary)
                longest = max(longest, float(pc.max(lengths).as_py() or 0))
                together += float(pc.sum(lengths.take(values.indices)).as_py() or 0)
        if not in_lists:
            break
    return longest, together


def find_dictionary(column: pa.Array) -> pa.DictionaryArray | None:
    """Return the texts of a column that was read as a dictionary, at whatever depth they lie."""
    if isinstance(column, pa.DictionaryArray):
        return column
    if isinstance(column, pa.StructArray):
        return next((found for inner in column.flatten() if (found := find_dictionary(inner)) is not None), None)
    return find_dictionary(column.values) if hasattr(column, "values") else None
