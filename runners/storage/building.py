"""Runs that are not finished: built in a hidden folder that is renamed when whole, or removed if they hold no rows."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager

from isocompute.errors import EngineError, RunError
from isocompute.runners.storage.files import MANIFEST_FILE
from isocompute.runners.storage.locking import LOCK_FILE_PATTERN
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, TABLES


@contextmanager
def build_hidden_run(target: Run, work: str, mark: str) -> Iterator[Run]:
    """Yield a hidden run beside the target; it is moved to the target on success and removed on failure.

    Args:
        target: the place of the run; it must not exist yet.
        work: the operation, for errors, such as ``import``.
        mark: the end of the hidden folder's name, such as ``importing``.

    Raises:
        RunError: the target exists or cannot be written, or another process makes a run in the same place.
    """
    article = "an" if work[0] in "aeiou" else "a"
    if target.fs.exists(target.root):
        raise RunError(f"'{target.path}' exists already; {article} {work} needs a new folder.")
    folder, name = posixpath.split(target.root)
    if not (target.local or folder.strip("/")):
        raise RunError(f"'{target.path}' is the root of a store; {article} {work} needs a folder in it.")
    parent = folder if target.local else posixpath.dirname(target.path)
    hidden = Run(posixpath.join(parent, f".{name}.{mark}"))

    if foreign := hidden.find_foreign_file():
        raise RunError(
            f"'{foreign}' is in the way of the {work} and does not belong to a run; move it, or name another run."
        )
    with hidden.lock():
        try:
            clear_run_folder(hidden, keep_lock=True)  # leftovers of a killed process
            yield hidden
            if target.local:
                os.rename(hidden.root, target.root)
            else:
                move_run_into_place(hidden, target)
        except OSError as error:
            remove_run_folder(hidden)
            raise RunError(f"The run at '{target.path}' could not be written: {error.strerror or error}.") from None
        except BaseException:
            remove_run_folder(hidden)
            raise


@contextmanager
def remove_unsampled_run(run: Run) -> Iterator[None]:
    """Remove a new run if its engine fails before a row was sampled, so that only what can be resumed is left.

    Args:
        run: the run, which this process has locked. One that has a manifest already is left as it is, and so is one
            with a file of another program in its folder.
    """
    is_new = not run.exists
    try:
        yield
    except EngineError:
        sampled = any(run.list_parts(table) for table in TABLES.values() if table is not PROBLEMS_TABLE)
        if is_new and not sampled and run.find_foreign_file() is None:
            remove_run_folder(run)
        raise


def clear_run_folder(run: Run, keep_lock: bool = False) -> None:
    """Remove what is in a run's folder."""
    paths = run.fs.ls(run.root, detail=False) if run.fs.exists(run.root) else []
    for path in paths:
        if not (keep_lock and LOCK_FILE_PATTERN.fullmatch(posixpath.basename(path))):
            run.fs.rm(path, recursive=True)


def remove_run_folder(run: Run) -> None:
    """Remove a run's folder with all that is in it."""
    clear_run_folder(run)
    if run.fs.exists(run.root):
        run.fs.rmdir(run.root)


def move_run_into_place(begun: Run, target: Run) -> None:
    """Move a run within a store, its manifest last, because a folder without one is no run. The lock is left behind."""
    names = [posixpath.basename(path) for path in begun.fs.ls(begun.root, detail=False)]
    names = [name for name in names if not LOCK_FILE_PATTERN.fullmatch(name)]
    for name in sorted(names, key=lambda name: name == MANIFEST_FILE):
        begun.fs.mv(posixpath.join(begun.root, name), posixpath.join(target.root, name), recursive=True)
