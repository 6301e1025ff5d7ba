"""The cost of `isocompute serve` itself: the calls through it beside the same calls made directly.

    python benchmarks/serve.py [--seconds 120] [--clients 64] [--solutions 1] [--repeats 5]

The server behind is a double, so named, which answers each call in half a second, 70 chunks of it in ten pieces. Each
client asks again as soon as it has its answer. Through the endpoint a request is one of ``--solutions`` samples and a
vote; directly it is as many calls side by side by the same client library. The two alternate; the ratio of calls a
second is printed for each pair, with its median and range, and the endpoint's CPU time a call and its memory.

``--clients-library`` compares client libraries for the calls to the server behind instead: CPU time a call of each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

CALL_SECONDS = 0.5
TOKENS, PIECES = 70, 10
GOALS = {"ratio": 0.95, "milliseconds": 2.0}


def run_upstream_double(port: int) -> None:
    """Serve a double of an OpenAI-compatible server."""
    import uvicorn

    head = {"id": "double", "object": "chat.completion.chunk", "created": 1, "model": "double"}

    def encode(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"

    words = ["word "] * (TOKENS - 1) + ["\\boxed{7}"]
    chunks = [encode([{"index": 0, "delta": {"content": word}, "finish_reason": None}]) for word in words]
    end = encode([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    end += encode([], usage={"prompt_tokens": 20, "completion_tokens": TOKENS, "total_tokens": 20 + TOKENS})
    end += b"data: [DONE]\n\n"
    message = {"role": "assistant", "content": "".join(words)}
    whole = json.dumps({**head, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
    models = json.dumps({"object": "list", "data": [{"id": "double", "object": "model"}]}).encode()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asked = b""
        while (message := await receive()).get("more_body"):
            asked += message["body"]
        is_list = scope["path"] == "/v1/models"
        if not is_list and b'"stream": true' not in asked + message.get("body", b""):
            await asyncio.sleep(CALL_SECONDS)
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
            )
            await send({"type": "http.response.body", "body": whole})
            return
        kind = b"application/json" if is_list else b"text/event-stream"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        if not is_list:
            for i in range(PIECES):
                await asyncio.sleep(CALL_SECONDS / PIECES)
                piece = b"".join(chunks[i * TOKENS // PIECES : (i + 1) * TOKENS // PIECES])
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": models if is_list else end})

    uvicorn.run(answer, port=port, log_level="warning", access_log=False, backlog=4096)


@contextmanager
def run_endpoint(upstream: str, port: int, solutions: int, profile: str = "llama-3.1-8b-math") -> Iterator[int]:
    """Run `isocompute serve`, and give its process id."""
    command = [sys.executable, "-m", "isocompute", "serve", "--profile", profile, "--port", str(port)]
    command += ["--url", upstream, "--grader", "boxed-number", "--calls", "4096"]
    command += ["--budget", f"{solutions}x"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until_up(port)
        yield running.pid
    finally:
        running.terminate()
        running.wait()


def wait_until_up(port: int) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"nothing came up at port {port}")


async def send_calls(port: int, seconds: float, clients: int, calls: int, body: dict[str, Any]) -> float:
    """Return the calls a second of `clients`, each with `calls` at once."""
    content = json.dumps(body).encode()
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    done = 0
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": "application/json"}) as session:

        async def send() -> None:
            async with session.post(url, data=content) as answer:
                text = await answer.read()
                if answer.status != 200 or b"choices" not in text:
                    sys.exit(f"HTTP {answer.status}: {text[:300]!r}")

        async def ask_again(ends: float) -> None:
            nonlocal done
            while time.monotonic() < ends:
                await asyncio.gather(*(send() for _ in range(calls)))
                done += calls

        begun = time.monotonic()
        await asyncio.gather(*(ask_again(begun + seconds) for _ in range(clients)))
        return done / (time.monotonic() - begun)


def read_process(pid: int) -> tuple[float, float]:
    """Return the CPU seconds and the resident megabytes of a process."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/status") as file:
        resident = re.search(r"VmRSS:\s+(\d+)", file.read())
    assert resident is not None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(resident[1]) / 1024


