from __future__ import annotations

import math

import pytest

from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.engines import Completion, Request
from isocompute.runners.prompts import Prompt
from isocompute.runners.scorers import ScoreRequest, ScoreResult
from isocompute.runners.search.expand import (
    MAX_BLANK_DELIMITERS,
    NodeCost,
    NodeFailure,
    PendingNode,
    SearchContext,
    grow_attempt,
    grow_step,
)
from isocompute.runners.search.strategies.node import Node, make_root_node

ROLE = ModelRole(model="m", prompt="p", max_tokens=100, temperature=0.8, stop=("END",))


def ground(**changes):
    given = {"question": "2+2?", "prompt": "Q: 2+2?", "role": ROLE, "step": "\n\n", "boxed_ends": False, "lookahead": 0}
    return SearchContext(**{**given, "aggregate": "last", **changes})


def sprout(parent=None, number=7):
    parent = make_root_node() if parent is None else parent
    return PendingNode(("lab", number), parent, parent.round + 1, 0.5, lambda *words: hash((number, *words)) % 2**60)


def said(text, reason="step", tokens=None, **counts):
    """A completion, a token a character, the delimiter among them."""
    whole = text + ("\n\n" if reason == "step" else "")
    ids = tuple(map(ord, whole))
    given = {"prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": len(ids), "token_ids": ids}
    return Completion(text, finish_reason=reason, **{**given, **counts})


def run(growth, *answers):
    """Send answers; return the node and what was asked."""
    asked, waiting = [next(growth)], list(answers)
    try:
        while True:
            asked.append(growth.send(waiting.pop(0)))
    except StopIteration as over:
        assert not waiting
        return over.value, asked


def grown(parent=None, *answers, number=1, **changes):
    return run(grow_step(ground(**changes), sprout(parent, number), NodeCost()), *answers)[0]


def test_a_step_goes_on_from_the_tokens_of_its_path_and_only_it_is_scored():
    first = grown(None, said("one"), ScoreResult((0.3,), 20, 0, 1))
    cost = NodeCost()
    node, asked = run(grow_step(ground(), sprout(first), cost), said("two"), ScoreResult((0.6,), 30, 20, 1))
    request, scoring = asked
    assert (request.prompt, request.written, request.written_ids) == ("Q: 2+2?", "one\n\n", tuple(map(ord, "one\n\n")))
    assert (request.sampling.step, request.sampling.stop, request.sampling.max_tokens) == ("\n\n", ("END",), 95)
    assert scoring == ScoreRequest(("lab", 7), "2+2?", ("one\n\n", "two\n\n"), 1)
    assert (node.text, node.tokens, node.end, node.is_alive) == ("two\n\n", tuple(map(ord, "two\n\n")), None, True)
    assert (node.scores, node.score, node.length) == ((0.3, 0.6), 0.6, 10)
    assert cost == NodeCost(10, 4, 5, 0, 30, 20, 1, 0)


@pytest.mark.parametrize(("reason", "end"), [("stop", "stop"), ("length", "length"), ("step", None)])
def test_what_ended_the_text_ends_the_node(reason, end):
    node = grown(None, said("one", reason), ScoreResult((0.3,), 1, 0, 1))
    assert (node.end, node.is_finished) == (end, end == "stop")


def test_a_solution_has_no_more_tokens_than_a_sampled_one():
    parent = grown(None, said("a" * 90), ScoreResult((0.3,), 1, 0, 1))
    node, asked = run(grow_step(ground(), sprout(parent), NodeCost()), said("a" * 6), ScoreResult((0.3,), 1, 0, 1))
    assert asked[0].sampling.max_tokens == 8
    assert node.end == "length"  # the delimiter took its last tokens


@pytest.mark.parametrize("how", ["last", "min", "prod", "mean"])
def test_a_score_is_the_aggregate_that_was_asked_for(how):
    first = grown(None, said("one"), ScoreResult((0.3,), 1, 0, 1), aggregate=how)
    second = grown(first, said("two"), ScoreResult((0.6,), 1, 0, 1), aggregate=how)
    assert second.score == pytest.approx({"last": 0.6, "min": 0.3, "prod": 0.18, "mean": 0.45}[how])


def test_a_bare_delimiter_is_no_step_but_begins_the_next_one():
    cost = NodeCost()
    node, asked = run(
        grow_step(ground(), sprout(), cost), said(""), said(" "), said("one"), ScoreResult((0.3,), 1, 0, 1)
    )
    assert (node.text, node.length, node.scores) == ("\n\n \n\none\n\n", 10, (0.3,))
    assert node.tokens == tuple(map(ord, node.text))
    assert [request.written for request in asked[:3]] == ["", "\n\n", "\n\n \n\n"]
    assert [request.sampling.max_tokens for request in asked[:3]] == [100, 98, 95]
    assert len({request.seed for request in asked[:3]}) == 3
    assert asked[3].steps == ("\n\n \n\none\n\n",)
    assert (cost.prompt_tokens, cost.completion_tokens, cost.scorer_calls) == (30, 10, 1)


def test_an_end_behind_the_last_delimiter_is_no_step_and_is_not_scored():
    parent = grown(None, said("one"), ScoreResult((0.3,), 1, 0, 1))
    node, asked = run(grow_step(ground(), sprout(parent), NodeCost()), said("", "stop"))
    assert (node.end, node.scores, node.score) == ("stop", (0.3,), 0.3)
    assert not any(isinstance(request, ScoreRequest) for request in asked)
    child = grown(node, said("more"), ScoreResult((0.9,), 1, 0, 1))
    assert child.scores == (0.3, 0.9)


