"""What the endpoint answers, and what it says of it, in front of a test double."""

from __future__ import annotations

import math

import openai
import pytest

TEXTS = ["It is \\boxed{8}.", "So \\boxed{7}", "Thus \\boxed{7}.", "Hence \\boxed{7.0}"]


def take_by_length(text):
    """Seconds of a text: a moment for a short one, much longer for a long one."""
    return 0.1 if len(text) < 100 else 12.0


def say_in_turn(body, number):
    return TEXTS[number % len(TEXTS)]


def test_a_fixed_allocation_votes_and_counts_every_call(double, endpoint, ask):
    server = double(say_in_turn)
    answer = ask(endpoint(server)).json()
    own = answer["isocompute"]
    assert (own["answer"], own["solutions"], own["verifications"]) == ("7", 4, 0)
    assert own["agreement"] == 0.75
    assert own["stopped"] == "allocation spent"
    assert own["p_right"] is None
    assert answer["choices"][0]["message"]["content"] in TEXTS[1:]
    assert answer["choices"][0]["finish_reason"] == "stop"
    words = sum(len(text.split(" ")) for text in TEXTS)
    assert answer["usage"] == {"prompt_tokens": 20, "completion_tokens": words, "total_tokens": 20 + words}
    assert server.seen.ends["finished"] == len(server.seen.bodies) == 4
    mean = endpoint_mean_tokens()
    assert own["compute"] == pytest.approx(words / mean, abs=1e-3)


def endpoint_mean_tokens():
    from isocompute.planner.costs.usage import measure_usage
    from isocompute.planner.profile import read_profile

    usage = measure_usage(read_profile("qwen2.5-coder-1.5b-gsm-symbolic"))
    return float(usage["solver"].completion.mean())


def test_a_policy_stops_and_what_it_cancels_is_charged_as_far_as_it_was_received(double, endpoint, ask, wait_for):
    def say(body, number):  # four short texts, then long ones
        return "\\boxed{7}" if number < 4 else "word " * 1200 + "\\boxed{7}"

    server = double(say, seconds=take_by_length)
    answer = ask(endpoint(server, budget="16x", policy="beta", threshold=0.95, width=8)).json()
    own = answer["isocompute"]
    assert own["stopped"] == "beta reached 0.95"
    assert own["solutions"] == 4  # P(leads) is 0.97 after four of four
    wait_for(lambda: server.seen.running == 0)
    cancelled = server.seen.ends["abandoned"]
    assert own["cancelled"] == cancelled >= 4
    assert server.seen.ends["finished"] == 4
    counted = answer["usage"]["completion_tokens"]
    assert 4 < counted <= server.seen.sent_tokens
    assert answer["usage"]["prompt_tokens"] == 5 * len(server.seen.bodies)
    assert own["tokens"]["solver"] == {"prompt_tokens": 5 * len(server.seen.bodies), "completion_tokens": counted}
    assert any("counted as chunks" in note for note in own["notes"])


def test_a_server_that_counts_every_chunk_is_asked_to(double, endpoint, ask):
    server = double(
        lambda body, number: "\\boxed{7}" if number < 4 else "word " * 1200, seconds=take_by_length, owner="vllm"
    )
    own = ask(endpoint(server, budget="16x", policy="beta", threshold=0.95, width=8)).json()["isocompute"]
    assert all(body["stream_options"]["continuous_usage_stats"] for body in server.seen.bodies)
    assert own["cancelled"]
    assert not any("chunks" in note for note in own["notes"])


def test_the_policy_sees_solutions_in_the_order_in_which_they_began(double, endpoint, ask):
    # The first solution is slow and says 8; in order of their ends the vote would be settled without it.
    def say(body, number):
        return " ".join(["\\boxed{8}"] + ["word"] * 60) if number == 0 else "\\boxed{7}"

    own = ask(endpoint(double(say, seconds=0.3), budget="8x", policy="certain", threshold=8)).json()["isocompute"]
    assert own["solutions"] == 6  # 8, then five times 7 of 8
    assert own["agreement"] == pytest.approx(5 / 6, abs=1e-6)


