"""The notebooks run from what is committed, and each .ipynb shows what its .py says."""

from __future__ import annotations

import runpy
from pathlib import Path

import jupytext
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))


def test_there_are_notebooks():
    assert SOURCES


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs(source, monkeypatch):
    monkeypatch.chdir(FOLDER)
    monkeypatch.setenv("MPLBACKEND", "agg")
    runpy.run_path(str(source))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_executed_notebook_has_the_same_cells(source):
    shown = jupytext.read(source.with_suffix(".ipynb"))
    said = jupytext.read(source)
    assert [(c.cell_type, c.source) for c in shown.cells] == [(c.cell_type, c.source) for c in said.cells]
    assert all(cell.get("execution_count") for cell in shown.cells if cell.cell_type == "code")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_is_short_and_defines_nothing(source):
    lines = source.read_text().splitlines()
    assert len(lines) <= 120
    assert not [line for line in lines if line.startswith(("def ", "class "))]
