"""A verdict, a score and a grade are of one text, and go with it."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.errors import DataError, RunError
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run, repair_run
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    GRADES_TABLE,
    JUDGEMENT_TABLES,
    SCORES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
)

COUNT = count()


def other_text(scripted):
    """An engine whose texts vary from call to call, as a server's may."""
    well = scripted().says
    return scripted(lambda prompt, seed: f"{well(prompt, seed)} ({next(COUNT)})")


def texts(run):
    return {(row["problem_id"], row["solution_id"]): row["text"] for row in run.read_table(SOLUTIONS_TABLE).to_pylist()}


def assert_judged(run):
    """Every judgement is of the text that its solution has."""
    held = texts(run)
    for table in JUDGEMENT_TABLES:
        for row in run.read_table(table).to_pylist():
            assert row["solution_digest"] == digest_text(held[row["problem_id"], row["solution_id"]])


@pytest.fixture
def judged(searching, stepping, scripted, tmp_path):
    """A run with solutions, verifications, scores and grades; and what sweeps it again."""
    _, scorer = stepping()
    config = searching(
        searches=[],
        solutions=4,
        scored=3,
        verifier={"model": "scripted/verifier", "prompt": "lab-verify"},
        verifications=2,
    )

    def again(display=None):
        return run_sweep(config, display, load=other_text(scripted), load_scorer=scorer)

    again()
    with load_grader_by_name("boxed-number") as grader:
        regrade_run(Run(config.run), grader)
    return Run(config.run), again


def test_each_judgement_remembers_the_text_it_judged(judged):
    run, _ = judged
    assert [run.read_table(table).num_rows for table in JUDGEMENT_TABLES] == [32, 12, 16]
    assert_judged(run)


def test_judgements_of_solutions_that_are_gone_are_set_aside_when_a_sweep_starts(judged, notes):
    run, again = judged
    before = texts(run)
    shutil.rmtree(Path(run.path) / "solutions")
    assert [damage.stray for damage in check_run(run).damage] == [True] * 3
    shown = notes()
    again(shown)
    assert texts(run).keys() == before.keys()
    assert not set(texts(run).values()) & set(before.values())
    assert [note.split(": ")[1].split(";")[0] for note in shown.said] == [
        "32 rows of a solution that does not exist or failed",
        "12 rows of a solution that does not exist or failed",
        "16 rows of a solution that does not exist or failed",
    ]
    assert all("Set aside from " in note for note in shown.said)
    assert_judged(run)
    assert check_run(run).is_whole
    assert len(run.read_keys(VERIFICATIONS_TABLE)) == 32
    assert len(list((Path(run.path) / "verifications").glob("*.damaged"))) == 1


def test_judgements_of_other_texts_are_damage_and_a_sweep_asks_for_them_again(judged):
    run, again = judged
    kept = {table: run.read_table(table).to_pylist() for table in JUDGEMENT_TABLES}
    shutil.rmtree(Path(run.path) / "solutions")
    again()
    for table, rows in kept.items():  # as a run was that an older version went on with
        for part in run.list_parts(table):
            Path(part).unlink()
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), f"{run.root}/{table.name}/part-00000.parquet")
    found = [damage.what.partition(";")[0] for damage in check_run(run).damage]
    assert found == [f"{n} rows of a text that differs from its solution's" for n in (32, 12, 16)]
    again()
    assert_judged(run)
    assert check_run(run).is_whole


def test_only_the_judgements_of_what_was_lost_are_set_aside(judged):
    run, again = judged
    part = run.list_parts(SOLUTIONS_TABLE)[0]
    rows = run.read_table(SOLUTIONS_TABLE)
    pq.write_table(rows.slice(1), part)
    first = tuple(rows.slice(0, 1).select(SOLUTIONS_TABLE.key_names).to_pylist()[0].values())
    before = run.read_table(VERIFICATIONS_TABLE).to_pylist()
    again()
    after = run.read_table(VERIFICATIONS_TABLE).to_pylist()
    assert_judged(run)
    assert [row for row in after if (row["problem_id"], row["solution_id"]) != first] == [
        row for row in before if (row["problem_id"], row["solution_id"]) != first
    ]
    assert run.read_table(GRADES_TABLE).num_rows == 15  # the new solution is graded by the sweep itself


def test_a_run_of_an_older_version_says_nothing_of_texts_and_is_whole(judged):
    run, again = judged
    for table in JUDGEMENT_TABLES:
        part = run.list_parts(table)[0]
        pq.write_table(run.read_table(table).drop_columns(["solution_digest"]), part)
    assert check_run(run).is_whole
    assert run.read_table(SCORES_TABLE)["solution_digest"].null_count == 12
    assert repair_run(run).is_whole
    again()
    assert check_run(run).is_whole


def test_a_run_that_is_damaged_otherwise_is_not_gone_on_with(judged):
    run, again = judged
    part = run.list_parts(SOLUTIONS_TABLE)[0]
    rows = run.read_table(SOLUTIONS_TABLE).to_pylist()
    rows[0]["correct"] = None
    pq.write_table(pa.Table.from_pylist(rows, schema=SOLUTIONS_TABLE.schema), part)
    held = {path: path.read_bytes() for path in Path(run.path).rglob("*") if path.is_file()}
    with pytest.raises(DataError, match=r"1 row with status ok and no correct; the first: .*isocompute check"):
        again()
    assert held == {path: path.read_bytes() for path in Path(run.path).rglob("*") if path.is_file()}


def test_solutions_do_not_go_on_under_another_question(small, scripted, tmp_path):
    task = tmp_path / "t.csv"
    task.write_text("q,a\nStart with 1 add 1,2\nStart with 2 add 3,5\n")
    config = small(task={"path": str(task), "question": "q", "answer": "a"})
    run = Run(run_sweep(config, load=scripted()).run)
    shutil.rmtree(Path(run.path) / "problems")
    assert run_sweep(config, load=scripted()).sampled == 0  # the same problems are written again
    shutil.rmtree(Path(run.path) / "problems")
    task.write_text("q,a\nStart with 7 add 1,8\nStart with 2 add 3,5\n")
    with pytest.raises(RunError, match="has lost the question, and this sweep has other problems"):
        run_sweep(config, load=scripted())
