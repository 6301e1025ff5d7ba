"""A replica, a node or the driver is killed at any moment: every row comes once, and equals that of one machine."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time

import pytest


class Killing:
    """Kills what a sweep runs on, at moments of a seed; a driver that is killed is started again."""

    def __init__(self, sweeping, nodes, name: str, seed: int, **changes: object) -> None:
        self.sweeping, self.nodes, self.name, self.changes = sweeping, nodes, name, changes
        self.moments = random.Random(seed)
        self.process = self.start()

    def start(self) -> subprocess.Popen:
        return self.sweeping.start(self.name, "--on", self.nodes.url, **self.changes)

    def kill(self, kind: str, parts: int) -> None:
        """Kill once, after so many more parts; the sweep must be running then."""
        wanted = self.sweeping.count_parts(self.name) + parts
        assert self.sweeping.wait_for_parts(self.name, self.process, wanted)
        time.sleep(self.moments.uniform(0, 0.5))
        if kind == "driver":
            self.process.kill()
            self.process.communicate()
            self.process = self.start()
        elif kind == "raylet":
            self.nodes.kill_raylet(self.moments.randrange(2))
        else:
            while not (found := self.nodes.find_replicas()):
                assert self.process.poll() is None
                time.sleep(0.05)
            os.kill(self.moments.choice(found), signal.SIGKILL)


@pytest.mark.parametrize("kind", ["replica", "raylet", "driver"])
def test_what_is_killed_costs_no_row_and_changes_none(kind, sweeping, two_nodes, alone, content):
    killing = Killing(sweeping, two_nodes, kind, 0)
    killing.kill(kind, 2)
    said = sweeping.end(killing.process)
    if kind == "replica":
        assert re.search(r"A replica of the solver on [^:]* died: .* Its \d+ unfinished requests go to others\.", said)
    assert content(sweeping.run(kind)) == content(alone)


LARGE = {"task": {"name": "lab", "problems": 12}, "solutions": 60, "verified": 12, "verifications": 4}


@pytest.fixture(scope="module")
def large_alone(sweeping):
    """The large run of one machine, without Ray."""
    sweeping.finish("large-alone", **LARGE)
    return sweeping.run("large-alone")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_five_kills_at_random_moments_cost_no_row_and_change_none(seed, sweeping, two_nodes, large_alone, content):
    killing = Killing(sweeping, two_nodes, f"random-{seed}", seed, **LARGE)
    for _ in range(5):
        killing.kill(killing.moments.choice(["replica", "raylet", "driver"]), killing.moments.randint(1, 8))
    sweeping.end(killing.process)
    assert content(sweeping.run(f"random-{seed}")) == content(large_alone)
