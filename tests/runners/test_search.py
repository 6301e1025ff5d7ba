from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from isocompute.errors import DataError, EngineError, RunError
from isocompute.runners.check import check
from isocompute.runners.engines import Completion
from isocompute.runners.growth import Cost, Ground, Sprout, attempt, grow
from isocompute.runners.log import Run, arrow, parquet
from isocompute.runners.prompts import load
from isocompute.runners.scorers import Scored
from isocompute.runners.search import keys
from isocompute.runners.search_config import Shape
from isocompute.runners.seeds import seed_of
from isocompute.runners.sweep import sweep
from isocompute.runners.tables import NODES, PROBLEMS, SEARCHES
from isocompute.runners.tree import strategy
from isocompute.runners.tree_rows import WAITS


def made(config, pair, **settings):
    """Sweep with scripted models; return the run."""
    return Run(sweep(config, load=pair[0], load_scorer=pair[1], **settings).run)


def rows(run, table):
    return run.read(table).to_pylist()


def content(run):
    """What a run holds of nodes and searches, in the order of their keys; what failed gives way to its retry."""
    for table in (NODES, SEARCHES):
        assert len(run.frame(table)) == len(run.keys(table))  # no key twice, nothing failed
    ok = [row for table in (NODES, SEARCHES) for row in rows(run, table) if row["status"] == "ok"]
    return sorted(ok, key=lambda row: [row.get(name, 0) for name in NODES.key_names])


def by_search(run):
    trees = defaultdict(dict)
    for row in rows(run, NODES):
        trees[tuple(row[name] for name in SEARCHES.key_names)][row["node_id"]] = row
    return trees


def plainly(config, problem, key, pair):
    """One search without threads, log or company: each node by itself, one after the other."""
    rules = config.by_shape[Shape(*key[1:5])]
    revision = load("math-revise", needs=()) if rules.asks else None
    prompt = load(config.solver.prompt, needs=()).fill(question=problem)
    ground = Ground(problem, prompt, config.solver, config.step, config.boxed_ends, key[4], "last", revision)
    running = strategy(Shape(*key[1:5]), rules.rounds, seed_of(config.seed, "particles", *key))
    parents, number, grown = next(running), 0, {}
    try:
        for rounds in range(1, 100):
            children = []
            for parent in parents:
                number += 1
                place = (*key, number)
                luck = seed_of(config.seed, "tie", *place) / 2**63
                sprout = Sprout(place, parent, rounds, luck, partial(seed_of, config.seed, "node", *place))
                growth = (attempt if revision else grow)(ground, sprout, Cost())
                request = next(growth)
                try:
                    while True:
                        model = pair[0] if hasattr(request, "prompt") else pair[1]
                        request = growth.send(model.says(request))
                except StopIteration as over:
                    grown[number] = over.value
                    children.append(over.value)
            parents = running.send(children)
    except StopIteration as over:
        return grown, [node.id for node in over.value]


def test_every_search_is_what_a_plain_loop_finds_node_by_node(searching, stepping):
    config = searching()
    run = made(config, stepping())
    questions = dict(run.frame(PROBLEMS, ["problem_id", "question"]).itertuples(index=False, name=None))
    trees, ended = by_search(run), dict(zip(*listed(run), strict=True))
    assert set(ended) == set(trees) == set(keys(config, list(questions)))
    for key, row in ended.items():
        grown, candidates = plainly(config, questions[key[0]], key, stepping())
        assert row["candidates"] == candidates
        assert {i: (n.parent.id, n.round, n.text, n.end) for i, n in grown.items()} == {
            i: (r["parent"], r["round"], r["text"], r["end"]) for i, r in trees[key].items()
        }
        assert all(trees[key][i]["score"] in (n.score, None) for i, n in grown.items())


def listed(run):
    found = rows(run, SEARCHES)
    return [tuple(row[name] for name in SEARCHES.key_names) for row in found], found


