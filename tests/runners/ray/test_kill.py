"""A replica, a node or the driver is killed at any moment: every row comes once, and equals that of one machine."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SCORES_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

TABLES = (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE, NODES_TABLE, SEARCHES_TABLE)
SWEEP = {
    "task": {"name": "lab", "problems": 5},
    "engine": "double",
    "solver": {"model": "s", "prompt": "lab-solve", "options": {"seconds": 0.05}},
    "verifier": {"model": "v", "prompt": "lab-verify", "options": {"seconds": 0.05}},
    "solutions": 24,
    "verified": 6,
    "verifications": 3,
    "scorer": {"kind": "double", "model": "p"},
    "scored": 2,
    "searches": [{"strategy": "beam", "n": [4], "width": 2, "rounds": 4}],
    "checkpoint_seconds": 0.1,
}


class Sweeping:
    """Starts sweeps as processes that know the test double, and reads what they wrote."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def start(self, name: str, *arguments: str, **changes: object) -> subprocess.Popen:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**SWEEP, "run": str(self.folder / name), **changes}))
        command = [sys.executable, "-m", "isocompute.cli.main", "sweep", str(path), *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def finish(self, name: str, *arguments: str, **changes: object) -> str:
        """Sweep to the end, and return what was printed."""
        return end(self.start(name, *arguments, **changes))

    def run(self, name: str) -> Run:
        return Run(self.folder / name)


def end(process: subprocess.Popen, code: int = 0) -> str:
    said, _ = process.communicate(timeout=600)
    assert process.returncode == code, said
    return said


@pytest.fixture(scope="module")
def sweeping(tmp_path_factory, environment):
    return Sweeping(tmp_path_factory.mktemp("sweeps"), environment)


@pytest.fixture(scope="module")
def alone(sweeping):
    """The run of one machine, without Ray."""
    sweeping.finish("alone")
    return sweeping.run("alone")


@pytest.fixture
def content(unclocked):
    """Reads a run's rows in the order of their keys; no key may come twice, and nothing may have failed."""

    def read(run: Run) -> dict[str, list[dict[str, object]]]:
        rows = {table.name: unclocked(run, table) for table in TABLES}
        for table in TABLES:
            keys = [tuple(row[name] for name in table.key_names) for row in rows[table.name]]
            assert len(keys) == len(set(keys))
            assert {row["status"] for row in rows[table.name]} <= {"ok"}
            rows[table.name] = [row for _, row in sorted(zip(keys, rows[table.name], strict=True))]
        return rows

    return read


def count_parts(run: Run) -> int:
    return sum(len(run.list_parts(table)) for table in TABLES) if Path(run.path).is_dir() else 0


def wait_for_parts(run: Run, process: subprocess.Popen, count: int) -> None:
    deadline = time.monotonic() + 300
    while process.poll() is None and count_parts(run) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill_replica(nodes, moments: random.Random) -> bool:
    """Kill the process of a replica; whether there was one."""
    if found := nodes.find_replicas():
        os.kill(moments.choice(found), signal.SIGKILL)
    return bool(found)


@pytest.mark.parametrize("kind", ["replica", "raylet", "driver"])
def test_what_is_killed_costs_no_row_and_changes_none(kind, sweeping, two_nodes, alone, content):
    process = sweeping.start(kind, "--on", two_nodes.url)
    wait_for_parts(sweeping.run(kind), process, 2)
    assert process.poll() is None
    if kind == "replica":
        assert kill_replica(two_nodes, random.Random(0))
    elif kind == "raylet":
        two_nodes.kill_busy_raylet()
    else:
        process.kill()
        process.wait()
        process = sweeping.start(kind, "--on", two_nodes.url)
    said = end(process)
    if kind != "driver":
        assert "Its " in said and " unfinished requests go to others." in said
    assert content(sweeping.run(kind)) == content(alone)