def test_a_solution_of_nothing_has_no_score():
    node = grown(None, said("", "stop"))
    assert math.isnan(node.score)
    assert node.is_finished


def test_a_model_that_writes_delimiters_alone_is_cut():
    role = ROLE.model_copy(update={"max_tokens": 10_000})
    node = grown(None, *[said("")] * MAX_BLANK_DELIMITERS, role=role)
    assert (node.end, node.scores) == ("length", ())


def test_a_closed_box_ends_a_solution_where_that_is_asked_for():
    for asked, text, end in ((True, "\\boxed{4}", "stop"), (True, "\\boxed{4", None), (False, "\\boxed{4}", None)):
        assert grown(None, said(text), ScoreResult((0.3,), 1, 0, 1), boxed_ends=asked).end == end
    role = ROLE.model_copy(update={"thinking_end": "</think>"})
    thinking = said("\\boxed{4}?")
    assert grown(None, thinking, ScoreResult((0.3,), 1, 0, 1), boxed_ends=True, role=role).end is None


def test_a_node_with_lookahead_has_the_score_of_its_rollout_which_is_thrown_away():
    cost = NodeCost()
    answers = [said("one"), said("two"), said("three", "stop"), ScoreResult((0.3, 0.6, 0.9), 50, 0, 1)]
    node, asked = run(grow_step(ground(lookahead=5), sprout(), cost), *answers)
    assert [request.sampling.temperature for request in asked[:3]] == [0.8, 0.0, 0.0]
    assert [request.written for request in asked[:3]] == ["", "one\n\n", "one\n\ntwo\n\n"]
    assert asked[3].steps == ("one\n\n", "two\n\n", "three")
    assert (node.text, node.end, node.scores, node.score, node.length) == ("one\n\n", None, (0.3,), 0.9, 5)
    assert (cost.completion_tokens, cost.lookahead_tokens) == (5, 10)


def test_lookahead_ends_after_k_steps_and_a_finished_node_has_none():
    answers = [said("one"), said("two"), ScoreResult((0.3, 0.6), 50, 0, 1)]
    assert grown(None, *answers, lookahead=1).score == 0.6
    assert grown(None, said("one", "stop"), ScoreResult((0.3,), 50, 0, 1), lookahead=3).score == 0.3


def test_what_an_engine_does_not_tell_stays_unknown():
    cost, unknown = NodeCost(), dict.fromkeys(("cached_tokens", "completion_tokens", "token_ids"))
    node, _ = run(grow_step(ground(), sprout(), cost), said("one", **unknown), ScoreResult((0.3,), None, None, 1))
    assert (node.tokens, node.length) == (None, None)
    assert cost == NodeCost(10, None, None, 0, None, None, 1, 0)
    child, asked = run(grow_step(ground(), sprout(node), NodeCost()), said("two"), ScoreResult((0.3,), 1, 1, 1))
    assert (asked[0].written, asked[0].written_ids) == ("one\n\n", None)
    assert child.length is None


@pytest.mark.parametrize(
    "answers",
    [
        [Completion(None, None, None, None, None, "lost")],
        [said("one"), ScoreResult(None, None, None, None, "lost")],
        [said(""), Completion(None, None, None, None, None, "lost")],
    ],
)
def test_what_fails_has_no_node(answers):
    with pytest.raises(NodeFailure, match="lost"):
        grown(None, *answers)


@pytest.mark.parametrize("scores", [(), (0.1, 0.2), (math.nan,), (math.inf,)])
def test_a_scorer_that_gives_no_number_a_step_has_failed(scores):
    with pytest.raises(NodeFailure, match="for 1 steps"):
        grown(None, said("one"), ScoreResult(scores, 1, 0, 1))


def test_hostile_steps_are_only_text():
    text = "{question} {solution} [bold]<|im_end|>\x00\ud800"
    node, asked = run(grow_step(ground(), sprout(), NodeCost()), said(text), ScoreResult((0.3,), 1, 0, 1))
    assert asked[1].steps == (text + "\n\n",)
    assert node.text == text + "\n\n"


REVISION = Prompt("r", "Q: {question}\n{solution}\nBetter:")


def test_an_attempt_is_scored_by_itself_and_shown_the_last_four_before_it():
    at = ground(revision=REVISION)
    nodes: list[Node] = [make_root_node()]
    for i in range(6):
        growth = grow_attempt(at, sprout(nodes[-1], i + 1), NodeCost())
        text = f"first {i}\n\n\\boxed{{{i}}}\n\n"
        node, asked = run(growth, said(text, "stop"), ScoreResult((0.1, i / 10), 5, 0, 1))
        assert isinstance(asked[0], Request)
        assert (asked[0].written, asked[0].written_ids, asked[0].sampling.step) == ("", None, None)
        assert asked[0].sampling.max_tokens == 100
        assert asked[1].steps == (f"first {i}\n\n", f"\\boxed{{{i}}}\n\n")
        assert asked[1].known == 0
        assert node.score == i / 10
        nodes.append(node)
        shown = [f"Attempt {k + 1}:\nfirst {j}\n\n\\boxed{{{j}}}" for k, j in enumerate(range(max(0, i - 4), i))]
        assert asked[0].prompt == ("Q: 2+2?\n" + "\n\n".join(shown) + "\nBetter:" if shown else "Q: 2+2?")


def test_an_empty_attempt_has_no_score_and_is_not_scored():
    node, asked = run(grow_attempt(ground(revision=REVISION), sprout(), NodeCost()), said(" \n", "stop"))
    assert math.isnan(node.score)
    assert len(asked) == 1
