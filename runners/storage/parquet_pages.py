"""The headers of a Parquet file's pages: how large each page is once it is unpacked, and how many values it holds.

The footer only claims sizes. A page is unpacked to the size in its own header, so these sizes count. The headers are
structs of Thrift's compact protocol (apache/parquet-format, parquet.thrift).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.storage.parquet_footer import ParquetChunk
from isocompute.runners.storage.thrift import INT32, STRUCT, ThriftField, ThriftReader

VALUES_FIELDS = {1: ThriftField(INT32), 2: ThriftField(INT32)}
NEWER_VALUES_FIELDS = {1: ThriftField(INT32), 4: ThriftField(INT32)}
PAGE_FIELDS = {
    **dict.fromkeys((1, 2, 3), ThriftField(INT32)),
    **dict.fromkeys((5, 7), ThriftField(STRUCT, VALUES_FIELDS)),
    8: ThriftField(STRUCT, NEWER_VALUES_FIELDS),
}
"""Fields of a page's header: its type, its bytes unpacked and packed, and its number of values with their encoding."""

DICTIONARY_PAGE = 2
"""The type of a page with the values of a dictionary."""

MOST_PAGES = 1_000_000
"""The most pages of a column in a row group."""

PAGE_HEADER_BYTES = 256
"""Bytes in which most headers lie; more are read where they do not suffice, up to `LONGEST_HEADER_BYTES`."""

LONGEST_HEADER_BYTES = 2**22


@dataclass(frozen=True)
class ParquetPage:
    """A page of a column.

    Args:
        is_dictionary: whether it holds a dictionary.
        size: its bytes once it is unpacked.
        values: the values in it, nulls included.
        encoding: how they are written, as a number.
    """

    is_dictionary: bool
    size: int
    values: int
    encoding: int | None


def read_pages(source: Any, chunk: ParquetChunk, where: str) -> Iterator[ParquetPage]:
    """Yield the pages of a column in a row group, from their headers alone.

    Args:
        source: the file, open for reading.
        chunk: the column.
        where: the file's name, for errors.

    Raises:
        DataError: a header cannot be read, or there are too many pages.
    """
    offsets = (chunk.dictionary_page_offset, chunk.data_page_offset)
    at = min((offset for offset in offsets if offset), default=0)  # an offset of 0 stands for none
    if at < 0:
        raise DataError(f"{where} cannot be read as Parquet: its footer is damaged.")
    end = at + chunk.total_compressed_size
    for number in range(MOST_PAGES + 1):
        if at >= end:
            return
        if number == MOST_PAGES:
            raise DataError(f"{where}: a column has more than {MOST_PAGES:,} pages in a row group.")
        fields, length = read_header(source, at, where)
        header: dict[int, int] = next((fields[key] for key in (5, 7, 8) if key in fields), {})
        size, packed, values = fields.get(2), fields.get(3), header.get(1)
        if size is None or packed is None or packed < 0 or values is None:
            raise DataError(f"{where} cannot be read as Parquet: a page has no readable header.")
        encoding = header.get(4 if 8 in fields else 2)
        yield ParquetPage(fields.get(1) == DICTIONARY_PAGE, max(size, 0), max(values, 0), encoding)
        at += length + packed


def read_header(source: Any, at: int, where: str) -> tuple[dict[int, Any], int]:
    """Return the fields of a page's header by their numbers, and the bytes that it takes.

    Raises:
        DataError: there is no header.
    """
    read = PAGE_HEADER_BYTES
    while True:
        source.seek(at)
        reader = ThriftReader(bytes(source.read(read)))
        try:
            return reader.read_struct(PAGE_FIELDS), reader.at
        except IndexError:
            if len(reader.content) < read or read >= LONGEST_HEADER_BYTES:
                raise DataError(f"{where} cannot be read as Parquet: a page has no readable header.") from None
            read *= 16
        except ValueError:
            raise DataError(f"{where} cannot be read as Parquet: a page has no readable header.") from None
