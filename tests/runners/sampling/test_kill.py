"""A sweep that is killed at any moment loses nothing and repeats nothing: real processes, real kills."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
TABLES = (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE)


def config(folder: Path, name: str, solutions: int, verifications: int) -> Path:
    options = {
        "batch_size": 1,
        "dtype": "float32",
    }  # arithmetic that does not depend on what else is in the batch
    sweep = {
        "run": str(folder / name),
        "task": {"name": "lab", "problems": 4, "levels": [1, 2]},
        "engine": "transformers",
        "solver": {"model": str(LAB / "solver"), "prompt": "lab-solve", "max_tokens": 60, "options": options},
        "verifier": {
            "model": str(LAB / "verifier"),
            "prompt": "lab-verify",
            "max_tokens": 60,
            "options": options,
        },
        "solutions": solutions,
        "verifications": verifications,
        "checkpoint_seconds": 0.2,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(sweep))
    return path


def start(path: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "isocompute.cli.main", "sweep", str(path)], stdout=subprocess.DEVNULL
    )


def parts(run: Run) -> dict[str, bytes]:
    return {path: Path(path).read_bytes() for table in TABLES for path in run.list_parts(table)}


@pytest.fixture
def content(unclocked):
    """Reads a run's tables in the order of their keys, without when their rows were made, and its manifest."""

    def read(run: Run) -> dict[str, object]:
        manifest = (Path(run.path) / "manifest.json").read_bytes().replace(run.path.encode(), b"RUN")
        return {
            "manifest": manifest,
            **{
                table.name: sorted(
                    unclocked(run, table), key=lambda row, table=table: [row[n] for n in table.key_names]
                )
                for table in TABLES
            },
        }

    return read


def kill(process: subprocess.Popen, run: Run, moments: random.Random) -> bool:
    """Kill a sweep a moment after it has written a few more parts; whether it was still running."""
    wanted = len(parts(run)) + moments.randint(0, 3)
    while process.poll() is None and len(parts(run)) < wanted:
        time.sleep(0.01)
    time.sleep(moments.uniform(0, 0.4))
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


@pytest.mark.parametrize(
    ("kills", "solutions", "verifications"), [(2, 4, 2), pytest.param(10, 12, 3, marks=pytest.mark.soak)]
)
def test_a_run_that_was_killed_equals_one_that_was_not(tmp_path, content, kills, solutions, verifications):
    whole, killed = (config(tmp_path, name, solutions, verifications) for name in ("whole", "killed"))
    assert start(whole).wait() == 0

    run, moments = Run(tmp_path / "killed"), random.Random(0)
    for _ in range(kills):
        before = parts(run)
        assert kill(start(killed), run, moments)
        after = parts(run)
        assert {path: after.get(path) for path in before} == before  # what was written stays as it was
        assert len(run.read_frame(SOLUTIONS_TABLE)) == len(
            run.read_keys(SOLUTIONS_TABLE)
        )  # readable after every kill, no key twice
    assert len(run.read_keys(SOLUTIONS_TABLE)) > 0
    assert start(killed).wait() == 0
    assert content(run) == content(Run(tmp_path / "whole"))
    assert len(run.read_frame(SOLUTIONS_TABLE)) == 4 * solutions
    assert len(run.read_frame(VERIFICATIONS_TABLE)) == 4 * solutions * verifications
