"""Locks that admit one writer to a run, and detect that the run was moved or deleted.

On a local disk the operating system holds the lock and releases it when the process ends. Object stores have no locks.
If a store can refuse to overwrite an object, the writer holds a lease there (`isocompute.runners.storage.leases`);
otherwise the run is unguarded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from isocompute.errors import RunError
from isocompute.runners.storage.conditional_writes import find_exclusive_options
from isocompute.runners.storage.files import StorePath
from isocompute.runners.storage.leases import LOCK_FILE, hold_lease

LOCK_FILE_PATTERN = re.compile(rf"{re.escape(LOCK_FILE)}(?:-[\w-]+)?")
"""Names of the objects and files that lock a run."""


class RunLock(Protocol):
    """The lock that a process holds while it writes a run."""

    is_guarded: bool
    """True if a second writer is kept out."""
    has_predecessor: bool
    """True if a writer before this one did not end orderly, so that its last request may still arrive."""
    write_failed: bool
    """Set to True if it is unknown whether a request of this writer arrived."""

    def verify(self) -> None:
        """Raise unless the run is still locked by this process.

        Raises:
            RunError: the run was moved or deleted, or another process took it.
        """
        ...


@contextmanager
def lock_run(place: StorePath, path: str) -> Iterator[RunLock]:
    """Lock a run for one writing process.

    Args:
        place: the run's folder.
        path: its name, for errors.

    Raises:
        RunError: another process is writing the run.
        OSError: the folder cannot be written.
    """
    if place.local:
        with _lock_folder(place.root, path) as folder:
            yield folder
    elif (create := find_exclusive_options(place.fs)) is None:
        yield UnguardedLock()
    else:
        with hold_lease(place, path, create) as lease:
            yield lease


@dataclass
class UnguardedLock:
    """The lock of a run in a store that cannot keep a second writer out."""

    is_guarded: bool = False
    has_predecessor: bool = False
    write_failed: bool = False

    def verify(self) -> None:
        """Do nothing, because nothing can be checked."""


@dataclass
class FolderLock:
    """The lock of a run on a local disk: an open file, locked by the operating system."""

    file: int
    name: str
    path: str
    is_guarded: bool = True
    has_predecessor: bool = False
    write_failed: bool = False

    def verify(self) -> None:
        """Raise unless the locked file is still the one at the run's path."""
        try:
            same = os.path.samestat(os.fstat(self.file), os.stat(self.name))
        except OSError:
            same = False
        if not same:
            raise RunError(
                f"The run at '{self.path}' was moved or deleted while it was being written; put it back and sweep "
                "again. What was written before is intact."
            )


@contextmanager
def _lock_folder(root: str, path: str) -> Iterator[FolderLock]:
    import fcntl

    name = os.path.join(root, LOCK_FILE)
    os.makedirs(root, exist_ok=True)
    file = os.open(name, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | os.O_NONBLOCK, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"Another process is writing the run at '{path}'; wait for it, or stop it.") from None
        except OSError as error:
            raise RunError(f"The run at '{path}' cannot be locked: {error.strerror}.") from None
        yield FolderLock(file, name, path)
    finally:
        os.close(file)
