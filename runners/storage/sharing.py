"""Sharing of a run on a disk among several writers, each of which holds the lease of a part of the problems.

    RUN/.lock                                   locked by the operating system: shared by shards, else by one writer
    RUN/.lock-shards/00003-of-00008/.lock-1     the lease of a part of the problems, see `leases`
    RUN/.lock-shards/00003-of-00008/done-…      that part is finished, for one configuration

A lease is a file that is renewed, because the machines of a cluster may not see each other's locks. Its holder's parts
carry the lease's token in their names. Who takes over a lease that ran out first says, in every table, from which part
on its former holder is not read (`part_names`), and only then reads which rows there are. So a writer that was taken
for dead and goes on changes nothing: at most one of its writes per table passed the check of its lease before, and that
one is either there when its parts are listed, or never read.
"""

from __future__ import annotations

import fcntl
import json
import os
import posixpath
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from isocompute.errors import RunError
from isocompute.runners.documents import parse_json_document
from isocompute.runners.storage.files import StorePath, read_object
from isocompute.runners.storage.leases import LOCK_FILE, HeldLease, hold_lease, list_leases
from isocompute.runners.storage.locking import FolderLock
from isocompute.runners.storage.part_names import find_next_number, name_closing
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import TABLES

SHARDS_FOLDER = f"{LOCK_FILE}-shards"

BEGIN_SECONDS = 300.0
"""Seconds that a shard waits for another process to begin the run."""

LeaseSign = tuple[tuple[str, float], ...]
"""The writers of a part's leases and when they renewed them."""


