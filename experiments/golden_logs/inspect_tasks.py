"""Two evaluations for inspect_ai, which run in an environment with that package alone.

    python inspect_tasks.py http://127.0.0.1:PORT/v1

Writes four logs into the folder ``inspect-ai``: each evaluation as .eval and as .json. Two things are changed in them,
through inspect_ai's own reader and writer. The text of an error replaces its traceback, which names folders of this
machine. The .json files have no events, which repeat the messages and are most of a log.
"""

from __future__ import annotations

import os
import re
import sys

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, ProvenanceData, invalidate_samples, read_eval_log, write_eval_log
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.scorer import CORRECT, INCORRECT, PARTIAL, Score, accuracy, match, scorer, stderr
from inspect_ai.solver import generate, solver

SERVED_MODEL = "SmolLM2-135M-Instruct"

SUMS = [(2, 3), (7, 6), (4, 4), (30, 14), (5, 5)]

USAGES = {
    "inside": ModelUsage(input_tokens=12, output_tokens=40, total_tokens=52, reasoning_tokens=30),
    "outside": ModelUsage(input_tokens=12, output_tokens=10, total_tokens=52, reasoning_tokens=30),
    "cached": ModelUsage(input_tokens=4, output_tokens=10, total_tokens=22, input_tokens_cache_read=8),
    "twice": ModelUsage(input_tokens=12, output_tokens=10, total_tokens=22),
}
"""Reports of a provider, by problem: tokens of reasoning within those of the output or beside them, and a cache."""


@scorer(metrics=[accuracy(), stderr()])
def closeness():
    """Score the last number: right, partly right if it is off by at most two, wrong; without a number, not at all."""

    async def score(state, target):
        numbers = re.findall(r"\d+", state.output.completion)
        if not numbers:
            return Score.unscored(explanation="There is no number.")
        distance = abs(int(numbers[-1]) - int(target.text))
        value = CORRECT if distance == 0 else PARTIAL if distance <= 2 else INCORRECT
        return Score(value=value, answer=numbers[-1])

    return score


@solver
def fail_at(problem: str, epoch: int):
    """Raise an error in one epoch of a problem, after its text was sampled."""

    async def solve(state, generate):
        if (state.sample_id, state.epoch) == (problem, epoch):
            raise RuntimeError("made to fail")
        return state

    return solve


@solver
def ask_again(problem: str):
    """Call the model a second time for one problem."""

    async def solve(state, generate):
        if state.sample_id == problem:
            state.messages.append(ChatMessageUser(content="Are you sure?"))
            return await generate(state)
        return state

    return solve


def build_sums() -> Task:
    """Return sums in four epochs, of which one fails, with two scorers."""
    samples = [
        Sample(id=f"sum-{i}", input=f"What is {a} + {b}? Answer with one short sentence.", target=str(a + b))
        for i, (a, b) in enumerate(SUMS, start=1)
    ]
    return Task(
        name="sums",
        dataset=MemoryDataset(samples, name="sums"),
        solver=[generate(), fail_at("sum-2", 3)],
        scorer=[match(numeric=True), closeness()],
        epochs=4,
        fail_on_error=False,
    )


def build_thinking() -> Task:
    """Return problems that `think_aloud` answers, in two epochs, of which one fails."""
    samples = [Sample(id=name, input=f"{name}: what is 6 + 7?", target="13") for name in USAGES]
    return Task(
        name="thinking",
        dataset=MemoryDataset(samples, name="thinking"),
        solver=[generate(), ask_again("twice"), fail_at("cached", 2)],
        scorer=match(numeric=True),
        epochs=2,
        fail_on_error=False,
    )


def think_aloud(messages, tools, tool_choice, config) -> ModelOutput:
    """Answer as the tool's own test double of a model: reasoning, a sentence, and the usage of the problem."""
    name = messages[0].text.partition(":")[0]
    answer = "The sum is 14." if name == "outside" else "The sum is 13."
    content = [ContentReasoning(reasoning="Six and seven; or is it 12?"), ContentText(text=answer)]
    message = ChatMessageAssistant(content=content, source="generate")
    choice = ChatCompletionChoice(message=message, stop_reason="stop")
    return ModelOutput(model="mockllm", choices=[choice], usage=USAGES[name])


def remove_tracebacks(log: EvalLog) -> EvalLog:
    """Replace the tracebacks in a log by the texts of their errors."""
    for sample in log.samples or []:
        errors = [sample.error, *(event.error for event in sample.events if event.event == "error")]
        for error in errors:
            if error is not None:
                error.traceback = error.traceback_ansi = error.message
    return log


def write_both_formats(log: EvalLog) -> None:
    """Write a log as .eval and as .json, under the name that the tool gave it."""
    name = os.path.basename(log.location).removesuffix(".eval")
    log = remove_tracebacks(read_eval_log(log.location))
    if log.eval.task == "thinking":
        doubted = [s.uuid for s in log.samples or [] if (s.id, s.epoch) == ("inside", 2) and s.uuid]
        log = invalidate_samples(log, doubted, ProvenanceData(author="reader", reason="doubted"))
    write_eval_log(log, f"inspect-ai/{name}.eval")
    for sample in log.samples or []:
        sample.events = []
    write_eval_log(log, f"inspect-ai/{name}.json")


def write_logs(url: str) -> None:
    """Run both evaluations."""
    os.environ |= {"LOOPBACK_BASE_URL": url, "LOOPBACK_API_KEY": "none"}
    shared = {"log_dir": "raw", "log_format": "eval", "display": "plain"}
    served, double = f"openai-api/loopback/{SERVED_MODEL}", get_model("mockllm/model", custom_outputs=think_aloud)
    logs = [
        *inspect_ai.eval(
            build_sums(), model=served, temperature=0.8, max_tokens=32, max_connections=4, max_retries=3, **shared
        ),
        *inspect_ai.eval(build_thinking(), model=double, **shared),
    ]
    for log in logs:
        if log.status != "success":
            raise SystemExit(f"inspect_ai ended with the status {log.status}: {log.error}")
        write_both_formats(log)


if __name__ == "__main__":
    write_logs(sys.argv[1])
