"""A run on disk: a manifest and tables of Parquet parts, each of which appears whole or not at all.

    RUN/manifest.json          what was asked: config, model and prompt hashes, versions, grader; or what was imported
    RUN/problems/*.parquet     RUN/solutions/*.parquet     RUN/verifications/*.parquet
    RUN/scores/*.parquet       RUN/nodes/*.parquet         RUN/searches/*.parquet
    RUN/grades/*.parquet       answers graded again, in one part that is replaced as a whole

Other parts are written once and never changed; only `set_aside_part`, when a person asks for it, takes one out. A row's
key is its identity: a resumed sweep reads the keys that are there and asks for the others only.

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
from isocompute.runners.storage.files import MANIFEST_FILE, locate_store, replace_file
from isocompute.runners.storage.locking import LOCK_FILE, RunLock, lock_run
from isocompute.runners.storage.schema import OVERLAYS, TABLES, RunTable

RUN_FORMAT = 2
"""The format of runs that is written."""

READABLE_FORMATS = (1, 2)
"""The formats that are read. The parts of a run of format 2 that was begun in format 1 may be of either."""

PART_FILE_PATTERN = re.compile(r"/part-(\d+)(?:-[0-9a-f]+)?\.parquet$")
"""How parts are called: by number, and in a store also by their writer."""

TEMPORARY_FILE_PATTERN = re.compile(r"(?:part-\d+(?:-[0-9a-f]+)?\.parquet|manifest\.json)\.\d+\.tmp")
"""How a file of a run is called until it is whole: as then, with the number of the process that writes it."""


class Run:
    """A folder of logs, on a local disk or wherever fsspec reaches.

    Args:
        path: the folder; ``runs/lab`` or ``s3://bucket/runs/lab``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        short = str(path).rstrip("/")
        self.path = str(path) if short.endswith(":") or not short else short  # the top of a disk or store stays it
        self.place = locate_store(self.path, "The run")
        self.fs, self.root, self.local = self.place.fs, self.place.root, self.place.local
        self.held: RunLock | None = None

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return bool(self.fs.exists(posixpath.join(self.root, MANIFEST_FILE)))

    def read_manifest(self) -> dict[str, Any]:
        """Return what the run was asked for.

        Raises:
            RunError: no run is here, or it has another format.
            DataError: the manifest cannot be read.
        """
        where = posixpath.join(self.root, MANIFEST_FILE)
        if not self.fs.exists(self.root):
            raise RunError(f"There is no run at '{self.path}': the folder does not exist.")
        if not self.fs.exists(where):
            raise RunError(f"There is no run at '{self.path}': the folder has no {MANIFEST_FILE}.")
        with self._translate_read_errors(where):
            content = self.fs.cat_file(where)
        manifest = parse_json(content, where)
        if not isinstance(manifest, dict) or not {"config", "imported"} & set(manifest):
            raise DataError(f"{where} has no 'config'; it is not the manifest of a run.")
        format_ = manifest.get("format", 1)
        if type(format_) is not int or format_ not in READABLE_FORMATS:
            raise RunError(
                f"The run at '{self.path}' has the format {format_!r:.40}, and this version of isocompute reads "
                f"formats {' and '.join(map(str, READABLE_FORMATS))}; use the version that wrote it, or a newer one."
            )
        return manifest

    def find_foreign_file(self) -> str | None:
        """Return something in the folder that no run has; None if there is nothing."""
        for path in self._list_folder(self.root):
            name = posixpath.basename(path)
            if name in TABLES and self.fs.isdir(path):
                if strange := [
                    p for p in self._list_folder(path) if not PART_FILE_PATTERN.search(p) and not self._is_temporary(p)
                ]:
                    return strange[0]
            elif name not in (LOCK_FILE, MANIFEST_FILE) and not self._is_temporary(path):
                return path
        return None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, whole or not at all; the same content gives the same bytes."""
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        self._put_file(posixpath.join(self.root, MANIFEST_FILE), text.encode())

    def update_format(self) -> None:
        """Say in the manifest, if it can be read, that parts of the newest format may stand among the others."""
        manifest: dict[str, Any] = {"format": RUN_FORMAT}
        with suppress(DataError, RunError):
            manifest = self.read_manifest()
        if manifest.get("format", 1) != RUN_FORMAT:
            self.write_manifest({**manifest, "format": RUN_FORMAT})

    def list_parts(self, table: RunTable) -> list[str]:
        """Return the paths of a table's finished parts, in the order in which they were written."""
        return [path for _, path in self._sort_parts(table)]

    def _sort_parts(self, table: RunTable) -> list[tuple[int, str]]:
        """Parts by number, which is not by name: part-100000 comes after part-99999."""
        paths = self._list_folder(posixpath.join(self.root, table.name))
        return sorted((int(found[1]), path) for path in paths if (found := PART_FILE_PATTERN.search(path)))

    def _list_folder(self, folder: str) -> list[str]:
        """Return what a folder holds, or nothing if it is not there."""
        with self._translate_read_errors(folder):
            return sorted(self.fs.ls(folder, detail=False)) if self.fs.isdir(folder) else []

    def _is_temporary(self, path: str) -> bool:
        """Return whether a path is that of a file of this run which is not whole yet."""
        folder, name = posixpath.split(path)
        own = folder == self.root.rstrip("/")
        table = posixpath.basename(folder) in TABLES and posixpath.dirname(folder) == self.root.rstrip("/")
        return TEMPORARY_FILE_PATTERN.fullmatch(name) is not None and (own if name.startswith(MANIFEST_FILE) else table)

    def read_table(self, table: RunTable, columns: list[str] | None = None) -> pa.Table:
        """Read a table, or some of its columns, from all parts, checked.

        Raises:
            DataError: a part is damaged or has a wrong column, or a key stands twice.
        """
        tables = []
        for path in self.list_parts(table):
            part = self.read_part(table, path, columns)
            for field in part.schema:
                if not field.nullable and (nulls := part[field.name].null_count):
                    raise DataError(f"{path}: '{field.name}' is null in {nulls:,} rows; {self._advice}.")
            tables.append(part)
        schema = table.select_schema(columns or table.schema.names)
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def read_part(self, table: RunTable, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read one part, or some of its columns, without a look at the values.

        Raises:
            DataError: it is damaged, or has a wrong column.
            RunError: the disk or the store does not give it, which says nothing of what is in it.
        """
        schema = table.select_schema(columns or table.schema.names)
        try:
            with self._translate_read_errors(path), self.fs.open(path, "rb") as file:
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

    def read_frame(self, table: RunTable, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a table as a data frame in the order of its keys; a retried failure gives way to its retry.

        Answers that were graded again are those of the last grading.

        Raises:
            DataError: as `read_table`, or when a key stands twice.
        """
        names = table.key_names
        wanted = columns and list(dict.fromkeys([*names, *columns, *(["status"] if table.has_status else [])]))
        frame: pd.DataFrame = self.read_table(table, wanted).to_pandas()
        if table.has_status:
            failed = frame["status"] != "ok"
            frame = frame[~(failed & frame.duplicated(names, keep="last"))]
        if (twice := frame.duplicated(names)).any():
            key = next(frame.loc[twice, names].itertuples(index=False, name=None))
            raise DataError(
                f"{self.path}/{table.name} holds the row {key} twice; a key must stand once, and {self._advice}."
            )
        frame = frame.sort_values(names, kind="stable", ignore_index=True)
        if (overlay := OVERLAYS.get(table.name)) is not None:
            self._apply_overlay(frame, overlay)
        return frame if columns is None else frame[columns]

    def _apply_overlay(self, frame: pd.DataFrame, overlay: RunTable) -> None:
        """Put what an overlay holds in the place of what a frame says in the columns of the same name."""
        changed = [c.name for c in overlay.columns[overlay.key :] if c.name in frame.columns]
        if not changed or not self.list_parts(overlay):
            return
        names = overlay.key_names
        above = self.read_frame(overlay, [*names, *changed]).set_index(names)
        place = above.index.get_indexer(pd.MultiIndex.from_frame(frame[names]))
        for name in changed:
            column = frame[name].astype(object)
            column[place >= 0] = above[name].astype(object).to_numpy()[place[place >= 0]]
            frame[name] = column.infer_objects()

    def read_keys(self, table: RunTable) -> set[tuple[Any, ...]]:
        """Return the keys of the rows that are there and whose status is ok."""
        columns = [*table.key_names, *(["status"] if table.has_status else [])]
        frame = self.read_frame(table, columns)
        if table.has_status:
            frame = frame[frame["status"] == "ok"]
        return set(frame[table.key_names].itertuples(index=False, name=None))

    def replace_table(self, table: RunTable, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a table as its only part, which takes the place of the former whole or not at all."""
        self.write_part(table, "part-00000.parquet", build_arrow_table(list(rows), table.schema))

    def write_part(self, table: RunTable, name: str, content: pa.Table) -> None:
        """Write a part under a name that a part may have, whole or not at all."""
        self._put_file(posixpath.join(self.root, table.name, name), encode_parquet(content))

    def open_writer(
        self, table: RunTable, seconds: float = 5.0, rows: int = 50_000, after: PartWriter | None = None
    ) -> PartWriter:
        """Return a writer that adds parts to a table; ``after`` is the writer of the rows that its own speak of."""
        return PartWriter(self, table, seconds, rows, after)

    def set_aside_part(self, path: str, kept: pa.Table) -> str:
        """Rename a damaged part to ``….damaged``, and put the rows to keep, if any, in its place.

        Returns:
            Where the damaged part is now.
        """
        aside = next(name for i in count() if not self.fs.exists(name := f"{path}.damaged{f'-{i}' if i else ''}"))
        with self._translate_write_errors(path):
            if kept.num_rows:
                self.fs.copy(path, aside)  # a copy, so that there is no moment at which rows stand nowhere
            else:
                self.fs.mv(path, aside)
        if kept.num_rows:
            self._put_file(path, encode_parquet(kept))
        return aside

    @property
    def _advice(self) -> str:
        return f"`isocompute check {self.path}` says what would be lost"

    def verify_lock(self) -> None:
        """Raise if this process writes the run and no longer holds it.

        Raises:
            RunError: the run was moved or deleted, or another process took it.
        """
        if self.held is not None:
            self.held.verify()

    def _put_file(self, path: str, content: bytes) -> None:
        """Make a file appear whole or not at all."""
        self.verify_lock()  # else a folder that was moved would be begun anew
        with self._translate_write_errors(path):
            self.fs.makedirs(posixpath.dirname(path), exist_ok=True)
            if self.local:
                replace_file(path, content, f"{path}.{os.getpid()}.tmp")
            else:
                self.fs.pipe_file(path, content)  # object stores publish an object when its upload is complete

    @contextmanager
    def _translate_read_errors(self, path: str) -> Iterator[None]:
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
    def _translate_write_errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{path} could not be written: {error.strerror or error}; what was written before is whole, "
                "and the same command goes on from there."
            ) from None

    @contextmanager
    def lock(self) -> Iterator[RunLock]:
        """Hold the run for one writing process, and remove what a killed one left half-written.

        Raises:
            RunError: another process is writing this run.
        """
        with ExitStack() as stack:
            with self._translate_write_errors(posixpath.join(self.root, LOCK_FILE)):
                self.held = stack.enter_context(lock_run(self.place, self.path))
            stack.callback(setattr, self, "held", None)
            self._remove_temporaries()
            yield self.held

    def _remove_temporaries(self) -> None:
        """Remove this run's half-written files: by their names, in their own places, and no links."""
        folders = [self.root, *(posixpath.join(self.root, name) for name in TABLES)] if self.local else []
        folders = [folder for folder in folders if folder == self.root or not os.path.islink(folder)]
        for path in (path for folder in folders for path in self._list_folder(folder)):
            if self._is_temporary(path) and os.path.isfile(path) and not os.path.islink(path):
                with self._translate_write_errors(path):
                    os.remove(path)


class PartWriter:
    """Collects rows and writes them as a part every few seconds, whether more rows come or not.

    A part is named by its number, one more than the last; the order of parts is the order of writing. In a store, which
    may have a second writer, the name says whose it is, so that no part takes the place of another.
    """

    def __init__(self, run: Run, table: RunTable, seconds: float, rows: int, after: PartWriter | None) -> None:
        self.run, self.table, self.seconds, self.rows, self.after = run, table, seconds, rows, after
        numbers = [number for number, _ in run._sort_parts(table)]
        self.part: tuple[int, list[Mapping[str, Any]]] = (max(numbers, default=-1) + 1, [])
        self.name = "" if run.local else f"-{token_hex(4)}"
        self.since = time.monotonic()
        self.lock = RLock()
        self.timer: Timer | None = None

    def add_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows; write what has gathered if it is old or large enough, else no later than when it is."""
        with self.lock:
            waiting = self.part[1]
            waiting.extend(rows)
            if len(waiting) >= self.rows or time.monotonic() - self.since >= self.seconds:
                self.flush()
            elif waiting and self.timer is None:
                self.timer = Timer(self.seconds, self._flush_late)
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
                content = build_arrow_table(waiting, self.table.schema)
                self.run.write_part(self.table, f"part-{number:05d}{self.name}.parquet", content)
                self.part = (number + 1, [])  # in one step: whoever interrupts finds the rows waiting, or written
            self.since = time.monotonic()

    def drop_rows(self) -> None:
        """Forget what has gathered."""
        with self.lock:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None
            self.part[1].clear()

    def _flush_late(self) -> None:
        with suppress(RunError):  # the rows go on waiting; the next to add or to flush meets the same error
            self.flush()


def build_arrow_table(rows: list[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; half a surrogate pair, which a model may say and UTF-8 cannot hold, becomes '?'."""
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except UnicodeEncodeError:
        plain = [
            {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in row.items()}
            for row in rows
        ]
        return pa.Table.from_pylist(plain, schema=schema)


def encode_parquet(table: pa.Table) -> bytes:
    """Return a table as the bytes of a part; each page has a checksum."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())
