"""Figures as files: fonts that can be embedded, tables beside them, and bytes that depend on what was measured only."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from isocompute.figures.registry import FIGURES
from isocompute.figures.source import open_figure_source
from isocompute.figures.tables import render_table
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

FIGURES_OF_A_RUN = {
    "caps",
    "crossover",
    "difficulty",
    "difficulty_bars",
    "frontiers",
    "policies",
    "regret",
    "solutions_and_compute",
    "solutions_and_compute_by_level",
    "surface",
    "verifier",
}
DRAWN = ("frontiers", "solutions_and_compute")
DRAW = ("figures", "--only", ",".join(DRAWN), "-o")


def render_tables(run: str) -> dict[str, bytes]:
    """The table of every figure that a run gives, as its file."""
    source = open_figure_source(run)
    inputs = {name: source.get_input(entry.needs) for name, entry in FIGURES.items()}
    tables = {name: FIGURES[name].table_function(given) for name, given in inputs.items() if given is not None}
    return {name: render_table(table) for name, table in tables.items() if not table.empty}


def test_files_depend_neither_on_the_folder_nor_on_the_order_of_rows(
    command, written_run, rewrite, tmp_path, monkeypatch
):
    run = Path(written_run)
    tables = render_tables(str(run))
    assert set(tables) == FIGURES_OF_A_RUN
    assert command(*DRAW, tmp_path / "there", run).code == 0
    monkeypatch.chdir(run)
    for table in (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        rewrite(run, table, lambda frame: frame.sample(frac=1, random_state=1))
    assert render_tables(".") == tables
    assert command(*DRAW, tmp_path / "here", ".").code == 0
    drawn = sorted((tmp_path / "there").iterdir())
    assert [path.name for path in drawn] == [f"{name}.{kind}" for name in DRAWN for kind in ("csv", "pdf", "png")]
    for path in drawn:
        content = path.read_bytes()
        assert content == (tmp_path / "here" / path.name).read_bytes(), path.name
        assert b"/Type3" not in content
    for name in DRAWN:
        assert (tmp_path / "there" / f"{name}.csv").read_bytes() == tables[name]


def test_what_is_unknown_is_left_empty_and_no_digit_depends_on_rounding_errors():
    table = pd.DataFrame({"strategy": ["λ", None], "level": pd.array([1, None], "Int64"), "low": [0.1 + 0.2, None]})
    assert render_table(table) == "strategy,level,low\nλ,1,0.3\n,,\n".encode()
