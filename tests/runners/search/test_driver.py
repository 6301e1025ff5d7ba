from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from isocompute.errors import DataError, RunError
from isocompute.runners.config.search import SearchShape
from isocompute.runners.engines import Completion
from isocompute.runners.prompts import load_prompt
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.scorers import ScoreResult
from isocompute.runners.search.expand import NodeCost, PendingNode, SearchContext, grow_attempt, grow_step
from isocompute.runners.search.registry import SEARCH_STRATEGIES as STRATEGIES
from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.parts import build_arrow_table, encode_parquet
from isocompute.runners.storage.schema import NODES_TABLE, PROBLEMS_TABLE, SEARCHES_TABLE


def rows(run, table):
    return run.read_table(table).to_pylist()


def by_search(run):
    trees = defaultdict(dict)
    for row in rows(run, NODES_TABLE):
        trees[tuple(row[name] for name in SEARCHES_TABLE.key_names)][row["node_id"]] = row
    return trees


def plainly(config, problem, key, pair):
    """One search without threads, log or company: each node by itself, one after the other."""
    rules = config.searches_by_shape[SearchShape(*key[1:5])]
    revision = load_prompt("math-revise", needs=()) if rules.revision_prompt else None
    prompt = load_prompt(config.solver.prompt, needs=()).fill(question=problem)
    ground = SearchContext(problem, prompt, config.solver, config.step, config.boxed_ends, key[4], "last", revision)
    shape = SearchShape(*key[1:5])
    begin, seed = STRATEGIES[shape.strategy].begin, derive_seed(config.seed, "particles", *key)
    running = begin(shape.n, shape.width, rules.rounds, seed)
    parents, number, grown = next(running), 0, {}
    try:
        for rounds in range(1, 100):
            children = []
            for parent in parents:
                number += 1
                place = (*key, number)
                luck = derive_seed(config.seed, "tie", *place) / 2**63
                sprout = PendingNode(place, parent, rounds, luck, partial(derive_seed, config.seed, "node", *place))
                growth = (grow_attempt if revision else grow_step)(ground, sprout, NodeCost())
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


def test_every_search_is_what_a_plain_loop_finds_node_by_node(searching, stepping, made):
    config = searching()
    run = made(config, stepping())
    questions = dict(run.read_frame(PROBLEMS_TABLE, ["problem_id", "question"]).itertuples(index=False, name=None))
    trees, ended = by_search(run), dict(zip(*listed(run), strict=True))
    assert set(ended) == set(trees) == set(ExpectedRows(config, list(questions)).enumerate_keys(SEARCHES_TABLE))
    for key, row in ended.items():
        grown, candidates = plainly(config, questions[key[0]], key, stepping())
        assert row["candidates"] == candidates
        assert {i: (n.parent.id, n.round, n.text, n.end) for i, n in grown.items()} == {
            i: (r["parent"], r["round"], r["text"], r["end"]) for i, r in trees[key].items()
        }
        assert all(trees[key][i]["score"] in (n.score, None) for i, n in grown.items())


def listed(run):
    found = rows(run, SEARCHES_TABLE)
    return [tuple(row[name] for name in SEARCHES_TABLE.key_names) for row in found], found


def test_a_search_returns_a_finished_candidate_if_there_is_one_and_says_what_became_of_each_node(
    searching, stepping, made
):
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


def test_tokens_and_calls_are_those_that_the_models_counted(searching, stepping, made):
    engine, scorer = stepping()
    run = made(searching(), (engine, scorer))
    asked = [(request, answer) for request, answer in engine.asked if len(request.key) == 7]
    nodes, ended = rows(run, NODES_TABLE), rows(run, SEARCHES_TABLE)
    total = {name: sum(row[name] for row in nodes) for name in NodeCost().counts}
    assert total["completion_tokens"] + total["lookahead_tokens"] == sum(a.completion_tokens for _, a in asked)
    assert total["lookahead_tokens"] == sum(a.completion_tokens for r, a in asked if not r.sampling.temperature) > 0
    assert total["prompt_tokens"] == sum(a.prompt_tokens for _, a in asked)
    assert total["cached_tokens"] == sum(a.cached_tokens for _, a in asked)
    assert total["scorer_prompt_tokens"] == sum(a.prompt_tokens for _, a in scorer.asked)
    assert total["scorer_cached_tokens"] == sum(a.cached_tokens for _, a in scorer.asked)
    assert total["scorer_calls"] == len(scorer.asked)
    sums = {"generated_tokens": ("completion_tokens", "lookahead_tokens"), "prompt_tokens": ("prompt_tokens",)}
    sums |= {name: (name,) for name in total if name.startswith(("cached_", "scorer_"))}
    for name, parts in sums.items():
        assert sum(row[name] for row in ended) == sum(total[part] for part in parts)


def test_a_text_is_scored_once_in_a_round_and_the_first_node_is_charged(searching, stepping, made):
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


def test_all_problems_and_seeds_are_in_flight_together_and_few_are_left_open(searching, stepping, made):
    engine, scorer = stepping()
    config = searching(task={"name": "lab", "problems": 6})
    made(config, (engine, scorer))
    first_round = sum(search.seeds * n for search in config.searches for n in search.n if search.strategy != "revise")
    assert engine.held >= 6 * (first_round + 2)  # of the six revisions two chains begin
    assert engine.closed == engine.loaded == 2  # solutions, and searches
    assert scorer.closed == scorer.loaded == 1