def test_a_search_returns_a_finished_candidate_if_there_is_one_and_says_what_became_of_each_node(searching, stepping):
    run = made(searching(), stepping())
    trees = by_search(run)
    for key, row in zip(*listed(run), strict=True):
        tree = trees[key]
        assert row["selected"] in row["candidates"]
        assert row["finished"] == sum(tree[i]["end"] == "stop" for i in row["candidates"])
        assert (tree[row["selected"]]["end"] == "stop") == (row["finished"] > 0)
        if row["finished"]:
            assert row["answer"] == tree[row["selected"]]["answer"]
        for i, node in tree.items():
            children = [child for child in tree.values() if child["parent"] == i]
            wanted = {"stop": "finished", "length": "cut"}.get(node["end"])
            if wanted is None:
                wanted = "kept" if children else "limit" if i in row["candidates"] else "dropped"
            assert node["fate"] == wanted
            assert (node["correct"] is None) == (node["end"] != "stop")


def test_tokens_and_calls_are_those_that_the_models_counted(searching, stepping):
    engine, scorer = stepping()
    run = made(searching(), (engine, scorer))
    asked = [(request, answer) for request, answer in engine.asked if len(request.key) == 7]
    nodes, ended = rows(run, NODES), rows(run, SEARCHES)
    total = {name: sum(row[name] for row in nodes) for name in vars(Cost())}
    assert total["completion_tokens"] + total["lookahead_tokens"] == sum(a.completion_tokens for _, a in asked)
    assert total["lookahead_tokens"] == sum(a.completion_tokens for r, a in asked if not r.sampling.temperature) > 0
    assert total["prompt_tokens"] == sum(a.prompt_tokens for _, a in asked)
    assert total["cached_tokens"] == sum(a.cached_tokens for _, a in asked)
    assert total["scored_tokens"] == sum(a.read_tokens for _, a in scorer.asked)
    assert total["scored_cached_tokens"] == sum(a.cached_tokens for _, a in scorer.asked)
    assert total["scorer_calls"] == len(scorer.asked)
    sums = {"generated_tokens": ("completion_tokens", "lookahead_tokens"), "prompt_tokens": ("prompt_tokens",)}
    sums |= {"scored_tokens": ("scored_tokens",), "cached_tokens": ("scored_cached_tokens",)}
    sums |= {"prompt_cached_tokens": ("cached_tokens",), "scorer_calls": ("scorer_calls",)}
    for name, parts in sums.items():
        assert sum(row[name] for row in ended) == sum(total[part] for part in parts)


def test_a_text_is_scored_once_in_a_round_and_the_first_node_is_charged(searching, stepping):
    engine, scorer = stepping()
    run = made(searching(), (engine, scorer))
    asked, trees = defaultdict(Counter), by_search(run)
    for request, _ in scorer.asked:
        asked[request.key[:-1], trees[request.key[:-1]][request.key[-1]]["round"]][request.steps] += 1
    assert {count for texts in asked.values() for count in texts.values()} == {1}
    shared = 0
    for key, tree in trees.items():
        if key[4]:
            continue  # what is scored of a node with a lookahead is not in its row
        texts = defaultdict(list)
        for node in tree.values():
            text, above = node["text"], node["parent"]
            while above and key[1] != "revise":
                text, above = tree[above]["text"] + text, tree[above]["parent"]
            texts[node["round"], text].append(node)
        for nodes in texts.values():
            calls = [node["scorer_calls"] for node in sorted(nodes, key=lambda node: node["node_id"])]
            assert calls in ([1] + [0] * (len(nodes) - 1), [0] * len(nodes))  # a step of blanks is not scored
            assert len({node["score"] for node in nodes}) == 1
            shared += len(nodes) - 1
    assert shared > 0


def test_all_problems_and_seeds_are_in_flight_together_and_few_are_left_open(searching, stepping):
    engine, scorer = stepping()
    config = searching(task={"name": "lab", "problems": 6})
    made(config, (engine, scorer))
    first_round = sum(search.seeds * n for search in config.searches for n in search.n if search.strategy != "revise")
    assert engine.held >= 6 * (first_round + 2)  # of the six revisions two chains begin
    assert engine.closed == engine.loaded == 2  # solutions, and searches
    assert scorer.closed == scorer.loaded == 1


