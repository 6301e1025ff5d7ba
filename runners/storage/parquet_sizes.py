"""The memory that a Parquet file takes once it is read, as its footer says: its rows and its unpacked sizes."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow.parquet as pq

from isocompute.limits import DOCUMENT_GIB, require_memory

VALUE_BYTES = 9
"""Bytes of a value in Arrow, beside the characters of a text: a number or an offset, and whether it is there."""

OBJECT_BYTES = 100
"""Bytes of a value as an object of Python, with its place in its row."""


def check_parquet_size(
    file: pq.ParquetFile,
    columns: Collection[str] | None,
    where: str,
    value_bytes: int = VALUE_BYTES,
    usual: float = DOCUMENT_GIB,
) -> None:
    """Raise if the columns of a Parquet file would take too much memory; nothing but the footer is read.

    A file of a few kilobytes can hold a billion rows, as a value that repeats is stored once with its number.

    Args:
        file: the file.
        columns: the columns to be read; all if None.
        where: its name, for errors.
        value_bytes: the bytes of a value.
        usual: the limit in GiB, see `require_memory`.

    Raises:
        DataError: they would.
    """
    metadata, needed = file.metadata, 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for at in range(rows.num_columns):
            chunk = rows.column(at)
            if columns is None or chunk.path_in_schema.partition(".")[0] in columns:
                needed += max(0, chunk.total_uncompressed_size) + value_bytes * max(0, chunk.num_values)
    require_memory(needed, f"{where}, whose footer names {metadata.num_rows:,} rows,", usual)
