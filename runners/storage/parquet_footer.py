"""The sizes, places and encodings of each column in each row group, as the footer of a Parquet file says them.

pyarrow has parsed the footer before. Its objects for a column's metadata are not used, because the process ends if
such metadata is damaged. The footer is a struct of Thrift's compact protocol (apache/parquet-format, parquet.thrift).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from isocompute.errors import DataError
from isocompute.runners.storage.thrift import INT32, INT64, LIST, STRUCT, ThriftField, ThriftReader

MOST_CHUNKS = 200_000
"""The most columns of all row groups together."""

LONGEST_FOOTER = 2**28
"""Bytes of the longest footer."""

TAIL_BYTES = 2**16
"""Bytes at the end of a file that are read at once; most footers are shorter."""

COLUMN_FIELDS = {
    2: ThriftField(LIST, entries=INT32),
    **dict.fromkeys((5, 6, 7, 9, 11), ThriftField(INT64)),
}  # fmt: skip
"""Fields of a column's metadata: encodings, values, bytes unpacked and packed, places of its pages and dictionary."""

CHUNK_FIELDS = {3: ThriftField(STRUCT, COLUMN_FIELDS), 8: ThriftField(STRUCT)}
"""Fields of a column in a row group: its metadata, and how it is encrypted."""

GROUP_FIELDS = {1: ThriftField(LIST, CHUNK_FIELDS), 3: ThriftField(INT64)}
"""Fields of a row group: its columns, and the number of its rows."""

FOOTER_FIELDS = {4: ThriftField(LIST, GROUP_FIELDS)}
"""Fields of the footer: the row groups."""

DELTA_BYTE_ARRAY = 7
"""The encoding of texts of which each holds a part of the one before."""


@dataclass(frozen=True, slots=True)
class ParquetChunk:
    """A column in a row group.

    Args:
        path: the column's name, with those of the blocks and lists within it.
        group: the number of the row group.
        group_rows: the rows of the group.
        has_texts: whether its values are texts or bytes of any length.
        in_lists: whether its values stand in lists.
        encodings: how its values are written, as numbers.
        num_values: the values, nulls included.
        total_uncompressed_size: the bytes of its pages once they are unpacked.
        total_compressed_size: the bytes of its pages in the file.
        data_page_offset: where its first page of values begins.
        dictionary_page_offset: where its dictionary begins; None without one.
    """

    path: str
    group: int
    group_rows: int
    has_texts: bool
    in_lists: bool
    encodings: tuple[int, ...]
    num_values: int
    total_uncompressed_size: int
    total_compressed_size: int
    data_page_offset: int
    dictionary_page_offset: int | None


def read_chunks(file: pq.ParquetFile, source: Any, columns: Collection[str], where: str) -> list[ParquetChunk]:
    """Return what the footer says of some columns, of each row group in turn.

    Args:
        file: the file.
        source: what it was opened from, a file or a buffer.
        columns: the names of the columns.
        where: the file's name, for errors.

    Raises:
        DataError: the footer is damaged or too long, has too many columns, or a column is encrypted.
    """
    groups, width = file.metadata.num_row_groups, file.metadata.num_columns
    if groups * width > MOST_CHUNKS:
        raise DataError(
            f"{where} has {groups:,} row groups of {width:,} columns; the most that is read is "
            f"{MOST_CHUNKS:,} columns of all row groups together."
        )
    content = read_footer(source, where)
    try:
        found = ThriftReader(content).read_struct(FOOTER_FIELDS)
        return list(select_chunks(file, found.get(4, []), columns, where))
    except (IndexError, KeyError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where} cannot be read as Parquet: its footer is damaged.") from None


def select_chunks(
    file: pq.ParquetFile, groups: list[dict[int, Any]], columns: Collection[str], where: str
) -> Iterator[ParquetChunk]:
    """Yield the columns with some names; whatever the footer calls them, they stand in the order of the schema.

    Raises:
        DataError: a column is encrypted.
        KeyError: a number is missing.
        ValueError: a number is impossible, or there are more or fewer columns or groups than there should be.
    """
    wanted = []
    for at in range(file.metadata.num_columns):
        column = file.schema.column(at)
        if (path := column.path).partition(".")[0] in columns:
            wanted.append((at, path, column.physical_type == "BYTE_ARRAY", column.max_repetition_level > 0))
    if len(groups) != file.metadata.num_row_groups:
        raise ValueError("another number of row groups")
    for number, group in enumerate(groups):
        stored, rows = group[1], group[3]
        if len(stored) != file.metadata.num_columns:
            raise ValueError("another number of columns")
        for at, path, has_texts, in_lists in wanted:
            if 8 in stored[at]:
                raise DataError(f"{where} cannot be read as Parquet: its column '{path}' is encrypted.")
            fields = stored[at][3]
            values, unpacked, packed = (fields[field] for field in (5, 6, 7))
            if min(rows, values, unpacked, packed) < 0:
                raise ValueError("a number below zero")
            yield ParquetChunk(
                path, number, rows, has_texts, in_lists, tuple(fields[2]), values, unpacked, packed,
                data_page_offset=fields[9], dictionary_page_offset=fields.get(11),
            )  # fmt: skip


def read_footer(source: Any, where: str) -> bytes:
    """Return the footer, which ends eight bytes before the file.

    Raises:
        DataError: it is longer than the file, or than `LONGEST_FOOTER`.
    """
    size = source.seek(0, 2)
    start = max(0, size - TAIL_BYTES)
    source.seek(start)
    tail = bytes(source.read(size - start))
    length = int.from_bytes(tail[-8:-4], "little")
    if length > LONGEST_FOOTER:
        raise DataError(f"{where} has a footer of {length:,} bytes; the most that is read is {LONGEST_FOOTER:,}.")
    if length + 8 > size:
        raise DataError(f"{where} cannot be read as Parquet: its footer is damaged.")
    if length + 8 > len(tail):
        source.seek(size - 8 - length)
        return bytes(source.read(length))
    return tail[-8 - length : -8]
