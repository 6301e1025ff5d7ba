"""Several processes on one run: none loses a row, doubles one, or ends without a sentence. The processes are real."""

from __future__ import annotations

import json
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
MOST_SECONDS = 300
"""Seconds after which a process that does not end is one that hangs, on a busy machine too."""


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


OTHERS = (
    "check RUN --repair", "upgrade RUN -o NEW", "fit RUN -o NEW.json", "difficulty RUN", "policies RUN -b 4x",
    "next RUN", "evaluate RUN", "tree RUN lab-1-1-0", "runs RUN --json", "check RUN --json",
    "grade RUN --against exact",
    "figures RUN -o NEW --only frontiers --format svg", "solve 1+1? -o RUN -p lab -b 2x", "import table RUN -o NEW",
    "sweep RUN", "pilot --budget 100x --run RUN",
)  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("command", OTHERS)
def test_any_command_on_a_run_that_is_written_does_no_harm(tmp_path, command):
    run = tmp_path / "run"
    sweep = start_sweep(run)
    wait_for_rows(run)
    words = command.replace("RUN", str(run)).replace("NEW", str(tmp_path / "new")).split()
    others = [start_command(*words) for _ in range(2)]
    ends = [finish(other) for other in others]
    assert finish(sweep)[0] == 0
    assert all(code in (0, 1) or said.count("error: ") == 1 for code, said in ends), ends
    require_whole(run)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("compact RUN", None),
        ("grade RUN", None),
        ("check RUN --repair", None),
        ("fit RUN -o NEW.json", "new.json"),
        ("fit lab -o NEW.json", None),
        ("upgrade RUN -o NEW", None),
        ("import table TABLE -o NEW", "new/manifest.json"),
        ("plan -b 8x -p lab --emit NEW.yaml", "new.yaml"),
    ],
)
def test_three_of_a_command_at_once_leave_one_whole_result(tmp_path, written_run, command, made):
    table = tmp_path / "t.csv"
    table.write_text("problem_id,gold,solution\n" + "".join(f"{i},5,\\boxed{{5}}\n" for i in range(2000)))
    places = {"RUN": str(written_run), "TABLE": str(table), "NEW": str(tmp_path / "new")}
    for name, place in places.items():
        command = command.replace(name, place)
    ends = [finish(process) for process in [start_command(*command.split()) for _ in range(3)]]
    assert all(code in (0, 1) or said.count("error: ") == 1 for code, said in ends), ends
    assert not check_run(Run(written_run)).damage
    if made is not None:
        assert any(code == 0 for code, _ in ends), ends
        content = (tmp_path / made).read_text()
        assert not made.endswith(".json") or json.loads(content)
    assert not [path for path in tmp_path.rglob("*.tmp") if path.is_file()]


@pytest.mark.soak
@pytest.mark.parametrize("change", ["moved", "deleted", "sealed", "replaced"])
def test_a_run_that_is_taken_away_while_it_is_written_ends_the_sweep_in_a_sentence(tmp_path, change):
    run = tmp_path / "run"
    sweep = start_sweep(run)
    wait_for_rows(run)
    if change == "moved":
        run.rename(tmp_path / "elsewhere")
    elif change == "deleted":
        shutil.rmtree(run)
    elif change == "sealed":
        (run / "solutions").rename(tmp_path / "solutions")
        (run / "solutions").write_text("no folder")
    else:
        run.rename(tmp_path / "elsewhere")
        run.mkdir()
    code, said = finish(sweep)
    assert code == 2, said
    assert said.count("error: ") == 1


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
