"""Joining of small parts into large ones, while others read the run.

1. The files of a table are listed. Blocks of neighbouring parts are chosen whose bytes make a large part at most.
2. The rows of a block are written in the order of its parts, as one joined part, whole or not at all. Its name says
   which part numbers it holds (`isocompute.runners.storage.part_names`). From that moment, its parts are not read any
   more: one request publishes the new and retires the old.
3. Retired parts are deleted: at once by `isocompute compact`; during a sweep only when parts are joined the next time.

A crash before the end of 2 changes nothing. After it, retired parts may be left over; the next joining deletes them.
Nothing is renamed or changed, and no other file says which parts there are, so nothing can contradict the names.

Readers. A store lists names in their order, page after page, and a joined part's name comes after those of its parts.
So a list that lacks a deleted part holds the joined one. A disk lists in any order; there a list is taken again if
joined parts have come while it was taken (`Run.list_parts`). A reader that finds a listed part gone takes a new list,
keeps what it has read of parts that are still listed, and drops the others. So it has each row exactly once.

Writers. Only the holder of the run's lock joins. A joined part that a former holder sent and that arrives late holds
the same rows as the parts it names, or is itself within a larger one. Parts are joined up to the next free number at
most, so no later part is retired by it. A failed row and its retry keep their order, on which `Run.read_frame` relies.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

import pyarrow as pa

from isocompute.errors import RunError
from isocompute.runners.storage.part_names import (
    JOINED_FORMAT,
    Block,
    choose_blocks,
    name_joined_part,
    select_parts,
)
from isocompute.runners.storage.schema import OVERLAYS, TABLES, RunTable

if TYPE_CHECKING:
    from isocompute.runners.storage.run import Run

JOINED_BYTES = 64 * 2**20
"""The most bytes of the parts that are joined into one; a store takes that in a single request."""

JOINED_WHILE_WRITING = 64
"""After how many parts a writer joins them in a store; eight blocks of joined parts are joined again."""

READERS = 16
"""Parts that are read from a store at the same time."""


@dataclass(frozen=True)
class JoinedTable:
    """The parts of a table before and after they were joined.

    Args:
        table: its name.
        before: how many parts were read before.
        after: how many are read now.
        deleted: how many retired files were deleted.
    """

    table: str
    before: int
    after: int
    deleted: int


def join_run_parts(run: Run) -> list[JoinedTable]:
    """Join the small parts of every table of a run, and delete the retired ones.

    Raises:
        RunError: there is no run, another process is writing it, or the disk or store refuses.
        DataError: a part is damaged; it is not joined, and those before it are whole.
    """
    run.read_manifest()  # raises if there is no run
    overlays = {overlay.name for overlay in OVERLAYS.values()}  # they are one part, which is replaced as a whole
    with run.lock() as lock:
        if not lock.is_guarded:
            raise RunError(
                f"The run at '{run.path}' cannot be compacted, because its store cannot keep a second writer out, "
                "whose parts would be lost; copy the run to another store."
            )
        run.update_format(JOINED_FORMAT)
        return [
            joined
            for table in TABLES.values()
            if table.name not in overlays and (joined := join_table_parts(run, table)).before + joined.deleted
        ]


def join_table_parts(run: Run, table: RunTable) -> JoinedTable:
    """Join the small parts of a table, and delete the retired ones."""
    sizes = run.list_files(table)
    parts, _ = select_parts(sizes)
    blocks = choose_blocks(parts, sizes, least=2, factor=2, most_bytes=JOINED_BYTES)
    for block in blocks:
        join_block(run, table, block)
    kept, retired = select_parts(run.list_files(table))
    run.remove_parts(retired)
    return JoinedTable(table.name, len(parts), len(kept), len(retired))


def join_written_parts(run: Run, table: RunTable, number: int) -> None:
    """Delete what was retired before, and join the parts of a table that is being written in a store, now and then.

    Args:
        run: the run; without a lock that keeps other writers out, nothing is joined.
        table: the table.
        number: the number of the next part.
    """
    if number % JOINED_WHILE_WRITING or run.held is None or not run.held.is_guarded:
        return
    sizes = run.list_files(table)
    parts, retired = select_parts(sizes)
    run.remove_parts(retired)
    for block in choose_blocks(parts, sizes, JOINED_WHILE_WRITING, 8, JOINED_BYTES):
        join_block(run, table, block)


def join_block(run: Run, table: RunTable, block: Block) -> None:
    """Write the rows of a block's parts as one joined part."""
    with ThreadPoolExecutor(1 if run.local else READERS) as pool:
        contents = list(pool.map(lambda part: run.read_part(table, part.path), block.parts))
    content = pa.concat_tables(contents).combine_chunks()
    run.write_part(table, name_joined_part(block.first, block.size, token_hex(4)), content)
