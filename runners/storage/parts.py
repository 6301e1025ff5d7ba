"""Parts of tables: the buffer that rows wait in, and the bytes of a part."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from secrets import token_hex
from threading import RLock, Timer
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import DataError, RunError
from isocompute.runners.storage.joining import join_written_parts
from isocompute.runners.storage.part_names import find_next_number
from isocompute.runners.storage.schema import RunTable

if TYPE_CHECKING:
    from isocompute.runners.storage.run import Run


class PartWriter:
    """A buffer of rows that is written as a part every few seconds, even if no more rows come.

    Parts are numbered in the order of writing. A store or a run with shards may have a second writer, so there the name
    also holds a token of the writer, and no part overwrites another's. In a store, parts are also joined as they become
    many.
    """

    def __init__(self, run: Run, table: RunTable, seconds: float, rows: int, after: PartWriter | None) -> None:
        self.run, self.table, self.seconds, self.rows, self.after = run, table, seconds, rows, after
        self.part: tuple[int, list[Mapping[str, Any]]] = (find_next_number(run.list_files(table)), [])
        self.name = f"-{run.writer}" if run.writer else "" if run.local else f"-{token_hex(4)}"
        self.since = time.monotonic()
        self.lock = RLock()
        self.timer: Timer | None = None

    def add_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows; write the buffer now if it is old or large enough, otherwise start a timer that does."""
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
        """Write the buffered rows as one part."""
        with self.lock:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None
            number, waiting = self.part
            if waiting:
                if self.after is not None:
                    self.after.flush()  # a solution is written before its verifications
                content = build_arrow_table(waiting, self.table.schema)
                self.run.write_part(self.table, f"part-{number:05d}{self.name}.parquet", content)
                self.part = (number + 1, [])  # one assignment: an interrupt never loses rows
                if not self.run.local:
                    join_written_parts(self.run, self.table, number + 1)
            self.since = time.monotonic()

    def drop_rows(self) -> None:
        """Discard the buffered rows."""
        with self.lock:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None
            self.part[1].clear()

    def _flush_late(self) -> None:
        with suppress(DataError, RunError):  # rows that were not written stay buffered; the next call raises again
            self.flush()


def build_arrow_table(rows: list[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; a lone surrogate, which UTF-8 cannot encode, becomes '?'."""
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except UnicodeEncodeError:
        plain = [
            {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in row.items()}
            for row in rows
        ]
        return pa.Table.from_pylist(plain, schema=schema)


def encode_parquet(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file with page checksums."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())
