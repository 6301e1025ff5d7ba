"""Figures as files: fonts that can be embedded, tables beside them, and bytes that depend on what was measured only."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from isocompute.figures.plots.solutions_and_compute import build_solutions_and_compute_table
from isocompute.figures.source import open_figure_source
from isocompute.figures.tables import render_table
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

FILES = (
    "caps",
    "difficulty",
    "difficulty_bars",
    "frontiers",
    "policies",
    "solutions_and_compute",
    "solutions_and_compute_by_level",
    "verifier",
)


def test_files_depend_neither_on_the_folder_nor_on_the_order_of_rows(
    command, written_run, rewrite, tmp_path, monkeypatch
):
    run = Path(written_run)
    assert command("figures", run, "-o", tmp_path / "there").code == 0
    monkeypatch.chdir(run)
    for table in (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        rewrite(run, table, lambda frame: frame.sample(frac=1, random_state=1))
    assert command("figures", ".", "-o", tmp_path / "here").code == 0
    drawn = sorted((tmp_path / "there").iterdir())
    assert [path.name for path in drawn] == [f"{name}.{kind}" for name in FILES for kind in ("csv", "pdf", "png")]
    for path in drawn:
        content = path.read_bytes()
        assert content == (tmp_path / "here" / path.name).read_bytes(), path.name
        assert b"/Type3" not in content
    table = build_solutions_and_compute_table(open_figure_source(str(run)).profile)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "there" / "solutions_and_compute.csv"), table, check_dtype=False, rtol=1e-9
    )


def test_what_is_unknown_is_left_empty_and_no_digit_depends_on_rounding_errors():
    table = pd.DataFrame({"strategy": ["λ", None], "level": pd.array([1, None], "Int64"), "low": [0.1 + 0.2, None]})
    assert render_table(table) == "strategy,level,low\nλ,1,0.3\n,,\n".encode()