def test_scoring_goes_on_while_others_are_solved_and_solving_while_others_are_scored(searching, stepping):
    engine, scorer = stepping()
    steps, scores = engine.says, scorer.says
    scored, solved = threading.Event(), threading.Event()

    def step(request):
        if len(engine.asked) == 8:  # the first answers are out, and others wait for this one
            assert scored.wait(20)
        if len(engine.asked) == 12:
            solved.set()
        return steps(request)

    def score(request):
        scored.set()
        assert not scorer.asked or solved.wait(20)
        return scores(request)

    engine.says, scorer.says = step, score
    made(searching(solutions=1, searches=[{"strategy": "beam", "n": 8, "rounds": 3}]), (engine, scorer))
    assert solved.is_set()


def test_a_search_that_is_over_is_not_asked_for_again_and_loads_no_model(searching, stepping):
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
def test_after_a_breakdown_finished_rounds_are_not_asked_for_again(searching, stepping, tmp_path, after):
    whole = made(searching(run=str(tmp_path / "whole")), stepping())
    with pytest.raises(EngineError, match="gone"):
        made(searching(), breaking(stepping, after))
    run = Run(searching().run)
    there = {(*key, i) for key, tree in by_search(run).items() for i in tree}
    assert (len(there) > 0) == (after > 5)
    engine, scorer = stepping()
    made(searching(), (engine, scorer))
    assert not there & {request.key for request, _ in engine.asked + scorer.asked}
    assert content(run) == content(whole)


def test_a_search_whose_row_was_lost_is_told_from_its_nodes_without_a_model(searching, stepping):
    run = made(searching(), stepping())
    before = content(run)
    for path in run.parts(SEARCHES):
        Path(path).unlink()
    pair = stepping()
    made(searching(), pair)
    assert (pair[0].loaded, pair[1].loaded) == (0, 0)
    assert content(run) == before


@pytest.mark.parametrize("which", ["solver", "scorer"])
def test_a_failed_node_stops_its_search_alone_and_only_it_is_asked_for_again(searching, stepping, tmp_path, which):
    whole = made(searching(run=str(tmp_path / "whole")), stepping())
    engine, scorer = stepping()
    steps, scores = engine.says, scorer.says
    lost = Completion(None, None, None, None, None, "out of memory")
    if which == "solver":
        engine.says = lambda r: lost if len(r.key) == 7 and r.seed % 40 == 0 else steps(r)
    else:
        scorer.says = lambda r: Scored(None, None, None, None, "out of memory") if r.key[-1] == 9 else scores(r)
    summary = sweep(searching(), load=engine, load_scorer=scorer)
    run = Run(summary.run)
    assert summary.failed == {"out of memory": sum(row["status"] == "out of memory" for row in rows(run, NODES))}
    stopped = [row for row in rows(run, SEARCHES) if row["status"] != "ok"]
    assert stopped
    assert all("failed: out of memory" in row["status"] and row["correct"] is None for row in stopped)
    assert len(run.keys(SEARCHES)) + len(stopped) == len(whole.keys(SEARCHES))
    assert check(run).whole
    assert sum(gap.rows for gap in check(run).missing["searches"]) == len(stopped)
    failed = {tuple(r[n] for n in NODES.key_names) for r in rows(run, NODES) if r["status"] == "out of memory"}
    there = {tuple(r[n] for n in NODES.key_names) for r in rows(run, NODES) if r["status"] in ("ok", WAITS)}
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
    return {name: it for name, it in row.items() if not name.startswith(("scored_", "scorer_", "cached_"))}


def test_a_scorer_that_breaks_down_ends_the_sweep_and_loses_no_round(searching, stepping):
    engine, scorer = stepping()
    well = scorer.says

    def says(request):
        if len(scorer.asked) > 200:
            raise EngineError("the scorer is gone")
        return well(request)

    scorer.says = says
    with pytest.raises(EngineError, match="the scorer is gone"):
        made(searching(checkpoint_seconds=3600), (engine, scorer))
    assert len(Run(searching().run).keys(NODES)) > 0
    assert (engine.closed, scorer.closed) == (engine.loaded, scorer.loaded)


