"""Runs that several writers share: leases of parts, and writers that are taken for dead and go on."""

from __future__ import annotations

import itertools
import threading
from contextlib import ExitStack, contextmanager

import pytest

from isocompute.errors import RunError
from isocompute.runners.storage import leases
from isocompute.runners.storage.leases import LeaseInForceError
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, TABLES
from isocompute.runners.storage.sharing import RunPart, SharedDisk, close_writer, share_run, stop_other_divisions

ROW = {"problem_id": "p", "text": "a", "answer": "7", "correct": True, "status": "ok"}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run"


@contextmanager
def sharing(place, number=0, count=2):
    """A writer that holds the lease of a part; as another process would, it opens the run by itself."""
    run = Run(place)
    with share_run(run, lambda: run.write_manifest({"config": {}, "format": 3})) as lock:
        part = RunPart(run, number, count)
        with part.hold(lock):
            yield run, part


def write(run, *numbers):
    writer = run.open_writer(SOLUTIONS_TABLE)
    writer.add_rows({**ROW, "solution_id": number} for number in numbers)
    writer.flush()


def numbers(run):
    return sorted(number for _, number in run.read_keys(SOLUTIONS_TABLE))


@pytest.fixture
def expire(monkeypatch):
    """Makes every lease that stands look as if it had run out, as those of a stopped process do."""
    return lambda: monkeypatch.setattr(leases, "measure_age", lambda fs, root, lease: 1e9)


def test_writers_of_different_parts_write_side_by_side(place):
    with sharing(place, 0) as (first, _), sharing(place, 1) as (second, _):
        for number in range(0, 8, 2):
            write(first, number)
            write(second, number + 1)
        assert len(first.list_parts(SOLUTIONS_TABLE)) == 8
    assert numbers(Run(place)) == list(range(8))


def test_a_part_has_one_holder_and_a_run_with_shards_no_other_writer(place):
    with sharing(place) as (run, _):
        with pytest.raises(LeaseInForceError), ExitStack() as stack:
            stack.enter_context(sharing(place))
        with pytest.raises(RunError, match="Another process is writing"), Run(place).lock():
            pass
    with Run(place).lock(), sharing_refused(place):
        pass
    with sharing(place):
        assert run.held is None


@contextmanager
def sharing_refused(place):
    from isocompute.runners.storage import sharing as module

    before, module.BEGIN_SECONDS = module.BEGIN_SECONDS, 0.0
    try:
        with pytest.raises(RunError, match="alone; wait for it"), ExitStack() as stack:
            stack.enter_context(sharing(place))
        yield
    finally:
        module.BEGIN_SECONDS = before


def test_a_lease_that_was_given_back_leaves_nothing_to_close(place):
    for _ in range(3):
        with sharing(place) as (run, _):
            write(run, len(numbers(run)))
    assert numbers(Run(place)) == [0, 1, 2]
    assert not [path for path in run.list_files(SOLUTIONS_TABLE) if "closed" in path]


def test_what_a_writer_that_was_taken_for_dead_still_writes_is_not_read(place, expire):
    with sharing(place) as (lost, _):
        write(lost, 0, 1)
        lost.verify_lock()  # passed; the write that follows is under way for a long time
        expire()
        with sharing(place) as (heir, _):
            assert numbers(heir) == [0, 1]
            token = heir.writer
            late = lost.open_writer(SOLUTIONS_TABLE)
            late.add_rows([{**ROW, "solution_id": 2}])
            held, lost.held = lost.held, None
            late.flush()  # arrives now
            lost.held = held
            assert numbers(heir) == [0, 1]
            write(heir, 2, 3)
            with pytest.raises(RunError, match="locked by another process"):
                write(lost, 4)
            assert token != lost.writer
    run = Run(place)
    assert numbers(run) == [0, 1, 2, 3]
    assert len(run.read_table(SOLUTIONS_TABLE)) == 4


