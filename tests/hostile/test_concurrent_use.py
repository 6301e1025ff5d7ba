"""Several processes on one run: none loses a row, doubles one, or ends without a sentence. The processes are real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isocompute.errors import IsocomputeError
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

ROOT = Path(__file__).resolve().parents[2]
SLOW_SWEEP = """
import sys, time
from tests.conftest import ScriptedEngine, lab_text, small_sweep
from isocompute.errors import IsocomputeError
from isocompute.runners.sampling.sweep import run_sweep

def say(prompt, seed):
    time.sleep(0.03)
    return lab_text(prompt, seed)

if sys.argv[2:]:
    clock = time.time
    time.time = lambda: clock() - float(sys.argv[2])
try:
    run_sweep(small_sweep(sys.argv[1], checkpoint_seconds=0.1), load=ScriptedEngine(say))
except IsocomputeError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
"""
MOST_SECONDS = 60


def start(*command: str) -> subprocess.Popen[str]:
    """Start a Python process that can import the tests."""
    paths = os.pathsep.join([str(ROOT), *(path for path in sys.path if path)])
    environment = os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def start_sweep(run: Path, *backwards: str) -> subprocess.Popen[str]:
    """Start a sweep of 24 solutions and 72 verifications that takes about three seconds."""
    return start("-c", SLOW_SWEEP, str(run), *backwards)


def start_command(*words: str) -> subprocess.Popen[str]:
    return start("-m", "isocompute.cli.main", *words)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a process, and return its exit code and what it said; it may not end with a traceback."""
    out, err = process.communicate(timeout=MOST_SECONDS)
    assert "Traceback" not in out + err, err
    assert process.returncode in (0, 1, 2), err
    return process.returncode, err


def wait_for_rows(run: Path) -> None:
    """Wait until a run has its first solutions."""
    for _ in range(50 * MOST_SECONDS):
        if list((run / "solutions").glob("part-*.parquet")):
            return
        time.sleep(0.02)
    raise AssertionError("no solution was written")


def require_whole(run: Path) -> None:
    """Raise unless a run has every row once, and nothing is damaged."""
    checked = check_run(Run(run))
    assert not checked.damage, checked.damage
    for table, rows in ((SOLUTIONS_TABLE, 24), (VERIFICATIONS_TABLE, 72)):
        keys = Run(run).read_keys(table)
        assert len(keys) == rows
        assert Run(run).count_rows(table) == rows


def test_of_two_sweeps_one_writes_and_the_other_says_so(tmp_path):
    run = tmp_path / "run"
    ends = [finish(process) for process in (start_sweep(run), start_sweep(run))]
    assert sorted(code for code, _ in ends)[0] == 0
    assert all(code == 0 or "Another process" in said for code, said in ends), ends
    require_whole(run)


@pytest.mark.parametrize("command", ["grade", "compact", "check", "runs"])
def test_a_command_on_a_run_that_is_written_does_no_harm(tmp_path, command):
    run = tmp_path / "run"
    sweep = start_sweep(run)
    wait_for_rows(run)
    others = [finish(start_command(command, str(run))) for _ in range(2)]
    assert finish(sweep)[0] == 0
    assert all(code in (0, 1) or said.count("\n") <= 2 for code, said in others), others
    require_whole(run)


def test_a_copy_of_a_run_that_is_written_is_completed_like_the_run(tmp_path):
    run, copy = tmp_path / "run", tmp_path / "copy"
    sweep = start_sweep(run)
    wait_for_rows(run)
    shutil.copytree(run, copy, ignore_dangling_symlinks=True)
    assert finish(sweep)[0] == 0
    code, said = finish(start_sweep(copy))
    assert code == 0, said
    require_whole(run)
    require_whole(copy)


@pytest.mark.parametrize("seconds", ["86400", "-86400", "1e9"])
def test_a_clock_that_is_set_back_loses_no_row(tmp_path, seconds):
    run = tmp_path / "run"
    first = start_sweep(run)
    wait_for_rows(run)
    first.kill()
    first.communicate()
    code, said = finish(start_sweep(run, seconds))
    assert code == 0, said
    require_whole(run)


def test_an_error_of_a_locked_run_is_one_of_the_family(tmp_path, written_run):
    run = Run(written_run)
    with run.lock(), pytest.raises(IsocomputeError, match="Another process"), Run(written_run).lock():
        pass
