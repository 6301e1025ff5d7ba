"""When a run is whole, what its manifest must be, and what is noted of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocompute.errors import RunError
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run, repair_run
from isocompute.runners.storage.examined_parts import RESTORE
from isocompute.runners.storage.progress import list_run_progress
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import VERIFICATIONS_TABLE

UNREAD_NOTES = [
    "9 of 24 solutions (37.5 %) have no answer that can be read; they count as wrong",
    "9 of 72 verdicts (12.5 %) cannot be read; they count as neither yes nor no",
]
"""What the scripted model leaves unread in each run of these tests."""


def test_a_whole_run_is_whole_and_stays_as_it_is(run, files):
    before = files(run)
    report = check_run(run)
    assert report.is_whole
    assert report.rows == {"problems": 4, "solutions": 24, "verifications": 72}
    assert report.missing == {"solutions": [], "verifications": []}
    assert report.notes == UNREAD_NOTES
    assert repair_run(run) == report
    assert files(run) == {**before, f"{run.path}/.lock": b""}


def test_an_object_store_is_checked_and_repaired_like_a_folder(small, scripted, written_run):
    run = Run(run_sweep(small(run=f"memory:/{written_run}"), load=scripted()).run)
    assert check_run(run).rows == check_run(Run(written_run)).rows
    part = run.list_parts(VERIFICATIONS_TABLE)[0]
    run.fs.pipe_file(part, b"PAR1")
    assert [damage.path for damage in repair_run(run).damage] == [part]
    assert check_run(run).is_whole


@pytest.mark.parametrize("format_", [4, "1", None, 1.5, True])
def test_a_run_of_another_format_is_read_by_nobody(run, scripted, small, format_):
    path = Path(run.path) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": format_}))
    with load_grader_by_name("boxed-number") as grader:
        for read in (
            lambda: check_run(run),
            lambda: repair_run(run),
            lambda: read_pool(run),
            lambda: regrade_run(run, grader),
            lambda: run_sweep(small(), load=scripted()),
        ):
            with pytest.raises(
                RunError, match=r"has the format .*, but this version of isocompute reads formats 1 to 3; use "
            ):
                read()
    [found] = list_run_progress(run.path)
    assert "has the format" in found.reason


def test_a_manifest_with_a_key_twice_is_damage(run):
    path = Path(run.path) / "manifest.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 2, "format": 2'))
    assert "the key 'format' appears twice" in check_run(run).damage[0].what


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"config": 7}', '{"config": {"solutions": 4}}', None, "[" * 100_000, "\xff"]
)
def test_a_manifest_that_is_no_manifest_is_damage_that_a_copy_mends(run, content):
    path = Path(run.path) / "manifest.json"
    before = path.read_bytes()
    path.unlink() if content is None else path.write_text(content, encoding="latin-1")
    report = check_run(run)
    assert [(damage.path, damage.rows, damage.remedy) for damage in report.damage] == [(str(path), None, RESTORE)]
    assert report.rows == {"problems": 4, "solutions": 24, "verifications": 72}
    assert not repair_run(run).is_whole
    path.write_bytes(before)
    assert check_run(run).is_whole


def test_a_manifest_that_asks_for_the_impossible_is_damage(run):
    path = Path(run.path) / "manifest.json"
    manifest = json.loads(path.read_text())
    for count, what in (
        (10**7, "requests more than 1,000,000 rows of one kind"),
        (10**30, "solutions: input should be"),
    ):
        manifest["config"]["solutions"] = count
        path.write_text(json.dumps(manifest))
        assert what in check_run(run).damage[0].what


def test_a_run_that_is_not_there_is_refused_and_nothing_is_made(tmp_path):
    for call in (check_run, repair_run):
        with pytest.raises(RunError, match=r"There is no run at '.*': the folder does not exist"):
            call(Run(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_another_process_writes_is_checked_and_not_repaired(run):
    with run.lock():
        assert check_run(Run(run.path)).is_whole
        with pytest.raises(RunError, match="Another process is writing the run"):
            repair_run(Run(run.path))


def test_a_half_written_run_is_whole_and_says_what_is_to_come(run, put):
    rows = run.read_table(VERIFICATIONS_TABLE).to_pylist()
    put(run, VERIFICATIONS_TABLE, rows[:5] + rows[9:10] + rows[71:])
    report = check_run(run)
    assert report.is_whole
    gaps = [(gap.first, gap.last, gap.rows) for gap in report.missing["verifications"]]
    assert gaps == [
        (("lab-0-1-0", 1, 2), ("lab-0-1-0", 2, 2), 4),
        (("lab-0-1-0", 3, 1), ("lab-0-4-0", 5, 1), 61),
    ]


def test_what_lies_about_in_a_run_is_noted(run):
    folder = Path(run.path) / "solutions"
    for name in ("part-00001.parquet.77.tmp", "part-00000.parquet.damaged", "part-00000 (copy).parquet", "notes.txt"):
        (folder / name).write_text("x")
    report = check_run(run)
    assert report.is_whole
    assert [note.partition(":")[0] for note in report.notes] == [
        "1 file unfinished, from a sweep that is running or was killed; the next sweep removes leftovers",
        "1 file set aside earlier; delete what you no longer need",
        "2 files with an unknown name, not read",
        *UNREAD_NOTES,
    ]


def test_a_shipped_prompt_that_was_another_is_noted_and_a_prompt_of_one_s_own_is_not(run):
    path = Path(run.path) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["prompts"]["solver"]["sha256"] = "0" * 64
    manifest["prompts"]["verifier"] = {"name": "mine.txt", "sha256": "0" * 64}
    manifest["prompts"]["other"] = None
    path.write_text(json.dumps(manifest))
    report = check_run(run)
    assert report.is_whole
    assert report.notes == [
        "the prompt 'lab-solve' has changed since this run was made; the run can be fitted, but no rows can be added "
        "to it",
        *UNREAD_NOTES,
    ]


SHIPPED = Path(__file__).resolve().parents[3] / "data" / "runs"


@pytest.mark.parametrize("name", sorted(path.name for path in SHIPPED.iterdir()))
def test_the_shipped_runs_are_whole(name):
    report = check_run(Run(SHIPPED / name))
    assert report.is_whole
    assert not any(report.missing.values())
