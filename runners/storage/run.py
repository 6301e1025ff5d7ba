"""The files of a run: a manifest and tables of Parquet parts, each written whole or not at all.

    RUN/manifest.json          config, model and prompt hashes, versions and grader of a sweep; or the import's origin
    RUN/problems/*.parquet     RUN/solutions/*.parquet     RUN/verifications/*.parquet
    RUN/scores/*.parquet       RUN/nodes/*.parquet         RUN/searches/*.parquet
    RUN/grades/*.parquet       regraded answers, in one part that is replaced as a whole

The other parts are written once and never changed; only `Run.set_aside_part` takes one out, and `joining` makes one of
many. A row is identified by its key: a resumed sweep reads the existing keys and samples only the missing ones.

In a store, the part that a writer sent last may arrive after another process has taken its run over. Each table's next
number is then void (`part_names`), before the rows are read: such a part is either there by then, or never read. The
manifest and overlays are replaced, and hold the token of their writer's lease; they are written anew then, and a late
request of the former writer is refused where the store can (`conditional_writes`).

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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from secrets import token_hex
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import DataError, RunError
from isocompute.limits import require_memory
from isocompute.runners.documents import parse_json_document
from isocompute.runners.parsing.printable import describe_reason, format_error_value
from isocompute.runners.storage.files import (
    MANIFEST_FILE,
    open_regular_file,
    read_file,
    read_object,
)
from isocompute.runners.storage.leases import LOCK_FILE
from isocompute.runners.storage.locking import RunLock, lock_run
from isocompute.runners.storage.parquet_sizes import PARQUET_ERRORS, read_whole_parquet
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
from isocompute.runners.storage.run_folder import GonePartError, RunFolder
from isocompute.runners.storage.schema import OVERLAYS, TABLES, RunTable

RUN_FORMAT = 2
"""The run format that is written."""

READABLE_FORMATS = (1, 2, 3)
"""The run formats that are read. A run of a later format that was begun in format 1 has parts of both."""

LEASE_KEY = "lease"
"""The key of a manifest or an overlay in a store for the token of the lease under which it was written."""

SMALL_PART_BYTES = 2**20
"""The most bytes of a part that is read from a store in one request, even if not all columns are asked for."""


class Run(RunFolder):
    """A run's folder, on a local disk or in a store that fsspec reaches.

    Args:
        path: the folder; ``runs/lab`` or ``s3://bucket/runs/lab``.
    """

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
                f"The run at '{self.path}' has the format {format_error_value(format_)}, but this "
                "version of isocompute reads "
                f"formats {READABLE_FORMATS[0]} to {READABLE_FORMATS[-1]}; use the version that wrote it, or a newer "
                "one."
            )
        return manifest

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest whole or not at all; equal content gives equal bytes."""
        if not self.local and manifest.get("format", 1) == RUN_FORMAT:
            manifest = {**manifest, "format": JOINED_FORMAT}
        if self._lease is not None:
            manifest = {**manifest, LEASE_KEY: self._lease.lease.writer}
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        self._put_file(posixpath.join(self.root, MANIFEST_FILE), text.encode(), replaces=True)

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
        except PARQUET_ERRORS as error:
            reason = describe_reason(error)
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
            with suppress(*PARQUET_ERRORS), self.open_part(path, []) as file:
                total += pq.ParquetFile(file).metadata.num_rows
        return total

    def replace_table(self, table: RunTable, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a table as a single part that replaces the former one whole or not at all."""
        self.write_part(table, "part-00000.parquet", build_arrow_table(list(rows), table.schema))

    def write_part(self, table: RunTable, name: str, content: pa.Table) -> None:
        """Write a part whole or not at all; its name must match `PART_FILE_PATTERN`."""
        replaces = table in OVERLAYS.values()
        if replaces and self._lease is not None:
            content = content.replace_schema_metadata({LEASE_KEY: self._lease.lease.writer})
        self._put_file(posixpath.join(self.root, table.name, name), encode_parquet(content), replaces)

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
            self._put_file(path, encode_parquet(kept), replaces=True)
        return aside_path

    @property
    def _advice(self) -> str:
        """The command to use on a damaged run, as the end of an error message."""
        return f"`isocompute check {self.path}` says what would be lost"

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

    def write_marker(self, table: RunTable, name: str) -> None:
        """Write a file of a table that holds no rows; its name says which parts are not read."""
        self._put_file(posixpath.join(self.root, table.name, name), b"")

    def _exclude_late_parts(self) -> None:
        """Make void what a former writer of a store may still send: at most the next part of each table.

        The manifest and overlays, which have one name, are written anew, so that a late request names another version.
        """
        for table in TABLES.values():
            if table not in OVERLAYS.values():
                name = name_void_part(find_next_number(self.list_files(table)), token_hex(4))
                self.write_marker(table, name)
                continue
            for path in self.list_parts(table):
                with suppress(DataError):  # a damaged part is for `check`
                    self.write_part(table, posixpath.basename(path), self.read_part(table, path))
        manifest = None
        with suppress(DataError, RunError):  # there is none, or whoever reads it next says what is wrong
            manifest = self.read_manifest()
        if manifest is not None:
            self.write_manifest(manifest)
