"""The headers of a Parquet file's pages: how large each page is once it is unpacked, and how many values it holds.

The footer only claims sizes. A page is unpacked to the size in its own header, so these sizes count. The headers are
structs of Thrift's compact protocol (apache/parquet-format, parquet.thrift).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isocompute.errors import DataError

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
    """

    is_dictionary: bool
    size: int
    values: int


def read_pages(source: Any, chunk: Any, where: str) -> Iterator[ParquetPage]:
    """Yield the pages of a column in a row group, from their headers alone.

    Args:
        source: the file, open for reading.
        chunk: the column's metadata, of pyarrow.
        where: the file's name, for errors.

    Raises:
        DataError: a header cannot be read, or there are too many pages.
    """
    offsets = (chunk.dictionary_page_offset, chunk.data_page_offset)
    at = min(offset for offset in offsets if offset)  # an offset of 0 stands for none
    end = at + chunk.total_compressed_size
    for number in range(MOST_PAGES + 1):
        if at >= end:
            return
        if number == MOST_PAGES:
            raise DataError(f"{where}: a column has more than {MOST_PAGES:,} pages in a row group.")
        fields, length = read_header(source, at, where)
        header: dict[int, Any] = next((fields[key] for key in (5, 7, 8) if isinstance(fields.get(key), dict)), {})
        size, packed, values = fields.get(2), fields.get(3), header.get(1)
        if not (isinstance(size, int) and isinstance(packed, int) and packed >= 0 and isinstance(values, int)):
            raise DataError(f"{where} cannot be read as Parquet: a page has no readable header.")
        yield ParquetPage(fields.get(1) == DICTIONARY_PAGE, max(size, 0), max(values, 0))
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
            return reader.read_struct(), reader.at
        except IndexError:
            if len(reader.content) < read or read >= LONGEST_HEADER_BYTES:
                raise DataError(f"{where} cannot be read as Parquet: a page has no readable header.") from None
            read *= 16
        except (ValueError, RecursionError):
            raise DataError(f"{where} cannot be read as Parquet: a page has no readable header.") from None


class ThriftReader:
    """A reader of structs in Thrift's compact protocol.

    Args:
        content: the bytes, which begin with a struct.

    >>> ThriftReader(bytes([0x15, 0x04, 0x15, 0xC8, 0x01, 0x00])).read_struct()
    {1: 2, 2: 100}
    """

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def read_byte(self) -> int:
        """Return the next byte.

        Raises:
            IndexError: there is none.
        """
        self.at += 1
        return self.content[self.at - 1]

    def read_varint(self) -> int:
        """Return a number of seven bits a byte."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.read_byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number of more than ten bytes")

    def read_number(self) -> int:
        """Return a whole number with its sign."""
        value = self.read_varint()
        return (value >> 1) ^ -(value & 1)

    def skip_bytes(self, count: int) -> None:
        """Skip so many bytes."""
        self.at += count
        if self.at > len(self.content):
            raise IndexError

    def read_struct(self) -> dict[int, Any]:
        """Return the whole numbers and structs of a struct, by field; other values are None."""
        fields: dict[int, Any] = {}
        field = 0
        while byte := self.read_byte():
            field = field + (byte >> 4) if byte >> 4 else self.read_number()
            fields[field] = self.read_value(byte & 0x0F)
        return fields

    def read_value(self, kind: int, in_list: bool = False) -> Any:
        """Return a value of a type, as `read_struct` does."""
        if kind in (1, 2):  # a field's truth is in its type
            return self.skip_bytes(1 if in_list else 0)
        if kind in (4, 5, 6):
            return self.read_number()
        if kind == 12:
            return self.read_struct()
        if kind in (3, 7):
            return self.skip_bytes(1 if kind == 3 else 8)
        if kind == 8:
            return self.skip_bytes(self.read_varint())
        if kind in (9, 10):
            head = self.read_byte()
            for _ in range(self.read_varint() if head >> 4 == 15 else head >> 4):
                self.read_value(head & 0x0F, in_list=True)
            return None
        raise ValueError("a type that page headers do not have")
