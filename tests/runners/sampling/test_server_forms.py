"""Sweeps of servers that answer in the many forms in which real servers do, and the right accuracy for each.

Each form is copied from a report or from the server's source, which is named beside it. The scripted server answers two
of the four problems right in every form.
"""

from __future__ import annotations

import json

import pytest

from isocompute.runners.config.sweep import Sweep
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

QUESTIONS = {"What is 3 + 4?": "7", "What is 5 + 4?": "9", "What is 1 + 1?": "2", "What is 6 - 2?": "4"}
TOLD = {"What is 3 + 4?": "7", "What is 5 + 4?": "8", "What is 1 + 1?": "2", "What is 6 - 2?": "5"}
"""What the model says: two of the four are right."""

THOUGHT = "Is it \\boxed{0}? Let me count again."
USAGE = {"prompt_tokens": 20, "completion_tokens": 30, "total_tokens": 50}


def speak(answer):
    return f"I have counted.\n\nThe answer is \\boxed{{{answer}}}."


def chat(message, finish_reason="stop", usage=USAGE, **choice):
    """The body of a chat's response."""
    message = {"role": "assistant", **message}
    body = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}]}
    body["choices"][0] |= choice
    return body | ({} if usage is None else {"usage": usage})


def without_finish_reason(said):
    body = chat({"content": said})
    del body["choices"][0]["finish_reason"]
    return body


