"""Parts of a run under examination, and the damage that is found in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from isocompute.runners.storage.row_states import Mask
from isocompute.runners.storage.schema import DIGEST_COLUMN, SOLUTIONS_TABLE, RunTable

DIGEST_NAME = DIGEST_COLUMN.name

REPAIR, RESTORE, RESWEEP, REIMPORT = "repair", "restore", "sweep", "import"
"""Remedies: set the part aside and sample its lost rows again; restore the file from a copy; run the sweep again, which
adds what is missing; import the source again."""


@dataclass(frozen=True)
class Damage:
    """One fault of one file.

    Args:
        path: the file.
        what: the fault and the first row that has it.
        rows: the number of lost rows; None if unknown.
        remedy: `REPAIR`, `RESTORE`, `RESWEEP` or `REIMPORT`.
        stray: whether the rows judge texts that the run does not hold; a sweep sets such rows aside when it starts.
    """

    path: str
    what: str
    rows: int | None
    remedy: str
    stray: bool = False


@dataclass(eq=False)
class ExaminedPart:
    """A part under examination.

    Args:
        table: its table.
        path: its file.
        keys: the key columns; None if the part cannot be read.
        ok: mask of the rows whose status is ok.
        sound: mask of the valid rows; each damage that is found clears some.
        digests: digest of the text that each row holds or judges, null if unknown; None for tables without texts.
    """

    table: RunTable
    path: str
    keys: pa.Table | None
    ok: Mask
    sound: Mask
    digests: pa.ChunkedArray | None = None

    def drop_keys(self) -> None:
        """Drop what only checks against other rows need; the mask of a sound part takes no memory from then on."""
        assert self.keys is not None, "a part that cannot be read has none"
        self.keys = self.keys.schema.empty_table()  # a slice would keep the buffers
        self.ok, self.digests = np.empty(0, dtype=bool), None
        if self.sound.all():
            self.sound = np.broadcast_to(np.True_, self.sound.shape)


def get_part_digests(part: ExaminedPart) -> pa.ChunkedArray:
    """Return the digests of a part's rows, null where unknown."""
    return part.digests if part.digests is not None else pa.chunked_array([pa.nulls(len(part.sound), pa.string())])


def mark_lost_rows(
    parts: list[ExaminedPart], bad: Mask, what: str, remedy: str = REPAIR, stray: bool = False
) -> Iterator[Damage]:
    """Yield the damage of each part that has bad rows; unless another sweep mends them, they are no longer sound."""
    start = 0
    for part in parts:
        lost = bad[start : start + len(part.sound)] & part.sound
        start += len(part.sound)
        if part.keys is None or not lost.any():
            continue
        count = int(lost.sum())
        key = tuple(part.keys.slice(int(lost.argmax()), 1).to_pylist()[0].values())
        text = f"{count:,} row{'s' if count > 1 else ''} {what}; the first: {key}"
        if remedy == REPAIR:
            part.sound &= ~lost
        yield Damage(part.path, text, count if remedy == REPAIR else 0, remedy, stray)


def select_sound_rows(parts: list[ExaminedPart], table: RunTable) -> pa.Table:
    """Return the keys of a table's rows that are ok and sound; for solutions also the digests of their texts."""
    fields = [table.schema.field(name) for name in table.key_names]
    fields += [pa.field(DIGEST_NAME, pa.string())] if table is SOLUTIONS_TABLE else []
    selected = []
    for part in parts:
        if part.table is table and part.keys is not None:
            content = (
                part.keys.append_column(DIGEST_NAME, get_part_digests(part)) if table is SOLUTIONS_TABLE else part.keys
            )
            selected.append(content.filter(pa.array(part.ok & part.sound)))
    return pa.concat_tables([pa.schema(fields).empty_table(), *selected])
