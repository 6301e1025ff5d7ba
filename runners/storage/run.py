"""A run on disk: a manifest and tables of Parquet parts, each of which appears whole or not at all.

    RUN/manifest.json          what was asked: config, model and prompt hashes, versions, grader; or what was imported
    RUN/problems/*.parquet     RUN/solutions/*.parquet     RUN/verifications/*.parquet
    RUN/scores/*.parquet       RUN/nodes/*.parquet         RUN/searches/*.parquet
    RUN/grades/*.parquet       answers graded again, in one part that is replaced as a whole

Other parts are written once and never changed; only `set_aside`, when a person asks for it, takes one out. A row's key
is its identity: a resumed sweep reads the keys that are there and asks for the others only.

A table's columns stand in `schema`, under one name each in all tables. Parts of format 1 call some of them otherwise;
each part is known by its own columns, and read under the names of today. So a run of format 1 that goes on has parts of
both kinds, and its manifest says 2, which versions that read only 1 refuse. `upgrade` writes all parts anew.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from secrets import token_hex
from threading import RLock, Timer
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import DataError, RunError
from isocompute.runners.documents import parse_json
from isocompute.runners.storage.files import MANIFEST, locate, replace_file
from isocompute.runners.storage.locking import LOCK, Lock, lock_run
from isocompute.runners.storage.schema import OVERLAYS, TABLES, Table

FORMAT = 2
"""The format of runs that is written."""

READ = (1, 2)
"""The formats that are read. The parts of a run of format 2 that was begun in format 1 may be of either."""

PART = re.compile(r"/part-(\d+)(?:-[0-9a-f]+)?\.parquet$")
"""How parts are called: by number, and in a store also by their writer."""

TEMPORARY = re.compile(r"(?:part-\d+(?:-[0-9a-f]+)?\.parquet|manifest\.json)\.\d+\.tmp")
"""How a file of a run is called until it is whole: as then, with the number of the process that writes it."""


class Run:
    """A folder of logs, on a local disk or wherever fsspec reaches.

    Args:
        path: the folder; ``runs/lab`` or ``s3://bucket/runs/lab``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        short = str(path).rstrip("/")
        self.path = str(path) if short.endswith(":") or not short else short  # the top of a disk or store stays it
        self.place = locate(self.path, "The run")
        self.fs, self.root, self.local = self.place.fs, self.place.root, self.place.local
        self.held: Lock | None = None

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return bool(self.fs.exists(posixpath.join(self.root, MANIFEST)))

    def manifest(self) -> dict[str, Any]:
        """Return what the run was asked for.

        Raises:
            RunError: no run is here, or it has another format.
            DataError: the manifest cannot be read.
        """
        where = posixpath.join(self.root, MANIFEST)
        if not self.fs.exists(self.root):
            raise RunError(f"There is no run at '{self.path}': the folder does not exist.")
        if not self.fs.exists(where):
            raise RunError(f"There is no run at '{self.path}': the folder has no {MANIFEST}.")
        with self._reading(where):
            content = self.fs.cat_file(where)
        manifest = parse_json(content, where)
        if not isinstance(manifest, dict) or not {"config", "imported"} & set(manifest):
            raise DataError(f"{where} has no 'config'; it is not the manifest of a run.")
        format_ = manifest.get("format", 1)
        if type(format_) is not int or format_ not in READ:
            raise RunError(
                f"The run at '{self.path}' has the format {format_!r:.40}, and this version of isocompute reads "
                f"formats {' and '.join(map(str, READ))}; use the version that wrote it, or a newer one."
            )
        return manifest

    def foreign(self) -> str | None:
        """Return something in the folder that no run has; None if there is nothing."""
        for path in self._inside(self.root):
            name = posixpath.basename(path)
            if name in TABLES and self.fs.isdir(path):
                if strange := [p for p in self._inside(path) if not PART.search(p) and not self._temporary(p)]:
                    return strange[0]
            elif name not in (LOCK, MANIFEST) and not self._temporary(path):
                return path
        return None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, whole or not at all; the same content gives the same bytes."""
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        self._put(posixpath.join(self.root, MANIFEST), text.encode())

    def adopt_format(self) -> None:
        """Say in the manifest, if it can be read, that parts of the newest format may stand among the others."""
        manifest: dict[str, Any] = {"format": FORMAT}
        with suppress(DataError, RunError):
            manifest = self.manifest()
        if manifest.get("format", 1) != FORMAT:
            self.write_manifest({**manifest, "format": FORMAT})

    def parts(self, table: Table) -> list[str]:
        """Return the paths of a table's finished parts, in the order in which they were written."""
        return [path for _, path in self._numbered(table)]

    def _numbered(self, table: Table) -> list[tuple[int, str]]:
        """Parts by number, which is not by name: part-100000 comes after part-99999."""
        paths = self._inside(posixpath.join(self.root, table.name))
        return sorted((int(found[1]), path) for path in paths if (found := PART.search(path)))

    def _inside(self, folder: str) -> list[str]:
        """Return what a folder holds, or nothing if it is not there."""
        with self._reading(folder):
            return sorted(self.fs.ls(folder, detail=False)) if self.fs.isdir(folder) else []

    def _temporary(self, path: str) -> bool:
        """Return whether a path is that of a file of this run which is not whole yet."""
        folder, name = posixpath.split(path)
        own = folder == self.root.rstrip("/")
        table = posixpath.basename(folder) in TABLES and posixpath.dirname(folder) == self.root.rstrip("/")
        return TEMPORARY.fullmatch(name) is not None and (own if name.startswith(MANIFEST) else table)

    def read(self, table: Table, columns: list[str] | None = None) -> pa.Table:
        """Read a table, or some of its columns, from all parts, checked.

        Raises:
            DataError: a part is damaged or has a wrong column, or a key stands twice.
        """
        tables = []
        for path in self.parts(table):
            part = self.read_part(table, path, columns)
            for field in part.schema:
                if not field.nullable and (nulls := part[field.name].null_count):
                    raise DataError(f"{path}: '{field.name}' is null in {nulls:,} rows; {self._advice}.")
            tables.append(part)
        schema = table.select_schema(columns or table.schema.names)
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def read_part(self, table: Table, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read one part, or some of its columns, without a look at the values.

        Raises:
            DataError: it is damaged, or has a wrong column.
            RunError: the disk or the store does not give it, which says nothing of what is in it.
        """
        schema = table.select_schema(columns or table.schema.names)
        try:
            with self._reading(path), self.fs.open(path, "rb") as file:
                part = pq.ParquetFile(file, page_checksum_verification=True)
                held = table.find_columns(part.schema_arrow, path)
                there = {name: held[name] for name in schema.names if name in held}
                found, rows = part.read(columns=list(there.values())), part.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise DataError(f"{path} cannot be read as Parquet: {reason}; {self._advice}.") from None
        nulls = {field.name: pa.nulls(rows, field.type) for field in schema if field.name not in there}
        cells = [nulls[name] if name in nulls else found[there[name]] for name in schema.names]
        return pa.table(cells, schema=schema)

    def frame(self, table: Table, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a table as a data frame in the order of its keys; a retried failure gives way to its retry.

        Answers that were graded again are those of the last grading.

        Raises:
            DataError: as `read`, or when a key stands twice.
        """
        names = table.key_names
        wanted = columns and list(dict.fromkeys([*names, *columns, *(["status"] if table.retried else [])]))
        frame: pd.DataFrame = self.read(table, wanted).to_pandas()
        if table.retried:
            failed = frame["status"] != "ok"
            frame = frame[~(failed & frame.duplicated(names, keep="last"))]
        if (twice := frame.duplicated(names)).any():
            key = next(frame.loc[twice, names].itertuples(index=False, name=None))
            raise DataError(
                f"{self.path}/{table.name} holds the row {key} twice; a key must stand once, and {self._advice}."
            )
        frame = frame.sort_values(names, kind="stable", ignore_index=True)
        if (overlay := OVERLAYS.get(table.name)) is not None:
            self._overlay(frame, overlay)
        return frame if columns is None else frame[columns]

    def _overlay(self, frame: pd.DataFrame, overlay: Table) -> None:
        """Put what an overlay holds in the place of what a frame says in the columns of the same name."""
        changed = [c.name for c in overlay.columns[overlay.key :] if c.name in frame.columns]
        if not changed or not self.parts(overlay):
            return
        names = overlay.key_names
        above = self.frame(overlay, [*names, *changed]).set_index(names)
        place = above.index.get_indexer(pd.MultiIndex.from_frame(frame[names]))
        for name in changed:
            column = frame[name].astype(object)
            column[place >= 0] = above[name].astype(object).to_numpy()[place[place >= 0]]
            frame[name] = column.infer_objects()

    def keys(self, table: Table) -> set[tuple[Any, ...]]:
        """Return the keys of the rows that are there and whose status is ok."""
        columns = [*table.key_names, *(["status"] if table.retried else [])]
        frame = self.frame(table, columns)
        if table.retried:
            frame = frame[frame["status"] == "ok"]
        return set(frame[table.key_names].itertuples(index=False, name=None))

    def replace(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a table as its only part, which takes the place of the former whole or not at all."""
        self.write_part(table, "part-00000.parquet", arrow(list(rows), table.schema))

    def write_part(self, table: Table, name: str, content: pa.Table) -> None:
        """Write a part under a name that a part may have, whole or not at all."""
        self._put(posixpath.join(self.root, table.name, name), parquet(content))

    def writer(self, table: Table, seconds: float = 5.0, rows: int = 50_000, after: Writer | None = None) -> Writer:
        """Return a writer that adds parts to a table; ``after`` is the writer of the rows that its own speak of."""
        return Writer(self, table, seconds, rows, after)

    def set_aside(self, path: str, kept: pa.Table) -> str:
        """Rename a damaged part to ``….damaged``, and put the rows to keep, if any, in its place.

        Returns:
            Where the damaged part is now.
        """
        aside = next(name for i in count() if not self.fs.exists(name := f"{path}.damaged{f'-{i}' if i else ''}"))
        with self._writing(path):
            if kept.num_rows:
                self.fs.copy(path, aside)  # a copy, so that there is no moment at which rows stand nowhere
            else:
                self.fs.mv(path, aside)
        if kept.num_rows:
            self._put(path, parquet(kept))
        return aside

    @property
    def _advice(self) -> str:
        return f"`isocompute check {self.path}` says what would be lost"

    def verify(self) -> None:
        """Raise if this process writes the run and no longer holds it.

        Raises:
            RunError: the run was moved or deleted, or another process took it.
        """
        if self.held is not None:
            self.held.verify()

    def _put(self, path: str, content: bytes) -> None:
        """Make a file appear whole or not at all."""
        self.verify()  # else a folder that was moved would be begun anew
        with self._writing(path):
            self.fs.makedirs(posixpath.dirname(path), exist_ok=True)
            if self.local:
                replace_file(path, content, f"{path}.{os.getpid()}.tmp")
            else:
                self.fs.pipe_file(path, content)  # object stores publish an object when its upload is complete

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        """Tell what the disk or the store refuses from what is wrong with a file: pyarrow raises OSError for both."""
        try:
            yield
        except OSError as error:
            if type(error) is OSError and error.errno is None:
                raise
            raise RunError(
                f"{path} cannot be read: {error.strerror or error or type(error).__name__}; that says nothing of what "
                "is in it, so nothing was changed."
            ) from None

    @contextmanager
    def _writing(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{path} could not be written: {error.strerror or error}; what was written before is whole, "
                "and the same command goes on from there."
            ) from None

    @contextmanager
    def lock(self) -> Iterator[Lock]:
        """Hold the run for one writing process, and remove what a killed one left half-written.

        Raises:
            RunError: another process is writing this run.
        """
        with ExitStack() as stack:
            with self._writing(posixpath.join(self.root, LOCK)):
                self.held = stack.enter_context(lock_run(self.place, self.path))
            stack.callback(setattr, self, "held", None)
            self._remove_temporaries()
            yield self.held

    def _remove_temporaries(self) -> None:
        """Remove this run's half-written files: by their names, in their own places, and no links."""
        folders = [self.root, *(posixpath.join(self.root, name) for name in TABLES)] if self.local else []
        folders = [folder for folder in folders if folder == self.root or not os.path.islink(folder)]
        for path in (path for folder in folders for path in self._inside(folder)):
            if self._temporary(path) and os.path.isfile(path) and not os.path.islink(path):
                with self._writing(path):
                    os.remove(path)


class Writer:
    """Collects rows and writes them as a part every few seconds, whether more rows come or not.

    A part is named by its number, one more than the last; the order of parts is the order of writing. In a store, which
    may have a second writer, the name says whose it is, so that no part takes the place of another.
    """

    def __init__(self, run: Run, table: Table, seconds: float, rows: int, after: Writer | None) -> None:
        self.run, self.table, self.seconds, self.rows, self.after = run, table, seconds, rows, after
        numbers = [number for number, _ in run._numbered(table)]
        self.part: tuple[int, list[Mapping[str, Any]]] = (max(numbers, default=-1) + 1, [])
        self.name = "" if run.local else f"-{token_hex(4)}"
        self.since = time.monotonic()
        self.lock = RLock()
        self.timer: Timer | None = None

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows; write what has gathered if it is old or large enough, else no later than when it is."""
        with self.lock:
            waiting = self.part[1]
            waiting.extend(rows)
            if len(waiting) >= self.rows or time.monotonic() - self.since >= self.seconds:
                self.flush()
            elif waiting and self.timer is None:
                self.timer = Timer(self.seconds, self._late)
                self.timer.daemon = True
                self.timer.start()

    def flush(self) -> None:
        """Write what has gathered as one part."""
        with self.lock:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None
            number, waiting = self.part
            if waiting:
                if self.after is not None:
                    self.after.flush()  # no moment at which a verification stands there without its solution
                content = arrow(waiting, self.table.schema)
                self.run.write_part(self.table, f"part-{number:05d}{self.name}.parquet", content)
                self.part = (number + 1, [])  # in one step: whoever interrupts finds the rows waiting, or written
            self.since = time.monotonic()

    def abandon(self) -> None:
        """Forget what has gathered."""
        with self.lock:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None
            self.part[1].clear()

    def _late(self) -> None:
        with suppress(RunError):  # the rows go on waiting; the next to add or to flush meets the same error
            self.flush()


def arrow(rows: list[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; half a surrogate pair, which a model may say and UTF-8 cannot hold, becomes '?'."""
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except UnicodeEncodeError:
        plain = [
            {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in row.items()}
            for row in rows
        ]
        return pa.Table.from_pylist(plain, schema=schema)


def parquet(table: pa.Table) -> bytes:
    """Return a table as the bytes of a part; each page has a checksum."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())