def judge(body, number):
    """A verifier that says yes to 7 alone."""
    text = body["messages"][0]["content"] if "messages" in body else body["prompt"]
    return f"Checked. Is the answer correct (Yes/No)? {'Yes' if 'boxed{7' in text else 'No'}"


def test_verifications_are_made_with_the_profiles_prompt_and_counted(double, endpoint, ask):
    solver, verifier = double(lambda body, number: TEXTS[number % 2]), double(judge)
    asked = {"policy": "weighted-beta", "threshold": 0.99999, "budget": "8x"}
    answer = ask(endpoint(solver, verifier=verifier), isocompute=asked).json()
    own = answer["isocompute"]
    assert own["answer"] == "7"
    assert own["verifications"] == own["solutions"] >= 2
    assert "Is the student's final answer correct?" in verifier.seen.bodies[0]["messages"][0]["content"]
    assert "What is 3 + 4?" in verifier.seen.bodies[0]["messages"][0]["content"]
    assert answer["choices"][0]["message"]["content"] == TEXTS[1]
    assert answer["usage"]["prompt_tokens"] == 5 * (len(solver.seen.bodies) + len(verifier.seen.bodies))


def test_an_essay_is_returned_as_one_sample_and_the_answer_says_so(double, endpoint, ask):
    server = double(lambda body, number: f"An essay on the sea, number {number}")
    answer = ask(endpoint(server, budget="16x", policy="certain", threshold=16)).json()
    assert answer["choices"][0]["message"]["content"].startswith("An essay")
    own = answer["isocompute"]
    assert own["answer"] is None
    assert own["stopped"] == "no answer can be read"
    assert own["solutions"] == 5
    assert "the first one is returned" in " ".join(own["notes"])


def test_a_verifier_chooses_among_essays(double, endpoint, ask):
    solver = double(lambda body, number: f"Essay {number}")
    verifier = double(lambda body, number: "Yes." if "Essay 3" in body["messages"][0]["content"] else "No.")
    answer = ask(endpoint(solver, verifier=verifier, policy="certain", threshold=16, budget="16x")).json()
    assert answer["choices"][0]["message"]["content"] == "Essay 3"
    assert "the verifier chose" in " ".join(answer["isocompute"]["notes"])
    assert answer["isocompute"]["verifications"] == 5


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"n": 3}, "n > 1"),
        ({"logprobs": True, "top_logprobs": 2}, "logprobs"),
        ({"temperature": 0}, "temperature 0"),
        ({"isocompute": {"policy": "off"}}, "the policy is off"),
    ],
)
def test_what_cannot_be_voted_over_passes_through_once(double, endpoint, ask, fields, why):
    server = double()
    answer = ask(endpoint(server), **fields).json()
    assert len(server.seen.bodies) == 1
    assert answer["isocompute"]["stopped"] == "passed through"
    assert why in answer["isocompute"]["notes"][0]
    assert len(answer["choices"]) == fields.get("n", 1)
    sent = server.seen.bodies[0]
    assert "isocompute" not in sent
    assert all(sent[name] == value for name, value in fields.items() if name != "isocompute")


def test_a_prompt_other_than_the_profiles_is_said(double, endpoint, ask):
    served = endpoint(double())
    notes = ask(served).json()["isocompute"]["notes"]
    assert any("not the profile's ('math-solve')" in note for note in notes)
    own = "Solve the following problem step by step. Put your final answer within \\boxed{}.\n\nProblem: 3 + 4"
    assert ask(served, own).json()["isocompute"]["notes"] == []
    notes = ask(served, own, temperature=0.3).json()["isocompute"]["notes"]
    assert notes == ["temperature is 0.3; the profile was measured at 0.8."]


def test_a_model_that_is_not_a_chat_model_gets_the_profiles_prompt(double, endpoint, ask):
    server = double()
    served = endpoint(server, profile="lab", budget="2x")
    answer = ask(served, "Start with 3, add 4.", max_completion_tokens=50).json()
    assert answer["isocompute"]["answer"] == "7"
    sent = server.seen.bodies[0]
    assert sent["prompt"] == "Problem: Start with 3, add 4.\nSolution:\n"
    assert (sent["temperature"], sent["max_tokens"]) == (0.7, 50)
    assert ask(served, messages=[{"role": "system", "content": "x"}]).status_code == 400
    assert ask(served, n=2).status_code == 400