class SharedDisk(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A disk on which a small file appears whole or not at all, and may be refused if it is there, as in a store."""

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        """Write a file; with the mode ``create`` only if there is none.

        Raises:
            FileExistsError: there is one.
        """
        temporary = posixpath.join(posixpath.dirname(posixpath.dirname(path)), f"{token_hex(8)}.tmp")
        try:
            with open(temporary, "xb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            if mode == "create":
                os.link(temporary, path)
            else:
                os.replace(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                os.remove(temporary)

    def ls(self, path: str, detail: bool = False, **options: Any) -> list[Any]:
        """List a folder; files that go while it is listed are left out."""
        found = []
        for name in os.listdir(path):
            with suppress(FileNotFoundError):
                file = posixpath.join(path, name)
                found.append({"name": file, "size": os.stat(file).st_size, "type": "file"})
        return found if detail else [file["name"] for file in found]


@dataclass
class SharedLock:
    """The lock of a run that is shared with others, and the lease of the part that this process writes."""

    folder: FolderLock
    lease: HeldLease | None = None
    is_guarded: bool = True
    has_predecessor: bool = False
    write_failed: bool = False

    def verify(self) -> None:
        """Raise unless the run is still in its place, and the lease still held."""
        self.folder.verify()
        if self.lease is not None:
            self.lease.verify()


@contextmanager
def share_run(run: Run, begin: Callable[[], None]) -> Iterator[SharedLock]:
    """Lock a run for writing together with other shards.

    Args:
        run: the run.
        begin: what the first of them does while nobody else writes, such as writing the manifest.

    Raises:
        RunError: the run is in an object store, or another process is writing it alone.
    """
    if not run.local:
        raise RunError(f"The run at '{run.path}' is in an object store; shards need a run on a disk that they share.")
    name = os.path.join(run.root, LOCK_FILE)
    try:
        os.makedirs(run.root, exist_ok=True)
        file = os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | os.O_NONBLOCK, 0o666)
    except OSError as error:
        raise RunError(f"The run at '{run.path}' cannot be locked: {error.strerror}.") from None
    try:
        lock = SharedLock(FolderLock(file, name, run.path))
        ends, begun = time.monotonic() + BEGIN_SECONDS, False
        while True:
            if not begun and try_lock(file, fcntl.LOCK_EX, run.path):
                with run.hold_lock(lock):
                    run.remove_temporaries()
                    begin()
                begun = True
            if try_lock(file, fcntl.LOCK_SH, run.path):
                if run.exists:
                    break
                fcntl.flock(file, fcntl.LOCK_UN)  # who was to begin it failed
            if time.monotonic() > ends:
                raise RunError(f"Another process is writing the run at '{run.path}' alone; wait for it, or stop it.")
            time.sleep(0.1)
        with run.hold_lock(lock):
            yield lock
    finally:
        os.close(file)


def try_lock(file: int, kind: int, path: str) -> bool:
    """Return whether the operating system gave a lock of a file that nobody else holds.

    Raises:
        RunError: the disk has no locks.
    """
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise RunError(f"The run at '{path}' cannot be locked: {error.strerror}.") from None
    return True


@dataclass(frozen=True)
class RunPart:
    """A part of a run's problems, for which one process at a time has the lease.

    Args:
        run: the run.
        number: the number of the part, from 0.
        count: into how many parts the problems are divided.
    """

    run: Run
    number: int
    count: int

    @property
    def place(self) -> StorePath:
        """The folder of its lease."""
        folder = f"{self.number + 1:05d}-of-{self.count:05d}"
        return StorePath(SharedDisk(), posixpath.join(self.run.root, SHARDS_FOLDER, folder), True)

    @contextmanager
    def hold(self, lock: SharedLock) -> Iterator[None]:
        """Hold the lease while the block writes rows of the part's problems.

        Raises:
            LeaseInForceError: another process holds it.
        """
        with hold_folder(self.run, self.place) as lease:
            lock.lease, self.run.writer = lease, lease.lease.writer
            try:
                yield
            finally:
                lock.lease, self.run.writer = None, ""

    def read_sign(self) -> LeaseSign:
        """Return the writers of its leases, and when they renewed them; a holder that is alive changes it."""
        place = self.place
        signs = []
        for lease in list_leases(place.fs, place.root):
            with suppress(FileNotFoundError):
                signs.append((lease.writer, place.fs.modified(lease.name).timestamp()))
        return tuple(sorted(signs))

    def is_finished(self, work: str) -> bool:
        """Return whether the part was finished; ``work`` is a digest of what was to be done."""
        return os.path.exists(posixpath.join(self.place.root, f"done-{work}"))

    def mark_finished(self, work: str) -> None:
        """Write down that the part is finished."""
        self.run.verify_lock()
        self.place.fs.pipe_file(posixpath.join(self.place.root, f"done-{work}"), b"")

    def clear_marks(self) -> None:
        """Remove what says that the part is finished, because it is being sampled again."""
        for path in self.place.fs.ls(self.place.root):
            if posixpath.basename(path).startswith("done-"):
                os.remove(path)


@contextmanager
def hold_folder(run: Run, place: StorePath) -> Iterator[HeldLease]:
    """Hold the lease in a folder; parts that its former holders may still write are made void."""
    with hold_lease(place, run.path, {"mode": "create"}, lambda lease: close_writer(run, place, lease.writer)) as lease:
        yield lease


def close_writer(run: Run, place: StorePath, writer: str) -> None:
    """Make void what a writer that lost its lease may still write; what it has written so far is kept.

    Of several processes that do so, the first decides from which part of each table on; all say the same.

    Args:
        run: the run.
        place: the folder of the lease.
        writer: the token in the names of its parts.
    """
    numbers = {
        table.name: find_next_number(path for path in run.list_files(table) if f"-{writer}." in path)
        for table in TABLES.values()
    }
    decision = posixpath.join(place.root, f"closed-{writer}")
    with suppress(FileExistsError):
        place.fs.pipe_file(decision, json.dumps(numbers).encode(), mode="create")
    decided = parse_json_document(read_object(place.fs, decision), decision)
    for table in TABLES.values():
        run.write_marker(table, name_closing(decided[table.name], writer))


def stop_other_divisions(run: Run, count: int) -> None:
    """Take over what shards of another number of parts left, so that none of them goes on.

    Raises:
        LeaseInForceError: one of them is at work.
    """
    disk, root = SharedDisk(), posixpath.join(run.root, SHARDS_FOLDER)
    for path in disk.ls(root) if os.path.isdir(root) else ():
        if os.path.isdir(path) and not path.endswith(f"-of-{count:05d}") and list_leases(disk, path):
            with hold_folder(run, StorePath(disk, path, True)):
                pass  # its former holders are shut out now
