"""A scorer behind a server: each solution is scored once, the scores choose, and what the scorer reads is charged."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocompute.errors import ConfigError
from isocompute.runners.scorers.registry import SCORERS, load_scorer_format
from isocompute.serving.endpoint.settings import build_serve_settings
from isocompute.serving.endpoint.start import describe_dry_run
from tests.runners.conftest import need  # noqa: F401 - a fixture
from tests.serving.endpoint.upstream_double import UpstreamDouble

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
ANSWERS = ("7", "7", "7", "8", "7", "7")
URL = "http://127.0.0.1:9/v1"


class ScorerDouble(UpstreamDouble):
    """A scripted reward model on a server: sure of what is written with one token, and against all else."""

    def __init__(self, favourite: int, status: int = 200) -> None:
        super().__init__(models=("prm",))
        self.favourite, self.status = favourite, status

    async def _answer(self, body, headers, reader, writer) -> bool:
        if self.status != 200:
            return await super()._answer(body, headers, reader, writer)
        self.seen.bodies.append(body)
        right, wrong = (f"token_id:{token}" for token in body["logprob_token_ids"])
        likely = [(-0.1, -3.0) if self.favourite in tokens else (-3.0, -0.1) for tokens in body["prompt"]]
        choices = [
            {"index": i, "text": "", "logprobs": {"top_logprobs": [{right: yes, wrong: no}]}}
            for i, (yes, no) in enumerate(likely)
        ]
        read = sum(map(len, body["prompt"]))
        usage = {"prompt_tokens": read, "completion_tokens": len(choices), "total_tokens": read + len(choices)}
        self._write_json(writer, 200, {"choices": choices, "usage": usage})
        return True


@pytest.fixture
def eight(need) -> int:  # noqa: F811
    """The token of the digit 8 in the lab's vocabulary, which no question of these tests has."""
    need("transformers")
    tokens = load_scorer_format(SCORERS["lab"], str(LAB / "prm"), None).text
    return tokens.get_single_token("8")


@pytest.fixture
def ask_scored(double, endpoint, ask, monkeypatch):
    """Asks an endpoint with a scorer; returns the answer and the endpoint."""
    monkeypatch.chdir(LAB.parents[1])

    def send(scorer: ScorerDouble, budget: str = "16x"):
        solver = double(lambda body, number: f"3+4: 7 = 7\n\\boxed{{{ANSWERS[number % 6]}}}")
        served = endpoint(solver, scorer=scorer, profile="lab-search", policy="fixed", budget=budget, retries=0)
        return ask(served, "Start with 3, add 4.").json(), served

    return send


@pytest.fixture
def scorer_double():
    started: list[ScorerDouble] = []

    def start(*args, **options) -> ScorerDouble:
        started.append(ScorerDouble(*args, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


def test_the_best_scored_solution_wins_over_the_vote_and_every_token_is_counted(ask_scored, scorer_double, eight):
    scorer = scorer_double(eight)
    answer, served = ask_scored(scorer)
    own = answer["isocompute"]
    assert own["policy"] == "prm-weighted S=6"
    assert own["answer"] == "8"
    assert "8" in answer["choices"][0]["message"]["content"]
    assert (own["solutions"], own["verifications"], own["failed"]) == (6, 0, 0)
    assert len(scorer.seen.bodies) == 6
    assert {len(body["prompt"]) for body in scorer.seen.bodies} == {2}  # a prompt for each line
    read = sum(len(tokens) for body in scorer.seen.bodies for tokens in body["prompt"])
    assert own["tokens"]["scorer"] == {"prompt_tokens": read, "completion_tokens": 12}
    assert answer["usage"]["prompt_tokens"] == own["tokens"]["solver"]["prompt_tokens"] + read
    prices = served.service.prices
    sampled = own["tokens"]["solver"]["completion_tokens"]
    expected = sampled * (1 + prices.calls["scorer"]) / prices.tokens["solver"]
    assert own["compute"] == pytest.approx(expected, abs=1e-3)


def test_votes_decide_where_the_scorer_refuses_and_the_answer_says_so(ask_scored, scorer_double, eight):
    own = ask_scored(scorer_double(eight, status=400))[0]["isocompute"]
    assert own["answer"] == "7"
    assert "6 of 6 solutions have no score." in own["notes"]
    assert own["failed"] == 6


def test_a_dry_run_prices_the_scores_and_names_the_searches_that_are_left_out():
    settings = build_serve_settings("lab-search", [URL, f"scorer={URL}"], policy="fixed")
    lines = describe_dry_run(settings)
    assert "prm-weighted S=6" in lines[0]
    assert any("12 calls (6 solutions, 0 verifications, 6 scores)" in line for line in lines)
    assert lines[-1].startswith("Searches are not served (beam+weighted, ")
    without = describe_dry_run(build_serve_settings("lab-search", [URL], policy="fixed"))
    assert "sc S=" in without[0]


@pytest.mark.parametrize(
    ("scorer", "sentence"),
    [
        (None, "was measured without a scorer"),
        ({"kind": "skywork", "model": "m", "aggregate": "last"}, "those that have are lab, math-shepherd, rlhflow"),
    ],
)
def test_a_scorer_that_no_server_can_run_is_refused(monkeypatch, scorer, sentence):
    from isocompute.planner.profile import read_profile

    profile = read_profile("lab-search")
    profile = profile.model_copy(update={"sampling": {**profile.sampling, "scorer": scorer}})
    monkeypatch.setattr("isocompute.serving.endpoint.settings.read_profile", lambda name: profile)
    with pytest.raises(ConfigError, match=sentence):
        build_serve_settings("mine", [URL, f"scorer={URL}"])
