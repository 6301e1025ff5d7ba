"""Locks that admit one writer to a run, and detect that the run was moved or deleted.

On a local disk the operating system holds the lock and releases it when the process ends. Object stores have no locks.
If a store can refuse to overwrite an object, the object ``.lock`` names the writer; otherwise the run is unguarded.
"""

from __future__ import annotations

import inspect
import json
import os
import posixpath
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol
from uuid import getnode

from isocompute.errors import RunError
from isocompute.runners.storage.files import StorePath

LOCK_FILE = ".lock"

CONDITIONAL_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}
"""Protocols of stores that can refuse, in the writing request itself, to overwrite an object."""


class RunLock(Protocol):
    """The lock that a process holds while it writes a run."""

    is_guarded: bool
    """True if a second writer is kept out."""

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
    elif (create := _find_exclusive_options(place.fs)) is None:
        yield UnguardedLock()
    else:
        with _lock_object(place, path, create) as lock:
            yield lock


@dataclass
class UnguardedLock:
    """The lock of a run in a store that cannot keep a second writer out."""

    is_guarded: bool = False

    def verify(self) -> None:
        """Do nothing, because nothing can be checked."""


@dataclass
class FolderLock:
    """The lock of a run on a local disk: an open file, locked by the operating system."""

    file: int
    name: str
    path: str
    is_guarded: bool = True

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


@dataclass
class ObjectLock:
    """The lock of a run in a store: an object that names the writer."""

    fs: Any
    name: str
    path: str
    content: bytes
    is_guarded: bool = True

    def verify(self) -> None:
        """Raise unless the object is still the one that this process wrote."""
        try:
            same = self.fs.cat_file(self.name) == self.content
        except FileNotFoundError:
            same = False
        if not same:
            raise RunError(
                f"The run at '{self.path}' was moved or deleted, or locked by another process, while it was being "
                "written. What was written before is intact; run the same command again to continue."
            )


@contextmanager
def _lock_object(place: StorePath, path: str, create: dict[str, Any]) -> Iterator[RunLock]:
    fs, name = place.fs, posixpath.join(place.root, LOCK_FILE)
    content = json.dumps({"writer": token_hex(8), "machine": identify_machine(), "process": os.getpid()}).encode()
    fs.makedirs(place.root, exist_ok=True)
    try:
        fs.pipe_file(name, content, **create)
    except FileExistsError:
        _remove_dead_lock(fs, name, path)
        try:
            fs.pipe_file(name, content, **create)
        except FileExistsError:
            raise RunError(f"Another process is writing the run at '{path}'; wait for it, or stop it.") from None
    lock = ObjectLock(fs, name, path, content)
    try:
        try:  # write again: some stores of these protocols overwrite all the same
            fs.pipe_file(name, content, **create)
            lock.is_guarded = False
        except FileExistsError:
            pass
        yield lock
    finally:
        with suppress(OSError):
            if fs.cat_file(name) == content:
                fs.rm_file(name)


def _remove_dead_lock(fs: Any, name: str, path: str) -> None:
    """Remove the lock of a process of this machine that has ended.

    Raises:
        RunError: the process is running, or is on another machine.
    """
    try:
        writer = json.loads(fs.cat_file(name))
        own, process = writer["machine"] == identify_machine(), int(writer["process"])
    except FileNotFoundError:
        return  # the other process has just ended
    except (ValueError, TypeError, KeyError):
        own, process = False, 0
    if own and not is_process_running(process):
        fs.rm_file(name)
        return
    whose = f"process {process} of this machine" if own else "another machine"
    raise RunError(
        f"The run at '{path}' is locked by {whose}, according to its {LOCK_FILE}; wait for that process, or stop it. "
        f"If it has ended, delete {name} from the store."
    )


def _find_exclusive_options(fs: Any) -> dict[str, Any] | None:
    """Return the options that make a store's ``pipe_file`` refuse to overwrite; None if it cannot."""
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    write = getattr(type(fs), "_pipe_file", None) or type(fs).pipe_file
    known = inspect.signature(write).parameters
    if not protocols & CONDITIONAL_PROTOCOLS:
        return None
    return {"mode": "create"} if "mode" in known else {"overwrite": False} if "overwrite" in known else None


def identify_machine() -> str:
    """Return an identifier of this machine or container, whose processes can see each other."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(parts) if len(parts) > 1 else f"{parts[0]} {getnode():x}"


def is_process_running(process: int) -> bool:
    """Return whether a process of this machine is running."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
