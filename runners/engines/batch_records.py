"""Records of the batches that an engine asked a server for, from which a later process finds them again.

A record is written before its batch is made, and again when the server has named the batch. The server is also given
the record's token, as metadata of the batch, so a batch whose name never arrived is found by it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from isocompute.errors import DataError
from isocompute.runners.documents import parse_json


class RecordFiles(Protocol):
    """A place for records: small files by name, each written whole or not at all."""

    def read_files(self) -> dict[str, bytes]:
        """Return the content of every file, by name."""
        ...

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file, or replace it."""
        ...

    def describe_file(self, name: str) -> str:
        """Return where a file is, for errors."""
        ...


class MemoryFiles:
    """Records that last as long as their engine."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read_files(self) -> dict[str, bytes]:
        """Return the content of every file, by name."""
        return dict(self.files)

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file, or replace it."""
        self.files[name] = content

    def describe_file(self, name: str) -> str:
        """Return where a file is, for errors."""
        return f"the record {name}"


@dataclass(frozen=True)
class BatchRecord:
    """A batch and the requests in it.

    Args:
        token: what the server's metadata of the batch holds; also the name of the record.
        requests: the names of the requests, in the order of the lines of the batch's file.
        batch: the server's name of the batch; None until it is known.
        is_new: whether this process made the batch.
    """

    token: str
    requests: Sequence[str]
    batch: str | None = None
    is_new: bool = False

    @property
    def file(self) -> str:
        """The name of the record's file."""
        return f"{self.token}.json"


def encode_record(record: BatchRecord) -> bytes:
    """Return the content of a record's file.

    >>> encode_record(BatchRecord("0a", ["1b", "2c"]))
    b'{"batch": null, "requests": ["1b", "2c"]}'
    """
    return json.dumps({"batch": record.batch, "requests": list(record.requests)}).encode()


def decode_record(file: str, content: bytes, where: str) -> BatchRecord:
    """Return the record in a file.

    Args:
        file: its name.
        content: its content.
        where: its place, for errors.

    Raises:
        DataError: it is no record; the batch may hold results that are paid for, so it is not passed over.
    """
    read = parse_json(content, where)
    batch, requests = (read.get("batch"), read.get("requests")) if isinstance(read, dict) else (None, None)
    known = isinstance(requests, list) and all(isinstance(name, str) for name in requests)
    if not known or requests is None or not isinstance(batch, str | None):
        raise DataError(f"{where} is not the record of a batch; restore it from a copy, or delete it to ask again.")
    return BatchRecord(file.removesuffix(".json"), requests, batch)


def read_records(files: RecordFiles) -> list[BatchRecord]:
    """Return all records that are kept, in the order of their names.

    Raises:
        DataError: a file is no record.
    """
    kept = sorted(files.read_files().items())
    return [decode_record(name, content, files.describe_file(name)) for name, content in kept]
