"""The files of a run: a manifest and tables of Parquet parts, each written whole or not at all.

    RUN/manifest.json          config, model and prompt hashes, versions and grader of a sweep; or the import's origin
    RUN/problems/*.parquet     RUN/solutions/*.parquet     RUN/verifications/*.parquet
    RUN/scores/*.parquet       RUN/nodes/*.parquet         RUN/searches/*.parquet
    RUN/grades/*.parquet       regraded answers, in one part that is replaced as a whole

The other parts are written once and never changed; only `Run.set_aside_part` takes one out, and `joining` makes one of
many. A row is identified by its key: a resumed sweep reads the existing keys and samples only the missing ones.

In a store, the part that a writer sent last may arrive after another process has taken its run over. Each table's next
number is then void (`part_names`), before the rows are read: such a part is either there by then, or never read.

`schema` lists the columns; a name means the same in all tables. Parts of format 1 use other names for some columns. The
reader recognises such a part by its columns and returns it under the current names. A run of format 1 that is resumed
therefore has parts of both formats, and its manifest says 2, which versions that read only format 1 refuse. `upgrade`
rewrites all parts. Format 3 is format 2 with joined and void parts; runs in stores have it from the beginning.
"""

from __future__ import annotations

import io
import json
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from secrets import token_hex
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import DataError, IsocomputeError, RunError
from isocompute.limits import require_memory
from isocompute.runners.documents import parse_json_document
from isocompute.runners.storage.files import (
    MANIFEST_FILE,
    describe_store_error,
    locate_store,
    open_regular_file,
    read_file,
    read_object,
    replace_file,
)
from isocompute.runners.storage.leases import LOCK_FILE
from isocompute.runners.storage.locking import LOCK_FILE_PATTERN, RunLock, lock_run
from isocompute.runners.storage.parquet_sizes import read_whole_parquet
from isocompute.runners.storage.part_names import (
    JOINED_FORMAT,
    PART_FILE_PATTERN,
    NamedPart,
    find_next_number,
    is_closing,
    is_joined,
    name_void_part,
    select_parts,
)
from isocompute.runners.storage.parts import PartWriter, build_arrow_table, encode_parquet
from isocompute.runners.storage.schema import OVERLAYS, TABLES, RunTable

RUN_FORMAT = 2
"""The run format that is written."""

READABLE_FORMATS = (1, 2, 3)
"""The run formats that are read. A run of a later format that was begun in format 1 has parts of both."""

MAX_KEPT_BYTES = 2**30
"""The largest file that an engine keeps in a run."""

SMALL_PART_BYTES = 2**20
"""The most bytes of a part that is read from a store in one request, even if not all columns are asked for."""

TEMPORARY_FILE_PATTERN = re.compile(
    r"(?:part-\d+(?:-[0-9a-f]+)?\.parquet|parts-\d+-\d+-[0-9a-f]+\.parquet|manifest\.json)\.\d+\.tmp"
)
"""Names of unfinished files of a run: the final name, followed by the number of the writing process."""


class GonePartError(RunError):
    """A part was listed, and is gone: its rows are in a joined part now, if the run is whole."""


ReadResult = TypeVar("ReadResult")


def retry_gone_parts(read: Callable[[], ReadResult]) -> ReadResult:
    """Return what a function reads that lists parts; it begins anew if a part is gone, because parts were joined.

    Raises:
        GonePartError: it was gone four times.
    """
    for _ in range(3):
        with suppress(GonePartError):
            return read()
    return read()


