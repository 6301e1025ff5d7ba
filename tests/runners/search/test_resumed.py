"""Searches that are interrupted: by an error, a lost row, a kill, a signal; each goes on from its last whole round."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from isocompute.errors import EngineError
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.scorers import ScoreResult
from isocompute.runners.search.rows import WAITING_STATUS
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SEARCHES_TABLE


def rows(run, table):
    return run.read_table(table).to_pylist()


def test_a_search_that_is_over_is_not_asked_for_again_and_loads_no_model(searching, stepping, made, content):
    run = made(searching(), stepping())
    before, pair = content(run), stepping()
    made(searching(), pair)
    assert (pair[0].loaded, pair[1].loaded) == (0, 0)
    assert content(run) == before


def breaking(stepping, after):
    """An engine that breaks down after so many completions."""
    engine, scorer = stepping()
    well, count = engine.says, iter(range(after))

    def says(request):
        if next(count, None) is None:
            raise EngineError("the engine is gone")
        return well(request)

    engine.says = says
    return engine, scorer


@pytest.mark.parametrize("after", [5, 250, 450])
def test_after_a_breakdown_finished_rounds_are_not_asked_for_again(searching, stepping, tmp_path, after, made, content):
    whole = made(searching(run=str(tmp_path / "whole")), stepping())
    with pytest.raises(EngineError, match="gone"):
        made(searching(), breaking(stepping, after))
    run = Run(searching().run)
    there = {tuple(row[n] for n in NODES_TABLE.key_names) for row in rows(run, NODES_TABLE)}
    assert (len(there) > 0) == (after > 5)
    engine, scorer = stepping()
    made(searching(), (engine, scorer))
    assert not there & {request.key for request, _ in engine.asked + scorer.asked}
    assert content(run) == content(whole)


def test_a_search_whose_row_was_lost_is_told_from_its_nodes_without_a_model(searching, stepping, made, content):
    run = made(searching(), stepping())
    before = content(run)
    for path in run.list_parts(SEARCHES_TABLE):
        Path(path).unlink()
    pair = stepping()
    made(searching(), pair)
    assert (pair[0].loaded, pair[1].loaded) == (0, 0)
    assert content(run) == before


@pytest.mark.parametrize("which", ["solver", "scorer"])
def test_a_failed_node_stops_its_search_alone_and_only_it_is_asked_for_again(
    searching, stepping, tmp_path, which, made, content
):
    whole = made(searching(run=str(tmp_path / "whole")), stepping())
    engine, scorer = stepping()
    steps, scores = engine.says, scorer.says
    lost = Completion(None, None, None, None, None, "out of memory")
    if which == "solver":
        engine.says = lambda r: lost if len(r.key) == 7 and r.seed % 40 == 0 else steps(r)
    else:
        scorer.says = lambda r: ScoreResult(None, None, None, None, "out of memory") if r.key[-1] == 9 else scores(r)
    summary = run_sweep(searching(), load=engine, load_scorer=scorer)
    run = Run(summary.run)
    assert summary.failed == {"out of memory": sum(row["status"] == "out of memory" for row in rows(run, NODES_TABLE))}
    stopped = [row for row in rows(run, SEARCHES_TABLE) if row["status"] != "ok"]
    assert stopped
    assert all("failed: out of memory" in row["status"] and row["correct"] is None for row in stopped)
    assert len(run.read_keys(SEARCHES_TABLE)) + len(stopped) == len(whole.read_keys(SEARCHES_TABLE))
    assert check_run(run).is_whole
    assert sum(gap.rows for gap in check_run(run).missing["searches"]) == len(stopped)
    failed = {
        tuple(r[n] for n in NODES_TABLE.key_names) for r in rows(run, NODES_TABLE) if r["status"] == "out of memory"
    }
    there = {
        tuple(r[n] for n in NODES_TABLE.key_names)
        for r in rows(run, NODES_TABLE)
        if r["status"] in ("ok", WAITING_STATUS)
    }
    again = stepping()
    made(searching(), again)
    asked = {request.key for request, _ in again[0].asked}
    assert failed <= asked
    assert not there & asked
    # A text that the failed node shares with one that waits is scored, and charged, again.
    for now, then in zip(content(run), content(whole), strict=True):
        assert now["scorer_calls"] >= then["scorer_calls"]
        assert unscored(now) == unscored(then)


def unscored(row):
    return {name: it for name, it in row.items() if not name.startswith("scorer_")}


def test_a_scorer_that_breaks_down_ends_the_sweep_and_loses_no_round(searching, stepping, made):
    engine, scorer = stepping()
    well = scorer.says

    def says(request):
        if len(scorer.asked) > 200:
            raise EngineError("the scorer is gone")
        return well(request)

    scorer.says = says
    with pytest.raises(EngineError, match="the scorer is gone"):
        made(searching(checkpoint_seconds=3600), (engine, scorer))
    assert len(Run(searching().run).read_keys(NODES_TABLE)) > 0
    assert (engine.closed, scorer.closed) == (engine.loaded, scorer.loaded)


KILLED = """
import os, random, signal, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from conftest import SteppingEngine, SteppingScorer, lab_step, search_sweep
from isocompute.runners.sampling.sweep import run_sweep

