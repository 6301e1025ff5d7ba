"""What only the scorer in vLLM does: several calls a request, and what is read off each. No engine runs here."""

from __future__ import annotations

from collections import deque
from itertools import count
from types import SimpleNamespace

import pytest

from isocompute.runners.scorers import ScoreRequest
from isocompute.runners.scorers.formats.base import ScoringInput, TokenPair, compute_logistic


class Letters:
    """A kind that reads a token a step, whose head is a pair."""

    head = TokenPair(1, 2)

    def tokenise_steps(self, question, steps, known):
        return [ScoringInput(tuple(range(len(steps) + 1)), tuple(range(known + 1, len(steps) + 1)))]


class Host:
    """A test double of the engine: it holds ``room`` calls and finishes the last one first.

    The margin of a call is its number of tokens; one of ``refused`` tokens is refused, one of ``lost`` tokens given up.
    """

    def __init__(self, room=8, refused=(), lost=()):
        self.in_flight, self.names, self.engine = room, count(), self
        self.refused, self.lost = refused, lost
        self.flying, self.aborted, self.most = {}, [], 0

    def add_request(self, name, prompt, parameters):
        if len(prompt["prompt_token_ids"]) in self.refused:
            raise ValueError("no such token\nand more")
        self.flying[name] = prompt["prompt_token_ids"]
        self.most = max(self.most, len(self.flying))

    def abort_request(self, names):
        self.aborted += names
        for name in names:
            del self.flying[name]

    def step(self):
        name, tokens = self.flying.popitem()
        ended = "abort" if len(tokens) in self.lost else "length"
        likely = {1: SimpleNamespace(logprob=-1.0), 2: SimpleNamespace(logprob=-1.0 - len(tokens))}
        sample = SimpleNamespace(finish_reason=ended, logprobs=[likely])
        return [SimpleNamespace(request_id=name, finished=True, num_cached_tokens=len(tokens) - 1, outputs=[sample])]


@pytest.fixture
def scorer(need):
    """Makes a scorer on such a host."""
    need("vllm")
    from isocompute.runners.scorers.vllm import VLLMScorer

    def made(**options):
        scorer = VLLMScorer.__new__(VLLMScorer)
        scorer.kind, scorer.head, scorer.parameters, scorer.limit = Letters(), Letters.head, None, 6
        scorer.host = Host(**options)
        return scorer

    return made


def ask(scorer, *requests):
    return {request.key: came for request, came in scorer.run(deque(requests))}


def test_each_new_step_is_a_call_and_its_score_finds_its_place_in_whatever_order_they_end(scorer):
    done = ask(scorer(), ScoreRequest("a", "q", ("x",) * 4, known=1), ScoreRequest("b", "q", ("x",)))
    assert done["a"].scores == pytest.approx([compute_logistic(3), compute_logistic(4), compute_logistic(5)])
    assert (done["a"].prompt_tokens, done["a"].cached_tokens, done["a"].calls) == (12, 9, 3)
    assert done["b"].scores == pytest.approx([compute_logistic(2)])
    assert all(came.started_at > 0 and came.seconds > 0 for came in done.values())


def test_the_engine_is_kept_full_and_no_fuller(scorer):
    full = scorer(room=3)
    ask(full, *(ScoreRequest(i, "q", ("x",)) for i in range(20)))
    assert full.host.most == 3


def test_a_call_that_is_given_up_fails_its_request_and_no_other(scorer):
    done = ask(scorer(lost=[3]), ScoreRequest("a", "q", ("x",) * 4), ScoreRequest("b", "q", ("x",)))
    assert (done["a"].scores, done["a"].status) == (None, "vLLM aborted the request: abort")
    assert done["a"].prompt_tokens is None
    assert done["b"].status == "ok"


def test_a_request_that_is_refused_leaves_none_of_its_calls_behind(scorer):
    refusing = scorer(refused=[4])
    done = ask(refusing, ScoreRequest("a", "q", ("x",) * 4), ScoreRequest("b", "q", ("x",)))
    assert (done["a"].scores, done["a"].status) == (None, "no such token")
    assert len(refusing.host.aborted) == 2
    assert done["b"].status == "ok"


def test_what_a_reader_leaves_is_taken_out_of_the_engine(scorer):
    left = scorer()
    reader = left.run(deque(ScoreRequest(i, "q", ("x", "x")) for i in range(4)))
    next(reader)
    reader.close()
    assert not left.host.flying


def test_a_request_that_is_too_long_is_not_asked(scorer):
    done = ask(scorer(), ScoreRequest("a", "q", ("x",) * 6))
    assert done["a"].status == "question and steps have 7 tokens; the model takes 6"


def test_of_a_classifier_the_last_token_that_was_computed_is_read(need):
    need("vllm")
    np = pytest.importorskip("numpy")
    from isocompute.runners.scorers.vllm import read_margin

    def output(data):
        return SimpleNamespace(outputs=SimpleNamespace(data=np.array(data)))

    assert read_margin(output([[9.0, 1.0], [1.0, 4.0]]), "classes") == 3.0
    assert read_margin(output([-2.5]), "reward") == -2.5