class Run:
    """A run's folder, on a local disk or in a store that fsspec reaches.

    Args:
        path: the folder; ``runs/lab`` or ``s3://bucket/runs/lab``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        short = str(path).rstrip("/")
        self.path = str(path) if short.endswith(":") or not short else short  # '/' and 's3://' keep their slash
        self.place = locate_store(self.path, "The run")
        self.fs, self.root, self.local = self.place.fs, self.place.root, self.place.local
        self.held: RunLock | None = None
        """The lock of the run; None unless this process holds it."""
        self.writer = ""
        """A token in the names of the parts that this process writes, if others write the run too."""
        self._sizes: dict[str, int] = {}
        """The bytes of the parts that a store listed."""
        self._made_folders: set[str] = set()

    @property
    def exists(self) -> bool:
        """True if the folder has a manifest."""
        path = posixpath.join(self.root, MANIFEST_FILE)
        with self._translate_read_errors(path):
            return bool(self.fs.exists(path))

    @property
    def is_folder(self) -> bool:
        """True if there is a folder, whatever it holds."""
        with self._translate_read_errors(self.root):
            return bool(self.fs.isdir(self.root))

    def read_manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            RunError: the folder holds no run, or a run of another format.
            DataError: the manifest cannot be read.
        """
        manifest_path = posixpath.join(self.root, MANIFEST_FILE)
        with self._translate_read_errors(manifest_path):
            is_there, is_file = self.fs.exists(self.root), self.fs.isfile(self.root)
        if not is_there:
            raise RunError(f"There is no run at '{self.path}': the folder does not exist.")
        if is_file:
            raise RunError(
                f"There is no run at '{self.path}': it is a file; `isocompute import FORMAT {self.path} -o RUN` makes "
                "a run of another tool's log."
            )
        if not self.exists:
            raise RunError(f"There is no run at '{self.path}': the folder has no {MANIFEST_FILE}.")
        with self._translate_read_errors(manifest_path):
            content = read_file(manifest_path) if self.local else read_object(self.fs, manifest_path)
        manifest = parse_json_document(content, manifest_path)
        if not isinstance(manifest, dict) or not {"config", "imported"} & set(manifest):
            raise DataError(f"{manifest_path} has no 'config'; it is not the manifest of a run.")
        format_ = manifest.get("format", 1)
        if type(format_) is not int or format_ not in READABLE_FORMATS:
            raise RunError(
                f"The run at '{self.path}' has the format {format_!r:.40}, but this version of isocompute reads "
                f"formats {READABLE_FORMATS[0]} to {READABLE_FORMATS[-1]}; use the version that wrote it, or a newer "
                "one."
            )
        return manifest

    def find_foreign_file(self) -> str | None:
        """Return the path of a file or folder that does not belong to a run; None if there is no such path."""
        for path in self._list_folder(self.root):
            name = posixpath.basename(path)
            if name in TABLES and self.fs.isdir(path):
                if foreign := [
                    p for p in self._list_folder(path) if not PART_FILE_PATTERN.search(p) and not self._is_temporary(p)
                ]:
                    return foreign[0]
            elif not (name == MANIFEST_FILE or LOCK_FILE_PATTERN.fullmatch(name) or self._is_temporary(path)):
                return path
        return None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest whole or not at all; equal content gives equal bytes."""
        if not self.local and manifest.get("format", 1) == RUN_FORMAT:
            manifest = {**manifest, "format": JOINED_FORMAT}
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        self._put_file(posixpath.join(self.root, MANIFEST_FILE), text.encode())

    def update_format(self, least: int = RUN_FORMAT) -> None:
        """Set the manifest's format to a newer one, because parts of that format are about to be added.

        A manifest that is missing or cannot be read is replaced by one that holds only the format.
        """
        manifest: dict[str, Any] = {}
        with suppress(DataError, RunError):
            manifest = self.read_manifest()
        if not manifest or manifest.get("format", 1) < least:
            self.write_manifest({**manifest, "format": least})

    def list_parts(self, table: RunTable) -> list[str]:
        """Return the paths of a table's finished parts in the order of writing."""
        if not self.local:
            return [part.path for part in select_parts(self.list_files(table))[0]]
        folder = posixpath.join(self.root, table.name)
        paths = self._list_folder(folder)
        while True:  # what says that parts are not read may come while a disk lists them
            again = self._list_folder(folder)
            if {path for path in again if is_joined(path) or is_closing(path)} <= set(paths):
                return [part.path for part in select_parts(paths)[0]]
            paths = again

    def list_files(self, table: RunTable) -> dict[str, int]:
        """Return the bytes of a table's files by path, retired ones included."""
        folder = posixpath.join(self.root, table.name)
        if self.local:
            paths = [path for path in self._list_folder(folder) if PART_FILE_PATTERN.search(path)]
            return {path: os.path.getsize(path) for path in paths if os.path.exists(path)}
        with self._translate_read_errors(folder):
            try:
                files = self.fs.ls(folder, detail=True)
            except FileNotFoundError:
                files = []
        sizes = {file["name"]: int(file["size"] or 0) for file in files if PART_FILE_PATTERN.search(file["name"])}
        self._sizes |= sizes
        return sizes

    def remove_parts(self, parts: Iterable[NamedPart]) -> None:
        """Delete retired files of a table."""
        self.verify_lock()
        for part in parts:
            with self._translate_write_errors(part.path), suppress(FileNotFoundError):
                self.fs.rm_file(part.path)

    def _list_folder(self, folder: str) -> list[str]:
        """Return the paths in a folder; empty if the folder does not exist."""
        with self._translate_read_errors(folder):
            return sorted(self.fs.ls(folder, detail=False)) if self.fs.isdir(folder) else []

    def _is_temporary(self, path: str) -> bool:
        """Return whether a path is an unfinished file of this run."""
        folder, name = posixpath.split(path)
        root = self.root.rstrip("/")
        in_run_folder = folder == root
        in_table_folder = posixpath.basename(folder) in TABLES and posixpath.dirname(folder) == root
        in_place = in_run_folder if name.startswith(MANIFEST_FILE) else in_table_folder
        return TEMPORARY_FILE_PATTERN.fullmatch(name) is not None and in_place

    def read_table(self, table: RunTable, columns: list[str] | None = None) -> pa.Table:
        """Read all parts of a table, or some of its columns, and check the columns and required values.

        Raises:
            DataError: a part is damaged, has a wrong column, or lacks a required value.
        """
        read: dict[str, pa.Table] = {}
        paths = self.list_parts(table)
        while missing := [path for path in paths if path not in read]:
            try:
                read[missing[0]] = self._read_whole_part(table, missing[0], columns)
            except GonePartError:
                if missing[0] in (paths := self.list_parts(table)):
                    raise
        schema = table.select_schema(columns or table.schema.names)
        return pa.concat_tables([read[path] for path in paths]) if paths else schema.empty_table()

    def _read_whole_part(self, table: RunTable, path: str, columns: list[str] | None) -> pa.Table:
        """Read one part, and check that no required value is missing."""
        part = self.read_part(table, path, columns)
        for field in part.schema:
            if not field.nullable and (nulls := part[field.name].null_count):
                raise DataError(f"{path}: '{field.name}' is null in {nulls:,} rows; {self._advice}.")
        return part

    def read_part(self, table: RunTable, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read one part, or some of its columns, without checking the values.

        Raises:
            DataError: the part is damaged or has a wrong column.
            GonePartError: there is no such part any more.
            RunError: the disk or the store refuses to read it, which says nothing about the content.
        """
        schema = table.select_schema(columns or table.schema.names)
        try:
            with self._translate_read_errors(path), self.open_part(path, columns) as file:
                part = pq.ParquetFile(file, page_checksum_verification=True)
                columns_in_file = table.find_columns(part.schema_arrow, path)
                present = {name: columns_in_file[name] for name in schema.names if name in columns_in_file}
                content, rows = read_whole_parquet(part, file, list(present.values()), path), part.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise DataError(f"{path} cannot be read as Parquet: {reason}; {self._advice}.") from None
        # Columns that this part lacks, because it is older than they are, are filled with nulls.
        nulls = {field.name: pa.nulls(rows, field.type) for field in schema if field.name not in present}
        cells = [nulls[name] if name in nulls else content[present[name]] for name in schema.names]
        return pa.table(cells, schema=schema)

    def open_part(self, path: str, columns: list[str] | None = None) -> Any:
        """Open a part; from a store, a small or whole one is read in one request, and columns one by one.

        Raises:
            DataError: it is a pipe or a device, or takes too much memory.
        """
        if self.local:
            return open_regular_file(path)
        size = self._sizes.get(path)
        if size and (columns is None or size <= SMALL_PART_BYTES):
            require_memory(size, path)
            return io.BytesIO(self.fs.cat_file(path, start=0, end=size))  # a range, or the size is asked for first
        return self.fs.open(path, "rb", cache_type="none")

    def read_frame(self, table: RunTable, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a table as a data frame sorted by key; a failed row is replaced by its retry.

        Regraded answers replace the original ones.

        Raises:
            DataError: as `read_table`, or a key occurs twice.
        """
        key_names = table.key_names
        needed = columns and list(dict.fromkeys([*key_names, *columns, *(["status"] if table.has_status else [])]))
        frame: pd.DataFrame = self.read_table(table, needed).to_pandas()
        if table.has_status:
            # Rows stand in the order of writing, so a retry follows the failed row whose key it has.
            failed = frame["status"] != "ok"
            frame = frame[~(failed & frame.duplicated(key_names, keep="last"))]
        if (repeated := frame.duplicated(key_names)).any():
            key = next(frame.loc[repeated, key_names].itertuples(index=False, name=None))
            raise DataError(
                f"{self.path}/{table.name} holds the row {key} twice, but keys must be unique; {self._advice}."
            )
        frame = frame.sort_values(key_names, kind="stable", ignore_index=True)
        if (overlay := OVERLAYS.get(table.name)) is not None:
            self._apply_overlay(frame, overlay)
        return frame if columns is None else frame[columns]

    def _apply_overlay(self, frame: pd.DataFrame, overlay: RunTable) -> None:
        """Replace values of a frame by those of the overlay's columns of the same name."""
        changed = [c.name for c in overlay.columns[overlay.key :] if c.name in frame.columns]
        if not changed or not self.list_parts(overlay):
            return
        key_names = overlay.key_names
        replacements = self.read_frame(overlay, [*key_names, *changed]).set_index(key_names)
        position = replacements.index.get_indexer(
            pd.MultiIndex.from_frame(frame[key_names])
        )  # -1 without a replacement
        for name in changed:
            column = frame[name].astype(object)  # object columns hold None, booleans and text alike
            column[position >= 0] = replacements[name].astype(object).to_numpy()[position[position >= 0]]
            frame[name] = column.infer_objects()

    def read_keys(self, table: RunTable) -> set[tuple[Any, ...]]:
        """Return the keys of the rows whose status is ok."""
        columns = [*table.key_names, *(["status"] if table.has_status else [])]
        frame = self.read_frame(table, columns)
        if table.has_status:
            frame = frame[frame["status"] == "ok"]
        return set(frame[table.key_names].itertuples(index=False, name=None))

    def count_rows(self, table: RunTable) -> int:
        """Return the number of rows in a table's parts, as their footers say; 0 in a part that cannot be read."""
        total = 0
        for path in self.list_parts(table):
            with suppress(pa.ArrowException, OSError), self.open_part(path, []) as file:
                total += pq.ParquetFile(file).metadata.num_rows
        return total

    def replace_table(self, table: RunTable, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a table as a single part that replaces the former one whole or not at all."""
        self.write_part(table, "part-00000.parquet", build_arrow_table(list(rows), table.schema))

    def write_part(self, table: RunTable, name: str, content: pa.Table) -> None:
        """Write a part whole or not at all; its name must match `PART_FILE_PATTERN`."""
        self._put_file(posixpath.join(self.root, table.name, name), encode_parquet(content))

    def read_kept_files(self, folder: str) -> dict[str, bytes]:
        """Return the content of the files in a folder that is no table, by path; empty if there is no such folder."""
        paths = self._list_folder(posixpath.join(self.root, folder))
        with self._translate_read_errors(folder):
            return {path: read_object(self.fs, path, MAX_KEPT_BYTES) for path in paths if not path.endswith(".tmp")}

    def write_kept_file(self, folder: str, name: str, content: bytes) -> None:
        """Write a file into a folder that is no table, whole or not at all."""
        self._put_file(posixpath.join(self.root, folder, name), content)

    def open_writer(
        self, table: RunTable, seconds: float = 5.0, rows: int = 50_000, after: PartWriter | None = None
    ) -> PartWriter:
        """Return a writer that adds parts to a table.

        Args:
            table: the table.
            seconds: age of the oldest waiting row at which a part is written.
            rows: number of waiting rows at which a part is written at once.
            after: the writer of rows that these rows refer to; it is flushed first.
        """
        return PartWriter(self, table, seconds, rows, after)

    def set_aside_part(self, path: str, kept: pa.Table) -> str:
        """Rename a damaged part to ``….damaged`` and write the rows to keep, if any, in its place.

        Returns:
            The new path of the damaged part.
        """
        aside_path = next(name for i in count() if not self.fs.exists(name := f"{path}.damaged{f'-{i}' if i else ''}"))
        with self._translate_write_errors(path):
            if kept.num_rows:
                self.fs.copy(path, aside_path)  # a copy: the rows to keep must exist at all times
            else:
                self.fs.mv(path, aside_path)
        if kept.num_rows:
            self._put_file(path, encode_parquet(kept))
        return aside_path

    @property
    def _advice(self) -> str:
        """The command to use on a damaged run, as the end of an error message."""
        return f"`isocompute check {self.path}` says what would be lost"

    def verify_lock(self) -> None:
        """Raise if this process locked the run and has lost the lock.

        Raises:
            RunError: the run was moved or deleted, or another process took it.
        """
        if self.held is not None:
            self.held.verify()

    def _put_file(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        with self._translate_write_errors(path):
            self.verify_lock()  # without the check, a moved folder would be created again
            folder = posixpath.dirname(path)
            if self.local or folder not in self._made_folders:
                self.fs.makedirs(folder, exist_ok=True)
                self._made_folders.add(folder)
            if self.local:
                replace_file(path, content, f"{path}.{os.getpid()}.tmp")
            else:
                try:
                    self.fs.pipe_file(path, content)  # object stores publish an object when its upload is complete
                except BaseException:
                    if self.held is not None:
                        self.held.write_failed = True  # it may arrive all the same
                    raise

    @contextmanager
    def _translate_read_errors(self, path: str) -> Iterator[None]:
        """Turn read errors of the disk or store into RunError.

        pyarrow raises an OSError without an errno for a damaged file; that one is passed on.
        """
        try:
            yield
        except (pa.ArrowException, IsocomputeError):
            raise
        except Exception as error:  # each store has its own error classes
            if self.local and not isinstance(error, OSError):
                raise
            if type(error) is OSError and error.errno is None:
                raise
            kind = GonePartError if isinstance(error, FileNotFoundError) else RunError
            raise kind(
                f"{path} cannot be read: {describe_store_error(error)}; its content may be intact, so nothing was "
                "changed."
            ) from None

    @contextmanager
    def _translate_write_errors(self, path: str) -> Iterator[None]:
        """Turn write errors of the disk or store into RunError."""
        try:
            yield
        except IsocomputeError:
            raise
        except Exception as error:  # each store has its own error classes
            if self.local and not isinstance(error, OSError):
                raise
            raise RunError(
                f"{path} could not be written: {describe_store_error(error)}. What was written before is intact; run "
                "the same command again to continue."
            ) from None

    @contextmanager
    def lock(self) -> Iterator[RunLock]:
        """Lock the run for one writing process, and remove the unfinished files of a killed one.

        Raises:
            RunError: another process is writing this run.
        """
        with ExitStack() as stack:
            with self._translate_write_errors(posixpath.join(self.root, LOCK_FILE)):
                self.held = stack.enter_context(lock_run(self.place, self.path))
            stack.callback(setattr, self, "held", None)
            self.remove_temporaries()
            if self.held.has_predecessor:
                self._exclude_late_parts()
            yield self.held

    @contextmanager
    def hold_lock(self, lock: RunLock) -> Iterator[None]:
        """Write under a lock that was taken elsewhere, while the block runs."""
        self.held = lock
        try:
            yield
        finally:
            self.held = None

    def write_marker(self, table: RunTable, name: str) -> None:
        """Write a file of a table that holds no rows; its name says which parts are not read."""
        self._put_file(posixpath.join(self.root, table.name, name), b"")

    def _exclude_late_parts(self) -> None:
        """Make void what a former writer of a store may still send: at most the next part of each table.

        Overlays are one part that is replaced as a whole, under one name; there the last request counts.
        """
        overlays = {overlay.name for overlay in OVERLAYS.values()}
        for table in (table for table in TABLES.values() if table.name not in overlays):
            name = name_void_part(find_next_number(self.list_files(table)), token_hex(4))
            self.write_marker(table, name)

    def remove_temporaries(self) -> None:
        """Remove this run's unfinished files; links are neither followed nor removed."""
        folders = [self.root, *(posixpath.join(self.root, name) for name in TABLES)] if self.local else []
        folders = [folder for folder in folders if folder == self.root or not os.path.islink(folder)]
        for path in (path for folder in folders for path in self._list_folder(folder)):
            if self._is_temporary(path) and os.path.isfile(path) and not os.path.islink(path):
                with self._translate_write_errors(path):
                    os.remove(path)
