r"""Accuracy, tokens and latency of `isocompute serve` beside another gateway, on the same problems and servers.

    python -m experiments.policies.gateways --url http://127.0.0.1:8101/v1 --serve '{"policy": "beta"}' \
      --its-hub PYTHON --hub '--algorithm beta --budget 16'

All sample from one vLLM server of the lab's solver, in turn, the same problems generated anew. ``--solve fixed`` or a
rule's name adds a run of `isocompute solve` at ``--budget``, which has no latency of a question. its_hub 1.2.0
runs in an environment of its own, whose interpreter is PYTHON, through its_hub_client.py. Tokens are those that the
servers counted themselves (``vllm:generation_tokens_total``), cancelled ones included. The lab's models have no chat
template, which its_hub needs: start the server with the one in CHAT_TEMPLATE.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from isocompute.planner.budget import Budget
from isocompute.planner.profile import read_profile
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.tasks.lab import make_lab_problems
from isocompute.runners.tasks.problem import Problem

LEVELS = [1, 2, 3, 4, 5]
PROMPT = "Problem: {question}\nSolution:\n"
CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
LONGEST_RUN_SECONDS = 900.0
CLIENT = Path(__file__).with_name("its_hub_client.py")


@dataclass(frozen=True)
class Outcome:
    """One problem under one gateway: whether the answer is right, the seconds if known, and its own fields."""

    right: bool
    seconds: float | None
    fields: dict[str, object]


def read_generated_tokens(url: str) -> float:
    """Return the tokens that a vLLM server has generated since its start."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return sum(map(float, re.findall(r"^vllm:generation_tokens_total\{[^}]*\} (\S+)", text, re.MULTILINE)))


@contextmanager
def run_endpoint(url: str, verifier: str | None, port: int, more: list[str]) -> Iterator[str]:
    """Run `isocompute serve`, and give its base URL."""
    command = [sys.executable, "-m", "isocompute", "serve", "--profile", "lab", "--url", url, "--port", str(port)]
    command += ["--grader", "boxed-number"] + ([] if verifier is None else ["--url", f"verifier={verifier}"]) + more
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        running.terminate()
        running.wait()


def ask_endpoint(base: str, problems: list[Problem], options: dict[str, object], width: int) -> list[Outcome]:
    """Ask every problem with the official client, `width` at a time."""
    import openai

    grader = load_grader_by_name("boxed-number")

    async def ask_all() -> list[Outcome]:
        gate = asyncio.Semaphore(width)
        async with openai.AsyncOpenAI(base_url=base, api_key="unused", max_retries=0, timeout=600) as client:

            async def ask(problem: Problem) -> Outcome:
                async with gate:
                    begun = time.perf_counter()
                    answer = await client.chat.completions.create(
                        model="lab",
                        messages=[{"role": "user", "content": problem.question}],
                        extra_body={"isocompute": options},
                    )
                    seconds = time.perf_counter() - begun
                text = answer.choices[0].message.content or ""
                own = (answer.model_extra or {})["isocompute"]
                return Outcome(grader.extract_answer(text) == problem.gold, seconds, own)

            return list(await asyncio.gather(*map(ask, problems)))

    return asyncio.run(ask_all())


def ask_its_hub(python: str, url: str, problems: list[Problem], options: list[str], width: int) -> list[Outcome]:
    """Ask every problem through its_hub, in its own environment."""
    rows = [{"prompt": PROMPT.format(question=problem.question), "question": problem.question} for problem in problems]
    command = [python, str(CLIENT), "--url", url, "--width", str(width), *options]
    try:
        done = subprocess.run(
            command, input=json.dumps(rows), capture_output=True, text=True, check=False, timeout=LONGEST_RUN_SECONDS
        )
    except subprocess.TimeoutExpired:
        print(f"its_hub {' '.join(options)}: no end within {LONGEST_RUN_SECONDS:g} s")
        return []
    if done.returncode:
        print(f"its_hub {' '.join(options)} failed:\n{done.stderr[-3000:]}")
        return []
    grader = load_grader_by_name("boxed-number")
    answers = json.loads(done.stdout.splitlines()[-1])
    return [
        Outcome(grader.extract_answer(row["text"]) == problem.gold, row["seconds"], row)
        for problem, row in zip(problems, answers, strict=True)
    ]


