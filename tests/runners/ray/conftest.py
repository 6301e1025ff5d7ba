"""A Ray cluster of two nodes on this machine, and an engine that its workers find as a package of another's."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

ENTRY_POINTS = """[isocompute.engines]
double = double_engine:ENGINE

[isocompute.scorers]
double = double_engine:SCORER
"""

FAST_DETECTION = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}


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
        "NUMBA_NUM_THREADS": "1",
    }


class TwoNodes:
    """A head without resources for replicas, and two nodes with two cores each; a node that is killed can come back."""

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
        return self.cluster.add_node(**{"num_cpus": 2, **resources})

    def kill_raylet(self, number: int) -> None:
        """Kill a node as a machine that goes: with all that runs on it, without notice; another takes its place."""
        self.cluster.remove_node(self.nodes[number], allow_graceful=False)
        self.nodes[number] = self.add_node()

    def find_replicas(self, number: int | None = None) -> list[int]:
        """The processes of replicas, of one node if its number is given: they are children of the raylets."""
        raylets = {node.all_processes["raylet"][0].process.pid for node in self.nodes[number:][: None if number is None else 1]}
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                parent = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
                if parent in raylets and folder.joinpath("cmdline").read_text().startswith("ray::Replica"):
                    found.append(int(folder.name))
        return found

    def kill_busy_raylet(self) -> None:
        """Kill a node with a replica."""
        self.kill_raylet(next(i for i in range(len(self.nodes)) if self.find_replicas(i)))

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
    os.environ.update(environment)
    try:
        cluster = TwoNodes()
        yield cluster
        cluster.close()
    finally:
        os.environ.clear()
        os.environ.update(before)
