"""Sweeps by several processes that write one run: every key once, whatever becomes of them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

import isocompute as iso
from isocompute.errors import ConfigError, RunError
from isocompute.runners.sampling import shards
from isocompute.runners.sampling.shards import assign_part, parse_shard, run_shard
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

ROOT = Path(__file__).resolve().parents[3]
TABLES = (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(shards, "WATCH_SECONDS", 0.01)


def read_rows(run, unclocked):
    """The rows of a run by table, without when they were made; no key may occur twice."""
    rows = {}
    for table in TABLES:
        keys = Counter(tuple(row.values()) for row in run.read_table(table, table.key_names).to_pylist())
        assert set(keys.values()) <= {1}, [key for key, count in keys.items() if count > 1]
        rows[table.name] = sorted(unclocked(run, table), key=lambda row: [row[n] for n in table.key_names])
    return rows


@pytest.fixture
def alone(small, scripted, tmp_path, unclocked):
    """The rows of a run that one process sampled."""

    def sample(**changes):
        config = small(run=str(tmp_path / "alone"), **changes)
        return read_rows(Run(run_sweep(config, load=scripted()).run), unclocked)

    return sample


def test_every_problem_has_one_part_and_its_place_does_not_matter():
    names = [f"lab-{i}" for i in range(1000)]
    parts = Counter(assign_part(7, name, 8) for name in names)
    assert set(parts) == set(range(8))
    assert all(90 < count < 160 for count in parts.values())
    assert assign_part(7, "lab-3", 8) == assign_part(7, "lab-3", 8)
    assert [assign_part(7, name, 8) for name in names] != [assign_part(8, name, 8) for name in names]


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "-1/4", "1/0", "1.0/2", "a/b", "1/2/3", "٣/٨"])
def test_a_bad_shard_is_refused_in_one_sentence(text):
    with pytest.raises(ConfigError, match=r"A shard is I/N with I from 1 to N, such as 3/8; got .*\.$"):
        parse_shard(text)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_shards_one_after_another_write_what_one_process_writes(small, scripted, alone, unclocked, count):
    """The first takes over the parts of all that have not begun."""
    config, sampled = small(task={"name": "lab", "problems": 12}), []
    for number in range(1, count + 1)[:4]:
        sampled.append(run_shard(config, parse_shard(f"{number}/{count}"), load=scripted()).sampled)
    assert sampled == [288, 0, 0, 0][: len(sampled)]
    run = Run(config.run)
    assert read_rows(run, unclocked) == alone(task={"name": "lab", "problems": 12})
    assert check_run(run).is_whole
    assert not any(check_run(run).missing.values())


def test_shards_at_once_share_the_work(small, scripted, alone, unclocked):
    config, sampled, together = small(task={"name": "lab", "problems": 12}), {}, threading.Barrier(3)

    def sample(number):
        engine = scripted()
        says, first = engine.says, threading.Event()

        def say(prompt, seed):
            if not first.is_set():
                first.set()
                together.wait(30)  # each has its own part before any goes on
            return says(prompt, seed)

        engine.says = say
        sampled[number] = run_shard(config, parse_shard(f"{number}/3"), load=engine).sampled

    threads = [threading.Thread(target=sample, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sampled.values()) == 288
    assert all(sampled.values())
    assert read_rows(Run(config.run), unclocked) == alone(task={"name": "lab", "problems": 12})


def test_a_plain_sweep_goes_on_with_the_run_of_shards_and_shards_with_its_own(small, scripted, alone, unclocked):
    config = small(solutions=2)
    run_shard(config, parse_shard("2/3"), load=scripted())
    assert run_sweep(small(solutions=4), load=scripted()).sampled == 4 * 2 * 4
    assert run_shard(small(), parse_shard("1/2"), load=scripted()).sampled == 4 * 2 * 4
    assert read_rows(Run(config.run), unclocked) == alone()


def test_the_failed_rows_of_a_part_are_asked_for_again_by_its_own_shard_alone(small, scripted):
    from isocompute.runners.engines import Completion

    lost = Completion(None, None, None, None, None, "out of memory")
    config = small(verifier=None, verifications=0)
    own = {
        assign_part(0, f"{key[0]}", 2)
        for key in Run(run_sweep(config, load=scripted(lambda *_: lost)).run).read_keys(PROBLEMS_TABLE)
    }
    assert own == {0, 1}
    first = run_shard(config, parse_shard("1/2"), load=scripted(lambda *_: lost))
    assert first.sampled == 24  # its own, and those of a shard that never came
    second = run_shard(config, parse_shard("1/2"), load=scripted())
    assert 0 < second.sampled < 24


def test_shards_of_another_number_are_refused_while_they_work(small, scripted):
    config = small()
    engine = scripted()
    says, caught = engine.says, []

    def say(prompt, seed):
        if not caught:
            caught.append(None)
            with pytest.raises(RunError) as refused:
                run_shard(config, parse_shard("2/3"), load=scripted())
            caught[0] = str(refused.value)
        return says(prompt, seed)

    engine.says = say
    run_shard(config, parse_shard("1/2"), load=engine)
    assert "being written by shards of another number than 3; start all with the same I/N" in caught[0]


@pytest.fixture
def start(small, tmp_path):
    """Starts shards as processes, on one configuration."""
    path = tmp_path / "mine.yaml"
    content = small(task={"name": "lab", "problems": 12}).model_dump(
        mode="json", exclude_none=True, exclude_defaults=True
    )
    path.write_text(yaml.safe_dump({**content, "checkpoint_seconds": 0.05}))
    started = []

    def begin(shard, seconds=0.01, lease=60.0):
        script = Path(__file__).with_name("shard_process.py")
        command = [sys.executable, str(script), str(path), shard, str(seconds), str(lease)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        return started[-1]

    begin.run = content["run"]
    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_the_keys_of_a_shard_that_is_killed_are_taken_over(start, alone, unclocked):
    dead, living = start("1/2", seconds=0.05), start("2/2", seconds=0.02)
    assert dead.stdout.readline() == "sampling\n"
    time.sleep(0.5)
    dead.kill()
    dead.wait()
    before = len(Run(start.run).read_table(SOLUTIONS_TABLE)) if Run(start.run).exists else 0
    assert living.wait(120) == 0
    assert before < 72
    assert read_rows(Run(start.run), unclocked) == alone(task={"name": "lab", "problems": 12})


def test_a_shard_that_is_taken_for_dead_and_goes_on_changes_nothing(start, alone, unclocked):
    """Stopped for longer than its lease, it is no different from a machine that the disk has lost sight of."""
    lost, living = start("1/2", seconds=0.1, lease=1.5), start("2/2", seconds=0.01, lease=1.5)
    assert lost.stdout.readline() == "sampling\n"
    lost.send_signal(signal.SIGSTOP)
    assert living.wait(120) == 0
    rows = read_rows(Run(start.run), unclocked)
    lost.send_signal(signal.SIGCONT)
    assert lost.wait(120) == 1  # its lease is another's
    assert read_rows(Run(start.run), unclocked) == rows == alone(task={"name": "lab", "problems": 12})


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_kills_and_stops_at_random_moments_cost_no_key_and_repeat_none(start, alone, unclocked, seed):
    rng = random.Random(seed)
    for _ in range(3):
        processes = [start(f"{number}/3", seconds=0.01, lease=1.5) for number in (1, 2, 3)]
        for process in processes:
            process.stdout.readline()
        for process in rng.sample(processes, 2):
            time.sleep(rng.uniform(0.0, 0.4))
            process.send_signal(rng.choice([signal.SIGKILL, signal.SIGSTOP]))
        time.sleep(rng.uniform(0.0, 3.0))
        for process in processes:
            process.send_signal(signal.SIGCONT)
            if rng.random() < 0.7:
                process.kill()
        for process in processes:
            process.wait(120)
        if Run(start.run).exists:
            read_rows(Run(start.run), unclocked)
    assert start("2/3", seconds=0.0, lease=1.5).wait(120) == 0
    assert read_rows(Run(start.run), unclocked) == alone(task={"name": "lab", "problems": 12})


def test_the_command_takes_a_shard_and_says_what_it_does_not_go_with(small, command, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(small().model_dump(mode="json", exclude_none=True, exclude_defaults=True)))
    for options, words in (
        (["--shard", "5/4"], "A shard is I/N"),
        (["--shard", "1/4", "--dry-run"], "--shard does not go with --dry-run"),
        (["--shard", "1/4", "--until", "regret < 1"], "--shard does not go with --until"),
    ):
        ended = command("sweep", path, *options)
        assert ended.code == 2
        assert words in " ".join(f"{ended.out}{ended.err}".split())
    with pytest.raises(ConfigError, match="'until' or 'shard', not both"):
        iso.sweep(str(path), until="regret < 1", shard="1/2")
