"""What commands write: in its place, whole or not there; and what a sweep without rows says."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from isocompute.cli.screens.runs import explain_empty_tables
from isocompute.planner.profile import read_profile
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep

GRID = Path(__file__).resolve().parents[2] / "data" / "published" / "llama-3.1-8b-math.json"


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["manifest.json", "solutions/part-00000.parquet", "dir/", "thesis.json", "memory://b/p"]
)
def test_fit_writes_over_nothing_that_is_no_profile(refused, written_run, monkeypatch, name):
    monkeypatch.chdir(written_run)
    (written_run / "thesis.json").write_text('{"self_consistency": "a chapter"}')
    (written_run / "dir").mkdir()
    before = files(written_run)
    sentence = refused("fit", written_run, "-o", name)
    assert any(words in sentence for words in ("belongs to a run", "is a folder", "is not a profile", "is in memory"))
    assert files(written_run) == before


def test_a_grid_is_not_written_over_by_its_own_profile(refused, tmp_path):
    grid = tmp_path / "grid.json"
    grid.write_bytes(GRID.read_bytes())
    assert "already exists and is not a profile; name another file" in refused("fit", grid, "-o", grid)
    assert grid.read_bytes() == GRID.read_bytes()


def test_an_earlier_profile_is_replaced_and_a_link_to_another_file_is_not_followed(command, written_run, tmp_path):
    profile = tmp_path / "p.json"
    assert command("fit", written_run, "-o", profile).code == 0
    first = profile.read_bytes()
    kept = tmp_path / "kept.json"
    kept.write_bytes(first)
    profile.unlink()
    profile.symlink_to(kept)
    profile.with_name("p.json.tmp").symlink_to(tmp_path / "thesis")
    (tmp_path / "thesis").write_text("mine")
    assert command("fit", written_run, "-o", profile).code == 0
    assert not profile.is_symlink()
    assert (kept.read_bytes(), (tmp_path / "thesis").read_text()) == (first, "mine")
    assert read_profile(str(profile)).name == "p"


def test_a_url_is_fitted_into_its_store_and_planned_from_there(command, written_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    url = f"file://{written_run}/profile.json"
    assert command("fit", f"file://{written_run}", "-o", url).code == 0
    assert command("plan", "--budget", "8x", "--profile", url).code == 0
    assert command("figures", url, "--only", "solutions_and_compute", "-o", f"file://{tmp_path}/drawn").code == 0
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "drawn"])
    assert "solutions_and_compute.png" in os.listdir(tmp_path / "drawn")


@pytest.mark.parametrize(
    "arguments", [("figures", "RUN", "-o", "memory://x"), ("import", "table", "T", "-o", "memory://z")]
)
def test_no_command_writes_into_memory(refused, written_run, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "T").write_text("")
    before = files(tmp_path)
    arguments = [str(written_run) if word == "RUN" else word for word in arguments]
    assert "is in memory and is lost when the command ends" in refused(*arguments)
    assert files(tmp_path) == before


def test_a_figure_that_cannot_be_drawn_leaves_nothing(refused, written_run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    draw = ("figures", written_run, "--only", "frontiers", "-o")
    assert "cannot be written: No space left on device" in refused(*draw, tmp_path / "figures")
    assert os.listdir(tmp_path / "figures") == []
    assert "belongs to a run" in refused(*draw, written_run / "solutions")


@pytest.fixture
def swept(command, small, scripted, tmp_path, monkeypatch):
    """Runs `isocompute sweep` with a scripted engine."""

    def run(says, **changes):
        path = tmp_path / "sweep.yaml"
        models = {role: {"model": "data/lab/solver", "prompt": f"lab-{word}"} for role, word in ROLES.items()}
        path.write_text(yaml.safe_dump(small(**{**models, **changes}).model_dump(mode="json", exclude_none=True)))
        scripted_sweep = partial(run_sweep, load=scripted(says))
        monkeypatch.setattr(
            "isocompute.runners.sampling.sweep.run_sweep", scripted_sweep
        )  # which the command loads when called
        return command("sweep", path)

    return run


ROLES = {"solver": "solve", "verifier": "verify"}


def failed(prompt, seed):
    return Completion(None, None, None, None, None, "HTTP 500")


def test_a_sweep_whose_rows_all_failed_is_no_success(swept):
    ended = swept(failed)
    assert ended.code == 2
    assert "24 rows failed: HTTP 500" in ended.out
    assert ended.err.startswith("error: None of the solutions and verifications in ")
    assert ended.err.endswith("succeeded, so there is nothing to fit yet. The most frequent reason: HTTP 500.\n")
    assert "Next:" not in ended.out


def test_a_sweep_without_a_single_verification_is_no_success(swept, scripted):
    well = scripted().says
    ended = swept(lambda prompt, seed: (failed if prompt.endswith("Verification:\n") else well)(prompt, seed))
    assert ended.code == 2
    assert "None of the verifications in " in ended.err


def test_a_sweep_of_which_some_rows_failed_says_what_comes_next(swept, scripted):
    well = scripted().says
    ended = swept(lambda prompt, seed: failed(prompt, seed) if seed % 7 == 0 else well(prompt, seed))
    assert ended.code == 0
    assert "Next: isocompute fit" in ended.out


def test_no_library_is_answered_on_standard_input(command, monkeypatch):
    read_there = []
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    monkeypatch.setattr("isocompute.runners.tasks.list_tasks", lambda: read_there.append(sys.stdin.read()) or {})
    command("tasks")
    assert read_there == [""]
    assert sys.stdin.read() == "y\n"


@pytest.mark.parametrize("options", [(), ("--help",)])
def test_a_command_whose_reader_has_gone_ends_in_silence(options):
    words = ["isocompute", "plan", "--budget", "128x", *options]
    program = f"import sys; from isocompute.cli.main import main; sys.argv = {words}; main()"
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:
        ended = subprocess.run([sys.executable, "-c", program], stdout=output, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_pipe_that_breaks_elsewhere_is_no_silence(command, monkeypatch):
    def end(path):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("isocompute.runners.storage.check.check_run", end)
    ended = command("check", "anything")
    assert ended.code == 2
    assert ended.err.startswith("error: ")


def test_of_reasons_as_frequent_as_each_other_the_first_in_the_alphabet_is_named():
    summary = SimpleNamespace(run="r", empty_tables=("solutions",), failed={"b": 2, "a": 2, "c": 1})
    assert explain_empty_tables(summary).endswith("The most frequent reason: a.")
