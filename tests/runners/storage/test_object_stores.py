"""Runs on a server of S3's protocol: killed writers, a network with faults, and how many requests a run takes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from isocompute.errors import RunError
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage import joining
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.joining import join_run_parts
from isocompute.runners.storage.part_names import NamedPart, choose_blocks, name_joined_part, parse_part_name
from isocompute.runners.storage.parts import build_arrow_table
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

ROW = {"problem_id": "p", "text": "…", "answer": "7", "correct": True, "status": "ok"}
WRITER = Path(__file__).with_name("writer_process.py")


@pytest.fixture
def place(s3):
    """A run's URL on the server."""
    return f"s3://{s3.bucket}/runs/mine"


def start_writer(place, rows, padding=20):
    command = [sys.executable, str(WRITER), place, str(rows), str(padding)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))


def end_writer(process):
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors.decode()


def read_numbers(run):
    return run.read_table(SOLUTIONS_TABLE, ["problem_id", "solution_id"])["solution_id"].to_pylist()


def write_row(writer, number):
    writer.add_rows([{**ROW, "solution_id": number}])
    writer.flush()


def kill_and_resume(s3, place, kills, rows, seed):
    """Kill a writer again and again at random moments, then let it finish; the rows seen never become fewer."""
    rng = random.Random(seed)
    seen = 0
    for _ in range(kills):
        process = start_writer(place, rows)
        process.stdout.readline()  # it has the run
        s3.network.heal()
        stop = rng.randrange(1, 60)
        while len(s3.network.log) < stop and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        numbers = read_numbers(Run(place)) if Run(place).exists else []
        assert sorted(numbers) == sorted(set(numbers))
        assert len(numbers) >= seen
        seen = len(numbers)
    assert end_writer(start_writer(place, rows))[0] == 0
    assert sorted(read_numbers(Run(place))) == list(range(rows))


def test_a_killed_writer_loses_and_repeats_nothing(s3, place):
    kill_and_resume(s3, place, kills=2, rows=40, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_writers_killed_again_and_again_lose_and_repeat_nothing(s3, place, seed):
    kill_and_resume(s3, place, kills=6, rows=300, seed=seed)


def test_an_upload_that_is_killed_half_way_is_not_seen(s3, place):
    held = []

    def hold(method, path):
        if method == "PUT" and "/solutions/" in path and not held:
            held.append(path)
            return 5.0
        return ""

    s3.network.fault = hold
    process = start_writer(place, 4, padding=8 * 2**20)
    while not held and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)  # while it sends 8 MB, of which the server has read nothing
    process.communicate()
    time.sleep(6)
    assert read_numbers(Run(place)) in ([], [0, 1])
    s3.network.heal()
    assert end_writer(start_writer(place, 4))[0] == 0
    assert sorted(read_numbers(Run(place))) == [0, 1, 2, 3]
    assert check_parts_are_whole(Run(place))


def check_parts_are_whole(run):
    return all(run.read_part(SOLUTIONS_TABLE, path).num_rows for path in run.list_parts(SOLUTIONS_TABLE))


def test_of_two_processes_one_writes(s3, place):
    s3.network.fault = lambda method, path: 0.5 if method == "PUT" and "/solutions/" in path else ""
    first = start_writer(place, 60)
    first.stdout.readline()
    code, said = end_writer(start_writer(place, 60))
    s3.network.heal()
    assert code != 0
    assert "is locked by process" in said or "Another process is writing" in said
    assert end_writer(first)[0] == 0
    assert sorted(read_numbers(Run(place))) == list(range(60))


def test_a_store_that_is_slow_or_refuses_now_and_then_costs_time_and_no_row(s3, place):
    rng = random.Random(3)
    s3.network.fault = lambda method, path: rng.choice(["503", "cut", 0.05, "lost", *[""] * 30])
    run = Run(place)
    run.write_manifest({"config": {}, "format": 2})
    with run.lock():
        writer = run.open_writer(SOLUTIONS_TABLE)
        for number in range(20):
            write_row(writer, number)
    join_run_parts(run)
    assert sorted(read_numbers(run)) == list(range(20))
    s3.network.heal()
    assert read_numbers(Run(place)) == list(range(20))


