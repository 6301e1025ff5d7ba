"""Sweeps that take the solutions of another run, and how they are refused."""

from __future__ import annotations

import pytest

from isocompute.errors import RunError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

VERIFIER = {"model": "scripted/verifier", "prompt": "lab-verify"}


@pytest.fixture
def taking(tmp_path):
    """Makes the configuration of a sweep that takes the solutions of `run`, with keys changed."""

    def make(**changes: object) -> Sweep:
        content = {
            "run": str(tmp_path / "new"),
            "solutions_from": str(tmp_path / "run"),
            "engine": "transformers",
            "verifier": VERIFIER,
            "verifications": 3,
        }
        return Sweep.model_validate({**content, **changes})

    return make


@pytest.fixture
def old(small, scripted):
    """A run of solutions without verifications, of a solver that is eight times as large as its verifier will be."""
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "parameters": 8e9}
    return Run(run_sweep(small(verifier=None, verifications=0, solver=solver), load=scripted()).run)


@pytest.fixture
def refusal():
    """Gives the one sentence in which a sweep is refused before a model is loaded or a row is written."""

    def refuse(config, engine, kind=RunError) -> str:
        """The one sentence in which a sweep is refused before a model is loaded or a row is written."""
        there = Run(config.run).exists and {
            table: Run(config.run).list_parts(table) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)
        }
        with pytest.raises(kind) as caught:
            run_sweep(config, load=engine)
        assert engine.models == []
        assert there == (
            Run(config.run).exists
            and {table: Run(config.run).list_parts(table) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)}
        )
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        return sentence

    return refuse