def test_each_sample_of_a_seeded_request_has_a_seed_of_its_own(double, endpoint, ask):
    first, second = double(), double()
    for server in (first, second):
        ask(endpoint(server), seed=11)
    seeds = [sorted(body["seed"] for body in server.seen.bodies) for server in (first, second)]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 4


def test_budgets_come_in_every_unit_in_the_body_or_in_headers(double, endpoint, ask):
    served = endpoint(double(), policy="window", threshold=1000)
    mean = endpoint_mean_tokens()
    cases = [
        ({"isocompute": {"budget": "2x"}}, {}, 2),
        ({"isocompute": {"budget": 2}}, {}, 2),
        ({}, {"x-isocompute-budget": "8x"}, 8),
        ({"isocompute": {"budget": f"{math.ceil(3 * mean)} tokens"}}, {"x-isocompute-budget": "8x"}, 3),
    ]
    for fields, headers, solutions in cases:
        own = ask(served, headers=headers, **fields).json()["isocompute"]
        assert own["policy"] == f"window 1000 within S={solutions}"


def test_a_target_is_met_by_the_cheapest_allocation(double, endpoint, ask):
    served = endpoint(double(), profile="lab", budget="16x")
    own = ask(served, isocompute={"target": 0.45}).json()["isocompute"]
    assert own["policy"].startswith("sc S=")
    assert 1 <= own["solutions"] < 16
    refused = ask(served, isocompute={"target": 0.99})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "isocompute.target"


def test_a_deadline_returns_what_is_there(double, endpoint, ask, wait_for):
    def say(body, number):
        return "\\boxed{7}" if number < 2 else "word " * 200

    server = double(say, seconds=take_by_length)
    served = endpoint(server, budget="4x")
    own = ask(served, isocompute={"deadline": 3.0}).json()["isocompute"]
    assert own["stopped"] == "deadline"
    assert own["answer"] == "7"
    wait_for(lambda: server.seen.running == 0)
    late = ask(served, isocompute={"deadline": 0.05})
    assert late.status_code == 504
    assert late.json()["error"]["code"] == "deadline"


def test_the_official_client_sees_text_usage_and_the_field(double, endpoint):
    served = endpoint(double(say_in_turn))
    client = openai.OpenAI(base_url=f"{served.base}/v1", api_key="unused", max_retries=0)
    assert [model.id for model in client.models.list()] == ["double"]
    asked = {"model": "double", "messages": [{"role": "user", "content": "3 + 4?"}]}
    answer = client.chat.completions.create(**asked, extra_body={"isocompute": {"budget": "4x"}})
    assert "7" in answer.choices[0].message.content
    assert answer.usage.prompt_tokens == 20
    assert answer.model_extra["isocompute"]["answer"] == "7"

    stream = client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert "7" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert [chunk.usage.prompt_tokens for chunk in chunks if chunk.usage] == [20]
    fields = [chunk.model_extra["isocompute"] for chunk in chunks if "isocompute" in (chunk.model_extra or {})]
    assert [own["answer"] for own in fields] == ["7"]
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert reasons == [None] * (len(reasons) - 1) + ["stop"]

    passed = list(client.chat.completions.create(**asked, stream=True, extra_body={"isocompute": {"policy": "off"}}))
    assert "boxed" in "".join(chunk.choices[0].delta.content or "" for chunk in passed)
    assert passed[-1].model_extra["isocompute"]["stopped"] == "passed through"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(**{**asked, "model": "another"})


def test_a_stream_keeps_alive_while_it_samples(double, endpoint):
    import httpx

    served = endpoint(double(seconds=0.6), keep_alive=0.1)
    body = {"model": "double", "messages": [{"role": "user", "content": "3 + 4?"}], "stream": True}
    with httpx.stream("POST", f"{served.base}/v1/chat/completions", json=body) as response:
        lines = list(response.iter_lines())
    comments = [line for line in lines if line.startswith(":")]
    assert len(comments) >= 3
    assert lines.index(comments[-1]) < next(i for i, line in enumerate(lines) if line.startswith("data:"))
    assert [line for line in lines if line.startswith("data:")][-1] == "data: [DONE]"
