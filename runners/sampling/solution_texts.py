"""Texts of some of a run's solutions, for requests of what they lack."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isocompute.runners.storage.row_states import Mask, RowStates
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.scan import scan_table
from isocompute.runners.storage.schema import SOLUTIONS_TABLE


def read_solution_texts(run: Run, states: RowStates, wanted: Mask) -> list[tuple[str, int, str | None, str | None]]:
    """Read the texts of some solutions that are ok; the others are passed over as they are read.

    Args:
        run: the run.
        states: the box whose problems and numbers of solutions ``wanted`` has.
        wanted: (P, S) the solutions whose texts are wanted.

    Returns:
        Problem, number, text and finish reason of each, sorted by problem and number.
    """
    rows: list[tuple[str, int, str | None, str | None]] = []
    if not wanted.any():
        return rows
    columns = [*SOLUTIONS_TABLE.key_names, "text", "finish_reason", "status"]
    for batch in scan_table(run, SOLUTIONS_TABLE, columns):
        places = states.locate_rows(batch.select(SOLUTIONS_TABLE.key_names))
        is_wanted = (places >= 0) & wanted.reshape(-1)[places]
        is_wanted &= np.asarray(pc.equal(batch["status"], "ok").to_numpy(), dtype=bool)
        found = batch.select(columns[:-1]).filter(pa.array(is_wanted))
        rows.extend(zip(*(column.to_pylist() for column in found.columns), strict=True))
    return sorted(rows, key=lambda row: row[:2])