def slow(request):
    time.sleep(0.0005)
    return lab_step(request)

def work(name):
    config = search_sweep(Path(sys.argv[2]) / name, checkpoint_seconds=0.02)
    run_sweep(config, load=SteppingEngine(slow), load_scorer=SteppingScorer())

moments, parts = random.Random(0), lambda: len(list((Path(sys.argv[2]) / "killed" / "nodes").glob("*.parquet")))
for kill in range(11):
    before = parts()
    if (child := os.fork()) == 0:
        work("killed")
        os._exit(0)
    while kill < 10 and parts() < before + 3:
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.002)
    if kill < 10:
        time.sleep(moments.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_killed_ten_times_it_equals_a_search_that_was_not(searching, stepping, tmp_path, made, content):
    """One process imports everything, and forks for each attempt."""
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[2]), str(tmp_path)]
    codes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert codes == ["-9"] * 10 + ["0"]
    whole = made(searching(run=str(tmp_path / "whole")), stepping())
    killed = Run(tmp_path / "killed")
    assert content(killed) == content(whole)
    assert max(Counter(tuple(row[n] for n in NODES_TABLE.key_names) for row in rows(killed, NODES_TABLE)).values()) == 1


STOPPED = """
import functools, signal, sys, time
sys.path.insert(0, sys.argv[1])
from conftest import SteppingEngine, SteppingScorer, lab_step
from isocompute.cli import main as cli
from isocompute.runners.sampling import sweep
from isocompute.runners.search import driver as search

def tiring(request):
    if len(engine.asked) == 300:
        print("tired", flush=True)
        time.sleep(60)
    return lab_step(request)

engine, search.PATIENCE = SteppingEngine(tiring), 0.1
sweep.run_sweep = functools.partial(sweep.run_sweep, load=engine, load_scorer=SteppingScorer())
sys.argv = ["isocompute", "sweep", sys.argv[2]]
cli.main()
"""


def test_a_search_that_is_stopped_loses_no_round_and_goes_on(searching, stepping, tmp_path, made, content):
    config = searching(checkpoint_seconds=3600)
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    command = [sys.executable, "-c", STOPPED, str(Path(__file__).parents[2]), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while (said := process.stdout.readline()) != "tired\n":
            assert said
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped; the written rows are intact, and the same command continues from there" in " ".join(err.split())
    assert "Traceback" not in err
    run = Run(config.run)
    assert len(run.read_keys(NODES_TABLE)) > 0
    assert check_run(run).is_whole
    made(config, stepping())
    assert content(run) == content(made(searching(run=str(tmp_path / "whole")), stepping()))
