"""Scans of a run's tables: some of their columns, in batches of rows in the order of writing.

Memory does not grow with the number of rows. A failed row whose key a later row has is left out, as in
`Run.read_frame`; which ones these are is found from the status alone, and from the keys where rows failed. The keys'
uniqueness is what `check` checks, and every reader of numbers calls `check.require_whole_run` first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.limits import WORK_GIB
from isocompute.runners.parsing.printable import describe_reason
from isocompute.runners.storage.parquet_sizes import PARQUET_ERRORS, read_parquet_batches
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.run_folder import retry_gone_parts
from isocompute.runners.storage.schema import RunTable

SCAN_ROWS = 2**16
"""Rows of a batch. Small parts are joined to about as many."""
HASH_FACTOR = np.int64(6364136223846793005)
"""An odd factor that spreads keys over the integers."""


def scan_table(
    run: Run, table: RunTable, columns: Sequence[str], paths: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yield all rows of a table, failed and superseded ones included, in batches.

    Args:
        run: the run.
        table: the table.
        columns: the columns to read.
        paths: the parts to read; all if not given.

    Raises:
        DataError: a part is damaged, has a wrong column, or lacks a required value.
        GonePartError: a part was joined with others meanwhile; the reader begins anew, see `retry_gone_parts`.
        RunError: a part cannot be read.
    """
    waiting: list[pa.Table] = []
    for path in run.list_parts(table) if paths is None else paths:
        for batch in scan_part(run, table, path, columns):
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= SCAN_ROWS:
                yield pa.concat_tables(waiting)
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def scan_part(run: Run, table: RunTable, path: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of one part in batches, see `scan_table`."""
    schema = table.select_schema(columns)
    try:
        with run._translate_read_errors(path), run.open_part(path, list(columns)) as file:
            part = pq.ParquetFile(file, page_checksum_verification=True)
            names = table.find_columns(part.schema_arrow, path)
            present = [names[name] for name in schema.names if name in names]
            if not present:  # all of the columns are younger than the part
                yield pa.table([pa.nulls(part.metadata.num_rows, field.type) for field in schema], schema=schema)
                return
            for batch in read_parquet_batches(part, file, present, path, SCAN_ROWS, usual=WORK_GIB):
                cells = [
                    batch[names[field.name]] if field.name in names else pa.nulls(batch.num_rows, field.type)
                    for field in schema
                ]
                for field, column in zip(schema, cells, strict=True):
                    if not field.nullable and column.null_count:
                        raise DataError(f"{path}: '{field.name}' is null in {column.null_count:,} rows; {run._advice}.")
                yield pa.table(cells, schema=schema)
    except PARQUET_ERRORS as error:
        reason = describe_reason(error)
        raise DataError(f"{path} cannot be read as Parquet: {reason}; {run._advice}.") from None


def scan_last_rows(run: Run, table: RunTable, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of a table that has a status, in batches; a failed row is left out if a later one has its key.

    Args:
        run: the run, whose keys are known to be unique but for retries.
        table: the table.
        columns: the columns to read.

    Raises:
        DataError, RunError: as `scan_table`.
    """
    paths = run.list_parts(table)  # once: the run may be growing
    superseded = find_superseded_rows(run, table, paths)
    start = 0
    for batch in scan_table(run, table, columns, paths):
        end = start + batch.num_rows
        if (at := superseded[(superseded >= start) & (superseded < end)]).size:
            kept = np.ones(batch.num_rows, dtype=bool)
            kept[at - start] = False
            batch = batch.filter(pa.array(kept))
        start = end
        yield batch


def find_superseded_rows(run: Run, table: RunTable, paths: Sequence[str]) -> NDArray[np.int64]:
    """Return the numbers of the failed rows whose key a later row has, counted over the parts from 0, in order."""
    places, keys, start = [], [], 0
    for batch in scan_table(run, table, ["status"], paths):
        failed = pc.not_equal(batch["status"], "ok").to_numpy()
        places.append(start + np.flatnonzero(failed))
        start += batch.num_rows
    failed_places: NDArray[np.int64] = np.concatenate([np.empty(0, dtype=np.int64), *places])
    if not failed_places.size:
        return failed_places
    start = 0
    for batch in scan_table(run, table, table.key_names, paths):
        at = failed_places[(failed_places >= start) & (failed_places < start + batch.num_rows)]
        start += batch.num_rows
        if at.size:
            keys.append(batch.take(pa.array(at - (start - batch.num_rows))))
    failed_rows = pa.concat_tables(keys)
    failed_keys = build_key_index(failed_rows, table)
    distinct = failed_keys.unique()
    problems = pc.unique(failed_rows["problem_id"])
    prints = np.unique(hash_keys(failed_rows, problems))
    last = np.full(len(distinct), -1)
    start = 0
    for batch in scan_table(run, table, table.key_names, paths):
        hashes = hash_keys(batch, problems)
        place = np.minimum(np.searchsorted(prints, hashes), len(prints) - 1)
        near = np.flatnonzero(prints[place] == hashes)  # few rows, whose keys are then compared
        found = distinct.get_indexer(build_key_index(batch.take(pa.array(near)), table))
        last[found[found >= 0]] = start + near[found >= 0]  # of several rows with a key, the last one is kept
        start += batch.num_rows
    return np.asarray(failed_places[failed_places < last[distinct.get_indexer(failed_keys)]])


def hash_keys(rows: pa.Table, problems: pa.Array) -> NDArray[np.int64]:
    """Return a number for each row that follows from its problem's position and the integers of its key."""
    numbers = [pc.index_in(rows["problem_id"], value_set=problems)]
    numbers += [column for column in rows.columns if pa.types.is_integer(column.type)]
    hashes = np.zeros(rows.num_rows, dtype=np.int64)
    for number in numbers:
        hashes = hashes * HASH_FACTOR + pc.fill_null(number, -1).to_numpy()  # what overflows wraps around
    return hashes


def build_key_index(rows: pa.Table, table: RunTable) -> pd.MultiIndex:
    """Return the keys of rows as an index of pandas."""
    frame = rows.select(table.key_names).to_pandas()
    return pd.MultiIndex.from_frame(frame)


def count_ok_rows(run: Run, table: RunTable) -> int:
    """Return the number of rows of a table whose status is ok."""

    def count_listed_rows() -> int:
        return sum(pc.sum(pc.equal(batch["status"], "ok")).as_py() or 0 for batch in scan_table(run, table, ["status"]))

    return retry_gone_parts(count_listed_rows)
