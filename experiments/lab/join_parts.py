"""Copy a complete run with one part per table and rounded times, as the runs are shipped that record times.

    python -m experiments.lab.join_parts runs/lab-both-small data/runs/lab-both-small

A sweep writes a part every minute and times to the microsecond, which are most of the bytes of a run of small models.
The copy keeps times to a tenth of a second. No other value changes.
"""

from __future__ import annotations

import argparse

import pyarrow as pa
import pyarrow.compute as pc

from isocompute.errors import RunError
from isocompute.runners.storage.building import build_hidden_run
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import TABLES

RESOLUTION_MS = 100
"""The unit that times are rounded to, in milliseconds."""


def round_times(table: pa.Table) -> pa.Table:
    """Return a table whose durations and moments are rounded to RESOLUTION_MS."""
    for i, field in enumerate(table.schema):
        values = table[field.name]
        if pa.types.is_timestamp(field.type):
            table = table.set_column(i, field, pc.round_temporal(values, RESOLUTION_MS, "millisecond"))
        elif field.name.endswith("seconds"):
            table = table.set_column(i, field, pc.round_to_multiple(values, RESOLUTION_MS / 1000))
    return table


def join_parts(source: Run, target: Run) -> None:
    """Write the copy.

    Args:
        source: the run, which must be whole and complete; it is not changed.
        target: the place of the copy; it must not exist yet.

    Raises:
        RunError: the source lacks rows or is damaged, or the target exists.
    """
    report = check_run(source)
    if not report.is_whole or any(report.missing.values()):
        raise RunError(f"'{source.path}' is damaged or incomplete; finish its sweep first.")
    with build_hidden_run(target, "copy", "copying") as copy:
        for table in TABLES.values():
            rows = source.read_table(table)
            if rows.num_rows:
                copy.write_part(table, "part-00000.parquet", round_times(rows))
        copy.write_manifest(source.read_manifest())


def main() -> None:
    """Copy a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="the run as it was swept")
    parser.add_argument("target", help="the folder of the copy, which must not exist yet")
    arguments = parser.parse_args()
    join_parts(Run(arguments.source), Run(arguments.target))


if __name__ == "__main__":
    main()