def compare_directly(args: argparse.Namespace) -> None:
    """Print throughput, CPU time and memory."""
    message = [{"role": "user", "content": "What is 3 + 4?"}]
    direct = {"model": "double", "messages": message, "stream": True}
    options = {"policy": "off"} if args.off else {}
    through = {"model": "double", "messages": message, "isocompute": options, "stream": args.stream}
    table = Table("pair", "directly (calls/s)", "through (calls/s)", "ratio", "CPU ms a call", "memory (MB)")
    ratios, costs, memory = [], [], []
    with run_endpoint(f"http://127.0.0.1:{args.port}/v1", args.port + 1, args.solutions) as pid:
        asyncio.run(send_calls(args.port + 1, 2.0, args.clients, 1, through))  # warm
        for pair in range(args.repeats):
            rates = {}
            for side in ("direct", "through") if pair % 2 == 0 else ("through", "direct"):
                if side == "direct":
                    work = send_calls(args.port, args.seconds, args.clients, args.solutions, direct)
                    rates[side] = asyncio.run(work)
                    continue
                before, _ = read_process(pid)
                begun = time.monotonic()
                work = send_calls(args.port + 1, args.seconds, args.clients, 1, through)
                rates[side] = asyncio.run(work) * args.solutions
                calls = rates[side] * (time.monotonic() - begun)
                after, resident = read_process(pid)
                costs.append(1000 * (after - before) / calls)
                memory.append(resident)
            ratios.append(rates["through"] / rates["direct"])
            numbers = rates["direct"], rates["through"], ratios[-1], costs[-1], memory[-1]
            table.add_row(str(pair + 1), *(f"{number:.3g}" for number in numbers))
    console = Console()
    console.print(table)
    for name, values, goal in (("ratio", ratios, GOALS["ratio"]), ("CPU ms a call", costs, GOALS["milliseconds"])):
        console.print(
            f"{name}: median {statistics.median(values):.3f}, from {min(values):.3f} to {max(values):.3f}; goal {goal}"
        )
    console.print(f"memory: {memory[0]:.0f} MB after the first pair, {memory[-1]:.0f} MB after the last")


def compare_libraries(args: argparse.Namespace) -> None:
    """Print the CPU time a call of client libraries, each of which reads the stream in pieces."""
    import httpx

    content = json.dumps({"model": "double", "messages": [{"role": "user", "content": "x"}], "stream": True}).encode()
    url, headers = f"http://127.0.0.1:{args.port}/v1/chat/completions", {"Content-Type": "application/json"}

    async def time_aiohttp() -> int:
        done, ends = 0, time.monotonic() + args.seconds
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def ask_again() -> None:
                nonlocal done
                while time.monotonic() < ends:
                    async with session.post(url, data=content, headers=headers) as answer:
                        async for _ in answer.content.iter_any():
                            pass
                    done += 1

            await asyncio.gather(*(ask_again() for _ in range(args.clients)))
        return done

    async def time_httpx() -> int:
        done, ends = 0, time.monotonic() + args.seconds

        async def ask_again() -> None:
            nonlocal done
            async with httpx.AsyncClient(timeout=60) as client:  # one each: a shared pool slows down with its size
                while time.monotonic() < ends:
                    async with client.stream("POST", url, content=content, headers=headers) as answer:
                        async for _ in answer.aiter_raw():
                            pass
                    done += 1

        await asyncio.gather(*(ask_again() for _ in range(args.clients)))
        return done

    for name, work in (("aiohttp", time_aiohttp), ("httpx", time_httpx)):
        before = time.process_time()
        calls = asyncio.run(work())
        print(f"{name}: {1000 * (time.process_time() - before) / calls:.2f} CPU ms a call, {calls} calls")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each side of each pair")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--solutions", type=int, default=1, help="samples of a request")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--port", type=int, default=8490)
    parser.add_argument("--off", action="store_true", help="pass requests through")
    parser.add_argument("--stream", action="store_true", help="ask the endpoint for streams")
    parser.add_argument("--clients-library", action="store_true")
    args = parser.parse_args()
    double = multiprocessing.get_context("spawn").Process(target=run_upstream_double, args=(args.port,), daemon=True)
    double.start()
    try:
        wait_until_up(args.port)
        compare_libraries(args) if args.clients_library else compare_directly(args)
    finally:
        double.terminate()
        double.join()


if __name__ == "__main__":
    main()
