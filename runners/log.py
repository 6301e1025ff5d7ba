"""A run on disk: a manifest and tables of Parquet parts, each of which appears whole or not at all.

    RUN/manifest.json          what was asked: config, model and prompt hashes, versions, grader
    RUN/problems/*.parquet     RUN/solutions/*.parquet     RUN/verifications/*.parquet
    RUN/grades/*.parquet       answers graded again, in one part that is replaced as a whole

Other parts are written once and never changed. A row's key is its identity: a resumed sweep reads the keys that are
there and asks for the others only.
"""

from __future__ import annotations

import json
import os
import posixpath
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from isocompute.errors import DataError, RunError
from isocompute.runners.tables import OVERLAYS, Table

MANIFEST = "manifest.json"


class Run:
    """A folder of logs, on a local disk or wherever fsspec reaches.

    Args:
        path: the folder; ``runs/lab`` or ``s3://bucket/runs/lab``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = str(path).rstrip("/")
        try:
            self.fs, self.root = fsspec.core.url_to_fs(self.path)
        except (ImportError, ValueError) as error:  # a store that fsspec does not know, or whose package is missing
            raise RunError(f"The run '{self.path}' cannot be reached: {error}.") from None
        self.local = isinstance(self.fs, LocalFileSystem)

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return bool(self.fs.exists(posixpath.join(self.root, MANIFEST)))

    def manifest(self) -> dict[str, Any]:
        """Return what the run was asked for.

        Raises:
            RunError: no run is here.
            DataError: the manifest cannot be read.
        """
        where = posixpath.join(self.root, MANIFEST)
        if not self.fs.exists(self.root):
            raise RunError(f"There is no run at '{self.path}': the folder does not exist.")
        if not self.fs.exists(where):
            raise RunError(f"There is no run at '{self.path}': the folder has no {MANIFEST}.")
        try:
            manifest = json.loads(self.fs.cat_file(where))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is not JSON: {error}.") from None
        if not isinstance(manifest, dict) or "config" not in manifest:
            raise DataError(f"{where} has no 'config'; it is not the manifest of a run.")
        return manifest

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, whole or not at all; the same content gives the same bytes."""
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        self.fs.makedirs(self.root, exist_ok=True)
        self._put(posixpath.join(self.root, MANIFEST), text.encode())

    def parts(self, table: Table) -> list[str]:
        """Return the paths of a table's finished parts, in the order in which they were written."""
        folder = posixpath.join(self.root, table.name)
        return sorted(self.fs.glob(posixpath.join(folder, "part-*.parquet")))

    def read(self, table: Table, columns: list[str] | None = None) -> pa.Table:
        """Read a table, or some of its columns, from all parts, checked.

        Raises:
            DataError: a part is damaged or has a wrong column, or a key stands twice.
        """
        tables = []
        for path in self.parts(table):
            try:
                with self.fs.open(path, "rb") as file:
                    part = pq.ParquetFile(file)
                    table.check(part.schema_arrow, path)
                    tables.append(part.read(columns=columns))
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
        schema = table.schema if columns is None else pa.schema([table.schema.field(c) for c in columns])
        return pa.concat_tables(tables).cast(schema) if tables else schema.empty_table()

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
            raise DataError(f"{self.path}/{table.name} holds the row {key} twice; a key must stand once.")
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
        folder = posixpath.join(self.root, table.name)
        self.fs.makedirs(folder, exist_ok=True)
        self._put(f"{folder}/part-00000.parquet", part_of(table, rows))

    def writer(self, table: Table, seconds: float = 5.0, rows: int = 50_000) -> Writer:
        """Return a writer that adds parts to a table."""
        return Writer(self, table, seconds, rows)

    def _put(self, path: str, content: bytes) -> None:
        """Make a file appear whole or not at all."""
        if not self.local:
            self.fs.pipe_file(path, content)  # object stores publish an object when its upload is complete
            return
        temporary = f"{path}.{os.getpid()}.tmp"
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise RunError(
                f"{path} could not be written: {error.strerror}; what was written before is whole."
            ) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for one writing process; released by the system when the process ends, however it ends.

        Raises:
            RunError: another process is writing this run.
        """
        if not self.local:
            yield
            return
        import fcntl

        os.makedirs(self.root, exist_ok=True)
        with open(os.path.join(self.root, ".lock"), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(
                    f"Another process is writing the run at '{self.path}'; wait for it, or stop it."
                ) from None
            for leftover in self.fs.glob(posixpath.join(self.root, "**", "*.tmp")):
                os.remove(leftover)
            yield


def part_of(table: Table, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=table.schema), sink, compression="zstd", compression_level=9)
    content: bytes = sink.getvalue().to_pybytes()
    return content


class Writer:
    """Collects rows and writes them as a part every few seconds.

    A part is named by its number, one more than the last; the order of parts is the order of writing.
    """

    def __init__(self, run: Run, table: Table, seconds: float, rows: int) -> None:
        self.run, self.table, self.seconds, self.rows = run, table, seconds, rows
        self.folder = posixpath.join(run.root, table.name)
        run.fs.makedirs(self.folder, exist_ok=True)
        last = run.parts(table)[-1:]
        self.number = int(posixpath.basename(last[0])[5:-8]) + 1 if last else 0
        self.waiting: list[Mapping[str, Any]] = []
        self.since = time.monotonic()

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows; write what has gathered if it is old or large enough."""
        self.waiting.extend(rows)
        if len(self.waiting) >= self.rows or time.monotonic() - self.since >= self.seconds:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered as one part."""
        if self.waiting:
            self.run._put(f"{self.folder}/part-{self.number:05d}.parquet", part_of(self.table, self.waiting))
            self.number += 1
            self.waiting.clear()
        self.since = time.monotonic()
