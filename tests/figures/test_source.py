"""Sources of figures: a run is fitted once for all its figures, and again when its files change."""

from __future__ import annotations

import shutil

import pytest

from isocompute.errors import RunError
from isocompute.figures import source
from isocompute.runners.storage.run import Run


def test_a_run_is_fitted_once_and_again_after_a_change(written_run, tmp_path, monkeypatch):
    path = tmp_path / "copied"
    shutil.copytree(str(written_run), path)
    first = source.read_figure_source(Run(str(path)))
    monkeypatch.setattr(source, "read_pool", lambda run: pytest.fail("it was read again"))
    assert source.read_figure_source(Run(str(path))) is first
    monkeypatch.undo()
    manifest = path / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    assert source.read_figure_source(Run(str(path))) is not first
    assert len(source.RECENT_SOURCES) <= source.MOST_RECENT


def test_a_run_that_has_gone_is_an_error(tmp_path):
    with pytest.raises(RunError, match=r"^There is no run at"):
        source.read_figure_source(Run(str(tmp_path / "nowhere")))
