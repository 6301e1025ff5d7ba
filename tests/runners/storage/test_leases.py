"""Leases in a store: one writer at a time, whoever died, slept or was cut off."""

from __future__ import annotations

import json
import threading
import time

import pytest

from isocompute.errors import RunError
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage import leases
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import GRADES_TABLE, SOLUTIONS_TABLE

ROW = {"problem_id": "p", "text": "…", "answer": "7", "correct": True, "status": "ok"}


@pytest.fixture(params=["memory", "s3"])
def place(request, tmp_path):
    """A run's URL in a store: in memory, and on the server."""
    if request.param == "memory":
        return f"memory:/{tmp_path}/run"
    return f"s3://{request.getfixturevalue('s3').bucket}/run"


def put_lease(run, number=0, machine="another", seconds=leases.LEASE_SECONDS, writer="w"):
    name = f"{run.root}/.lock-{number}" if number else f"{run.root}/.lock"
    content = {"writer": writer, "machine": machine, "process": 7, "seconds": seconds}
    run.fs.makedirs(run.root, exist_ok=True)
    run.fs.pipe_file(name, json.dumps(content).encode())
    return name


def list_locks(run):
    return sorted(path.rpartition("/")[2] for path in run.fs.ls(run.root, detail=False) if ".lock" in path)


def test_a_lease_of_another_machine_is_respected_and_taken_when_it_ran_out(place):
    run = Run(place)
    put_lease(run)
    with (
        pytest.raises(RunError, match=r"is locked by another machine.* its lock runs out within 61 seconds"),
        run.lock(),
    ):
        pass
    assert list_locks(run) == [".lock"]  # what was written to read the store's time is gone
    put_lease(run, seconds=0.05)
    time.sleep(1.2)
    if place.startswith("s3"):
        time.sleep(1)  # its times are in full seconds
    with run.lock() as lock:
        assert list_locks(run) == [".lock-1"]
        assert lock.is_guarded
        with pytest.raises(RunError, match="is locked by process"), Run(place).lock():
            pass
    assert list_locks(run) == []


def test_clocks_of_machines_do_not_matter(place, monkeypatch):
    run = Run(place)
    put_lease(run)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with pytest.raises(RunError, match="is locked by another machine"), run.lock():
        pass


def test_an_expired_lease_is_taken_by_exactly_one_of_several(place):
    run = Run(place)
    run.fs.makedirs(run.root, exist_ok=True)
    for round_ in range(3):
        put_lease(run, seconds=0, writer=f"gone-{round_}")
        ready, outcomes, done = threading.Barrier(6), [], threading.Event()

        def take(ready=ready, outcomes=outcomes, done=done):
            rival = Run(place)
            ready.wait()
            try:
                with rival.lock():
                    outcomes.append("held")
                    done.wait(60)
            except RunError:
                outcomes.append("refused")

        rivals = [threading.Thread(target=take) for _ in range(6)]
        for rival in rivals:
            rival.start()
        while len(outcomes) < 6:
            time.sleep(0.01)
        done.set()
        for rival in rivals:
            rival.join()
        assert sorted(outcomes) == ["held"] + ["refused"] * 5


