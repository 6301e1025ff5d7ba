"""Joining of parts: every row once, for whoever reads, whenever it stops."""

from __future__ import annotations

import shutil
import threading

import pytest

from isocompute.errors import RunError
from isocompute.planner.estimate.finished import find_finished_problems
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage import joining
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.doubts import count_run_kinds
from isocompute.runners.storage.joining import join_run_parts
from isocompute.runners.storage.manifest import find_solved_problems
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.run_folder import GonePartError
from isocompute.runners.storage.scan import count_ok_rows
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

ROW = {"problem_id": "p", "text": "…", "answer": "7", "correct": True, "status": "ok"}


class StopError(Exception):
    """A crash, in the place of the end of the process."""


@pytest.fixture(params=["local", "memory", "s3"])
def place(request, tmp_path):
    """A run's place: on a disk, in memory, and on the server."""
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('s3').bucket}/run"
    return str(tmp_path / "run") if request.param == "local" else f"memory:/{tmp_path}/run"


def write_parts(place, count, first=0):
    """Write so many parts of one row each."""
    run = Run(place)
    if not run.exists:
        run.write_manifest({"config": {}, "format": 2})
    with run.lock():
        writer = run.open_writer(SOLUTIONS_TABLE)
        for number in range(first, first + count):
            writer.add_rows([{**ROW, "solution_id": number}])
            writer.flush()
    return run


def read_numbers(run):
    return run.read_table(SOLUTIONS_TABLE, ["problem_id", "solution_id"])["solution_id"].to_pylist()


def test_compact_joins_and_changes_no_row(place):
    run = write_parts(place, 11)
    before = run.read_table(SOLUTIONS_TABLE)
    (table,) = join_run_parts(run)
    assert (table.table, table.before, table.after, table.deleted) == ("solutions", 11, 3, 10)
    assert run.read_table(SOLUTIONS_TABLE).equals(before)
    assert len(run.list_files(SOLUTIONS_TABLE)) == 3
    assert run.read_manifest()["format"] == 3
    assert [table.deleted for table in join_run_parts(run)] == [0]
    write_parts(place, 5, first=11)
    (table,) = join_run_parts(run)
    assert read_numbers(Run(place)) == list(range(16))
    assert (table.before, table.after) == (8, 1)


def test_a_retried_row_follows_the_failed_one(place):
    run = write_parts(place, 1)
    failed = {"problem_id": "p", "solution_id": 1, "status": "the server failed"}
    with run.lock():
        writer = run.open_writer(SOLUTIONS_TABLE)
        for row in (failed, {**failed, "solution_id": 2}, {**ROW, "solution_id": 1}):
            writer.add_rows([row])
            writer.flush()
    join_run_parts(run)
    assert len(run.list_parts(SOLUTIONS_TABLE)) == 1
    assert run.read_frame(SOLUTIONS_TABLE, ["solution_id", "status"]).values.tolist() == [
        [0, "ok"], [1, "ok"], [2, "the server failed"],
    ]  # fmt: skip
    assert run.read_keys(SOLUTIONS_TABLE) == {("p", 0), ("p", 1)}


def test_the_largest_parts_are_left_alone(tmp_path, monkeypatch):
    run = write_parts(tmp_path / "run", 8)
    size = max(run.list_files(SOLUTIONS_TABLE).values())
    monkeypatch.setattr(joining, "JOINED_BYTES", 2 * size)
    (table,) = join_run_parts(run)
    assert (table.before, table.after) == (8, 4)


def test_compact_stopped_at_any_step_leaves_every_row_once_and_is_finished_by_the_next(place, monkeypatch):
    """It is stopped before and after each change of a file, in turn."""
    count, least = (3, 2) if place.startswith("s3") else (6, 2)
    for name in ("_put_file", "remove_parts"):
        change = getattr(Run, name)
        for after in (False, True):
            step = 0
            while True:
                folder = f"{place}-{name}-{after}-{step}"
                run = write_parts(folder, count)
                left = [step]

                def stop(run, *arguments, name=name, change=change, after=after, left=left, **options):
                    left[0] -= 1
                    if left[0] < 0 and not after:
                        raise StopError
                    if name == "remove_parts":
                        for part in list(arguments[0])[: None if left[0] >= 0 else 2]:
                            change(run, [part])
                    else:
                        change(run, *arguments, **options)
                    if left[0] < 0:
                        raise StopError

                with monkeypatch.context() as patch:
                    patch.setattr(Run, name, stop)
                    try:
                        join_run_parts(run)
                        stopped = False
                    except StopError:
                        stopped = True
                assert read_numbers(Run(folder)) == list(range(count))
                if not stopped:
                    break
                join_run_parts(Run(folder))
                assert read_numbers(Run(folder)) == list(range(count))
                assert len(Run(folder).list_files(SOLUTIONS_TABLE)) == least
                step += 1
            assert step >= 1


