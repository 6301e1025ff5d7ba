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
from isocompute.runners.storage.parquet_footer import DELTA_BYTE_ARRAY, ParquetChunk, read_chunks
from isocompute.runners.storage.parquet_pages import ParquetPage, read_pages
from isocompute.runners.storage.time_zones import check_time_zones

VALUE_BYTES = 9
"""Bytes of a value in Arrow, beside the characters of a text: a number or an offset, and whether it is there."""

OBJECT_BYTES = 100
"""Bytes of a value as an object of Python, with its place in its row."""

BATCH_BYTES = 2**27
"""Bytes of the texts in a batch of rows; reading it takes a few times as much."""

PAGE_GIB = 0.5
"""GiB of a page of values, which is unpacked as a whole."""

DICTIONARY_GIB = 0.125
"""GiB of a dictionary's page; usual writers end a dictionary at 1 MiB."""

LONGEST_GIB = 0.0625
"""GiB of a value."""

PARQUET_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError)
"""Exceptions of pyarrow for a damaged file; the last one for the name of a column that is not UTF-8."""

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
        DataError: it would take too much memory, its pages are not as its footer says, or a time zone is not known.
        ArrowInvalid: it is damaged.
    """
    if not columns:
        return
    check_time_zones(file.schema_arrow, columns, where)
    chunks = read_chunks(file, source, columns, where)
    check_parquet_size(file, chunks, where, value_bytes, usual)
    most = min(rows, find_batch_rows(file, source, chunks, where, rows, usual))
    read = total = 0
    for batch in file.iter_batches(most, columns=list(columns)):
        read += batch.num_rows
        total += batch.nbytes  # a value may also hold the beginning of the one before it
        require_memory(total, f"{where}, as far as it was read,", usual)
        cells = [cell.dictionary_decode() if isinstance(cell, pa.DictionaryArray) else cell for cell in batch.columns]
        yield pa.RecordBatch.from_arrays(cells, names=batch.schema.names)
    if read != file.metadata.num_rows:
        raise pa.ArrowInvalid(f"it has {read:,} rows, but its footer says {file.metadata.num_rows:,}")


def read_whole_parquet(
    file: pq.ParquetFile,
    source: Any,
    columns: Collection[str],
    where: str,
    value_bytes: int = VALUE_BYTES,
    usual: float = DOCUMENT_GIB,
) -> pa.Table:
    """Return some columns of a Parquet file as a whole; raises as `read_parquet_batches`."""
    rows = max(1, file.metadata.num_rows)
    batches = list(read_parquet_batches(file, source, columns, where, rows, value_bytes, usual))
    schema = pa.schema([file.schema_arrow.field(name) for name in columns])
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema)


def check_parquet_size(
    file: pq.ParquetFile, chunks: list[ParquetChunk], where: str, value_bytes: int, usual: float
) -> None:
    """Raise if the columns of a Parquet file would take too much memory, as its footer says.

    Args:
        file: the file.
        chunks: its columns.
        where: its name, for errors.
        value_bytes: the bytes of a value.
        usual: the limit in GiB, see `require_memory`.

    Raises:
        DataError: they would.
    """
    needed = sum(chunk.total_uncompressed_size + value_bytes * chunk.num_values for chunk in chunks)
    require_memory(needed, f"{where}, whose footer names {file.metadata.num_rows:,} rows,", usual)


def find_batch_rows(
    file: pq.ParquetFile, source: Any, chunks: list[ParquetChunk], where: str, rows: int, usual: float
) -> int:
    """Return how many rows of a file take at most `BATCH_BYTES`, at least 1.

    Args:
        file: the file.
        source: what it was opened from.
        chunks: the columns to be read, of each row group in turn.
        where: its name, for errors.
        rows: the most rows that are wanted.
        usual: the limit of all rows together in GiB.

    Raises:
        DataError: its pages are not as its footer says, or its values are too large, one or all of them.
    """
    row_bytes: dict[int, float] = {}
    together = 0.0
    for chunk in chunks:
        if not chunk.num_values:
            continue
        pages = list(read_pages(source, chunk, where)) if isinstance(source, LOCAL_SOURCES) else []
        check_pages(pages, chunk, where)
        longest, all_ = measure_values(file, source, chunk, pages, rows)
        row_bytes[chunk.group] = row_bytes.get(chunk.group, 0.0) + longest
        together += all_
        require_memory(together, f"{where}, once its repeated values are written out,", usual)
        name = "the lists of" if chunk.in_lists else "a value of"
        place = f"{where}, {name} '{chunk.path}' in it,"
        require_memory(longest, place, DOCUMENT_GIB if chunk.in_lists else LONGEST_GIB)
    return max(1, int(BATCH_BYTES / max(row_bytes.values(), default=1.0)))


def check_pages(pages: list[ParquetPage], chunk: ParquetChunk, where: str) -> None:
    """Raise unless the pages of a column are as large as its footer says, and none is too large.

    Raises:
        DataError: they are not.
    """
    if sum(page.size for page in pages) > chunk.total_uncompressed_size:
        raise DataError(f"{where} cannot be read as Parquet: its pages are larger than its footer says.")
    for page in pages:
        usual = DICTIONARY_GIB if page.is_dictionary else PAGE_GIB
        require_memory(page.size, f"{where}, a page of '{chunk.path}' in it,", usual)


def measure_values(
    file: pq.ParquetFile, source: Any, chunk: ParquetChunk, pages: list[ParquetPage], rows: int
) -> tuple[float, float]:
    """Return the most bytes of a row in a column, and those of all rows together.

    A row has the longest value, or the mean of the page where it is largest. If there are lists, it may have all.

    Args:
        file: the file.
        source: what it was opened from.
        chunk: the column, which has values.
        pages: its pages; of a store, they are not known.
        rows: the rows that are wanted at once; if so many fit in any case, the values are not looked at.
    """
    whole = float(chunk.total_uncompressed_size + VALUE_BYTES * chunk.num_values)
    largest = max((page.size for page in pages), default=chunk.total_uncompressed_size)
    means = [page.size / max(page.values, 1) for page in pages if not page.is_dictionary]
    longest = max([whole / chunk.num_values, *means])
    if chunk.has_texts and largest * min(rows, chunk.num_values) > BATCH_BYTES // 8:
        if DELTA_BYTE_ARRAY in {*chunk.encodings, *(page.encoding for page in pages)}:
            longest = float(largest)
        elif chunk.dictionary_page_offset is not None or any(page.is_dictionary for page in pages):
            repeated, together = measure_dictionary(file, source, chunk)
            longest, whole = max(longest, repeated), max(whole, together)
    if chunk.in_lists:  # a few lists may hold nearly all of the values
        longest = whole if whole > BATCH_BYTES else whole / max(1, chunk.group_rows)
    return longest, whole


def measure_dictionary(file: pq.ParquetFile, source: Any, chunk: ParquetChunk) -> tuple[float, float]:
    """Return the bytes of the longest value in a column's dictionary, and those of all values together.

    The column is read as numbers into its dictionary. If the longest value as often as there are values takes at most
    `BATCH_BYTES`, only the first number is read, and the bytes together are 0.
    """
    source.seek(0)
    again = pq.ParquetFile(source, metadata=file.metadata, read_dictionary=[chunk.path], buffer_size=2**16)
    longest = together = 0.0
    for rows in (1, 2**20):
        together = 0.0
        for batch in again.iter_batches(rows, row_groups=[chunk.group], columns=[chunk.path]):
            for values in filter(None, map(find_dictionary, batch.columns)):
                lengths = pc.binary_length(values.dictionary)
                longest = max(longest, float(pc.max(lengths).as_py() or 0))
                together += float(pc.sum(lengths.take(values.indices)).as_py() or 0)
            if rows == 1:
                break
        if longest * chunk.num_values <= BATCH_BYTES:
            return longest, 0.0
    return longest, together


def find_dictionary(column: pa.Array) -> pa.DictionaryArray | None:
    """Return the texts of a column that was read as a dictionary, at whatever depth they lie."""
    if isinstance(column, pa.DictionaryArray):
        return column
    if isinstance(column, pa.StructArray):
        return next((found for inner in column.flatten() if (found := find_dictionary(inner)) is not None), None)
    return find_dictionary(column.values) if hasattr(column, "values") else None