@pytest.mark.parametrize("fault", ["slow", "half"])
def test_a_part_that_is_read_slowly_or_half_way_is_read_whole(s3, place, fault):
    run = Run(place)
    run.write_manifest({"config": {}, "format": 2})
    with run.lock():
        writer = run.open_writer(SOLUTIONS_TABLE)
        for number in range(4):
            writer.add_rows([{**ROW, "solution_id": number, "text": os.urandom(50_000).hex()}])
            writer.flush()
    read: Counter[str] = Counter()

    def disturb(method, path):
        read[path] += method == "GET" and path.endswith(".parquet")
        return fault if read[path] == 1 else ""  # the first time that a part is asked for

    s3.network.fault = disturb
    assert read_numbers(Run(place)) == [0, 1, 2, 3]
    texts = Run(place).read_table(SOLUTIONS_TABLE, ["text"])["text"].to_pylist()
    assert [len(text) for text in texts] == [100_000] * 4
    assert min(count for path, count in read.items() if path.endswith(".parquet")) >= 2


def test_a_store_that_never_answers_is_one_sentence_and_what_was_written_is_intact(s3, place, monkeypatch):
    run = Run(place)
    monkeypatch.setattr(run.fs, "retries", 1)
    with run.lock():
        run.write_manifest({"config": {}, "format": 2})
        writer = run.open_writer(SOLUTIONS_TABLE)
        write_row(writer, 0)
        s3.network.fault = lambda method, path: "503"
        with pytest.raises(
            RunError, match=rf"^{place}/\S+ could not be written: .*\. What was written before is intact"
        ):
            write_row(writer, 1)
    with pytest.raises(RunError, match=rf"^{place}/\S+ cannot be read: .*its content may be intact"):
        read_numbers(run)
    s3.network.heal()
    assert read_numbers(Run(place)) == [0]


def test_a_missing_bucket_is_one_sentence(s3):
    with pytest.raises(RunError, match="There is no run at 's3://no-such-bucket/run'"):
        Run("s3://no-such-bucket/run").read_manifest()


def test_a_server_that_is_gone_is_one_sentence_for_every_command(s3, place, refused, monkeypatch):
    import fsspec

    away = fsspec.filesystem(
        "s3",
        client_kwargs={"endpoint_url": "http://127.0.0.1:9"},
        config_kwargs={"retries": {"max_attempts": 0}},
        skip_instance_cache=True,
    )
    monkeypatch.setattr(away, "retries", 1)
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda path, **_: (away, path.removeprefix("s3://")))
    for arguments in (("check", place), ("runs", place), ("compact", place), ("fit", place, "-o", "p.json")):
        assert "9" in refused(*arguments)


def lay_out_parts(count):
    """Return the parts that a writer leaves of so many, if they are small."""
    parts: list[NamedPart] = []
    for number in range(count):
        parts.append(NamedPart(f"/part-{number:05d}.parquet", number))
        if (number + 1) % joining.JOINED_WHILE_WRITING == 0:
            blocks = choose_blocks(parts, dict.fromkeys((part.path for part in parts), 1), 64, 8, 10**9)
            for block in blocks:
                parts = [part for part in parts if part not in block.parts]
                parts.append(parse_part_name("/" + name_joined_part(block.first, block.size, "0a")))
            parts.sort(key=lambda part: part.first)
    return parts


