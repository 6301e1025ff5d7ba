"""Building of a run in a hidden folder that is renamed when the run is whole."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager

from isocompute.errors import RunError
from isocompute.runners.storage.files import MANIFEST_FILE
from isocompute.runners.storage.locking import LOCK_FILE
from isocompute.runners.storage.run import Run


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

    def clear_hidden_run(keep: str = "") -> None:
        paths = hidden.fs.ls(hidden.root, detail=False) if hidden.fs.exists(hidden.root) else []
        for path in paths:
            if posixpath.basename(path) != keep:
                hidden.fs.rm(path, recursive=True)
        if not keep and hidden.fs.exists(hidden.root):
            hidden.fs.rmdir(hidden.root)

    if foreign := hidden.find_foreign_file():
        raise RunError(
            f"'{foreign}' is in the way of the {work} and does not belong to a run; move it, or name another run."
        )
    with hidden.lock():
        try:
            clear_hidden_run(keep=LOCK_FILE)  # leftovers of a killed process
            yield hidden
            if target.local:
                os.rename(hidden.root, target.root)
            else:
                move_run_into_place(hidden, target)
        except OSError as error:
            clear_hidden_run()
            raise RunError(f"The run at '{target.path}' could not be written: {error.strerror or error}.") from None
        except BaseException:
            clear_hidden_run()
            raise


def move_run_into_place(begun: Run, target: Run) -> None:
    """Move a run within a store, its manifest last, because a folder without one is no run. The lock is left behind."""
    names = [posixpath.basename(path) for path in begun.fs.ls(begun.root, detail=False)]
    for name in sorted(set(names) - {LOCK_FILE}, key=lambda name: name == MANIFEST_FILE):
        begun.fs.mv(posixpath.join(begun.root, name), posixpath.join(target.root, name), recursive=True)
