"""What `check` finds in searches, and what a sweep does after a repair."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.runners.sampling.sweep import sweep
from isocompute.runners.storage.check import Gap, check, repair
from isocompute.runners.storage.progress import progress
from isocompute.runners.storage.run import Run, arrow, parquet
from isocompute.runners.storage.schema import NODES, SCORES, SEARCHES


@pytest.fixture
def made(searching, stepping):
    """Sweeps; returns the run and what the engine was asked for."""

    def sweeps(**changes):
        engine, scorer = stepping()
        run = Run(sweep(searching(**changes), load=engine, load_scorer=scorer).run)
        return run, {request.key for request, _ in engine.asked}

    return sweeps


def change(run, table, rows_of):
    (path,) = run.parts(table)
    Path(path).write_bytes(parquet(arrow(rows_of(pq.read_table(path).to_pylist()), table.schema)))


def table_rows(run, table):
    return sorted(run.read(table).to_pylist(), key=lambda row: [row[name] for name in table.key_names])


def test_searches_are_whole_and_counted(made):
    run, _ = made()
    report = check(run)
    assert report.whole
    assert report.rows["searches"] == 4 * (2 * 2 + 4) == progress(run).searches.done
    assert report.rows["nodes"] == len(run.keys(NODES))
    assert report.missing["searches"] == []
    found = progress(run)
    assert found.searches.tokens["completion"] == sum(row["generated_tokens"] for row in table_rows(run, SEARCHES))
    assert 0 <= found.search_accuracy <= 1


@pytest.mark.parametrize(
    ("table", "cells", "what"),
    [
        (SEARCHES, {"correct": None}, "with status ok and no correct"),
        (SEARCHES, {"answer": None, "correct": True}, "with correct = true and no answer"),
        (SEARCHES, {"seed": -1}, "of a search that was not asked for"),
        (SCORES, {"step_scores": None}, "with status ok and no step_scores"),
        (SCORES, {"step_scores": [0.5, None]}, "with step_scores outside 0 … 1"),
        (SCORES, {"step_scores": [-0.1]}, "with step_scores outside 0 … 1"),
        (SCORES, {"step_scores": [math.inf]}, "with step_scores outside 0 … 1"),
        (NODES, {"text": None}, "with status ok and no text"),
        (NODES, {"fate": "finished", "correct": None}, "with status ok and no correct"),
        (NODES, {"score": 1.5}, "with a score outside 0 … 1"),
        (NODES, {"step_score": math.nan}, "with a step_score outside 0 … 1"),
        (NODES, {"node_id": 0}, "with a node_id below 1"),
        (NODES, {"parent": 10**6}, "with a parent that does not come before it"),
        (NODES, {"round": 0}, "with a round below 1"),
        (NODES, {"n": None}, "without n"),
        (SEARCHES, {"n": None}, "without n"),
        (SEARCHES, {"seed": None}, "of a search that was not asked for"),
    ],
)
def test_a_row_that_cannot_be_is_found_and_no_command_reads_the_run(made, command, table, cells, what):
    run, _ = made(scored=1)
    assert check(run).whole
    loose = pa.schema([field.with_nullable(True) for field in table.schema])
    (path,) = run.parts(table)
    rows = pq.read_table(path).to_pylist()
    pq.write_table(pa.Table.from_pylist([rows[0] | cells, *rows[1:]], schema=loose), path)
    damage = check(run).damage[0]
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
    change(run, SCORES, lambda rows: [rows[0] | {"step_scores": [math.nan, 0.0, 1.0]}, *rows[1:]])
    assert check(run).whole


def test_missing_searches_are_named_by_their_keys(made):
    run, _ = made()
    keys = sorted(run.keys(SEARCHES))
    change(run, SEARCHES, lambda rows: [row for row in rows if tuple(row[n] for n in SEARCHES.key_names) in keys[2:-1]])
    assert check(run).missing["searches"] == [Gap(keys[0], keys[1], 2), Gap(keys[-1], keys[-1], 1)]


def test_nodes_behind_a_lost_one_are_lost_with_it_and_grown_again(made):
    run, _ = made()
    before = table_rows(run, NODES), table_rows(run, SEARCHES)
    lost = before[0][0]
    tree = [row for row in before[0] if all(row[n] == lost[n] for n in SEARCHES.key_names)]
    assert len(tree) > 3
    change(run, NODES, lambda rows: [row for row in rows if row != tree[2]])
    for path in run.parts(SEARCHES):
        Path(path).unlink()
    (damage,) = check(run).damage
    assert damage.rows == len(tree) - 3
    assert "behind a node that is not there" in damage.what
    repair(run)
    assert check(run).whole
    _, asked = made()
    assert {key[-1] for key in asked} == {row["node_id"] for row in tree[2:]}
    assert (table_rows(run, NODES), table_rows(run, SEARCHES)) == before


@pytest.mark.parametrize(
    ("table", "cells", "what"),
    [
        (NODES, {"seed": 9}, "of a search that was not asked for"),
        (NODES, {"strategy": "bean"}, "of a search that was not asked for"),
        (SEARCHES, {"n": 77}, "of a search that was not asked for"),
        (SEARCHES, {"problem_id": "none"}, "of a problem that is not there"),
        (SEARCHES, {"scorer_cached_tokens": 10**9}, "with more scorer_cached_tokens than scorer_prompt_tokens"),
        (SEARCHES, {"cached_tokens": 10**9}, "with more cached_tokens than prompt_tokens"),
        (NODES, {"scorer_seconds": -0.5}, "with scorer_seconds that are not 0 or more"),
        (NODES, {"scorer_cached_tokens": 10**9}, "with more scorer_cached_tokens than scorer_prompt_tokens"),
        (NODES, {"completion_tokens": -1}, "with completion_tokens below 0"),
    ],
)
def test_a_row_that_cannot_be_is_found(made, table, cells, what):
    run, _ = made(searches=[{"strategy": "beam", "n": 3, "rounds": 3}])
    change(run, table, lambda rows: [*rows[:-1], rows[-1] | cells])
    assert [damage.what.split("; ")[0].split(" ", 2)[2] for damage in check(run).damage] == [what]