def test_a_write_that_arrives_before_the_parts_are_listed_counts(place, expire):
    with sharing(place) as (lost, _):
        write(lost, 0)
        write(lost, 1)
        expire()
        with sharing(place) as (heir, _):
            assert numbers(heir) == [0, 1]
            write(heir, 2)
    assert numbers(Run(place)) == [0, 1, 2]


def test_an_heir_that_dies_before_it_shut_its_predecessor_out_leaves_that_to_the_next(place, expire, monkeypatch):
    from isocompute.runners.storage import sharing as module

    with sharing(place) as (lost, _):
        write(lost, 0)
        expire()
        with monkeypatch.context() as patch:
            patch.setattr(module, "close_writer", lambda *args: (_ for _ in ()).throw(OSError("gone")))
            with pytest.raises(OSError, match="gone"), ExitStack() as stack:
                stack.enter_context(sharing(place))
        with sharing(place) as (heir, _):
            assert [path for path in heir.list_files(SOLUTIONS_TABLE) if f"closed-00001-{lost.writer}" in path]
            write(heir, 1)
    assert numbers(Run(place)) == [0, 1]


def test_of_two_that_shut_a_writer_out_the_first_decides(place):
    with sharing(place) as (run, part):
        write(run, 0)
        other = Run(place)
        close_writer(other, part.place, run.writer)
        held, run.held = run.held, None
        write(run, 1)
        run.held = held
        close_writer(other, part.place, run.writer)  # late, after the part that is void arrived
        assert numbers(Run(place)) == [0]
        for table in TABLES.values():
            assert sum("closed" in path for path in run.list_files(table)) == 1


def test_shards_of_another_number_are_found_and_those_that_ended_shut_out(place, expire):
    with sharing(place, 0, 2) as (lost, _):
        write(lost, 0)
        with sharing(place, 2, 3) as (run, _):
            with pytest.raises(LeaseInForceError):
                stop_other_divisions(run, 3)
            expire()
            stop_other_divisions(run, 3)
            with pytest.raises(RunError, match="locked by another process"):
                write(lost, 1)


def test_a_part_is_finished_for_the_work_that_was_done(place):
    with sharing(place) as (_, part):
        assert not part.is_finished("0a")
        part.mark_finished("0a")
        assert part.is_finished("0a")
        assert not part.is_finished("0b")
        part.clear_marks()
        assert not part.is_finished("0a")


def test_of_many_that_create_a_file_one_succeeds_and_nobody_sees_a_half(tmp_path):
    disk, name, content = SharedDisk(), str(tmp_path / "leases" / "a"), b"x" * 100_000
    (tmp_path / "leases").mkdir()
    won, seen, end = [], set(), threading.Event()

    def create():
        try:
            disk.pipe_file(name, content, mode="create")
            won.append(1)
        except FileExistsError:
            pass

    def read():
        while not end.is_set():
            seen.update(file["size"] for file in disk.ls(str(tmp_path / "leases"), detail=True))

    threads = [threading.Thread(target=create) for _ in range(8)]
    reader = threading.Thread(target=read)
    reader.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(20):
        disk.pipe_file(name, content)
    end.set()
    reader.join()
    assert len(won) == 1
    assert seen <= {100_000}
    assert [path.name for path in tmp_path.iterdir()] == ["leases"]


def test_the_first_writer_begins_the_run_and_the_others_wait_for_it(place):
    begun, order = itertools.count(), []

    def write_rows(number):
        run = Run(place)

        def begin():
            next(begun)
            run.write_manifest({"config": {}, "format": 3})

        with share_run(run, begin) as lock:
            assert run.exists
            with RunPart(run, number, 4).hold(lock):
                write(run, number)
                order.append(number)

    threads = [threading.Thread(target=write_rows, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(order) == [0, 1, 2, 3]
    assert numbers(Run(place)) == [0, 1, 2, 3]


def test_a_store_is_refused_in_one_sentence():
    with pytest.raises(RunError, match="object store; shards need a run on a disk"), ExitStack() as stack:
        stack.enter_context(share_run(Run("memory://runs/a"), lambda: None))
