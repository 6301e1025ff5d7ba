"""Leases: which process may write a run in an object store.

A store has no locks that end with their process, so a writer holds a lease that runs out unless it is renewed. The only
thing that is asked of a store is that it can refuse, in the writing request itself, to overwrite an object; fsspec
offers this for S3, Google Cloud and Azure, whereas replacing one version of an object only (``If-Match``) it offers
for S3 alone. Therefore nobody ever writes over another's lease:

- Leases are numbered. Number 0 is the object ``.lock``, number n is ``.lock-n``. The run is held by the highest number.
- A writer that finds no lease, or only ones that ran out, creates the next number. Of several that try, the store lets
  one through. The winner lists the leases again, gives way if another is in force, and removes the old ones.
- The holder's thread renews the lease by writing its own object again. Before each part, the holder lists the leases.
  It stops if a higher one exists, if its own is gone, or if its own clock says that it could not renew in time.

Clocks of machines differ, so no two are compared. Whether a lease ran out is read from the store's own times alone:
the time of its last renewal, against that of an object that is written for the purpose. The holder counts from before
its last renewal, on a clock that goes on while the machine sleeps; so it stops before others may begin.

A request of a writer that lost its lease may still arrive late. `isocompute.runners.storage.run` makes late parts void,
and has the objects that are replaced written anew, so that a late request finds another version than the one that it
names (`conditional_writes`).
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from typing import Any
from uuid import getnode

from isocompute.errors import RunError
from isocompute.runners.storage.conditional_writes import replace_object, write_under_condition
from isocompute.runners.storage.files import StorePath

LOCK_FILE = ".lock"

MAX_LEASE_BYTES = 2**16
"""Bytes of a lease that are read."""

LEASE_SECONDS = 60.0
"""Seconds without a renewal after which a lease may be taken over."""


@dataclass(frozen=True)
class Lease:
    """A lease that stands in a store.

    Args:
        name: its object.
        number: the higher one of two holds the run.
        writer: a token of the writer; empty if the object cannot be read.
        machine: where the writer runs.
        process: its process.
        seconds: after how many seconds it runs out; None if never.
    """

    name: str
    number: int
    writer: str = ""
    machine: str = ""
    process: int = 0
    seconds: float | None = None

    @property
    def is_abandoned(self) -> bool:
        """True if its writer was a process of this machine, which has ended."""
        return self.machine == identify_machine() and not is_process_running(self.process)


@dataclass
class HeldLease:
    """The lease that this process holds.

    Args:
        fs: the store.
        root: the run's folder.
        path: the run, for errors.
        lease: the lease.
        create: the options of `find_exclusive_options`.
        is_guarded: False if the store overwrites objects all the same.
        has_predecessor: True if another writer's lease ran out, whose last request may still arrive.
        write_failed: True if it is unknown whether a request of this writer arrived.
    """

    fs: Any
    root: str
    path: str
    lease: Lease
    create: dict[str, Any]
    is_guarded: bool = True
    has_predecessor: bool = False
    write_failed: bool = False
    valid_until: float = 0.0
    _ended: Event = field(default_factory=Event)

    def verify(self) -> None:
        """Raise unless this process still holds the lease."""
        leases = list_leases(self.fs, self.root) if read_clock() < self.valid_until else []
        if max(leases, key=lambda one: one.number, default=None) != self.lease:
            raise RunError(
                f"The run at '{self.path}' was moved or deleted, or locked by another process, while it was being "
                "written, or its lock could not be renewed in time. What was written before is intact; run the same "
                "command again to continue."
            )

    def replace_object(self, name: str, content: bytes) -> None:
        """Write an object of the run that replaces a former version, unless the run was taken over.

        Raises:
            RunError: it was, or others keep replacing the object.
        """
        if self.is_guarded:
            replace_object(self.fs, name, content, self.create, self.verify)
        else:
            self.fs.pipe_file(name, content)

    def write(self, seconds: float) -> None:
        """Write the lease's object, and count its time from before."""
        before = read_clock()
        self.fs.pipe_file(self.lease.name, encode_lease(self.lease, seconds))
        self.valid_until = before + seconds

    def keep_renewed(self) -> None:
        """Renew the lease until it ends, four times in its time; a failed renewal is tried again."""
        seconds = self.lease.seconds or LEASE_SECONDS
        while not self._ended.wait(seconds / 4):
            with suppress(Exception):  # each store has its own errors; what matters is that time runs out
                self.verify()
                self.write(seconds)

    def release_lease(self, renewal: Thread) -> None:
        """Stop renewing, and give the lease back; one with a request under way is left, as run out."""
        self._ended.set()
        renewal.join(self.lease.seconds)
        with suppress(Exception):  # it runs out by itself
            if self.lease in list_leases(self.fs, self.root):
                if self.write_failed:
                    self.write(0.0)
                else:
                    self.fs.rm_file(self.lease.name)


class LeaseInForceError(RunError):
    """A lease that another process holds."""


