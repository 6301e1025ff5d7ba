"""One writer for a run, whose folder it is and whose files are in it."""

from __future__ import annotations

import json
import os
import shutil

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from isocompute.errors import RunError
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage import files as storage_files
from isocompute.runners.storage import leases
from isocompute.runners.storage.check import repair_run
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE


class Ungated(MemoryFileSystem):
    """A test double of a store that cannot refuse to write over what is there."""

    protocol = "ungated"
    store: dict = {}  # noqa: RUF012  as in the class above, one for all its instances
    pseudo_dirs = [""]  # noqa: RUF012


class Careless(MemoryFileSystem):
    """A test double of a store that says it refuses to write over what is there, and does it all the same."""

    protocol = ("careless", "s3")
    store: dict = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        super().pipe_file(path, value, **kwargs)


for store in (Ungated, Careless):
    fsspec.register_implementation(store.protocol if isinstance(store.protocol, str) else store.protocol[0], store)


FOREIGN = ("notes.tmp", "deep/thesis.tmp", "solutions/mine.tmp", "other/solutions/part-00000.parquet.7.tmp", "x.7.tmp")
OWN = ("solutions/part-00009.parquet.77.tmp", "grades/part-00000.parquet.77.tmp", "manifest.json.77.tmp")


def fill(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("change", ["sweep", "grade", "repair"])
def test_only_the_half_written_files_of_this_run_are_removed(written_run, small, scripted, tmp_path, change):
    fill(written_run, (*FOREIGN, *OWN))
    outside = tmp_path / "outside"
    fill(outside, ["part-00000.parquet.7.tmp"])
    (written_run / "nodes").symlink_to(outside)
    (written_run / "solutions" / "part-00008.parquet.77.tmp").symlink_to(outside / "part-00000.parquet.7.tmp")
    if change == "sweep":
        run_sweep(small(solutions=7), load=scripted())
    elif change == "grade":
        with load_grader_by_name("boxed-number") as grader:
            regrade_run(Run(written_run), grader)
    else:
        repair_run(Run(written_run))
    assert all((written_run / name).read_text() == name for name in FOREIGN)
    assert not any((written_run / name).exists() for name in OWN)
    assert (written_run / "solutions" / "part-00008.parquet.77.tmp").is_symlink()
    assert (outside / "part-00000.parquet.7.tmp").is_file()


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "solutions/mine.tmp", "runs/a/manifest.json", "part.7.tmp"])
def test_a_folder_with_anything_of_somebody_else_becomes_no_run(small, scripted, tmp_path, name):
    folder = tmp_path / "run"
    fill(folder, [name])
    engine = scripted()
    with pytest.raises(
        RunError, match=r"cannot become a run: it holds '.*', which does not belong to a run; name an empty"
    ):
        run_sweep(small(), load=engine)
    assert files(folder) == {name: name.encode()}
    assert engine.models == []


def test_what_a_sweep_left_that_was_killed_at_its_start_is_no_hindrance(small, scripted, tmp_path):
    fill(tmp_path / "run", [".lock", "manifest.json.7.tmp", "problems/part-00000.parquet.7.tmp"])
    assert run_sweep(small(), load=scripted()).solutions == 24
    assert not [name for name in files(tmp_path / "run") if name.endswith(".tmp")]


@pytest.mark.parametrize("harm", ["moved", "deleted", "replaced"])
def test_a_run_that_is_moved_while_it_is_written_is_an_error_and_not_begun_anew(small, scripted, tmp_path, harm):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    engine = scripted()
    says = engine.says

    def moving(prompt, seed):
        if len(engine.asked) == 9 and run.exists():
            shutil.rmtree(run) if harm == "deleted" else run.rename(elsewhere)
            if harm == "replaced":
                run.mkdir()
                (run / ".lock").touch()
        return says(prompt, seed)

    engine.says = moving
    with pytest.raises(RunError, match=r"was moved or deleted while it was being written; put it back and sweep again"):
        run_sweep(small(checkpoint_seconds=1e-9), load=engine)
    assert not (run / "manifest.json").exists()
    assert not (run / "solutions").exists()
    if harm == "moved":
        assert len(Run(elsewhere).read_keys(SOLUTIONS_TABLE)) > 0
        elsewhere.rename(run)
        assert run_sweep(small(), load=scripted()).solutions == 24


def test_a_run_that_is_moved_after_its_last_row_gives_no_numbers(small, scripted, tmp_path, monkeypatch):
    put = Run._put_file

    def last(run, path, content, *options, **named):
        put(run, path, content, *options, **named)
        if "/verifications/" in path:
            (tmp_path / "run").rename(tmp_path / "elsewhere")

    monkeypatch.setattr(Run, "_put_file", last)
    with pytest.raises(RunError, match="was moved or deleted"):
        run_sweep(small(), load=scripted())


