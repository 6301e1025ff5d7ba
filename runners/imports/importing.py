"""Making a run of what another tool logged, whole or not at all."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from isocompute.errors import ConfigError, RunError
from isocompute.runners.imports.formats import FORMATS, normalize_format
from isocompute.runners.imports.gathering import Gathering, Summary
from isocompute.runners.imports.source import Source
from isocompute.runners.storage.files import MANIFEST
from isocompute.runners.storage.locking import LOCK
from isocompute.runners.storage.run import Run


def import_run(
    name: str,
    path: str,
    run: str,
    grader: str | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Import what another tool logged as a run, whole or not at all.

    Texts are graded by the grader that is named, or that the right answers call for; where there are no texts or no
    right answers, what the tool itself read in them is taken, as with the grader ``as-logged``.

    Args:
        name: one of `FORMATS`.
        path: the file or folder.
        run: the folder of the run; there must be nothing yet.
        grader: a grader's name, or ``as-logged``.
        columns: of a table, by their names there, what they are called in `long_table.NAMES`.
        progress: is told how many bytes were read, and of how many.

    Raises:
        ConfigError: no such format or grader, or columns of what is no table.
        DataError: the source does not hold what it should; says where.
        RunError: there is something at the place of the run, or it cannot be written.
    """
    name = normalize_format(name)
    format = FORMATS[name]
    if columns and not format.has_columns:
        named = ", ".join(other for other, entry in FORMATS.items() if entry.has_columns)
        raise ConfigError(f"--columns is for the format '{named}'; other formats say what is what.")
    source, target = Source(path, columns), Run(run)
    if target.fs.exists(target.root):
        raise RunError(f"There is something at '{target.path}' already; an import needs a place of its own.")
    with building(target) as begun, Gathering(begun, name, grader) as gathering:
        for row in format.load_adapter(source):
            gathering.take(row)
            if progress is not None:
                progress(source.seen, source.total)
        return gathering.finish(source, target.path)


def publish(begun: Run, target: Run) -> None:
    """Move a run within a store, its manifest last: without one it is no run. The lock stays until it is let go."""
    names = [posixpath.basename(path) for path in begun.fs.ls(begun.root, detail=False)]
    for name in sorted(set(names) - {LOCK}, key=lambda name: name == MANIFEST):
        begun.fs.mv(posixpath.join(begun.root, name), posixpath.join(target.root, name), recursive=True)


@contextmanager
def building(target: Run) -> Iterator[Run]:
    """Give a hidden run beside another's place; it comes there when all is well, and is removed if not.

    Raises:
        RunError: it cannot be written, or another process imports to the same place.
    """
    folder, name = posixpath.split(target.root)
    if not (target.local or folder.strip("/")):
        raise RunError(f"'{target.path}' is the top of a store; an import needs a folder in it.")
    parent = folder if target.local else posixpath.dirname(target.path)
    begun = Run(posixpath.join(parent, f".{name}.importing"))

    def clear(keep: str = "") -> None:
        there = begun.fs.ls(begun.root, detail=False) if begun.fs.exists(begun.root) else []
        for path in there:
            if posixpath.basename(path) != keep:
                begun.fs.rm(path, recursive=True)
        if not keep and begun.fs.exists(begun.root):
            begun.fs.rmdir(begun.root)

    if foreign := begun.foreign():
        raise RunError(f"'{foreign}' is in the way of the import and no run has it; move it, or name another run.")
    with begun.lock():
        try:
            clear(keep=".lock")  # what an import that was killed left
            yield begun
            if target.local:
                os.rename(begun.root, target.root)
            else:
                publish(begun, target)
        except OSError as error:
            clear()
            raise RunError(f"The run at '{target.path}' could not be written: {error.strerror or error}.") from None
        except BaseException:
            clear()
            raise
