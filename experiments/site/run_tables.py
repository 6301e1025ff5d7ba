"""The page of the tables of a run, from `runners.storage.schema`."""

from __future__ import annotations

from experiments.site.markdown import write_code, write_prose, write_table
from isocompute.runners.storage.schema import TABLES, Column, RunTable

HEAD = """# Tables of a run

A run is a folder. `manifest.json` says what was sampled and how, and each table below is a folder of Parquet parts
that are never rewritten. The key identifies a row: running a sweep again samples the keys that are missing. `null` in a
column of tokens or times means unknown, and is never counted as 0.
"""


def write_page() -> str:
    """Return the page."""
    return HEAD + "".join(describe_table(table) for table in TABLES.values())


def describe_table(table: RunTable) -> str:
    """Return the section of one table."""
    keys = ", ".join(write_code(name) for name in table.key_names)
    rows = [describe_column(column) for column in table.columns]
    return f"\n## {table.name}\n\nKey: {keys}\n\n{write_table(['column', 'type', 'null', 'meaning'], rows)}"


def describe_column(column: Column) -> list[str]:
    """Return the row of one column."""
    notes = [write_prose(column.meaning)]
    if column.within is not None:
        notes.append(f"never more than {write_code(column.within)}")
    if column.later:
        notes.append("runs of earlier versions lack it")
    if column.formerly is not None:
        notes.append(f"{write_code(column.formerly)} in runs of format 1")
    return [write_code(column.name), write_code(column.type), "yes" if column.null else "", "; ".join(notes)]
