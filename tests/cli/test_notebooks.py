"""`isocompute notebooks`: what is copied, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

from isocompute.cli.commands.notebooks import NOTEBOOK_RUNS

ROOT = Path(__file__).resolve().parents[2]


def test_notebooks_are_copied_with_the_runs_that_they_read(command, tmp_path):
    folder = tmp_path / "mine"
    ended = command("notebooks", folder)
    assert ended.code == 0
    copied = sorted(path.name for path in folder.glob("*.ipynb"))
    assert copied == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert all(f"wrote {folder / name}" in ended.out for name in copied)
    assert {path.name for path in (folder / "data" / "runs").iterdir()} == set(NOTEBOOK_RUNS)
    assert command("check", folder / "data" / "runs" / "lab").code == 0


def test_every_run_that_a_notebook_opens_is_copied():
    read = {
        name
        for path in (ROOT / "notebooks").glob("*.py")
        for name in re.findall(r"data/runs/([\w-]+)", path.read_text())
    }
    assert read == set(NOTEBOOK_RUNS)


def test_nothing_is_overwritten(command, tmp_path):
    (tmp_path / "02_your_own_samples.ipynb").write_text("mine")
    ended = command("notebooks", tmp_path)
    assert ended.code == 2
    assert "is there already" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["02_your_own_samples.ipynb"]


def test_a_file_in_place_of_the_folder_is_refused(command, tmp_path):
    (tmp_path / "file").write_text("mine")
    ended = command("notebooks", tmp_path / "file")
    assert ended.code == 2
    assert "cannot be written" in ended.err
