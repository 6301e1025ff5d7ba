"""Access to files on local disks and in object stores through fsspec, with writes that are whole or not at all.

fsspec is imported only for URLs, because `plan` reads a local profile and must start quickly.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from isocompute.errors import DataError, RunError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MISSPELT_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?:/(?!/)|\\)")
"""The start of a URL with wrong slashes. As a path it would be an odd local folder, such as ``s3:``."""


MANIFEST_FILE = "manifest.json"
"""Name of the manifest; a folder with this file is a run."""


@dataclass(frozen=True)
class StorePath:
    """A path in a store.

    Args:
        fs: the store's file system.
        root: the path in it.
        local: whether the store is a local disk.
    """

    fs: AbstractFileSystem
    root: str
    local: bool


def locate_store(path: str, what: str = "The file") -> StorePath:
    """Return the store and the path in it that a path or URL names.

    A folder of another store (``dir::…``) resolves to the other store, so that it is locked and written like that one.

    Args:
        path: a path or URL.
        what: what the path is, for errors.

    Raises:
        RunError: the store is unknown, its package is missing, or the URL is misspelt.
    """
    import fsspec
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem

    if misspelt := MISSPELT_URL.match(path):
        store = misspelt[0][:-1]
        raise RunError(f"'{path}' is neither a path nor a URL: write {store}//… with two slashes for a store.")
    try:
        fs, root = fsspec.core.url_to_fs(path)
    except Exception as error:  # each store has its own error classes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"{what} '{path}' cannot be reached: {reason.rstrip('.')}.") from error
    while isinstance(fs, DirFileSystem):
        fs, root = fs.fs, f"{fs.path}/{root.lstrip('/')}".rstrip("/")
    if (listings := getattr(fs, "dircache", None)) is not None:
        listings.use_listings_cache = False  # a run may be written by another process
        listings.clear()
    return StorePath(fs, root, isinstance(fs, LocalFileSystem))


def is_in_memory(fs: Any) -> bool:
    """Return whether a store is the memory of this process, directly or behind a cache."""
    while hasattr(fs, "fs"):
        fs = fs.fs
    protocol = getattr(fs, "protocol", ())
    return "memory" in ((protocol,) if isinstance(protocol, str) else protocol)


def refuse_memory_path(path: str) -> None:
    """Raise if a path is in this process's memory, which is lost when the command ends.

    Raises:
        RunError: the path is in memory, or as `locate_store`.
    """
    if "://" in path and is_in_memory(locate_store(path).fs):
        raise RunError(f"'{path}' is in memory and is lost when the command ends; name a folder or an object store.")


@contextmanager
def translate_store_errors(path: str) -> Iterator[None]:
    """Turn any error of a store into DataError; FileNotFoundError is passed on.

    Raises:
        DataError: the store does not answer, or cannot do the operation.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # each store has its own error classes
        raise DataError(f"'{path}' cannot be reached: {describe_store_error(error)}.") from error


def describe_store_error(error: Exception) -> str:
    """Return what a disk or store says is wrong, in one line without a full stop.

    >>> describe_store_error(PermissionError(13, "Permission denied")), describe_store_error(TimeoutError())
    ('Permission denied', 'TimeoutError')
    """
    reason = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    return reason.splitlines()[0].rstrip(".")


def replace_file(path: str, content: bytes, temporary: str) -> None:
    """Write a local file whole or not at all.

    Args:
        path: the file; if it is a link, the link is replaced and its target is unchanged.
        content: the bytes.
        temporary: an unused name in the same folder; it is gone afterwards in every case.

    Raises:
        OSError: the file cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # a leftover would keep a full disk full
            os.remove(temporary)
        raise


def read_file(path: str) -> bytes:
    """Return the content of a file.

    Args:
        path: a local path or a URL.

    Raises:
        OSError: a local file cannot be read.
        DataError: a store does not answer.
        RunError: as `locate_store`.
    """
    if "://" not in path:
        with open(path, "rb") as file:
            return file.read()
    place = locate_store(path)
    with translate_store_errors(path):
        return bytes(place.fs.cat_file(place.root))


def check_output_path(path: str) -> None:
    """Raise unless a result may be written to a path; called before the work whose result goes there.

    Raises:
        DataError: the path is a folder, or a file of a run.
        RunError: it is in memory, or as `locate_store`.
    """
    from isocompute.runners.storage.schema import TABLES

    refuse_memory_path(path)
    place = locate_store(path)
    file = PurePosixPath(place.root)
    table, run = file.parent, file.parent.parent
    with translate_store_errors(path):
        is_folder = path.endswith(("/", os.sep)) or place.fs.isdir(place.root)
        in_run = file.name == MANIFEST_FILE or (table.name in TABLES and place.fs.exists(str(run / MANIFEST_FILE)))
    if is_folder:
        raise DataError(f"'{path}' is a folder; name a file in it.")
    if in_run:
        raise DataError(
            f"'{path}' belongs to a run, which only sweeps, regrades and repairs may change; name another file."
        )


def write_output(path: str, content: bytes) -> None:
    """Write a result whole or not at all, on a local disk or in a store.

    Raises:
        DataError: it cannot be written.
        RunError: as `locate_store`.
    """
    place = locate_store(path)
    try:
        if place.local:
            folder, name = os.path.split(place.root)
            os.makedirs(folder or ".", exist_ok=True)
            replace_file(place.root, content, os.path.join(folder, f".{name}.{secrets.token_hex(4)}.tmp"))
        else:
            with translate_store_errors(path):
                place.fs.makedirs(str(PurePosixPath(place.root).parent), exist_ok=True)
                place.fs.pipe_file(place.root, content)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "its store cannot be written to"
        raise DataError(f"'{path}' cannot be written: {reason.rstrip('.')}.") from None


def describe_place(path: str) -> str:
    """Return a run's place in words.

    >>> describe_place("runs/mine"), describe_place("memory://isocompute-frames/49ed10a6956ff384/frame")
    ("at 'runs/mine'", "'frame' in memory")
    """
    return f"'{path.rpartition('/')[2]}' in memory" if path.startswith("memory://") else f"at '{path}'"