def test_a_lease_is_renewed(place, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_SECONDS", 2.0)
    run = Run(place)
    with run.lock() as lock:
        first = lock.valid_until
        while lock.valid_until == first:
            time.sleep(0.05)
        run.write_manifest({"config": {}})
    assert list_locks(run) == []


def test_a_writer_that_cannot_renew_stops_by_its_own_clock(place, monkeypatch):
    run = Run(place)
    now = leases.read_clock()
    with run.lock() as lock:
        run.write_manifest({"config": {}})
        lock.valid_until = now  # as after a minute without the store, or with the machine asleep
        with pytest.raises(RunError, match="or its lock could not be renewed in time"):
            run.write_manifest({"config": {"late": True}})
    assert "late" not in run.read_manifest()["config"]


def test_a_writer_whose_lease_was_taken_writes_no_further_and_leaves_the_other_alone(place):
    run = Run(place)
    with run.lock():
        put_lease(run, number=1)
        with pytest.raises(RunError, match="locked by another process"):
            run.write_manifest({"config": {}})
    assert not run.exists
    assert list_locks(run) == [".lock-1"]


def test_a_part_that_arrives_after_its_writer_lost_the_run_is_not_read(place):
    old = Run(place)
    with old.lock():
        writer = old.open_writer(SOLUTIONS_TABLE)
        writer.add_rows([{**ROW, "solution_id": 0}])
        writer.flush()
    put_lease(old, seconds=0)
    new = Run(place)
    with new.lock():
        old_writer = writer  # its request was under way
        old_writer.part = (1, [{**ROW, "solution_id": 1}])
        old_writer.flush()
        assert new.read_keys(SOLUTIONS_TABLE) == {("p", 0)}
        other = new.open_writer(SOLUTIONS_TABLE)
        other.add_rows([{**ROW, "solution_id": 1, "answer": "8"}])
        other.flush()
    assert Run(place).read_frame(SOLUTIONS_TABLE, ["solution_id", "answer"]).values.tolist() == [[0, "7"], [1, "8"]]


GRADE = {"problem_id": "p", "solution_id": 0, "answer": "7", "correct": True, "grader": "g/1", "text_sha256": None}

REPLACED = {
    "manifest.json": lambda run, word: run.write_manifest({"config": {"word": word}}),
    "grades/part-00000.parquet": lambda run, word: run.replace_table(GRADES_TABLE, [{**GRADE, "answer": word}]),
}
"""How an object that is replaced is written, by its name."""


@pytest.mark.parametrize("name", REPLACED)
@pytest.mark.parametrize("later", [None, "early", "new"], ids=["never", "same", "other"])
def test_a_late_request_of_a_writer_that_lost_the_run_replaces_nothing(s3, name, later):
    old, new = (Run(f"s3://{s3.bucket}/run") for _ in range(2))
    write, arrives, begun, raised = REPLACED[name], threading.Event(), threading.Event(), []

    def delay(method, path):
        if method == "PUT" and path.endswith(name) and not begun.is_set():
            begun.set()
            arrives.wait(60)
        return ""

    def write_late():
        try:
            write(old, "late")
        except RunError as error:
            raised.append(str(error))

    with old.lock():
        old.write_manifest({"config": {}})
        write(old, "early")
        s3.network.fault = delay
        writing = threading.Thread(target=write_late)
        writing.start()
        assert begun.wait(60)
        put_lease(old, seconds=0)
        with new.lock():
            if later is not None:
                write(new, later)
            before = new.fs.cat_file(f"{new.root}/{name}")
            arrives.set()
            writing.join()
            assert new.fs.cat_file(f"{new.root}/{name}") == before
            assert b"late" not in before
            write(new, "last")  # the new writer is not hindered
    assert "locked by another process" in raised[0]
    if name == "manifest.json":
        assert new.read_manifest()["config"] == {"word": "last"}
    else:
        assert new.read_frame(GRADES_TABLE)["answer"].tolist() == ["last"]


def test_a_late_request_that_comes_first_is_replaced(s3):
    old, new = (Run(f"s3://{s3.bucket}/run") for _ in range(2))
    with old.lock():
        old.write_manifest({"config": {}})
        put_lease(old, seconds=0)
        with new.lock():
            late = [{"config": {"word": "late"}}]

            def arrive(method, path):  # between the new writer's look at the manifest and its request
                if method == "PUT" and path.endswith("manifest.json") and late:
                    new.fs.pipe_file(path.lstrip("/"), json.dumps(late.pop()).encode())
                return ""

            s3.network.fault = arrive
            new.write_manifest({"config": {"word": "new"}})
    assert not late
    assert new.read_manifest()["config"] == {"word": "new"}


def test_a_run_that_was_taken_over_is_graded_again_as_any_other(s3, small, scripted):
    place = f"s3://{s3.bucket}/run"
    run = Run(run_sweep(small(run=place), load=scripted()).run)
    put_lease(run, seconds=0)
    with load_grader_by_name("boxed-number") as grader:
        regrade_run(run, grader)
    assert len(run.list_parts(GRADES_TABLE)) == 1


def test_the_lease_of_a_failed_write_is_left_run_out_so_that_the_write_is_void(s3):
    run = Run(f"s3://{s3.bucket}/run")
    run.fs.retries, before = 1, run.fs.retries
    try:
        with run.lock():
            s3.network.fault = lambda method, path: "lost" if method == "PUT" and "/solutions/" in path else ""
            writer = run.open_writer(SOLUTIONS_TABLE)
            writer.add_rows([{**ROW, "solution_id": 0}])
            with pytest.raises(RunError, match="could not be written"):
                writer.flush()
    finally:
        run.fs.retries = before
        s3.network.heal()
    with run.lock():
        assert [path for path in run.list_files(SOLUTIONS_TABLE) if "/void-00001" in path]


def test_an_answer_that_is_lost_does_not_make_a_writer_its_own_rival(s3):
    run = Run(f"s3://{s3.bucket}/run")
    lost = iter(["lost"])
    s3.network.fault = lambda method, path: next(lost, "") if method == "PUT" and path.endswith("/.lock") else ""
    with run.lock() as lock:
        assert lock.is_guarded
    assert next(lost, None) is None
