"""What `check` finds in searches, and what a sweep does after a repair."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from isocompute.runners.check import Gap, check, repair
from isocompute.runners.log import Run, arrow, parquet
from isocompute.runners.progress import progress
from isocompute.runners.sweep import sweep
from isocompute.runners.tables import NODES, SEARCHES


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
        (SEARCHES, {"cached_tokens": 10**9}, "with more cached_tokens than scored_tokens"),
        (SEARCHES, {"prompt_cached_tokens": 10**9}, "with more prompt_cached_tokens than prompt_tokens"),
        (NODES, {"scored_cached_tokens": 10**9}, "with more scored_cached_tokens than scored_tokens"),
        (NODES, {"completion_tokens": -1}, "with completion_tokens below 0"),
    ],
)
def test_a_row_that_cannot_be_is_found(made, table, cells, what):
    run, _ = made(searches=[{"strategy": "beam", "n": 3, "rounds": 3}])
    change(run, table, lambda rows: [*rows[:-1], rows[-1] | cells])
    assert [damage.what.split("; ")[0].split(" ", 2)[2] for damage in check(run).damage] == [what]
