"""When nodes were made and how long searches took: from what the models say, and from the rows of a resumed search."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from isocompute.errors import EngineError
from isocompute.runners.engines import Completion
from isocompute.runners.engines.clock import TimeSpan
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.search.clock import NodeClock, build_search_clock_cells, read_node_clock
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SEARCHES_TABLE

LATER = 10**6
"""Seconds between two starts of a sweep."""


def at(moment):
    return datetime.fromtimestamp(moment, UTC)


def test_a_node_is_sampled_from_its_first_request_to_its_last_and_then_scored():
    clock = NodeClock([TimeSpan(10.0, 2.0), TimeSpan(13.0, 1.0)], [TimeSpan(15.0, 3.0)])
    assert clock.row_cells == {"started_at": at(10), "seconds": 4.0, "scorer_seconds": 4.0}
    assert clock.span == TimeSpan(10.0, 8.0)
    assert read_node_clock(clock.row_cells).row_cells == clock.row_cells


def test_scores_that_were_there_before_or_that_nobody_asked_for_take_no_time():
    early = NodeClock([TimeSpan(10.0, 5.0)], [TimeSpan(9.0, 1.0)])
    assert early.scorer_seconds == NodeClock([TimeSpan(10.0, 5.0)], []).scorer_seconds == 0
    assert early.span == TimeSpan(10.0, 5.0)


@pytest.mark.parametrize(
    ("clock", "cells"),
    [
        (NodeClock(), (None, None, None)),
        (NodeClock([TimeSpan(1.0, 1.0), None], [TimeSpan(3.0, 1.0)]), (None, None, None)),
        (NodeClock([TimeSpan(1.0, 1.0)], [None]), (at(1), 1.0, None)),
    ],
)
def test_of_a_node_whose_models_do_not_say_it_the_time_is_unknown(clock, cells):
    assert tuple(clock.row_cells.values()) == cells
    assert clock.span is None
    assert read_node_clock(clock.row_cells).row_cells == clock.row_cells


def test_a_search_is_as_long_as_its_nodes_were_at_work_round_by_round():
    first, second = [TimeSpan(10.0, 2.0), TimeSpan(11.0, 4.0)], [TimeSpan(20.0, 1.0)]
    assert build_search_clock_cells([first, second]) == {"started_at": at(10), "seconds": 6.0}
    assert (
        build_search_clock_cells([[*first, TimeSpan(LATER, 3.0)], second])["seconds"] == 9.0
    )  # one failed, and came later
    assert build_search_clock_cells([first, [*second, None]]) == {"started_at": at(10), "seconds": None}
    assert build_search_clock_cells([[None], second]) == {"started_at": None, "seconds": None}
    assert build_search_clock_cells([]) == {"started_at": None, "seconds": None}


def timed(stepping, shift=0, after=None):
    """A pair of models that say when they answered, on a clock of whole seconds; it may break down after some calls."""
    engine, scorer = stepping()
    calls, step, score = iter(range(10**6)), engine.says, scorer.says

    def steps(request):
        if next(calls) == after:
            raise EngineError("the engine is gone")
        return replace(step(request), started_at=float(1000 + shift + request.seed % 50), seconds=request.seed % 7.0)

    def scores(request):
        seed = sum(map(ord, request.steps[-1]))
        return replace(score(request), started_at=float(1020 + shift + seed % 50), seconds=seed % 5.0)

    engine.says, scorer.says = steps, scores
    return engine, scorer


def at_work(rows):
    """The seconds in which one of these nodes was at work, counted one by one."""
    ticks = set()
    for row in rows:
        began = round(row["started_at"].timestamp())
        ticks |= set(range(began, began + round(row["seconds"] + row["scorer_seconds"])))
    return len(ticks)


@pytest.mark.parametrize("after", [None, 300])
def test_the_rows_of_searches_say_what_those_of_their_nodes_do_and_a_pause_is_no_part_of_it(
    searching, stepping, made, after
):
    if after is not None:
        with pytest.raises(EngineError, match="gone"):
            made(searching(), timed(stepping, after=after))
    run = made(searching(), timed(stepping, 0 if after is None else LATER))
    trees = defaultdict(lambda: defaultdict(list))
    for row in run.read_table(NODES_TABLE).to_pylist():
        assert row["status"] == "ok"
        trees[tuple(row[name] for name in SEARCHES_TABLE.key_names)][row["round"]].append(row)
    over_the_pause = 0
    for row in run.read_table(SEARCHES_TABLE).to_pylist():
        rounds = trees[tuple(row[name] for name in SEARCHES_TABLE.key_names)]
        assert row["seconds"] == pytest.approx(sum(map(at_work, rounds.values())), abs=1e-3)
        assert row["started_at"] == min(node["started_at"] for node in rounds[1])
        assert 0 < row["seconds"] < LATER
        over_the_pause += row["started_at"].timestamp() < LATER < rounds[len(rounds)][0]["started_at"].timestamp()
    assert (over_the_pause > 0) == (after is not None)
    assert check_run(run).is_whole


def test_a_node_that_failed_and_came_later_leaves_no_pause_in_its_search(searching, stepping, made):
    engine, scorer = timed(stepping)
    well = engine.says
    lost = Completion(None, None, None, None, None, "out of memory")
    engine.says = lambda r: lost if len(r.key) == 7 and r.seed % 40 == 0 else well(r)
    run = Run(run_sweep(searching(), load=engine, load_scorer=scorer).run)
    failed = {
        tuple(row[name] for name in SEARCHES_TABLE.key_names)
        for row in run.read_table(SEARCHES_TABLE).to_pylist()
        if row["status"] != "ok"
    }
    made(searching(), timed(stepping, LATER))
    again = [row for row in run.read_table(SEARCHES_TABLE).to_pylist() if row["status"] == "ok"]
    mended = [row for row in again if tuple(row[name] for name in SEARCHES_TABLE.key_names) in failed]
    assert mended
    assert all(0 < row["seconds"] < LATER for row in mended)


@pytest.mark.parametrize("silent", ["solver", "scorer"])
def test_of_searches_whose_models_do_not_say_it_the_time_is_unknown(searching, stepping, made, silent):
    models = dict(zip(("solver", "scorer"), timed(stepping), strict=True))
    models[silent] = stepping()[silent == "scorer"]
    run = made(searching(), (models["solver"], models["scorer"]))
    rows, nodes = (run.read_table(table).to_pylist() for table in (SEARCHES_TABLE, NODES_TABLE))
    assert {row["seconds"] for row in rows} == {None}
    assert {row["seconds"] is None for row in nodes} == {row["started_at"] is None for row in nodes}
    assert {row["seconds"] is None for row in nodes} == {silent == "solver"}
    assert any(row["scorer_seconds"] is None for row in nodes)
