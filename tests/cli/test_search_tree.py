"""`isocompute tree`: what it shows of a search, whatever that holds."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.parts import build_arrow_table, encode_parquet
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, PROBLEMS_TABLE, SEARCHES_TABLE

HOSTILE = "\x1b[31m[bold]\n\x07 [/red] {question} " + "x" * 500


@pytest.fixture
def run(searching, stepping):
    engine, scorer = stepping()
    return Run(run_sweep(searching(), load=engine, load_scorer=scorer).run)


@pytest.fixture
def narrow(command):
    """Runs a command on a terminal of 80 columns."""
    return partial(command, columns=80)


def numbers(line):
    """A node's number in its line, if it has one."""
    found = re.match(r"[│├└─ ]*([ *]) +(\d+) +(\d+) +(\S+) (\w+) +(\S+)", line)
    return found and (int(found[2]), found[1] == "*", int(found[3]), *found.groups()[3:])


BEAM = ("--strategy", "beam", "--n", "8", "--seed", "1")


def test_a_tree_has_every_node_with_its_score_fate_and_tokens_and_marks_the_best_path(run, narrow):
    ended = narrow("tree", run.path, "lab-0-1-0", *BEAM)
    assert ended.code == 0
    shown = {found[0]: found for found in map(numbers, ended.out.splitlines()) if found}
    here = {"problem_id": "lab-0-1-0", "strategy": "beam", "n": 8, "seed": 1}
    nodes = {r["node_id"]: r for r in run.read_table(NODES_TABLE).to_pylist() if here.items() <= r.items()}
    (search,) = (r for r in run.read_table(SEARCHES_TABLE).to_pylist() if here.items() <= r.items())
    path, node = set(), search["selected"]
    while node:
        path.add(node)
        node = nodes[node]["parent"]
    scores = {i: "–" if row["score"] is None else f"{row['score']:.3f}" for i, row in nodes.items()}
    assert shown == {
        i: (i, i in path, row["round"], scores[i], row["fate"], str(row["completion_tokens"]))
        for i, row in nodes.items()
    }
    said = " ".join(ended.out.split())
    assert f"beam with n = 8, width 4, seed 1: answer {search['answer']}, " in said
    assert f"{len(nodes)} nodes, rounds: {search['steps']};" in said


def test_it_fits_a_terminal_of_80_columns(run, narrow):
    for strategy in ("beam", "dvts", "rebase", "particle", "revise"):
        numbers = ("--n", "8", "--seed", "0") if strategy == "beam" else ()
        out = narrow("tree", run.path, "lab-0-1-0", "--strategy", strategy, *numbers).out
        assert max(map(len, out.splitlines())) <= 80


def test_every_node_stands_below_its_parent(run, narrow):
    out = narrow("tree", run.path, "lab-0-1-0", "--strategy", "dvts").out
    nodes = {r["node_id"]: r["parent"] for r in run.read_table(NODES_TABLE).to_pylist() if r["strategy"] == "dvts"}
    order = [found[0] for found in map(numbers, out.splitlines()) if found]
    assert all(nodes[i] == 0 or order.index(nodes[i]) < order.index(i) for i in order)


def test_hostile_texts_are_shown_and_move_nothing(run, narrow):
    for table, names in (
        (NODES_TABLE, ("text", "answer")),
        (SEARCHES_TABLE, ("answer",)),
        (PROBLEMS_TABLE, ("question",)),
    ):
        for path in run.list_parts(table):
            rows = pq.read_table(path).to_pylist()
            rows = [row | {name: HOSTILE for name in names if row[name] is not None} for row in rows]
            Path(path).write_bytes(encode_parquet(build_arrow_table(rows, table.schema)))
    ended = narrow("tree", run.path, "lab-0-1-0", *BEAM)
    assert ended.code == 0
    assert "[bold]" in ended.out
    assert not {"\x1b", "\x07"} & set(ended.out)
    assert max(map(len, ended.out.splitlines())) <= 80


def test_where_several_are_meant_they_are_listed_and_told_apart(run, narrow):
    ended = narrow("tree", run.path, "lab-0-1-0", "--strategy", "beam")
    assert ended.code == 0
    assert "lab-0-1-0 has 4 searches:" in ended.out
    assert ended.out.count("beam ") == 4
    assert "select it with --strategy, --n, --width, --lookahead and --seed" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    every = narrow("tree", run.path, "lab-0-1-0", "--strategy", "bean")
    assert every.code == 2
    assert "error: No search on 'lab-0-1-0' has these options; all of its searches are listed." in every.err.replace(
        "\n", " "
    )
    assert "lab-0-1-0 has 8 searches:" in every.out


def test_a_search_under_way_or_failed_is_shown_as_far_as_it_is(run, narrow):
    for path in run.list_parts(SEARCHES_TABLE):
        Path(path).unlink()
    assert "under way, " in narrow("tree", run.path, "lab-0-1-0", *BEAM).out


def test_a_problem_or_a_run_that_is_not_there_is_told_in_a_sentence(run, narrow, tmp_path):
    ended = narrow("tree", run.path, "lab")
    assert (ended.code, ended.out) == (2, "")
    known = "'lab-0-1-0', 'lab-0-2-0', 'lab-0-3-0', 'lab-0-4-0'"
    assert f"has no problem 'lab'; it has {known}." in " ".join(ended.err.split())
    assert "There is no run at" in narrow("tree", tmp_path / "none", "lab").err
