"""What `check_run` finds in searches, and what a sweep does after a repair."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run, repair_run
from isocompute.runners.storage.expected import Gap
from isocompute.runners.storage.parts import build_arrow_table, encode_parquet
from isocompute.runners.storage.progress import measure_run_progress
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SCORES_TABLE, SEARCHES_TABLE


@pytest.fixture
def made(searching, stepping):
    """Sweeps; returns the run and what the engine was asked for."""

    def sweeps(**changes):
        engine, scorer = stepping()
        run = Run(run_sweep(searching(**changes), load=engine, load_scorer=scorer).run)
        return run, {request.key for request, _ in engine.asked}

    return sweeps


def change(run, table, rows_of):
    (path,) = run.list_parts(table)
    Path(path).write_bytes(encode_parquet(build_arrow_table(rows_of(pq.read_table(path).to_pylist()), table.schema)))


def table_rows(run, table):
    return sorted(run.read_table(table).to_pylist(), key=lambda row: [row[name] for name in table.key_names])


def test_searches_are_whole_and_counted(made):
    run, _ = made()
    report = check_run(run)
    assert report.is_whole
    assert report.rows["searches"] == 4 * (2 * 2 + 4) == measure_run_progress(run).searches.done
    assert report.rows["nodes"] == len(run.read_keys(NODES_TABLE))
    assert report.missing["searches"] == []
    found = measure_run_progress(run)
    assert found.searches.tokens["completion"] == sum(
        row["generated_tokens"] for row in table_rows(run, SEARCHES_TABLE)
    )
    assert 0 <= found.search_accuracy <= 1


@pytest.mark.parametrize(
    ("table", "cells", "what"),
    [
        (SEARCHES_TABLE, {"correct": None}, "with status ok and no correct"),
        (SEARCHES_TABLE, {"answer": None, "correct": True}, "with correct = true and no answer"),
        (SEARCHES_TABLE, {"seed": -1}, "of a search that was not requested"),
        (SCORES_TABLE, {"step_scores": None}, "with status ok and no step_scores"),
        (SCORES_TABLE, {"step_scores": [0.5, None]}, "with step_scores outside 0 … 1"),
        (SCORES_TABLE, {"step_scores": [-0.1]}, "with step_scores outside 0 … 1"),
        (SCORES_TABLE, {"step_scores": [math.inf]}, "with step_scores outside 0 … 1"),
        (NODES_TABLE, {"text": None}, "with status ok and no text"),
        (NODES_TABLE, {"fate": "finished", "correct": None}, "with status ok and no correct"),
        (NODES_TABLE, {"score": 1.5}, "with a score outside 0 … 1"),
        (NODES_TABLE, {"step_score": math.nan}, "with a step_score outside 0 … 1"),
        (NODES_TABLE, {"node_id": 0}, "with a node_id below 1"),
        (NODES_TABLE, {"parent": 10**6}, "with a parent that does not come before it"),
        (NODES_TABLE, {"round": 0}, "with a round below 1"),
        (NODES_TABLE, {"n": None}, "without n"),
        (SEARCHES_TABLE, {"n": None}, "without n"),
        (SEARCHES_TABLE, {"seed": None}, "of a search that was not requested"),
    ],
)
def test_a_row_that_cannot_be_is_found_and_no_command_reads_the_run(made, command, table, cells, what):
    run, _ = made(scored=1)
    assert check_run(run).is_whole
    loose = pa.schema([field.with_nullable(True) for field in table.schema])
    (path,) = run.list_parts(table)
    rows = pq.read_table(path).to_pylist()
    pq.write_table(pa.Table.from_pylist([rows[0] | cells, *rows[1:]], schema=loose), path)
    damage = check_run(run).damage[0]
    assert damage.what.startswith(f"1 row {what}; the first: ")
    tree = ("tree", run.path, "lab-0-1-0", "--strategy", "dvts")
    for arguments in (("fit", run.path, "-o", f"{run.path}/p"), ("grade", run.path), tree):
        ended = command(*arguments)
        assert ended.code == 2
        assert f"{Path(damage.path).name}: {damage.what}; `isocompute check" in ended.err
    assert command("check", run.path).code == 1
    assert f"cannot be read: {damage.path}" in command("runs", run.path).out


def test_nan_is_the_score_of_a_blank_step(made):
    run, _ = made(scored=1)
    change(run, SCORES_TABLE, lambda rows: [rows[0] | {"step_scores": [math.nan, 0.0, 1.0]}, *rows[1:]])
    assert check_run(run).is_whole


def test_missing_searches_are_named_by_their_keys(made):
    run, _ = made()
    keys = sorted(run.read_keys(SEARCHES_TABLE))
    change(
        run,
        SEARCHES_TABLE,
        lambda rows: [row for row in rows if tuple(row[n] for n in SEARCHES_TABLE.key_names) in keys[2:-1]],
    )
    assert check_run(run).missing["searches"] == [Gap(keys[0], keys[1], 2), Gap(keys[-1], keys[-1], 1)]


def test_nodes_behind_a_lost_one_are_lost_with_it_and_grown_again(made):
    run, _ = made()
    before = table_rows(run, NODES_TABLE), table_rows(run, SEARCHES_TABLE)
    lost = before[0][0]
    tree = [row for row in before[0] if all(row[n] == lost[n] for n in SEARCHES_TABLE.key_names)]
    assert len(tree) > 3
    change(run, NODES_TABLE, lambda rows: [row for row in rows if row != tree[2]])
    for path in run.list_parts(SEARCHES_TABLE):
        Path(path).unlink()
    (damage,) = check_run(run).damage
    assert damage.rows == len(tree) - 3
    assert "after a node that does not exist" in damage.what
    repair_run(run)
    assert check_run(run).is_whole
    _, asked = made()
    assert {key[-1] for key in asked} == {row["node_id"] for row in tree[2:]}
    assert (table_rows(run, NODES_TABLE), table_rows(run, SEARCHES_TABLE)) == before


@pytest.mark.parametrize(
    ("table", "cells", "what"),
    [
        (NODES_TABLE, {"seed": 9}, "of a search that was not requested"),
        (NODES_TABLE, {"strategy": "bean"}, "of a search that was not requested"),
        (SEARCHES_TABLE, {"n": 77}, "of a search that was not requested"),
        (SEARCHES_TABLE, {"problem_id": "none"}, "of a problem that does not exist"),
        (SEARCHES_TABLE, {"scorer_cached_tokens": 10**9}, "with more scorer_cached_tokens than scorer_prompt_tokens"),
        (SEARCHES_TABLE, {"cached_tokens": 10**9}, "with more cached_tokens than prompt_tokens"),
        (NODES_TABLE, {"scorer_seconds": -0.5}, "with scorer_seconds that are negative or not finite"),
        (NODES_TABLE, {"scorer_cached_tokens": 10**9}, "with more scorer_cached_tokens than scorer_prompt_tokens"),
        (NODES_TABLE, {"completion_tokens": -1}, "with completion_tokens below 0"),
    ],
)
def test_a_row_that_cannot_be_is_found(made, table, cells, what):
    run, _ = made(searches=[{"strategy": "beam", "n": 3, "rounds": 3}])
    change(run, table, lambda rows: [*rows[:-1], rows[-1] | cells])
    assert [damage.what.split("; ")[0].split(" ", 2)[2] for damage in check_run(run).damage] == [what]
