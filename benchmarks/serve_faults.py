"""The endpoint under load for minutes: what becomes of every request, its CPU time a call, and its memory over time.

    python benchmarks/serve_faults.py [--seconds 120] [--clients 64]
    python benchmarks/serve_faults.py --url http://127.0.0.1:8000/v1 --profile lab [--solutions 8]

The server behind is the double of the tests, half a second a call, which harms half of the calls: a tenth each are
dropped, delayed, refused with 429, answered with 500, and cut. In the middle it is killed, and started again two
seconds later. With ``--url`` it is a server of your own, and nothing is harmed. Every request has a number, which its
answer must repeat; each is counted by its HTTP status. The slope of the memory is that of a line through the second
half of the samples, one a second, with a 95 % interval by moving blocks of ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import sys
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.serve import read_process, run_endpoint, wait_until_up
from isocompute.runners.tasks.lab import make_lab_problems

DOWN_SECONDS = 2.0
BLOCK, DRAWS = 10, 1000


def run_harmful_double(port: int) -> None:
    """Serve the tests' double, which repeats a request's number and harms half of the calls."""
    from tests.serving.endpoint.upstream_double import UpstreamDouble

    def repeat_number(body: dict[str, Any], _: int) -> str:
        number = re.findall(r"number (\d+)", body["messages"][-1]["content"])[-1]
        return f"I was asked for a number and the answer is \\boxed{{{number}}}."

    UpstreamDouble(repeat_number, seconds=0.5, harm=UpstreamDouble.KINDS, port=port)
    while True:
        time.sleep(60)


async def ask_numbered(port: int, seconds: float, clients: int, questions: list[str], model: str) -> Counter[str]:
    """Return how many requests ended in each way: a status, ``another's answer``, or ``no response``."""
    ends: Counter[str] = Counter()
    number = 0
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(n: int) -> str:
            text = questions[n % len(questions)] if questions else f"Repeat the number {n}."
            body = {"model": model, "messages": [{"role": "user", "content": text}]}
            try:
                async with session.post(url, json=body) as answer:
                    said = json.loads(await answer.read())
            except (aiohttp.ClientError, ValueError) as error:
                return f"no response ({type(error).__name__})"
            if answer.status != 200:
                return f"HTTP {answer.status} {said['error']['code']}"
            content = said["choices"][0]["message"]["content"]
            return "HTTP 200" if questions or f"\\boxed{{{n}}}" in content else "another's answer"

        async def ask_again(until: float) -> None:
            nonlocal number
            while time.monotonic() < until:
                number += 1
                ends[await ask(number)] += 1

        until = time.monotonic() + seconds
        await asyncio.gather(*(ask_again(until) for _ in range(clients)))
    assert ends.total() == number
    return ends


def count_calls(port: int) -> float:
    """Return the calls that the endpoint has made, by its own metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return sum(map(float, re.findall(r"^isocompute_calls_total\{[^}]*\} (\S+)", text, re.MULTILINE)))


def estimate_slope(samples: list[float]) -> tuple[float, float, float]:
    """Return the slope of samples, one a second, in units a minute, with its 95 % interval."""
    times, values = np.arange(len(samples)), np.array(samples)
    slope, start = np.polyfit(times, values, 1)
    rest = values - (slope * times + start)
    rng, draws = np.random.default_rng(0), []
    for _ in range(DRAWS):
        starts = rng.integers(0, max(1, len(rest) - BLOCK), len(rest) // BLOCK + 1)
        noise = np.concatenate([rest[at : at + BLOCK] for at in starts])[: len(rest)]
        draws.append(np.polyfit(times[: len(noise)], (slope * times + start)[: len(noise)] + noise, 1)[0])
    low, high = np.quantile(draws, [0.025, 0.975])
    return 60 * float(slope), 60 * float(low), 60 * float(high)


async def measure_load(args: argparse.Namespace, pid: int, doubles: list[Any], start: Any) -> None:
    """Ask for a time, and print what came of it."""
    questions = [each.question for each in make_lab_problems(500, [1, 2, 3, 4, 5], seed=7)] if args.url else []
    memory: list[float] = []

    async def watch_memory() -> None:
        while True:
            memory.append(read_process(pid)[1])
            await asyncio.sleep(1)

    async def kill_double() -> None:
        await asyncio.sleep(args.seconds / 2)
        doubles[-1].kill()
        doubles[-1].join()
        await asyncio.sleep(DOWN_SECONDS)
        doubles.append(start())

    tasks = [asyncio.create_task(watch_memory())] + ([] if args.url else [asyncio.create_task(kill_double())])
    (cpu, _), calls, begun = read_process(pid), count_calls(args.port + 1), time.monotonic()
    ends = await ask_numbered(args.port + 1, args.seconds, args.clients, questions, args.model)
    seconds = time.monotonic() - begun
    cpu, calls = read_process(pid)[0] - cpu, count_calls(args.port + 1) - calls
    for task in tasks:
        task.cancel()
    slope, low, high = estimate_slope(memory[len(memory) // 2 :])
    print(f"{ends.total():,} requests in {seconds:.0f} s: {', '.join(f'{n:,} {end}' for end, n in ends.most_common())}")
    print(f"{calls:,.0f} calls, {calls / seconds:.0f} a second, {1000 * cpu / calls:.2f} CPU ms a call")
    print(f"memory {memory[0]:.0f} MB at the start, {memory[-1]:.0f} at the end; in the second half {slope:+.2f} MB a "
          f"minute ({low:+.2f} to {high:+.2f})")  # fmt: skip
    print(f"load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())} on {os.cpu_count()} cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--solutions", type=int, default=1, help="samples of a request")
    parser.add_argument("--port", type=int, default=8490)
    parser.add_argument("--url", help="a server of your own, which is not harmed")
    parser.add_argument("--model", default="double", help="the model's name there")
    parser.add_argument("--profile", default="llama-3.1-8b-math")
    args = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")

    def start() -> Any:
        double = spawn.Process(target=run_harmful_double, args=(args.port,), daemon=True)
        double.start()
        return double

    doubles = [] if args.url else [start()]
    upstream = args.url or f"http://127.0.0.1:{args.port}/v1"
    try:
        if not args.url:
            wait_until_up(args.port)
        with run_endpoint(upstream, args.port + 1, args.solutions, args.profile) as pid:
            asyncio.run(measure_load(args, pid, doubles, start))
    finally:
        for double in doubles:
            with suppress(ValueError):
                double.kill()


if __name__ == "__main__":
    main()