def test_scoring_goes_on_while_others_are_solved_and_solving_while_others_are_scored(searching, stepping, made):
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


def test_a_search_grows_by_seeds_and_slots_and_neither_shrinks_nor_changes(searching, stepping, made):
    beam = {"strategy": "beam", "n": [4], "rounds": 6, "seeds": 2}
    run = made(searching(searches=[beam]), stepping())
    more = [beam | {"n": [4, 8], "seeds": 3}, {"strategy": "rebase", "n": 4}]
    made(searching(searches=more), stepping())
    assert len(run.read_keys(SEARCHES_TABLE)) == 4 * (3 + 3 + 1)
    for searches, sentence in [
        ([], "has 3 searches per problem of beam with n = 4; a run can grow, not shrink."),
        (
            [more[0] | {"seeds": 1}, more[1]],
            "has 3 searches per problem of beam with n = 4; a run can grow, not shrink.",
        ),
        ([more[0] | {"rounds": 7}, more[1]], "made with rounds = 6, but this sweep requests 7; name another run"),
        (
            [more[0] | {"select": "vanilla"}, more[1]],
            "made with select = 'weighted', but this sweep requests 'vanilla'",
        ),
    ]:
        with pytest.raises(RunError) as caught:
            made(searching(searches=searches), stepping())
        assert sentence in str(caught.value)
    for change in ({"step": "\n"}, {"boxed_ends": True}, {"scorer": {"kind": "lab", "model": "scripted/other"}}):
        with pytest.raises(RunError, match="name another run, or request the same"):
            made(searching(searches=more, **change), stepping())


def test_scores_outside_the_unit_interval_or_none_at_all_are_failures(searching, stepping):
    for scores, said in (((float("nan"),), "[nan] for 1 steps"), ((0.1, 0.2), "[0.1, 0.2] for 1 steps")):
        engine, scorer = stepping(scores=lambda request, scores=scores: ScoreResult(scores, 1, 0, 1))
        found = run_sweep(searching(searches=[{"strategy": "beam", "n": 2}]), load=engine, load_scorer=scorer)
        assert list(found.failed) == [f"the scorer gave {said}"]
        assert found.searches == 0


def test_an_engine_that_says_no_tokens_is_gone_on_with_by_text(searching, stepping, tmp_path, made, content):
    whole = made(searching(run=str(tmp_path / "whole")), stepping())
    engine, scorer = stepping()
    well = engine.says

    def wordy(request):
        assert request.written_ids == (None if request.written or not request.sampling.step else ())
        known = tuple(map(ord, request.written)) if request.sampling.step else None
        return replace(well(replace(request, written_ids=known)), token_ids=None)

    engine.says = wordy
    run = made(searching(), (engine, scorer))
    assert {row["token_ids"] is None for row in rows(run, NODES_TABLE)} == {True}
    assert content(run) == [row | ({"token_ids": None} if "token_ids" in row else {}) for row in content(whole)]


def test_a_verifier_may_score_and_what_it_samples_is_charged(searching, stepping, made):
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
    nodes = rows(run, NODES_TABLE)
    assert {row["step_score"] for row in nodes} <= {None, 0.0, 1 / 3, 2 / 3, 1.0}
    assert sum(row["scorer_completion_tokens"] for row in nodes) == 9 * len(judged) > 0
    assert sum(row["scorer_completion_tokens"] for row in rows(run, SEARCHES_TABLE)) == 9 * len(judged)
    assert engine.closed == engine.loaded == 3  # solutions; then solver and verifier of the searches


def test_a_log_that_another_version_wrote_is_not_gone_on_with(searching, stepping, made):
    run = made(searching(searches=[{"strategy": "beam", "n": 4, "rounds": 3}]), stepping())
    for table in (SEARCHES_TABLE, NODES_TABLE):
        for path in run.list_parts(table):
            kept = [] if table is SEARCHES_TABLE else [row | {"parent": 0} for row in pq.read_table(path).to_pylist()]
            Path(path).write_bytes(encode_parquet(build_arrow_table(kept, table.schema)))
    with pytest.raises(RunError, match="but its log continues node 0; it was made by another version of isocompute"):
        made(searching(searches=[{"strategy": "beam", "n": 4, "rounds": 3}]), stepping())


def test_a_strategy_that_wants_probabilities_says_so_and_both_models_are_closed(searching, stepping, made):
    engine, scorer = stepping(scores=lambda request: ScoreResult((7.5,) * len(request.new_steps), 1, 0, 1))
    with pytest.raises(DataError, match=r"Particle filtering needs scores in 0 … 1, but the scorer gave 7\.5"):
        made(searching(), (engine, scorer))
    assert (engine.closed, scorer.closed) == (engine.loaded, scorer.loaded)


def test_a_run_with_searches_can_gain_revisions(searching, stepping):
    beam, revise = {"strategy": "beam", "n": 4, "rounds": 3}, {"strategy": "revise", "n": 4, "width": 2}
    for searches in ([beam], [beam, revise]):
        engine, scorer = stepping()
        summary = run_sweep(searching(scored=1, searches=searches), load=engine, load_scorer=scorer)
        assert summary.searches == 4 * len(searches)
    with pytest.raises(RunError, match=r"was made with prompts\.reviser\."):
        run_sweep(
            searching(scored=1, searches=[beam, revise | {"prompt": "lab-verify"}]), load=engine, load_scorer=scorer
        )
