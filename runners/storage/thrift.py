"""Thrift's compact protocol: the fields of a struct that a layout names, read from bytes that nobody has checked.

What a layout does not name is skipped. A field that stands twice, or a number that does not fit its type, is refused:
readers differ in what they make of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INT32, INT64, TEXT, LIST, STRUCT = 5, 6, 8, 9, 12
"""Types of fields."""

MOST_NESTED = 60
"""The most structs and lists within each other."""

FIXED_BYTES = {3: 1, 7: 8}
"""Bytes of a value by its type, where they do not depend on the value: a byte, a floating-point number."""


@dataclass(frozen=True)
class ThriftField:
    """A field that is read.

    Args:
        kind: its type; one of another type is skipped.
        layout: the fields of a struct, or of the structs in a list.
        entries: the type of a list's entries.
    """

    kind: int
    layout: Mapping[int, ThriftField] | None = None
    entries: int = STRUCT


class ThriftReader:
    """A reader of structs.

    Args:
        content: the bytes.
        at: where the struct begins.

    Every method raises an IndexError if the bytes end too early, and a ValueError if they are not of the protocol.

    >>> layout = {2: ThriftField(INT32)}
    >>> ThriftReader(bytes([0x15, 0x04, 0x15, 0xC8, 0x01, 0x00])).read_struct(layout)
    {2: 100}
    """

    def __init__(self, content: bytes, at: int = 0) -> None:
        self.content, self.at = content, at

    def read_struct(self, layout: Mapping[int, ThriftField], depth: int = 0) -> dict[int, Any]:
        """Return the values of a struct's fields by their numbers."""
        if depth > MOST_NESTED:
            raise ValueError("it is nested too deep")
        content, field = self.content, 0
        fields: dict[int, Any] = {}
        while byte := content[self.at]:
            self.at += 1
            field = field + (byte >> 4) if byte >> 4 else self.read_number(INT32)
            kind, wanted = byte & 15, layout.get(field)
            if wanted is None or wanted.kind != kind:
                if kind > 2:  # a truth is in its type
                    self.skip_value(kind, depth)
            elif field in fields:
                raise ValueError(f"the field {field} stands twice")
            else:
                fields[field] = self.read_value(wanted, depth + 1)
        self.at += 1
        return fields

    def read_value(self, wanted: ThriftField, depth: int) -> Any:
        """Return the value of a field."""
        if wanted.kind == STRUCT:
            return self.read_struct(wanted.layout or {}, depth)
        if wanted.kind == LIST:
            kind, count = self.read_list_head()
            if kind != wanted.entries and count:
                raise ValueError("a list has entries of another type")
            if kind == STRUCT:
                layout = wanted.layout or {}
                return [self.read_struct(layout, depth) for _ in range(count)]
            return [self.read_number(kind) for _ in range(count)]
        return self.read_number(wanted.kind)

    def read_varint(self) -> int:
        """Return a number of seven bits a byte."""
        content, at = self.content, self.at
        value = shift = 0
        while (byte := content[at]) >= 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            at += 1
            if shift > 63:
                raise ValueError("a number of more than ten bytes")
        self.at = at + 1
        return value | byte << shift

    def read_number(self, kind: int) -> int:
        """Return a whole number of a type, with its sign."""
        value = self.read_varint()
        if value >> (32 if kind == INT32 else 64):
            raise ValueError("a number that is too large for its type")
        return (value >> 1) ^ -(value & 1)

    def read_list_head(self) -> tuple[int, int]:
        """Return the type of a list's entries, and their number."""
        head = self.content[self.at]
        self.at += 1
        return head & 15, self.read_varint() if head >> 4 == 15 else head >> 4

    def skip_value(self, kind: int, depth: int) -> None:
        """Skip the value of a field, or an entry of a list."""
        content = self.content
        if kind in (4, INT32, INT64):
            at = self.at
            while content[at] >= 0x80:
                at += 1
            self.at = at + 1
        elif kind == TEXT:
            length = self.read_varint()
            self.at += length
        elif kind == STRUCT:
            self.skip_struct(depth + 1)
        elif kind in FIXED_BYTES:
            self.at += FIXED_BYTES[kind]
        elif kind in (LIST, 10):
            self.skip_list(depth + 1)
        else:
            raise ValueError("a type that Parquet does not have")

    def skip_struct(self, depth: int) -> None:
        """Skip a struct."""
        if depth > MOST_NESTED:
            raise ValueError("it is nested too deep")
        content = self.content
        while byte := content[self.at]:
            self.at += 1
            if not byte >> 4:
                self.read_varint()
            if byte & 15 > 2:
                self.skip_value(byte & 15, depth)
        self.at += 1

    def skip_list(self, depth: int) -> None:
        """Skip a list."""
        if depth > MOST_NESTED:
            raise ValueError("it is nested too deep")
        kind, count = self.read_list_head()
        size = 1 if kind in (1, 2) else FIXED_BYTES.get(kind)
        if size is not None:
            self.at += size * count
            return
        for _ in range(count):
            self.skip_value(kind, depth)