def test_a_search_grows_by_seeds_and_slots_and_neither_shrinks_nor_changes(searching, stepping):
    beam = {"strategy": "beam", "n": [4], "rounds": 6, "seeds": 2}
    run = made(searching(searches=[beam]), stepping())
    more = [beam | {"n": [4, 8], "seeds": 3}, {"strategy": "rebase", "n": 4}]
    made(searching(searches=more), stepping())
    assert len(run.keys(SEARCHES)) == 4 * (3 + 3 + 1)
    for searches, sentence in [
        ([], "has 3 of beam with n = 4 a problem; a run can grow, not shrink."),
        ([more[0] | {"seeds": 1}, more[1]], "has 3 of beam with n = 4 a problem; a run can grow, not shrink."),
        ([more[0] | {"rounds": 7}, more[1]], "made with rounds = 6, and this sweep asks for 7; name another run"),
        (
            [more[0] | {"select": "vanilla"}, more[1]],
            "made with select = 'weighted', and this sweep asks for 'vanilla'",
        ),
    ]:
        with pytest.raises(RunError) as caught:
            made(searching(searches=searches), stepping())
        assert sentence in str(caught.value)
    for change in ({"step": "\n"}, {"boxed_ends": True}, {"scorer": {"kind": "lab", "model": "scripted/other"}}):
        with pytest.raises(RunError, match="name another run, or ask for the same"):
            made(searching(searches=more, **change), stepping())


def test_scores_outside_the_unit_interval_or_none_at_all_are_failures(searching, stepping):
    for scores, said in (((float("nan"),), "[nan] for 1 steps"), ((0.1, 0.2), "[0.1, 0.2] for 1 steps")):
        engine, scorer = stepping(scores=lambda request, scores=scores: Scored(scores, 1, 0, 1))
        found = sweep(searching(searches=[{"strategy": "beam", "n": 2}]), load=engine, load_scorer=scorer)
        assert list(found.failed) == [f"the scorer gave {said}"]
        assert found.searches == 0


def test_an_engine_that_says_no_tokens_is_gone_on_with_by_text(searching, stepping, tmp_path):
    whole = made(searching(run=str(tmp_path / "whole")), stepping())
    engine, scorer = stepping()
    well = engine.says

    def wordy(request):
        assert request.written_ids == (None if request.written or not request.sampling.step else ())
        known = tuple(map(ord, request.written)) if request.sampling.step else None
        return replace(well(replace(request, written_ids=known)), token_ids=None)

    engine.says = wordy
    run = made(searching(), (engine, scorer))
    assert {row["token_ids"] is None for row in rows(run, NODES)} == {True}
    assert content(run) == [row | ({"token_ids": None} if "token_ids" in row else {}) for row in content(whole)]


def test_a_verifier_may_score_and_what_it_samples_is_charged(searching, stepping):
    engine, _ = stepping()
    well, judged = engine.says, []

    def says(request):
        if "Verification:" not in request.prompt:
            return well(request)
        judged.append(request)
        verdict = "Yes" if request.seed % 3 else "No"
        return Completion(f"Is it correct? {verdict}", 7, 5, 9, "stop")

    engine.says = says
    verifier = {"model": "scripted/verifier", "prompt": "lab-verify"}
    scorer = {"kind": "verdicts", "verifications": 3}
    config = searching(verifier=verifier, scorer=scorer, searches=[{"strategy": "beam", "n": 4, "rounds": 3}])
    run = made(config, (engine, None))
    nodes = rows(run, NODES)
    assert {row["step_score"] for row in nodes} <= {None, 0.0, 1 / 3, 2 / 3, 1.0}
    assert sum(row["scorer_sampled_tokens"] for row in nodes) == 9 * len(judged) > 0
    assert sum(row["scorer_sampled_tokens"] for row in rows(run, SEARCHES)) == 9 * len(judged)
    assert engine.closed == engine.loaded == 3  # solutions; then solver and verifier of the searches