@contextmanager
def hold_lease(
    place: StorePath, path: str, create: dict[str, Any], succeed: Callable[[Lease], None] | None = None
) -> Iterator[HeldLease]:
    """Hold the lease of a run in a store.

    Args:
        place: the run's folder.
        path: the run, for errors.
        create: the options of `find_exclusive_options`.
        succeed: called with each lease that ran out, before it is removed.

    Raises:
        LeaseInForceError: another process holds it.
    """
    fs, root = place.fs, place.root
    fs.makedirs(root, exist_ok=True)
    former = list_leases(fs, root)
    for lease in former:
        refuse_lease_in_force(fs, root, path, lease)
    number = max((lease.number for lease in former), default=-1) + 1
    own = Lease(
        posixpath.join(root, f"{LOCK_FILE}-{number}" if number else LOCK_FILE),
        number, token_hex(8), identify_machine(), os.getpid(), LEASE_SECONDS,
    )  # fmt: skip
    held = HeldLease(
        fs, root, path, own, create, has_predecessor=bool(former), valid_until=read_clock() + LEASE_SECONDS
    )
    if not write_under_condition(fs, own.name, encode_lease(own, LEASE_SECONDS), create) and own not in list_leases(
        fs, root
    ):
        raise LeaseInForceError(f"Another process is writing the run at '{path}'; wait for it, or stop it.")
    renewal = Thread(target=held.keep_renewed, name="renewal of a lease", daemon=True)
    renewal.start()
    try:
        for lease in list_leases(fs, root):
            if lease.number > number or lease not in (own, *former):  # of a writer that began meanwhile
                raise LeaseInForceError(f"Another process is writing the run at '{path}'; wait for it, or stop it.")
        # create again: some stores of these protocols overwrite all the same
        held.is_guarded = not write_under_condition(fs, own.name, encode_lease(own, LEASE_SECONDS), create)
        for lease in former:
            if succeed is not None:
                succeed(lease)
            with suppress(FileNotFoundError):
                fs.rm_file(lease.name)
        yield held
    finally:
        held.release_lease(renewal)


def list_leases(fs: Any, root: str) -> list[Lease]:
    """Return the leases of a run, as the store has them now."""
    fs.invalidate_cache(root)
    try:
        files = fs.ls(root, detail=True)
    except FileNotFoundError:
        return []
    leases = []
    for path, size in ((file["name"].rstrip("/"), file["size"]) for file in files):
        if found := re.fullmatch(rf"{re.escape(LOCK_FILE)}(?:-(\d+))?", posixpath.basename(path)):
            with suppress(FileNotFoundError):  # given back meanwhile
                content = fs.cat_file(path, start=0, end=min(size, MAX_LEASE_BYTES)) if size else b""
                leases.append(decode_lease(path, int(found[1] or 0), content))
    return leases


def encode_lease(lease: Lease, seconds: float) -> bytes:
    """Return the content of a lease's object; its ``expires`` is for people, by the writer's clock."""
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    content = {"writer": lease.writer, "machine": lease.machine, "process": lease.process, "seconds": seconds}
    return json.dumps({**content, "expires": expires.isoformat(timespec="seconds")}).encode()


def decode_lease(name: str, number: int, content: bytes) -> Lease:
    """Return the lease in an object; one that cannot be read, or has no ``seconds``, never runs out."""
    try:
        read = json.loads(content)
        seconds = read.get("seconds")
        lease = Lease(name, number, str(read.get("writer", "")), str(read["machine"]), int(read["process"]))
        return lease if seconds is None else Lease(**{**vars(lease), "seconds": float(seconds)})
    except (ValueError, TypeError, KeyError, AttributeError):
        return Lease(name, number)


def refuse_lease_in_force(fs: Any, root: str, path: str, lease: Lease) -> None:
    """Raise unless a lease ran out, or its writer was a process of this machine that has ended.

    Raises:
        LeaseInForceError: it is in force.
    """
    if lease.is_abandoned or (lease.seconds is not None and measure_age(fs, root, lease) >= lease.seconds):
        return
    own = lease.machine == identify_machine()
    whose = f"process {lease.process} of this machine" if own else "another machine"
    remedy = (
        f"If it has ended, delete {lease.name} from the store."
        if lease.seconds is None
        else f"If it has ended, its lock runs out within {lease.seconds + 1:.0f} seconds."
    )
    raise LeaseInForceError(
        f"The run at '{path}' is locked by {whose}, according to its {posixpath.basename(lease.name)}; wait for that "
        f"process, or stop it. {remedy}"
    )


def measure_age(fs: Any, root: str, lease: Lease) -> float:
    """Return the full seconds since a lease was renewed, by the store's own clock; -1 if it is gone or unknown.

    Stores round their times to seconds, so one is taken off.
    """
    if lease.seconds == 0:
        return 0.0
    probe = posixpath.join(root, f"{LOCK_FILE}-time-{token_hex(8)}")
    try:
        fs.pipe_file(probe, b"")
        fs.invalidate_cache(root)
        age = (fs.modified(probe) - fs.modified(lease.name)).total_seconds()
        return float(age) - 1.0
    except (FileNotFoundError, NotImplementedError):
        return -1.0
    finally:
        with suppress(FileNotFoundError):
            fs.rm_file(probe)


def read_clock() -> float:
    """Return the seconds of a clock that is never set, and goes on while the machine sleeps if the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


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
