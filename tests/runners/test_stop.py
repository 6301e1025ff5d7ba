"""A sweep that is asked to stop: real processes, real signals. What came back is on disk, and the run is free."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import yaml

from isocompute.runners.check import check
from isocompute.runners.log import Run
from isocompute.runners.sweep import sweep
from isocompute.runners.tables import SOLUTIONS

SWEEP = """
import functools, sys, time
from isocompute.planner import cli
from isocompute.runners import sweep
from isocompute.runners.engines import Completion

class SlowEngine:
    '''A test double: ten completions, and then it takes its time.'''
    def run(self, pending):
        for i in range(10):
            yield pending.popleft(), Completion(str(i), 3, None, 3, "stop")
        print("ten", flush=True)
        time.sleep(60)
    def close(self):
        print("closed", flush=True)

sweep.sweep = functools.partial(sweep.sweep, load=lambda *_, **__: SlowEngine())
sys.argv = ["isocompute", "sweep", sys.argv[1]]
cli.main()
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=lambda value: getattr(value, "name", "")
)
def test_what_came_back_reaches_the_disk_and_the_run_is_free_again(small, scripted, tmp_path, number, code):
    config = small(checkpoint_seconds=3600, verifications=0)
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    command = [sys.executable, "-c", SWEEP, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while (said := process.stdout.readline()) != "ten\n":
            assert said
        assert len(Run(config.run).keys(SOLUTIONS)) == 0
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "closed" in out
    assert "stopped; what was written is whole, and the same command goes on from there" in " ".join(err.split())
    assert "Traceback" not in err
    run = Run(config.run)
    assert len(run.keys(SOLUTIONS)) == 10
    assert check(run).whole
    assert sweep(config, load=scripted()).sampled == 14