def test_a_log_that_another_version_wrote_is_not_gone_on_with(searching, stepping):
    run = made(searching(searches=[{"strategy": "beam", "n": 4, "rounds": 3}]), stepping())
    for table in (SEARCHES, NODES):
        for path in run.parts(table):
            kept = [] if table is SEARCHES else [row | {"parent": 0} for row in pq.read_table(path).to_pylist()]
            Path(path).write_bytes(parquet(arrow(kept, table.schema)))
    with pytest.raises(
        RunError, match="and its log has it grown from node 0, so another version of isocompute made it"
    ):
        made(searching(searches=[{"strategy": "beam", "n": 4, "rounds": 3}]), stepping())


def test_a_strategy_that_wants_probabilities_says_so_and_both_models_are_closed(searching, stepping):
    engine, scorer = stepping(scores=lambda request: Scored((7.5,) * len(request.new), 1, 0, 1))
    with pytest.raises(DataError, match=r"Particle filtering draws by probabilities, and the scorer gave 7\.5"):
        made(searching(), (engine, scorer))
    assert (engine.closed, scorer.closed) == (engine.loaded, scorer.loaded)


KILLED = """
import os, random, signal, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from conftest import SteppingEngine, SteppingScorer, lab_step, search_sweep
from isocompute.runners.sweep import sweep

def slow(request):
    time.sleep(0.0005)
    return lab_step(request)

def work(name):
    config = search_sweep(Path(sys.argv[2]) / name, checkpoint_seconds=0.02)
    sweep(config, load=SteppingEngine(slow), load_scorer=SteppingScorer())

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


def test_killed_ten_times_it_equals_a_search_that_was_not(searching, stepping, tmp_path):
    """One process imports everything, and forks for each attempt."""
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1]), str(tmp_path)]
    codes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert codes == ["-9"] * 10 + ["0"]
    whole = made(searching(run=str(tmp_path / "whole")), stepping())
    killed = Run(tmp_path / "killed")
    assert content(killed) == content(whole)
    assert max(Counter(tuple(row[n] for n in NODES.key_names) for row in rows(killed, NODES)).values()) == 1


STOPPED = """
import functools, signal, sys, time
sys.path.insert(0, sys.argv[1])
from conftest import SteppingEngine, SteppingScorer, lab_step
from isocompute.planner import cli
from isocompute.runners import search, sweep

def tiring(request):
    if len(engine.asked) == 300:
        print("tired", flush=True)
        time.sleep(60)
    return lab_step(request)

engine, search.PATIENCE = SteppingEngine(tiring), 0.1
sweep.sweep = functools.partial(sweep.sweep, load=engine, load_scorer=SteppingScorer())
sys.argv = ["isocompute", "sweep", sys.argv[2]]
cli.main()
"""


def test_a_search_that_is_stopped_loses_no_round_and_goes_on(searching, stepping, tmp_path):
    config = searching(checkpoint_seconds=3600)
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    command = [sys.executable, "-c", STOPPED, str(Path(__file__).parents[1]), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while (said := process.stdout.readline()) != "tired\n":
            assert said
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped; what was written is whole, and the same command goes on from there" in " ".join(err.split())
    assert "Traceback" not in err
    run = Run(config.run)
    assert len(run.keys(NODES)) > 0
    assert check(run).whole
    made(config, stepping())
    assert content(run) == content(made(searching(run=str(tmp_path / "whole")), stepping()))


def test_a_run_with_searches_can_gain_revisions(searching, stepping):
    beam, revise = {"strategy": "beam", "n": 4, "rounds": 3}, {"strategy": "revise", "n": 4, "width": 2}
    for searches in ([beam], [beam, revise]):
        engine, scorer = stepping()
        summary = sweep(searching(scored=1, searches=searches), load=engine, load_scorer=scorer)
        assert summary.searches == 4 * len(searches)
    with pytest.raises(RunError, match=r"was made with prompts\.reviser\."):
        sweep(searching(scored=1, searches=[beam, revise | {"prompt": "lab-verify"}]), load=engine, load_scorer=scorer)
