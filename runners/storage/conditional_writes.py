"""Writes to a store that it carries out only if an object is as its writer saw it.

Two conditions are known: that there is no such object, which fsspec offers for S3, Google Cloud and Azure, and that the
object is still the version that was read (``If-Match``), which it offers for S3 alone. Elsewhere an object is replaced
whatever stands there; a writer has looked at its lease just before.

The version is a digest of the content, so an object that is written anew has another version only if it holds
something of its writer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from isocompute.errors import RunError

CONDITIONAL_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}
"""Protocols of stores that can refuse, in the writing request itself, to overwrite an object."""

VERSION_PROTOCOLS = {"s3", "s3a"}
"""Protocols of stores that can refuse to overwrite another version of an object than a given one."""

REFUSAL_CODES = {"PreconditionFailed", "ConditionalRequestConflict", "412"}
"""Error codes of S3 for an object that exists already, has another version, or is being written by another request."""

REPLACE_TRIES = 5
"""Times that an object is looked at and replaced, if others replace it meanwhile."""


def find_exclusive_options(fs: Any) -> dict[str, Any] | None:
    """Return the options that make a store's ``pipe_file`` refuse to overwrite; None if it cannot."""
    write = getattr(type(fs), "_pipe_file", None) or type(fs).pipe_file
    known = inspect.signature(write).parameters
    if not list_protocols(fs) & CONDITIONAL_PROTOCOLS:
        return None
    return {"mode": "create"} if "mode" in known else {"overwrite": False} if "overwrite" in known else None


def list_protocols(fs: Any) -> set[str]:
    """Return the names of a store in URLs."""
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def write_under_condition(fs: Any, name: str, content: bytes, condition: dict[str, Any]) -> bool:
    """Write an object under a condition; return whether the store says that this request wrote it.

    If the answer to a request is lost, its repetition is refused: then the content tells whose the object is.
    """
    try:
        fs.pipe_file(name, content, **condition)
    except FileExistsError:
        return False
    except OSError as error:
        response = getattr(error.__cause__, "response", None) or {}
        if response.get("Error", {}).get("Code") in REFUSAL_CODES:
            return False
        raise
    return True


def replace_object(fs: Any, name: str, content: bytes, create: dict[str, Any], verify: Callable[[], None]) -> None:
    """Write an object over the version that stands there, or create it if there is none.

    The version is read before the lease is looked at. So if another writer takes the run over and writes the object
    anew, the request names a version that is gone, however late it arrives.

    Args:
        fs: the store.
        name: the object.
        content: its new content, which holds something of its writer.
        create: the options of `find_exclusive_options`.
        verify: raises if the writer has lost its lease.

    Raises:
        RunError: others keep replacing the object, or what `verify` raises.
    """
    for _ in range(REPLACE_TRIES):
        condition = build_condition(fs, name, len(content), create)
        verify()
        if write_under_condition(fs, name, content, condition):
            return
    raise RunError(f"{name} was replaced by another process again and again; let one process write the run at a time.")


def build_condition(fs: Any, name: str, size: int, create: dict[str, Any]) -> dict[str, Any]:
    """Return the options with which a store replaces an object as it is now, or creates it, and refuses otherwise.

    Args:
        fs: the store.
        name: the object.
        size: the bytes to be written, which go in one request, because only that can name a version.
        create: the options of `find_exclusive_options`.
    """
    if not list_protocols(fs) & VERSION_PROTOCOLS:
        return {} if fs.exists(name) else create
    try:
        version = fs.info(name, refresh=True)["ETag"]
    except FileNotFoundError:
        return create
    return {"IfMatch": version, "chunksize": max(size, 1)}
