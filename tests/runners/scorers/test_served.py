"""The scorer behind a server: what it sends, what it makes of answers, and its scores beside those made here."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

import pytest

from isocompute.runners.scorers import ScoreRequest, load_scorer
from tests.runners.conftest import vllm_serving

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
REQUESTS = [
    ScoreRequest("two", "Start with 47, add 38.", ("47+38: 5,8 = 85\n", "\\boxed{85}\n")),
    ScoreRequest("known", "Start with 47, add 38.", ("47+38: 5,8 = 85\n", "\\boxed{85}\n"), known=1),
    ScoreRequest("blank", "Start with 47, add 38.", ("47+38: 5,8 = 85\n", " \n", "\\boxed{84}")),
    ScoreRequest("empty", "Start with 47, add 38.", (" ",)),
]


@pytest.fixture
def load_served(need):
    """Loads the lab's PRM behind servers."""
    need("transformers")
    opened = []

    def load(*urls: str, **options: object):
        opened.append(load_scorer("lab", str(LAB / "prm"), engine="openai", urls=[*urls], served_as="prm", **options))
        return opened[-1]

    yield load
    for scorer in opened:
        scorer.close()


def answer_by_length(stage, tokens=None):
    """Returns a scripted server's answers: the margin of a prompt is the number of its tokens, less 40."""

    def say(asked):
        body = asked.body
        right, wrong = (f"token_id:{token}" for token in body["logprob_token_ids"])
        choices = [
            {"index": i, "logprobs": {"top_logprobs": [{right: len(prompt) - 40.0, wrong: 0.0}]}}
            for i, prompt in enumerate(body["prompt"])
        ]
        usage = {"prompt_tokens": sum(map(len, body["prompt"])), "completion_tokens": len(choices)}
        return stage.Reply({"choices": choices[::-1][: tokens or len(choices)], "usage": usage})

    return say


def test_each_new_step_is_a_prompt_and_its_margin_is_a_score(stage, load_served):
    server = stage.server(answer_by_length(stage))
    scored = {request.key: answer for request, answer in load_served(server.url).run(deque(REQUESTS))}
    sent = {len(asked.body["prompt"]) for asked in server.asked}
    assert sent == {1, 2}
    assert len(server.asked) == 3  # nothing is asked of an empty solution
    first, second = scored["two"].scores
    assert first < second
    assert scored["known"].scores == (second,)
    assert math.isnan(scored["blank"].scores[1])
    assert len(scored["blank"].scores) == 3
    assert scored["two"].calls == 2
    assert scored["two"].prompt_tokens > scored["known"].prompt_tokens
    assert scored["two"].completion_tokens == 0
    assert scored["empty"].calls == 0


def test_an_answer_without_all_scores_is_asked_for_again_and_then_a_row_that_says_so(stage, load_served):
    server = stage.server(answer_by_length(stage, tokens=1))
    scorer = load_served(server.url, retries=1, backoff=0.01)
    ((_, result),) = scorer.run(deque(REQUESTS[:1]))
    assert result.scores is None
    assert "truncated or does not follow the protocol" in result.status
    assert len(server.asked) == 2


def test_a_solution_that_the_server_refuses_is_a_row_that_says_why(stage, load_served):
    server = stage.server(lambda asked: stage.Reply({"error": {"message": "too long"}}, 400))
    ((_, result),) = load_served(server.url).run(deque(REQUESTS[:1]))
    assert (result.scores, result.status) == (None, "refused: HTTP 400: too long")


@pytest.mark.soak
@pytest.mark.vllm
def test_vllms_server_scores_as_transformers_does(need, load_served, tmp_path):
    need("vllm")
    need("torch")
    here = load_scorer("lab", str(LAB / "prm"), engine="transformers", dtype="float32")
    expected = {request.key: answer.scores for request, answer in here.run(deque(REQUESTS))}
    here.close()
    with vllm_serving(LAB / "prm", "prm", "float32", tmp_path / "log") as url:
        scored = {request.key: answer for request, answer in load_served(url).run(deque(REQUESTS))}
    for name, scores in expected.items():
        assert scored[name].scores == pytest.approx(scores, abs=1e-4, nan_ok=True)