def test_a_reader_has_every_row_once_whatever_is_joined_between_its_requests(place):
    """The parts are joined and deleted after each of the reader's requests, in turn."""
    for moment in range(6):
        folder = f"{place}-{moment}"
        run = write_parts(folder, 5)

        class Reader(Run):
            read = 0

            def read_part(self, table, path, columns=None, moment=moment, run=run):
                if self.read == moment:
                    join_run_parts(run)
                self.read += 1
                return super().read_part(table, path, columns)

        reader = Reader(folder)
        assert sorted(read_numbers(reader)) == list(range(5))
        assert read_numbers(reader) == list(range(5))


READERS = {
    "check": lambda run: (check_run(run).is_whole, check_run(run).rows),
    "kinds": count_run_kinds,
    "finished": find_finished_problems,
    "solved": find_solved_problems,
    "ok": lambda run: count_ok_rows(run, VERIFICATIONS_TABLE),
}


@pytest.mark.parametrize("name", READERS)
def test_who_reads_in_batches_reads_the_same_whatever_is_joined_meanwhile(name, written_run, small, scripted, tmp_path):
    for solutions in (8, 9):
        run_sweep(small(solutions=solutions), load=scripted())
    expected = READERS[name](Run(written_run))

    class Reader(Run):
        """Its parts are joined and deleted before one of its requests."""

        opened, moment = 0, 0

        def open_part(self, path, columns=None):
            if self.opened == self.moment:
                join_run_parts(Run(self.path))
            self.opened += 1
            return super().open_part(path, columns)

    for moment in range(30):
        folder = tmp_path / f"joined-{moment}"
        shutil.copytree(written_run, folder)
        reader = Reader(folder)
        reader.moment = moment
        assert READERS[name](reader) == expected
        shutil.rmtree(folder)
        if reader.opened <= moment:
            break
    assert moment > 2


def test_a_part_that_is_listed_and_cannot_be_read_is_one_sentence(tmp_path, monkeypatch):
    run = write_parts(tmp_path / "run", 2)
    missing = f"{run.root}/solutions/part-00009.parquet"
    monkeypatch.setattr(Run, "list_parts", lambda run, table: [missing])
    with pytest.raises(GonePartError, match=r"part-00009\.parquet cannot be read"):
        run.read_table(SOLUTIONS_TABLE)


def test_readers_and_joining_at_the_same_time(place):
    run = write_parts(place, 3)
    ended, wrong = threading.Event(), []

    def read():
        while not ended.is_set():
            numbers = read_numbers(Run(place))
            if numbers != list(range(len(numbers))) or len(numbers) < 3:
                wrong.append(numbers)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for round_ in range(4):
        write_parts(place, 4, first=3 + 4 * round_)
        join_run_parts(run)
    ended.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert read_numbers(Run(place)) == list(range(19))


def test_a_run_is_compacted_by_nobody_while_it_is_written(place):
    run = write_parts(place, 2)
    with run.lock(), pytest.raises(RunError, match=r"is writing the run|is locked by process"):
        join_run_parts(Run(place))


def test_a_compacted_run_is_intact_can_be_resumed_and_says_what_is_left_over(written_run, small, scripted, monkeypatch):
    run_sweep(small(solutions=8), load=scripted())
    monkeypatch.setattr(Run, "remove_parts", lambda run, parts: None)
    join_run_parts(Run(written_run))
    monkeypatch.undo()
    report = check_run(Run(written_run))
    assert report.is_whole
    assert any(
        "in joined parts and not read; the next `isocompute compact` deletes them" in note for note in report.notes
    )
    assert run_sweep(small(solutions=9), load=scripted()).solutions == 36
    assert Run(written_run).read_manifest()["format"] == 3
    join_run_parts(Run(written_run))
    assert not any("joined" in note for note in check_run(Run(written_run)).notes)
