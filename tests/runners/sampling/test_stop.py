"""A sweep that is stopped or killed: real processes, real signals, and an engine that stands in for a model."""

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

from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"

SWEEP = """
import functools, signal, sys, time
from isocompute.cli import main as cli
from isocompute.runners.sampling import sweep
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

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by whatever a shell starts in the background
sweep.run_sweep = functools.partial(sweep.run_sweep, load=lambda *_, **__: SlowEngine())
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
        assert len(Run(config.run).read_keys(SOLUTIONS_TABLE)) == 0
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "closed" in out
    assert "stopped; the written rows are intact, and the same command continues from there" in " ".join(err.split())
    assert "Traceback" not in err
    run = Run(config.run)
    assert len(run.read_keys(SOLUTIONS_TABLE)) == 10
    assert check_run(run).is_whole
    assert run_sweep(config, load=scripted()).sampled == 14


LOADING = """
import sys
from isocompute.cli.main import main
if __name__ == "__main__":
    main()
"""


@pytest.mark.vllm
def test_a_sweep_whose_engine_is_still_starting_ends_and_leaves_nothing_behind(small, tmp_path, need):
    need("vllm")
    import psutil  # vLLM brings it

    options = {"dtype": "float32", "max_model_len": 512, "max_num_seqs": 8, "enforce_eager": True}
    solver = {"model": str(LAB / "solver"), "prompt": "lab-solve", "options": options}
    config = small(engine="vllm", solver=solver, verifier=None, verifications=0)
    path, script = tmp_path / "sweep.yaml", tmp_path / "loading.py"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    script.write_text(LOADING)
    command = [sys.executable, str(script), "sweep", str(path)]
    spawning = {**os.environ, "VLLM_WORKER_MULTIPROCESSING_METHOD": "spawn"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=spawning) as process:
        sweeping, engine = psutil.Process(process.pid), []
        while not engine:
            assert process.poll() is None
            engine = [child for child in sweeping.children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]
            time.sleep(0.05)
        time.sleep(1.0)  # the engine's process is there, and takes longer than this until it answers
        process.send_signal(signal.SIGTERM)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (143, "solving: 0 of 24 rows are there\n")
    assert "stopped; the written rows are intact" in " ".join(err.split())
    assert not psutil.wait_procs(engine, timeout=10)[1]


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[1])
from conftest import ScriptedEngine, lab_text
from isocompute.runners.config.sweep_reading import read_sweep
from isocompute.runners.sampling.sweep import run_sweep

def slow(prompt, seed):
    time.sleep(0.003)
    return lab_text(prompt, seed)

run_sweep(read_sweep(sys.argv[2]), load=ScriptedEngine(slow))
"""


@pytest.mark.parametrize("verifier", ["scripted/solver", "scripted/verifier"])
def test_a_run_is_whole_after_every_kill_and_its_finished_rows_stay(small, scripted, tmp_path, verifier):
    task = {"name": "lab", "problems": 90}
    config = small(checkpoint_seconds=0.02, task=task, verifier={"model": verifier, "prompt": "lab-verify"})
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[2]), str(path)]
    run, moments, finished = Run(config.run), random.Random(len(verifier)), {}
    for _ in range(10):
        before = sum(map(len, finished.values()))
        with subprocess.Popen(command) as process:
            while (
                process.poll() is None
                and len(run.list_parts(SOLUTIONS_TABLE)) + len(run.list_parts(VERIFICATIONS_TABLE)) <= before
            ):
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.25))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert check_run(run).is_whole
        now = {
            table: {part: Path(part).read_bytes() for part in run.list_parts(table)}
            for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)
        }
        for table, parts in finished.items():
            assert parts.items() <= now[table].items()
        finished = now
    asked = run_sweep(config, load=(engine := scripted())).sampled
    assert 0 < asked == len({request.key for request in engine.asked}) < 90 * 6 * 4
    assert check_run(run).missing == {"solutions": [], "verifications": []}
    whole = run_sweep(small(**{**config.model_dump(), "run": str(tmp_path / "whole")}), load=scripted())
    for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        assert run.read_frame(table).equals(Run(whole.run).read_frame(table))
