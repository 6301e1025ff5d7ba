"""The folder of a run, on a disk or in a store: its files are read and written, and errors become sentences."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import pyarrow as pa

from isocompute.errors import IsocomputeError, RunError
from isocompute.runners.storage.files import (
    MANIFEST_FILE,
    describe_store_error,
    locate_store,
    read_object,
    replace_file,
)
from isocompute.runners.storage.leases import HeldLease
from isocompute.runners.storage.locking import LOCK_FILE_PATTERN, RunLock
from isocompute.runners.storage.part_names import (
    PART_FILE_PATTERN,
)
from isocompute.runners.storage.schema import TABLES

MAX_KEPT_BYTES = 2**30
"""The largest file that an engine keeps in a run."""

TEMPORARY_FILE_PATTERN = re.compile(
    r"(?:part-\d+(?:-[0-9a-f]+)?\.parquet|parts-\d+-\d+-[0-9a-f]+\.parquet|manifest\.json)\.\d+\.tmp"
)
"""Names of unfinished files of a run: the final name, followed by the number of the writing process."""


class GonePartError(RunError):
    """A part was listed, and is gone: its rows are in a joined part now, if the run is whole."""


ReadResult = TypeVar("ReadResult")


def retry_gone_parts(read: Callable[[], ReadResult]) -> ReadResult:
    """Return what a function reads that lists parts; it begins anew if a part is gone, because parts were joined.

    Raises:
        GonePartError: it was gone four times.
    """
    for _ in range(3):
        with suppress(GonePartError):
            return read()
    return read()


class RunFolder:
    """The files of a run, whatever they hold.

    Args:
        path: the folder; ``runs/lab`` or ``s3://bucket/runs/lab``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        short = str(path).rstrip("/")
        self.path = str(path) if short.endswith(":") or not short else short  # '/' and 's3://' keep their slash
        self.place = locate_store(self.path, "The run")
        self.fs, self.root, self.local = self.place.fs, self.place.root, self.place.local
        self.held: RunLock | None = None
        """The lock of the run; None unless this process holds it."""
        self.writer = ""
        """A token in the names of the parts that this process writes, if others write the run too."""
        self._sizes: dict[str, int] = {}
        """The bytes of the parts that a store listed."""
        self._made_folders: set[str] = set()

    @property
    def exists(self) -> bool:
        """True if the folder has a manifest."""
        path = posixpath.join(self.root, MANIFEST_FILE)
        with self._translate_read_errors(path):
            return bool(self.fs.exists(path))

    @property
    def is_folder(self) -> bool:
        """True if there is a folder, whatever it holds."""
        with self._translate_read_errors(self.root):
            return bool(self.fs.isdir(self.root))

    def find_foreign_file(self) -> str | None:
        """Return the path of a file or folder that does not belong to a run; None if there is no such path."""
        for path in self._list_folder(self.root):
            name = posixpath.basename(path)
            if name in TABLES and self.fs.isdir(path):
                if foreign := [
                    p for p in self._list_folder(path) if not PART_FILE_PATTERN.search(p) and not self._is_temporary(p)
                ]:
                    return foreign[0]
            elif not (name == MANIFEST_FILE or LOCK_FILE_PATTERN.fullmatch(name) or self._is_temporary(path)):
                return path
        return None

    def _list_folder(self, folder: str) -> list[str]:
        """Return the paths in a folder; empty if the folder does not exist."""
        with self._translate_read_errors(folder):
            return sorted(self.fs.ls(folder, detail=False)) if self.fs.isdir(folder) else []

    def _is_temporary(self, path: str) -> bool:
        """Return whether a path is an unfinished file of this run."""
        folder, name = posixpath.split(path)
        root = self.root.rstrip("/")
        in_run_folder = folder == root
        in_table_folder = posixpath.basename(folder) in TABLES and posixpath.dirname(folder) == root
        in_place = in_run_folder if name.startswith(MANIFEST_FILE) else in_table_folder
        return TEMPORARY_FILE_PATTERN.fullmatch(name) is not None and in_place

    def read_kept_files(self, folder: str) -> dict[str, bytes]:
        """Return the content of the files in a folder that is no table, by path; empty if there is no such folder."""
        paths = self._list_folder(posixpath.join(self.root, folder))
        with self._translate_read_errors(folder):
            return {path: read_object(self.fs, path, MAX_KEPT_BYTES) for path in paths if not path.endswith(".tmp")}

    def write_kept_file(self, folder: str, name: str, content: bytes) -> None:
        """Write a file into a folder that is no table, whole or not at all."""
        self._put_file(posixpath.join(self.root, folder, name), content, replaces=True)

    def verify_lock(self) -> None:
        """Raise if this process locked the run and has lost the lock.

        Raises:
            RunError: the run was moved or deleted, or another process took it.
        """
        if self.held is not None:
            self.held.verify()

    @property
    def _lease(self) -> HeldLease | None:
        """The lease of a run in a store that this process holds; None of others."""
        return self.held if isinstance(self.held, HeldLease) else None

    def _put_file(self, path: str, content: bytes, replaces: bool = False) -> None:
        """Write a file whole or not at all.

        Args:
            path: the file.
            content: its bytes.
            replaces: whether the file may exist; then a store replaces the version that is there now.
        """
        with self._translate_write_errors(path):
            self.verify_lock()  # without the check, a moved folder would be created again
            folder = posixpath.dirname(path)
            if self.local or folder not in self._made_folders:
                self.fs.makedirs(folder, exist_ok=True)
                self._made_folders.add(folder)
            if self.local:
                replace_file(path, content, f"{path}.{os.getpid()}.tmp")
            else:
                try:
                    if replaces and self._lease is not None:
                        self._lease.replace_object(path, content)
                    else:
                        self.fs.pipe_file(path, content)  # stores publish an object when its upload is complete
                except BaseException:
                    if self.held is not None:
                        self.held.write_failed = True  # it may arrive all the same
                    raise

    def _name_file(self, path: str) -> str:
        """Return a file of the run as its user would name it: in a store with its URL."""
        return path if self.local else self.path + path.removeprefix(self.root)

    @contextmanager
    def _translate_read_errors(self, path: str) -> Iterator[None]:
        """Turn read errors of the disk or store into RunError.

        pyarrow raises an OSError without an errno for a damaged file; that one is passed on.
        """
        try:
            yield
        except (pa.ArrowException, UnicodeDecodeError, IsocomputeError):
            raise
        except Exception as error:  # each store has its own error classes
            if self.local and not isinstance(error, OSError):
                raise
            if type(error) is OSError and error.errno is None:
                raise
            kind = GonePartError if isinstance(error, FileNotFoundError) else RunError
            raise kind(
                f"{self._name_file(path)} cannot be read: {describe_store_error(error)}; its content may be intact, so "
                "nothing was changed."
            ) from None

    @contextmanager
    def _translate_write_errors(self, path: str) -> Iterator[None]:
        """Turn write errors of the disk or store into RunError."""
        try:
            yield
        except IsocomputeError:
            raise
        except Exception as error:  # each store has its own error classes
            if self.local and not isinstance(error, OSError):
                raise
            raise RunError(
                f"{self._name_file(path)} could not be written: {describe_store_error(error)}. What was written before "
                "is intact; run the same command again to continue."
            ) from None

    @contextmanager
    def hold_lock(self, lock: RunLock) -> Iterator[None]:
        """Write under a lock that was taken elsewhere, while the block runs."""
        self.held = lock
        try:
            yield
        finally:
            self.held = None

    def remove_temporaries(self) -> None:
        """Remove this run's unfinished files; links are neither followed nor removed."""
        folders = [self.root, *(posixpath.join(self.root, name) for name in TABLES)] if self.local else []
        folders = [folder for folder in folders if folder == self.root or not os.path.islink(folder)]
        for path in (path for folder in folders for path in self._list_folder(folder)):
            if self._is_temporary(path) and os.path.isfile(path) and not os.path.islink(path):
                with self._translate_write_errors(path):
                    os.remove(path)