def test_a_hundred_thousand_parts_are_resumed_and_read_in_few_requests(s3, place):
    run = Run(place)
    run.write_manifest({"config": {}, "format": 2})
    parts = lay_out_parts(100_000)
    assert sum(part.size for part in parts) == 100_000
    rows = [{**ROW, "solution_id": number} for number in range(len(parts))]
    for part, row in zip(parts, rows, strict=True):
        run.write_part(SOLUTIONS_TABLE, part.path[1:], build_arrow_table([row], SOLUTIONS_TABLE.schema))
    s3.network.heal()
    assert len(Run(place).read_keys(SOLUTIONS_TABLE)) == len(parts)
    assert sum(s3.network.requests.values()) <= len(parts) + 1 <= 64
    s3.network.heal()
    with run.lock():
        before = sum(s3.network.requests.values())
        writer = run.open_writer(SOLUTIONS_TABLE)
        write_row(writer, len(parts))
        assert sum(s3.network.requests.values()) - before <= 8
    assert max(parse_part_name(path).end for path in run.list_parts(SOLUTIONS_TABLE)) == 100_001


def test_columns_of_a_large_part_are_read_without_the_texts(s3, place):
    run = Run(place)
    run.write_manifest({"config": {}, "format": 2})
    rows = [{**ROW, "solution_id": number, "text": os.urandom(100_000).hex()} for number in range(20)]
    run.write_part(SOLUTIONS_TABLE, "part-00000.parquet", build_arrow_table(rows, SOLUTIONS_TABLE.schema))
    read = []
    reader = Run(place)
    (path,) = reader.list_parts(SOLUTIONS_TABLE)
    with reader.open_part(path, ["solution_id"]) as file:
        cache = file.cache
        content = cache.fetcher
        cache.fetcher = lambda start, end: read.append(end - start) or content(start, end)
        import pyarrow.parquet as pq

        assert pq.ParquetFile(file).read(["solution_id"]).num_rows == 20
        assert file.size > 2 * 10**6
    assert sum(read) < 200_000


def test_a_writer_joins_its_parts_as_they_become_many(s3, place, monkeypatch):
    monkeypatch.setattr(joining, "JOINED_WHILE_WRITING", 4)
    run = Run(place)
    run.write_manifest({"config": {}, "format": 2})
    with run.lock():
        writer = run.open_writer(SOLUTIONS_TABLE)
        for number in range(39):
            write_row(writer, number)
            assert len(read_numbers(Run(place))) == number + 1
    sizes = [parse_part_name(path).size for path in run.list_parts(SOLUTIONS_TABLE)]
    assert sizes == [32, 4, 1, 1, 1]
    assert len(run.list_files(SOLUTIONS_TABLE)) < 12
    assert read_numbers(run) == list(range(39))


def test_a_sweep_on_the_server_gives_the_rows_of_a_disk_and_every_command_reads_them(
    s3, place, written_run, small, scripted, command, tmp_path
):
    run_sweep(small(run=place, solutions=4), load=scripted())
    s3.network.heal()
    run_sweep(small(run=place), load=scripted())
    for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        keys = Run(written_run).read_keys(table)
        assert Run(place).read_keys(table) == keys
    assert check_run(Run(place)).is_whole
    assert command("compact", place, "--json").code == 0
    assert command("compact", place).out == f"{place} has no parts to join; nothing was changed.\n"
    assert command("check", place).code == 0
    assert command("runs", place.rpartition("/")[0]).code == 0
    assert "mine" in command("runs", place.rpartition("/")[0]).out
    profile = f"s3://{s3.bucket}/profiles/mine.json"
    assert command("fit", place, "-o", profile).code == 0
    assert command("plan", "--budget", "8x", "--profile", profile).code == 0
    moved = f"s3://{s3.bucket}/runs/again"
    run_sweep(small(run=moved), load=scripted())
    names = {path.rpartition("/")[2] for path in Run(moved).fs.ls(Run(moved).root, detail=False)}
    assert not any(name.startswith(".lock") for name in names)


def test_a_run_whose_parts_were_lost_is_resumed(s3, place, small, scripted):
    run = Run(run_sweep(small(run=place), load=scripted()).run)
    before = run.read_keys(SOLUTIONS_TABLE)
    run.fs.rm(f"{run.root}/solutions", recursive=True)
    run_sweep(small(run=place), load=scripted())
    assert Run(place).read_keys(SOLUTIONS_TABLE) == before