@pytest.fixture(autouse=True)
def known_stores(monkeypatch):
    """Takes the stores of the tests too, whose names no page has."""
    monkeypatch.setattr(storage_files, "STORES", storage_files.STORES | {"ungated", "careless"})


def test_a_folder_of_a_local_disk_is_locked_however_it_is_named(tmp_path):
    wrapped = Run(f"file://{tmp_path}/run")
    assert wrapped.local
    with wrapped.lock() as lock:
        assert lock.is_guarded
        with pytest.raises(RunError, match="Another process is writing the run"), Run(wrapped.root).lock():
            pass


def test_a_store_that_can_refuse_has_one_writer(tmp_path):
    first, second = Run(f"memory:/{tmp_path}/run"), Run(f"memory:/{tmp_path}/run")
    with first.lock() as lock:
        assert lock.is_guarded
        said = json.loads(first.fs.cat_file(f"{first.root}/.lock"))
        assert (said["process"], said["machine"]) == (os.getpid(), leases.identify_machine())
        with (
            pytest.raises(
                RunError, match=rf"is locked by process {os.getpid()} of this machine, according to its \.lock"
            ),
            second.lock(),
        ):
            pass
        lock.verify()
    assert not first.fs.exists(f"{first.root}/.lock")
    with second.lock():
        pass


def test_the_lock_of_a_process_that_is_gone_is_taken_and_that_of_another_machine_is_not(tmp_path, monkeypatch):
    run = Run(f"memory:/{tmp_path}/run")
    lock = f"{run.root}/.lock"
    run.fs.makedirs(run.root)
    monkeypatch.setattr(leases, "is_process_running", lambda process: process != 7)
    run.fs.pipe_file(lock, json.dumps({"machine": leases.identify_machine(), "process": 7}).encode())
    with run.lock():
        pass
    for content in (json.dumps({"machine": "another", "process": 7}).encode(), b"", b"[]"):
        run.fs.pipe_file(lock, content)
        with pytest.raises(RunError, match=r"is locked by another machine.* If it has ended, delete"), run.lock():
            pass
        assert run.fs.cat_file(lock) == content


def test_a_store_whose_lock_is_taken_away_is_written_no_further(tmp_path, small, scripted):
    run = Run(f"memory:/{tmp_path}/run")
    with run.lock():
        run.fs.pipe_file(f"{run.root}/.lock", b"another's")
        with pytest.raises(RunError, match="or locked by another process, while it was being written"):
            run.write_manifest({"config": {}})
    assert run.fs.cat_file(f"{run.root}/.lock") == b"another's"
    assert not run.exists


@pytest.mark.parametrize("store", ["ungated", "careless"])
def test_a_sweep_says_when_nothing_guards_its_run(tmp_path, small, scripted, store, notes):
    shown = notes()
    run = Run(run_sweep(small(run=f"{store}:/{tmp_path}/run"), shown, load=scripted()).run)
    assert shown.said == [
        f"The run at '{run.path}' cannot be locked, because its store cannot keep a second writer out. Do not start "
        "another sweep of it before this one has ended."
    ]
    guarded = notes()
    run_sweep(small(run=f"memory:/{tmp_path}/run"), guarded, load=scripted())
    assert guarded.said == []


def test_parts_of_two_writers_do_not_take_each_others_place(tmp_path):
    path = f"ungated:/{tmp_path}/run"
    row = {"problem_id": "p", "text": "…", "answer": "7", "correct": True, "status": "ok"}
    writers = [Run(path).open_writer(SOLUTIONS_TABLE) for _ in range(2)]
    for number, writer in enumerate(writers):
        writer.add_rows([{**row, "solution_id": number}])
        writer.flush()
    assert Run(path).read_keys(SOLUTIONS_TABLE) == {("p", 0), ("p", 1)}


def test_a_pipe_in_the_place_of_the_lock_is_an_error_and_no_wait(tmp_path):
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / ".lock")
    with pytest.raises(RunError, match=r"\.lock could not be written"), Run(tmp_path / "run").lock():
        pass


def test_the_top_of_a_disk_is_not_the_folder_one_is_in():
    assert Run("/").root == Run("file:///").root == "/"
    for url in ("https://", "data:,x", "zip://r::file:///nowhere.zip"):
        with pytest.raises(RunError):
            Run(url).read_manifest()
