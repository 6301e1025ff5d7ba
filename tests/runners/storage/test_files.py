"""Where files go, and that they are there whole or not at all."""

from __future__ import annotations

import os

import pytest

from isocompute.errors import DataError, RunError
from isocompute.runners.config.sweep_reading import read_sweep
from isocompute.runners.imports import import_logged_run
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.files import (
    check_output_path,
    locate_store,
    read_file,
    refuse_memory_path,
    replace_file,
    write_output,
)
from isocompute.runners.storage.run import Run


@pytest.mark.parametrize("path", ["s3:/bucket/run", "memory:/x", "file:/x", "gs:/b", "s3:\\b"])
def test_a_url_with_one_slash_is_no_folder_of_that_name(path):
    with pytest.raises(RunError, match=r"is neither a path nor a URL: write .* with two slashes for a store"):
        locate_store(path)


@pytest.mark.parametrize("path", ["memory://x", "memory:///x/y"])
def test_what_is_in_memory_is_refused_where_it_would_be_lost(path):
    with pytest.raises(RunError, match="is in memory and is lost when the command ends; name a folder or an object"):
        refuse_memory_path(path)
    with pytest.raises(RunError, match="is in memory"):
        check_output_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "http://127.0.0.1:9/x",
        "HTTPS://host/x",
        "ftp://me:hunter2@host/x",
        "zip://x.json::in.zip",
        "zip::tar::x",
        "dir::file:///x",
        "simplecache::memory://x",
        "github://a:b@main/x",
        "data://text/plain,x",
        "reference://x",
        "nonsense://x",
        "://x",
        "::::",
    ],
)
def test_a_store_that_no_page_names_is_refused_and_not_asked(path, monkeypatch):
    import fsspec

    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda *_: pytest.fail("a store was asked"))
    for call in (locate_store, read_file, Run, lambda path: write_output(path, b"")):
        with pytest.raises(RunError, match=r"begins with s3://, gs://, abfs:// or hf://\.$") as caught:
            call(path)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "kind"), [(os.mkfifo, "a pipe"), (lambda path: path.symlink_to("/dev/zero"), "a device")]
)
def test_what_never_ends_is_not_read(tmp_path, make, kind):
    path = tmp_path / "x"
    make(path)
    with pytest.raises(DataError, match=f"is {kind}, not a file"):
        read_file(str(path))


def test_a_file_has_a_largest_size(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_file(str(path), 5) == b"12345"
    with pytest.raises(DataError, match="is larger than 4 bytes, the most that is read of such a file"):
        read_file(str(path), 4)


@pytest.mark.parametrize("path", ["x", "./memory", "file:///tmp/x", "/tmp/a:b", "C:/x"])
def test_a_folder_is_not_in_memory(path):
    refuse_memory_path(path)


def test_a_sweep_file_does_not_put_its_run_into_memory(tmp_path, small):
    import yaml

    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(small(run="memory://x").model_dump(mode="json", exclude_none=True)))
    with pytest.raises(RunError, match="'memory://x' is in memory"):
        read_sweep(str(path))


def test_a_file_is_written_in_the_place_of_a_link_and_not_through_it(tmp_path):
    (tmp_path / "thesis").write_text("mine")
    for path, target in (("a.json", "thesis"), ("b.json", "nowhere")):
        (tmp_path / path).symlink_to(tmp_path / target)
        write_output(str(tmp_path / path), b"{}")
        assert not (tmp_path / path).is_symlink()
        assert (tmp_path / path).read_bytes() == b"{}"
    assert (tmp_path / "thesis").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.json", "thesis"]


def test_a_temporary_name_that_is_taken_is_not_written_through(tmp_path):
    (tmp_path / "thesis").write_text("mine")
    (tmp_path / "x.tmp").symlink_to(tmp_path / "thesis")
    with pytest.raises(FileExistsError):
        replace_file(str(tmp_path / "x"), b"{}", str(tmp_path / "x.tmp"))
    assert (tmp_path / "thesis").read_text() == "mine"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_that_could_not_be_finished_leaves_nothing(tmp_path, monkeypatch, error):
    (tmp_path / "x").write_text("before")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((DataError, KeyboardInterrupt)):
        write_output(str(tmp_path / "x"), b"after")
    assert (tmp_path / "x").read_text() == "before"
    assert os.listdir(tmp_path) == ["x"]


def test_a_url_is_written_and_read_in_its_store(tmp_path):
    path = f"file://{tmp_path}/deep/p.json"
    write_output(path, b"{}")
    assert (tmp_path / "deep" / "p.json").read_bytes() == read_file(path) == b"{}"
    write_output(f"memory:/{tmp_path}/p.json", b"[]")
    assert read_file(f"memory:/{tmp_path}/p.json") == b"[]"
    assert sorted(os.listdir(tmp_path)) == ["deep"]


@pytest.mark.parametrize("name", ["manifest.json", "solutions/x.json", "grades/x.json"])
def test_an_output_does_not_go_into_a_run(written_run, name):
    with pytest.raises(DataError, match="belongs to a run, which only sweeps, regrades and repairs may change"):
        check_output_path(str(written_run / name))
    check_output_path(str(written_run / "profile.json"))


@pytest.mark.parametrize("name", ["", "new/", "solutions"])
def test_an_output_is_no_folder(written_run, name):
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        check_output_path(f"{written_run}/{name}")


def test_an_import_does_not_leave_its_store(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("problem_id,solution_id,answer,gold\na,1,2,2\n")
    with pytest.raises(RunError, match="'memory://top' is the root of a store; an import needs a folder in it"):
        import_logged_run("table", str(tmp_path / "t.csv"), "memory://top")
    run = f"memory:/{tmp_path}/run"
    import_logged_run("table", str(tmp_path / "t.csv"), run)
    assert check_run(Run(run)).is_whole
    assert sorted(path.rpartition("/")[2] for path in Run(run).fs.ls(Run(run).root, detail=False)) == [
        "manifest.json", "problems", "solutions",
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    import_logged_run("table", "t.csv", f"file://{tmp_path}/local")
    assert sorted(os.listdir(tmp_path)) == ["local", "t.csv"]


def test_an_import_does_not_clear_a_folder_that_is_not_its_own(tmp_path):
    (tmp_path / "t.csv").write_text("problem_id,solution_id,answer,gold\na,1,2,2\n")
    mine = tmp_path / ".run.importing" / "thesis"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(RunError, match="thesis' is in the way of the import and does not belong to a run; move it, or"):
        import_logged_run("table", str(tmp_path / "t.csv"), str(tmp_path / "run"))
    assert mine.read_text() == "mine"
    assert not (tmp_path / "run").exists()


def test_a_store_that_does_not_answer_is_a_sentence(tmp_path, monkeypatch):
    class Refusal(Exception):
        """An error that only this store knows."""

    def refuse(*_, **__):
        raise Refusal("no credentials")

    from fsspec.implementations.memory import MemoryFileSystem

    path = f"memory:/{tmp_path}/p.json"
    for name in ("size", "cat_file", "pipe_file"):
        monkeypatch.setattr(MemoryFileSystem, name, refuse)
    for call in (lambda: read_file(path), lambda: write_output(path, b"")):
        with pytest.raises(DataError, match="cannot be reached: no credentials"):
            call()


def test_the_size_of_an_object_in_a_store_is_asked_before_it_is_read(tmp_path, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    path = f"memory:/{tmp_path}/large.json"
    write_output(path, b"x" * 100)
    assert read_file(path) == b"x" * 100
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(DataError, match="is larger than 99 bytes"):
        read_file(path, 99)
