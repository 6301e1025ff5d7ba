from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from isocompute.errors import RunError
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.progress import (
    RunProgress,
    UnreadableRun,
    find_runs,
    list_run_progress,
    measure_run_progress,
)
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE


def paths(folder):
    return [run.path for run in find_runs(str(folder))]


def test_progress_is_what_the_rows_say(written_run):
    run = Run(written_run)
    found = measure_run_progress(run)
    assert (found.run, found.task, found.problems) == (str(written_run), "lab", 4)
    assert found.models == {"solver": "scripted/solver", "verifier": "scripted/verifier"}
    for rows, table, asked in ((found.solutions, SOLUTIONS_TABLE, 24), (found.verifications, VERIFICATIONS_TABLE, 72)):
        frame = run.read_frame(table)
        assert (rows.done, rows.asked, rows.failures) == (asked, asked, {})
        assert rows.tokens["prompt"] == frame["prompt_tokens"].sum()
        assert rows.tokens["completion"] == frame["completion_tokens"].sum()
        assert rows.tokens["cached"] is None  # unknown is not 0
        assert rows.untold == {"prompt": 0, "cached": asked, "completion": 0}
    assert found.accuracy == run.read_frame(SOLUTIONS_TABLE)["correct"].astype(float).mean()
    assert timedelta(0) <= datetime.now(UTC) - found.written < timedelta(minutes=5)


def test_failures_are_counted_by_kind_until_their_retry_comes(small, scripted):
    well = scripted().says

    def says(prompt, seed):
        reasons = {0: "too long", 1: "connection lost"}
        return (
            Completion(None, None, None, None, None, reasons[seed % 4]) if seed % 4 in reasons else well(prompt, seed)
        )

    config = small(verifications=0)
    for _ in range(2):  # what fails again stands once
        summary = run_sweep(config, load=scripted(says))
    found = measure_run_progress(Run(config.run)).solutions
    assert found.failures == dict(Counter(summary.failed).most_common())
    assert found.done + sum(found.failures.values()) == found.asked == 24
    assert found.untold["completion"] == 0
    run_sweep(config, load=scripted())
    assert measure_run_progress(Run(config.run)).solutions.failures == {}


def test_a_run_is_surveyed_at_every_moment_at_which_it_is_written(small, scripted, monkeypatch):
    put, seen = Run._put_file, []

    def watched(run, path, content, *options, **named):
        put(run, path, content, *options, **named)
        seen.append(measure_run_progress(Run(run.path)))

    monkeypatch.setattr(Run, "_put_file", watched)
    run_sweep(small(checkpoint_seconds=1e-9), load=scripted())
    done = [(moment.solutions.done, moment.verifications.done) for moment in seen]
    assert done == sorted(done)
    assert done[0] == (0, 0)
    assert done[-1] == (24, 72)
    assert {(moment.problems, moment.solutions.asked) for moment in seen} == {(0, 0), (4, 24)}
    assert seen[0].accuracy is None


def test_a_run_that_only_has_its_manifest_is_shown(small, scripted, tmp_path):
    def nothing(prompt, seed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(small(), load=scripted(nothing))
    [found] = list_run_progress(str(tmp_path))
    assert (found.solutions.done, found.solutions.asked, found.accuracy) == (0, 24, None)


def test_runs_are_found_below_folders_by_name_and_once(small, scripted, tmp_path):
    for name in ("b", "a/deep/er", ".hidden/run", "c"):
        run_sweep(small(run=str(tmp_path / "runs" / name), verifications=0), load=scripted())
    (tmp_path / "runs" / "c" / "again").symlink_to(tmp_path / "runs" / "b")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "runs" / "a")
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    (tmp_path / "runs" / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / "manifest.json").write_text("{}")  # many things have one
    (tmp_path / "runs" / "other" / "solutions").touch()
    found = [str(tmp_path / "runs" / name) for name in ("a/deep/er", "b", "c")]
    assert paths(tmp_path) == paths(tmp_path / "runs") == found
    assert paths(tmp_path / "runs" / "b") == [str(tmp_path / "runs" / "b")]
    assert paths(tmp_path / "runs" / "other") == []


def test_a_run_outside_that_is_linked_to_is_found(small, scripted, tmp_path):
    run_sweep(small(run=str(tmp_path / "scratch" / "big"), verifications=0), load=scripted())
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "big").symlink_to(tmp_path / "scratch" / "big")
    assert paths(tmp_path / "runs") == [str(tmp_path / "runs" / "big")]


def test_runs_here_are_named_as_one_would_type_them(small, scripted, tmp_path, monkeypatch):
    run_sweep(small(run=str(tmp_path / "runs" / "b"), verifications=0), load=scripted())
    monkeypatch.chdir(tmp_path)
    assert paths(".") == ["runs/b"]
    assert paths("runs") == paths("runs/") == ["runs/b"]
    monkeypatch.chdir(tmp_path / "runs" / "b")
    assert paths(".") == ["."]


def test_an_object_store_is_surveyed_like_a_folder(small, scripted, tmp_path):
    config = small(run=f"memory:/{tmp_path}/runs/b", verifications=0)
    run_sweep(config, load=scripted())
    [found] = list_run_progress(f"memory:/{tmp_path}")
    assert (found.run, found.solutions.done) == (config.run, 24)


def test_a_damaged_run_is_one_of_many(small, scripted, tmp_path):
    for name in "abcd":
        run_sweep(small(run=str(tmp_path / name), verifications=0), load=scripted())
    part = tmp_path / "b" / "solutions" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    (tmp_path / "c" / "manifest.json").unlink()
    found = list_run_progress(str(tmp_path))
    assert [type(run) for run in found] == [RunProgress, UnreadableRun, UnreadableRun, RunProgress]
    assert found[1].reason.startswith(f"{part} cannot be read as Parquet: ")
    assert found[2].reason == f"There is no run at '{tmp_path}/c': the folder has no manifest.json."


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_is_not_ours_to_read_is_passed_by(written_run):
    (written_run.parent / "closed").mkdir(mode=0)
    assert paths(written_run.parent) == [str(written_run)]


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(RunError) as caught:
        list_run_progress(str(tmp_path / "none"))
    assert str(caught.value) == f"There is no folder '{tmp_path}/none' to look for runs in."
