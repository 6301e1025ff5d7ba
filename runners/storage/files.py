"""Access to files on local disks and in object stores through fsspec, with writes that are whole or not at all.

fsspec is imported only for URLs, because `plan` reads a local profile and must start quickly.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from isocompute.errors import DataError, IsocomputeError, RunError
from isocompute.runners.parsing.printable import describe_reason
from isocompute.runners.urls import redact_path

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

STORES = frozenset({"file", "local", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "hf", "memory"})
"""The stores that a URL may name. fsspec knows more; some of them reach out to any host, or unpack files."""
URL_PATTERN = re.compile(r"(?P<store>[^/\\\s:]*)://")
CHAIN_PATTERN = re.compile(r"[A-Za-z0-9+._-]*::")
MAX_FILE_BYTES = 64 * 2**20
"""The largest document that is read at once, such as a profile, a grid, a price file or a manifest."""
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

    Args:
        path: a path or URL.
        what: what the path is, for errors.

    Raises:
        RunError: the store is not one of `STORES`, its package is missing, the URL is misspelt, or no file can have the
            name.
    """
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    check_store_path(path, what)
    try:
        if URL_PATTERN.match(path):
            fs, root = fsspec.core.url_to_fs(path)
        else:
            fs = LocalFileSystem()
            root = fs._strip_protocol(path)
    except Exception as error:  # each store has its own error classes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, FileNotFoundError):
            reason = "the folder in which the command runs is gone"
        raise RunError(f"{what} '{path}' cannot be reached: {reason.rstrip('.')}.") from error
    if (listings := getattr(fs, "dircache", None)) is not None:
        with suppress(AttributeError):  # a plain mapping, which keeps what it has
            listings.use_listings_cache = False  # a run may be written by another process
        listings.clear()
    return StorePath(fs, root, isinstance(fs, LocalFileSystem))


def check_store_path(path: str, what: str = "The file") -> None:
    """Raise unless a path is one of a local disk, or a URL of one of `STORES`. No store is asked.

    Raises:
        RunError: it is not; the message says what would be right.
    """
    if misspelt := MISSPELT_URL.match(path):
        store = misspelt[0][:-1]
        raise RunError(f"'{path}' is neither a path nor a URL: write {store}//… with two slashes for a store.")
    if "\0" in path:
        raise RunError(f"{what} '{path}' cannot be reached: no name on a disk holds a NUL character.")
    url = URL_PATTERN.match(path)
    is_chain = CHAIN_PATTERN.match(path) or ("://" in path and "::" in path)
    if is_chain or (url and url["store"] not in STORES):
        raise RunError(
            f"{what} '{redact_path(path)}' cannot be reached: runs and files are on a disk or in a store whose URL "
            "begins with s3://, gs://, abfs:// or hf://."
        )


def is_in_memory(fs: Any) -> bool:
    """Return whether a store is the memory of this process."""
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
    """Turn any error of a store into DataError; FileNotFoundError and errors of the family are passed on.

    Raises:
        DataError: the store does not answer, or cannot do the operation.
    """
    try:
        yield
    except (FileNotFoundError, IsocomputeError):
        raise
    except Exception as error:  # each store has its own error classes
        raise DataError(f"'{path}' cannot be reached: {describe_store_error(error)}.") from error


def describe_store_error(error: Exception) -> str:
    """Return what a disk or store says is wrong, in one line without a full stop.

    >>> describe_store_error(PermissionError(13, "Permission denied")), describe_store_error(TimeoutError())
    ('Permission denied', 'TimeoutError')
    """
    return str(getattr(error, "strerror", None) or describe_reason(error)).rstrip(".")


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


def open_regular_file(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Open a local file for reading; a link to one is followed.

    A pipe, a device or a socket is refused: reading it may wait, or go on, without end.

    Raises:
        OSError: there is no such file, it is a folder, or it cannot be opened.
        DataError: it is no file.
    """
    if "\0" in os.fspath(path):
        raise FileNotFoundError(errno.ENOENT, "No name on a disk holds a NUL character", os.fspath(path))
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise FileNotFoundError(errno.ENOENT, "No name on a disk holds half of a letter", os.fspath(path)) from None
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise DataError(f"'{path}' is {'a pipe' if stat.S_ISFIFO(mode) else 'a device'}, not a file.")


def read_file(path: str, most: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a file.

    Args:
        path: a local path or a URL.
        most: the most bytes that are read.

    Raises:
        OSError: a local file cannot be read.
        DataError: it is no file, is larger than that, or a store does not answer.
        RunError: as `locate_store`.
    """
    check_store_path(path)
    if not URL_PATTERN.match(path):
        with open_regular_file(path) as file:
            content = file.read(most + 1) or b""  # None where the system has a file without content yet
    else:
        place = locate_store(path)
        with translate_store_errors(path):
            content = read_object(place.fs, place.root, most, path)
    require_size(len(content), most, path)
    return content


def read_object(fs: Any, path: str, most: int = MAX_FILE_BYTES, name: str | None = None) -> bytes:
    """Return the content of an object of a store, whose size is asked for before anything is read.

    Args:
        fs: the store's file system.
        path: the object's path in it.
        most: the most bytes that are read.
        name: what the object is called in errors; its path if not given.

    Raises:
        DataError: it is larger.
    """
    size = fs.size(path)
    require_size(size or 0, most, name or path)
    end = most + 1 if size is None else size
    return bytes(fs.cat_file(path, start=0, end=end)) if end else b""


def require_size(size: int, most: int, path: str) -> None:
    """Raise if a file is too large to be read at once.

    Raises:
        DataError: it is; the message gives the limit.
    """
    if size > most:
        raise DataError(f"'{path}' is larger than {most:,} bytes, the most that is read of such a file.")


def has_file(path: str) -> bool:
    """Return whether there is a file or folder at a path.

    Raises:
        DataError: a store does not answer.
        RunError: as `locate_store`.
    """
    place = locate_store(path)
    with translate_store_errors(path):
        return bool(place.fs.exists(place.root))


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
