"""Every experiment can be imported: each writes a page that nobody makes anew in the tests."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXPERIMENTS.glob("*.py")))
def test_an_experiment_can_be_imported(name):
    assert importlib.import_module(f"experiments.{name}").__doc__