FORMS = {
    # Qwen3 with enable_thinking false behind vLLM without a reasoning parser: it answers at once.
    "a hybrid model that does not think": (lambda said: chat({"content": said}), 30),
    # The same with an empty thinking, as after "/no_think" (the chat template of Qwen3).
    "a hybrid model with an empty thinking": (lambda said: chat({"content": f"<think>\n\n</think>\n\n{said}"}), 30),
    # vllm-project/vllm#17609, #19839; QwenLM/Qwen3#1297: the parser takes the answer for thinking.
    "the answer in reasoning_content": (lambda said: chat({"content": None, "reasoning_content": said}), 30),
    # vLLM since 0.12 names the field reasoning (vllm/entrypoints/openai/chat_completion/protocol.py).
    "the answer in reasoning": (lambda said: chat({"content": None, "reasoning": said, "tool_calls": []}), 30),
    "an empty content beside it": (lambda said: chat({"content": "", "reasoning_content": said}), 30),
    "thinking that the server separates": (lambda said: chat({"content": said, "reasoning_content": THOUGHT}), 30),
    # Mistral's Magistral: a thinking part and a text part (docs.mistral.ai, reasoning).
    "content as a list of parts": (
        lambda said: chat(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                    {"type": "text", "text": said},
                ]
            }
        ),
        30,
    ),
    "content as a list of two texts": (
        lambda said: chat({"content": [{"type": "text", "text": said[:9]}, {"type": "text", "text": said[9:]}]}),
        30,
    ),
    # kekzl/imp#768, ml-explore/mlx-lm#1867: harmony's markup reaches the content.
    "harmony channels": (
        lambda said: chat(
            {
                "content": f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
                f"<|channel|>final<|message|>{said}<|return|>"
            }
        ),
        30,
    ),
    # Augustas11/macprovider#743: the same without the special tokens.
    "harmony without special tokens": (lambda said: chat({"content": f"analysis{THOUGHT}assistantfinal{said}"}), 30),
    # PowerShell/AIShell#350 (KoboldCpp), sgl-project/sglang#3912, openai/openai-dotnet#389.
    "finish_reason null": (lambda said: chat({"content": said}, None), 30),
    "finish_reason empty": (lambda said: chat({"content": said}, ""), 30),
    "finish_reason missing": (without_finish_reason, 30),
    "finish_reason of another name": (lambda said: chat({"content": said}, "eos"), 30),
    # LostRuins/koboldcpp#603, openai/openai-python#1145.
    "usage missing": (lambda said: chat({"content": said}, usage=None), None),
    "usage null": (lambda said: chat({"content": said}) | {"usage": None}, None),
    # VariantConst/OpenWebUI-Monitor#99 (xAI): reasoning beside completion tokens.
    "reasoning outside completion tokens": (
        lambda said: chat(
            {"content": said},
            usage=USAGE | {"total_tokens": 550, "completion_tokens_details": {"reasoning_tokens": 500}},
        ),
        530,
    ),
    # mozilla-ai/any-llm#1291 (Gemini): 20 + 151 of 553.
    "reasoning in the total only": (
        lambda said: chat(
            {"content": said}, usage={"prompt_tokens": 20, "completion_tokens": 151, "total_tokens": 553}
        ),
        533,
    ),
    # router-for-me/CLIProxyAPI#5733: 0 completion tokens beside 60 of reasoning.
    "reasoning beside 0 completion tokens": (
        lambda said: chat(
            {"content": said},
            usage={"prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81}
            | {"completion_tokens_details": {"reasoning_tokens": 60}},
        ),
        60,
    ),
    # OpenAI: reasoning is a part of the completion tokens (developers.openai.com, reasoning).
    "reasoning within completion tokens": (
        lambda said: chat({"content": said}, usage=USAGE | {"completion_tokens_details": {"reasoning_tokens": 25}}),
        30,
    ),
    # Portkey-AI/gateway#1754 (Anthropic): cached prompt tokens in the total only.
    "cached tokens in the total only": (
        lambda said: chat(
            {"content": said},
            usage={"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 109, "cache_read_input_tokens": 80},
        ),
        9,
    ),
    "a part without a text": (
        lambda said: chat({"content": [{"type": "thinking", "thinking": None}, {"type": "text", "text": said}]}),
        30,
    ),
    "a content filter after the answer": (lambda said: chat({"content": said}, "content_filter"), 30),
}


@pytest.fixture
def sweep_server(stage, tmp_path):
    """Sweeps the four problems on a server that answers in a form, and gives summary and solutions."""

    def sweep(form, **solver):
        def answer(asked):
            question = next(each for each in TOLD if each in asked.body["messages"][0]["content"])
            return stage.Reply(form(speak(TOLD[question])))

        server = stage.server(answer)
        problems = tmp_path / "problems.jsonl"
        rows = [{"question": question, "answer": gold} for question, gold in QUESTIONS.items()]
        problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
        options = {"urls": server.url, "concurrency": 4, "retries": 0}
        config = Sweep.model_validate(
            {
                "run": str(tmp_path / "run"),
                "task": {"path": str(problems), "grader": "numeric"},
                "engine": "openai",
                "solver": {"model": "m", "prompt": "math-solve", "chat": True, "options": options, **solver},
                "solutions": 2,
            }
        )
        return run_sweep(config), Run(config.run).read_frame(SOLUTIONS_TABLE)

    return sweep


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("thinking_end", ["</think>", None])
def test_the_accuracy_is_right_in_every_form(sweep_server, form, thinking_end):
    build, tokens = FORMS[form]
    summary, rows = sweep_server(build, thinking_end=thinking_end)
    assert summary.failed == {}
    assert summary.answers == {"failed": 0, "right": 4, "wrong": 4, "truncated": 0, "unread": 0}
    assert summary.accuracy == 0.5
    assert [None if n != n else n for n in rows["completion_tokens"].tolist()] == [tokens] * 8


@pytest.mark.parametrize(
    "form",
    [
        lambda said: chat({"content": None, "reasoning_content": THOUGHT}, "length"),
        lambda said: chat({"content": f"<think>{THOUGHT}"}, "length"),
        lambda said: chat({"content": THOUGHT}, "length"),
        lambda said: chat({"content": THOUGHT}, "model_length"),  # Mistral's API
        lambda said: chat({"content": f"<think>{THOUGHT}"}, None, USAGE | {"completion_tokens": 1024}),
        lambda said: chat({"content": f"<|channel|>analysis<|message|>{THOUGHT}"}, "length"),
    ],
)
def test_thinking_that_was_cut_is_no_answer(sweep_server, form):
    summary, rows = sweep_server(form, thinking_end="</think>")
    assert summary.answers == {"failed": 0, "right": 0, "wrong": 0, "truncated": 8, "unread": 0}
    assert rows["answer"].isna().all()
    assert (rows["finish_reason"] == "length").all()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (lambda said: chat({"content": None}, "content_filter"), "ended the text for the reason 'content_filter'"),
        (lambda said: chat({"content": None, "tool_calls": [{}]}, "tool_calls"), "for the reason 'tool_calls'"),
        (lambda said: chat({"content": None}, None), "sent no text, and no reason for that"),
        (lambda said: chat({"content": said}, "abort"), "ended the text for the reason 'abort'"),
        (
            lambda said: chat({"content": said}, "insufficient_system_resource"),
            "insufficient_system_resource",
        ),  # DeepSeek
        (lambda said: chat({"content": said}, None, error={"message": "upstream"}), "for the reason 'error'"),
    ],
)
def test_a_row_fails_where_there_is_nothing_to_read(sweep_server, form, status):
    summary, rows = sweep_server(form)
    assert summary.answers["failed"] == 8
    assert all(status in each for each in rows["status"])


def test_a_refusal_is_an_answer_that_cannot_be_read(sweep_server):
    summary, rows = sweep_server(lambda said: chat({"content": None, "refusal": "I cannot help with that."}))
    assert summary.answers["unread"] == 8
    assert set(rows["text"]) == {"I cannot help with that."}
