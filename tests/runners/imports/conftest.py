from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.storage.run import Run

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "imports"


@pytest.fixture
def golden() -> Path:
    """What other tools logged, in small."""
    return GOLDEN


@pytest.fixture
def take(tmp_path):
    """Imports something as a new run."""

    def run(name: str, path: object, grader: str | None = None, /, **columns: str) -> Run:
        target = tmp_path / "runs" / "imported"
        import_logged_run(name, str(path), str(target), ImportOptions(grader=grader, columns=columns))
        return Run(target)

    return run


@pytest.fixture
def cells():
    """Returns columns of a run's table as rows, in which what is unknown is None."""

    def read(run: Run, table, *columns: str) -> list[tuple]:
        frame = run.read_frame(table)[list(columns)].astype(object)
        return [tuple(None if is_null(cell) else cell for cell in row) for row in frame.itertuples(index=False)]

    return read


def is_null(cell: object) -> bool:
    return not hasattr(cell, "__len__") and bool(pd.isna(cell))
