from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.runners.log import Run
from isocompute.runners.tables import Table


@pytest.fixture
def refused(command):
    """Runs a command that must end in exit code 2 and one sentence, and returns the sentence."""

    def run(*arguments: object) -> str:
        ended = command(*arguments)
        assert ended.code == 2
        assert ended.out == ""
        assert ended.err.startswith("error: ")
        assert ended.err.endswith(".\n")
        assert ended.err.count("\n") == 1
        return ended.err.removeprefix("error: ").removesuffix("\n")

    return run


@pytest.fixture
def rewrite():
    """Writes a run's table anew, as one part, with its data frame changed; the columns may be others then."""

    def change(run: Path, table: Table, how: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        log = Run(run)
        frame = how(log.frame(table))
        for part in log.parts(table):
            log.fs.rm(part)
        kept = pa.schema([field for field in table.schema if field.name in frame])
        with log.fs.open(f"{log.root}/{table.name}/part-00000.parquet", "wb") as file:
            pq.write_table(pa.Table.from_pandas(frame, kept, preserve_index=False), file)

    return change
