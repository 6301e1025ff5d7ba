"""A Ray cluster of two nodes on this machine, and an engine that its workers find as a package of another's."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    NODES_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
)

ENTRY_POINTS = """[isocompute.engines]
double = double_engine:ENGINE

[isocompute.scorers]
double = double_engine:SCORER
"""

FAST_DETECTION = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
}


@pytest.fixture(scope="package")
def double_package(tmp_path_factory):
    """The folder of a package that adds the engine and the scorer ``double``."""
    folder = tmp_path_factory.mktemp("double")
    shutil.copy(Path(__file__).with_name("double_engine.py"), folder)
    info = folder / "double_engine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: double-engine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture(scope="package")
def environment(double_package):
    """Environment variables of processes that know the package: raylets, whose workers inherit them, and drivers."""
    paths = [str(double_package), *(path for path in sys.path if path), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, paths))),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "60",  # on a machine that is busy
        "TIMEOUT_FOR_SPECIFIC_SERVER_S": "60",
        "NUMBA_NUM_THREADS": "1",
    }


class TwoNodes:
    """A head without room for replicas, and two nodes of two cores and two imagined GPUs, which may go and come."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.port = find_free_port()
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "ray_client_server_port": self.port,
                "include_dashboard": False,
                "_system_config": FAST_DETECTION,
            },
        )
        self.nodes = [self.add_node() for _ in range(2)]
        self.url = f"ray://127.0.0.1:{self.port}"

    def add_node(self, **resources: object) -> object:
        return self.cluster.add_node(**{"num_cpus": 2, "num_gpus": 2, **resources})

    def kill_raylet(self, number: int) -> None:
        """Kill a node as a machine that goes: with all that runs on it, without notice; another takes its place."""
        self.cluster.remove_node(self.nodes[number], allow_graceful=False)
        self.nodes[number] = self.add_node()

    def find_replicas(self, number: int | None = None) -> list[int]:
        """The processes of replicas, of one node if its number is given: they are children of the raylets."""
        raylets = {
            node.all_processes["raylet"][0].process.pid for node in self.nodes[number:][: None if number is None else 1]
        }
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                parent = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
                if parent in raylets and folder.joinpath("cmdline").read_text().startswith("ray::Replica"):
                    found.append(int(folder.name))
        return found

    def drain_busy_node(self) -> None:
        """Drain a node with a replica, as on a spot notice; another takes its place."""
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2

        number = next(i for i in range(len(self.nodes)) if self.find_replicas(i))
        deadline = int((time.time() + 60) * 1000)
        is_accepted, reason = GcsClient(address=self.cluster.address).drain_node(
            self.nodes[number].node_id, autoscaler_pb2.DRAIN_NODE_REASON_PREEMPTION, "spot notice", deadline
        )
        assert is_accepted, reason
        self.nodes[number] = self.add_node()

    def close(self) -> None:
        self.cluster.shutdown()


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture(scope="package")
def two_nodes(environment) -> Iterator[TwoNodes]:
    """The cluster; its processes inherit the environment of this one."""
    pytest.importorskip("ray", reason="ray is not installed")
    before = dict(os.environ)
    # numba refuses another number of threads than the one that this process began with
    os.environ.update({name: value for name, value in environment.items() if name != "NUMBA_NUM_THREADS"})
    try:
        cluster = TwoNodes()
        yield cluster
        cluster.close()
    finally:
        os.environ.clear()
        os.environ.update(before)


TABLES = (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE, NODES_TABLE, SEARCHES_TABLE)
SWEEP = {  # solver and verifier share their replicas, as one model that does both
    "task": {"name": "lab", "problems": 5},
    "engine": "double",
    "solver": {"model": "m", "prompt": "lab-solve", "options": {"seconds": 0.1}},
    "verifier": {"model": "m", "prompt": "lab-verify", "options": {"seconds": 0.1}},
    "solutions": 24,
    "verified": 6,
    "verifications": 3,
    "scorer": {"kind": "double", "model": "p"},
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
        return self.end(self.start(name, *arguments, **changes))

    @staticmethod
    def end(process: subprocess.Popen, code: int = 0) -> str:
        """Wait for the end of a sweep, and return what was printed, on one line."""
        said, _ = process.communicate(timeout=600)
        assert process.returncode == code, said
        return " ".join(said.split())

    def run(self, name: str) -> Run:
        return Run(self.folder / name)

    def count_parts(self, name: str) -> int:
        run = self.run(name)
        return sum(len(run.list_parts(table)) for table in TABLES) if Path(run.path).is_dir() else 0

    def wait_for_parts(self, name: str, process: subprocess.Popen, count: int) -> bool:
        """Wait until a sweep has written so many parts; whether it still runs."""
        deadline = time.monotonic() + 300
        while process.poll() is None and self.count_parts(name) < count:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process.poll() is None


@pytest.fixture(scope="package")
def sweeping(tmp_path_factory, environment):
    return Sweeping(tmp_path_factory.mktemp("sweeps"), environment)


@pytest.fixture(scope="package")
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
