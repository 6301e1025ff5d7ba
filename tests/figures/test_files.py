"""Figures as files: fonts that can be embedded, and bytes that do not depend on where a command runs."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")


def test_figures_hold_no_type_3_fonts_and_do_not_depend_on_the_folder(command, written_run, tmp_path, monkeypatch):
    run = Path(written_run)
    assert command("figures", run, "-o", tmp_path / "there").code == 0
    monkeypatch.chdir(run)
    assert command("figures", ".", "-o", tmp_path / "here").code == 0
    drawn = sorted((tmp_path / "there").iterdir())
    assert len(drawn) == 6
    for path in drawn:
        content = path.read_bytes()
        assert content == (tmp_path / "here" / path.name).read_bytes()
        assert b"/Type3" not in content
