"""The endpoint in front of vLLM's own server with the lab's solver, and of llama.cpp's server."""

from __future__ import annotations

import re
import time
import urllib.request

import openai
import pytest

from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.tasks.lab import make_lab_problems
from isocompute.serving.endpoint.settings import build_serve_settings
from tests.runners.conftest import llama_server, need, smollm, vllm_server  # noqa: F401 - fixtures
from tests.serving.endpoint.conftest import Endpoint

pytestmark = pytest.mark.soak


def count_generated(url):
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics") as answer:
        text = answer.read().decode()
    return sum(map(float, re.findall(r"^vllm:generation_tokens_total\{[^}]*\} (\S+)", text, re.MULTILINE)))


@pytest.mark.vllm
def test_the_lab_behind_vllm_is_answered_and_every_token_is_counted(vllm_server):  # noqa: F811
    settings = build_serve_settings("lab", [vllm_server], grader="boxed-number", policy="beta", threshold=0.95)
    served = Endpoint(settings)
    grader = load_grader_by_name("boxed-number")
    problems = make_lab_problems(20, [1, 2], seed=18)
    before, right, tokens, cancelled = count_generated(vllm_server), 0, 0, 0
    try:
        client = openai.OpenAI(base_url=f"{served.base}/v1", api_key="unused", max_retries=0)
        for problem in problems:
            answer = client.chat.completions.create(
                model="lab", messages=[{"role": "user", "content": problem.question}]
            )
            right += grader.extract_answer(answer.choices[0].message.content) == problem.gold
            tokens += answer.usage.completion_tokens
            cancelled += answer.model_extra["isocompute"]["cancelled"]
        time.sleep(1)
    finally:
        served.close()
    assert right >= 14  # these levels are easy
    assert cancelled > 0
    generated = count_generated(vllm_server) - before
    # The last tokens of a cancelled call may be on their way when it is closed.
    assert 0 <= generated - tokens <= 4 * cancelled


def test_llama_cpp_answers_a_stream_and_a_call_that_is_passed_through(llama_server):  # noqa: F811
    settings = build_serve_settings("qwen2.5-coder-1.5b-gsm-symbolic", [llama_server], grader="numeric", budget="3x")
    served = Endpoint(settings)
    try:
        client = openai.OpenAI(base_url=f"{served.base}/v1", api_key="unused", max_retries=0)
        model = client.models.list().data[0].id
        asked = {"model": model, "messages": [{"role": "user", "content": "What is 3 + 4?"}], "max_tokens": 40}
        chunks = list(
            client.chat.completions.create(
                **asked, stream=True, stream_options={"include_usage": True},
                extra_body={"isocompute": {"policy": "certain"}},
            )
        )  # fmt: skip
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert chunks[-1].usage.completion_tokens > 0
        passed = client.chat.completions.create(**asked, extra_body={"isocompute": {"policy": "off"}})
        assert passed.choices[0].message.content
        assert passed.model_extra["isocompute"]["stopped"] == "passed through"
    finally:
        served.close()