def solve_problems(urls: dict[str, str], problems: list[Problem], budget: str, policy: str) -> list[Outcome]:
    """Answer every problem with `isocompute solve`, by the models that the servers list.

    Args:
        urls: role → base URL.
        problems: the problems.
        budget: compute of a question.
        policy: ``fixed``, or a rule that the profile measured.
    """
    from isocompute.serving.approach import SolveRequest
    from isocompute.serving.solving import solve_questions

    profile = read_profile("lab")
    config: dict[str, Any] = {**(profile.sampling or {}), "engine": "openai"}
    for role in ("solver", "verifier"):
        known = config.pop(role)
        if role in urls:
            with urllib.request.urlopen(f"{urls[role]}/models", timeout=10) as answer:
                model = json.load(answer)["data"][0]["id"]
            size = getattr(profile.models.get(role), "parameters", None)
            config[role] = {**known, "model": model, "parameters": size, "options": {"urls": [urls[role]]}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "questions.jsonl")
        rows = ({"id": each.problem_id, "question": each.question, "answer": each.gold} for each in problems)
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        request = SolveRequest(
            str(path), str(Path(folder, "run")), profile, Budget.parse(budget),
            policy=None if policy == "fixed" else policy, config=config,
        )  # fmt: skip
        solved = solve_questions(request)
    return [Outcome(bool(each.correct), None, vars(each)) for each in solved.answers]


def describe_run(name: str, outcomes: list[Outcome], tokens: float) -> list[str]:
    """Return a row of the table."""
    right = [outcome.right for outcome in outcomes]
    seconds = [outcome.seconds for outcome in outcomes if outcome.seconds is not None]
    latencies = [f"{np.quantile(seconds, share):.2f} s" if seconds else "-" for share in (0.5, 0.95)]
    return [name, f"{100 * statistics.mean(right):.1f} %", f"{tokens / len(outcomes):,.0f}", *latencies]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--verifier")
    parser.add_argument("--its-hub", metavar="PYTHON")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--width", type=int, default=4, help="problems at a time")
    parser.add_argument("--port", type=int, default=8190)
    parser.add_argument("--endpoint", default="", help="more options of the endpoint, such as '--width 16'")
    parser.add_argument("--serve", action="append", default=[], help="JSON of the options of one run of the endpoint")
    parser.add_argument("--solve", action="append", default=[], help="fixed, or a rule, of one run of solve")
    parser.add_argument("--budget", default="16x", help="compute of a question of solve")
    parser.add_argument("--hub", action="append", default=[], help="options of one run of its_hub_client.py")
    args = parser.parse_args()
    problems = make_lab_problems(args.problems, LEVELS, args.seed)
    servers = [args.url] + ([] if args.verifier is None else [args.verifier])
    results: dict[str, list[Outcome]] = {}

    def measure_run(name: str, ask: Callable[[], list[Outcome]]) -> None:
        before = sum(map(read_generated_tokens, servers))
        outcomes = ask()
        time.sleep(1)  # until the last cancelled call has ended
        if outcomes:
            results[name] = outcomes
            tokens = sum(map(read_generated_tokens, servers)) - before
            print(" | ".join(describe_run(name, outcomes, tokens)), flush=True)

    print("gateway | accuracy | tokens a problem | p50 | p95")
    with run_endpoint(args.url, args.verifier, args.port, args.endpoint.split()) as base:
        for options in args.serve:
            measure_run(f"serve {options}", partial(ask_endpoint, base, problems, json.loads(options), args.width))
    urls = dict(zip(("solver", "verifier"), servers, strict=False))
    for policy in args.solve:
        measure_run(f"solve {policy}", partial(solve_problems, urls, problems, args.budget, policy))
    for options in args.hub:
        work = partial(ask_its_hub, args.its_hub, args.url, problems, options.split(), args.width)
        measure_run(f"its_hub {options}", work)
    for one, other in itertools.combinations(results, 2):
        gaps = np.array([a.right - b.right for a, b in zip(results[one], results[other], strict=True)], dtype=float)
        error = 1.96 * gaps.std(ddof=1) / np.sqrt(len(gaps))
        print(f"{one} minus {other}: {100 * gaps.mean():+.1f} ± {100 * error:.1f} points")


if __name__ == "__main__":
    main()
