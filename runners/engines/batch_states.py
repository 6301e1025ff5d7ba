"""States, names and faults of batches, as a server of OpenAI's batch API tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from isocompute.runners.engines.server_client import LostResponseError

TOKEN_KEY = "isocompute"
"""The key of a batch's metadata for the token of its record."""

ENDED_STATUSES = {"completed", "failed", "expired", "cancelled"}
"""The states in which nothing more comes."""


@dataclass(frozen=True)
class BatchFault:
    """A fault of a batch's file.

    Args:
        code: the server's name of the fault.
        message: what it says.
        line: the line of the file, from 1; None if it is about no line.
    """

    code: str
    message: str
    line: int | None


@dataclass(frozen=True)
class BatchState:
    """The state of a batch.

    Args:
        batch: the server's name of it.
        status: a word such as ``in_progress`` or ``completed``.
        files: the names of the files with its results, and with its errors.
        faults: what is wrong with its own file.
        token: the token in its metadata.
    """

    batch: str
    status: str
    files: tuple[str, ...]
    faults: tuple[BatchFault, ...]
    token: str | None

    @property
    def is_ended(self) -> bool:
        """True if nothing more comes."""
        return self.status in ENDED_STATUSES


def encode_name(name: str) -> str:
    """Return a server's name of something as a part of a path.

    >>> encode_name("batch_1"), encode_name("../files")
    ('batch_1', '..%2Ffiles')
    """
    return quote(name, safe="")


def read_name(answer: Any) -> str:
    """Return the name in a response.

    Raises:
        LostResponseError: there is none.
    """
    name = answer.get("id") if isinstance(answer, dict) else None
    if not (isinstance(name, str) and name.strip(".") and name.isprintable() and len(name) <= 512):
        raise LostResponseError("an answer without an id")
    return name


def parse_batch(answer: Any) -> BatchState:
    """Return the state of a batch from the JSON of a response.

    Raises:
        LostResponseError: it describes no batch.

    >>> parse_batch({"id": "b", "status": "completed", "output_file_id": "f", "error_file_id": None}).files
    ('f',)
    """
    name = read_name(answer)
    status, metadata, errors = answer.get("status"), answer.get("metadata"), answer.get("errors")
    if not isinstance(status, str):
        raise LostResponseError("a batch without a status")
    files = tuple(
        file for key in ("output_file_id", "error_file_id") if isinstance(file := answer.get(key), str) and file
    )
    listed = errors.get("data") if isinstance(errors, dict) else None
    listed = listed if isinstance(listed, list) else []
    faults = tuple(parse_fault(fault) for fault in listed if isinstance(fault, dict))
    token = metadata.get(TOKEN_KEY) if isinstance(metadata, dict) else None
    return BatchState(name, status, files, faults, token if isinstance(token, str) else None)


def parse_fault(fault: dict[str, Any]) -> BatchFault:
    """Return what a batch's state says is wrong with its file."""
    line = fault.get("line")
    return BatchFault(
        str(fault.get("code") or ""), str(fault.get("message") or ""), line if type(line) is int and line > 0 else None
    )


def parse_page(answer: Any) -> tuple[list[BatchState], bool]:
    """Return the batches of a page of the list, and whether there are more pages.

    Raises:
        LostResponseError: it is no such page.
    """
    listed = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise LostResponseError("an answer that does not follow the protocol")
    return [parse_batch(batch) for batch in listed], answer.get("has_more") is True
