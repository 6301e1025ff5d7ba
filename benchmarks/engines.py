"""Speed of the engines against that of the libraries under them: ratios of tokens/s, all measured in one run.

    python benchmarks/engines.py [--only vllm|openai] [--model data/lab/solver] [--requests 2000] [--repeats 5]

vllm: `VLLMEngine.run` beside a bare ``LLM.generate`` of the same vLLM, on the same requests, all at once.
openai: `ServerClient.run` beside the server's own benchmark (``vllm bench serve``), against one vLLM server, on the
    same prompts with the same sampling, the same bound on requests in flight, and an equal number of tokens each.

The two sides of a pair run one after the other; the order alternates. Each pair gives a ratio; the median over pairs
and the range are printed. Prefix caches are emptied or off, so the second side has no advantage.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from isocompute.runners import engines
from isocompute.runners.engines import Engine, Request, Sampling

BOUNDS = {"vllm": 0.95, "openai": 0.9}
BENCH = """
from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = FlexibleArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""

Measure = Callable[[], float]
"""Runs all requests once and returns tokens/s."""


def make_benchmark_requests(count: int, sampling: Sampling) -> list[Request]:
    rng = random.Random(20250401)
    prompts = (
        f"Problem: Start with {rng.randint(2, 99)}, add {rng.randint(2, 99)}, times {rng.randint(2, 9)}, "
        f"minus {rng.randint(2, 99)}, add {rng.randint(2, 99)}.\nSolution:\n"
        for _ in range(count)
    )
    return [Request((i,), prompt, rng.getrandbits(63), sampling) for i, prompt in enumerate(prompts)]


def measure_engine_speed(engine: Engine, requests: list[Request]) -> float:
    start, tokens = time.perf_counter(), 0
    for _, completion in engine.run(deque(requests)):
        if completion.completion_tokens is None:
            sys.exit(f"a request failed: {completion.status}")
        tokens += completion.completion_tokens
    return tokens / (time.perf_counter() - start)


@contextmanager
def prepare_vllm(args: argparse.Namespace) -> Iterator[tuple[Measure, Measure]]:
    from isocompute.runners.engines.vllm import VLLMEngine, build_sampling_params

    engine = VLLMEngine(args.model, dtype=args.dtype, max_model_len=args.context, **json.loads(args.options))
    requests = make_benchmark_requests(args.requests, Sampling(temperature=1.0, max_tokens=args.max_tokens))
    prompts = [request.prompt for request in requests]
    samplings = [build_sampling_params(request.sampling, request.seed) for request in requests]

    def measure_bare_vllm() -> float:
        engine.llm.reset_prefix_cache()
        start = time.perf_counter()
        outputs = engine.llm.generate(prompts, samplings, use_tqdm=False)
        return sum(len(output.outputs[0].token_ids) for output in outputs) / (time.perf_counter() - start)

    def measure_engine() -> float:
        engine.llm.reset_prefix_cache()
        return measure_engine_speed(engine, requests)

    try:
        yield measure_bare_vllm, measure_engine
    finally:
        engine.close()


@contextmanager
def prepare_openai(args: argparse.Namespace) -> Iterator[tuple[Measure, Measure]]:
    # One seed for all, because the benchmark has one body for all requests. Each text has the greatest length.
    same = {"ignore_eos": True, "seed": 0}
    requests = make_benchmark_requests(args.requests, Sampling(temperature=1.0, max_tokens=args.max_tokens))
    with tempfile.TemporaryDirectory() as folder, run_server(args, Path(folder) / "log") as url:
        data, result = Path(folder) / "requests.jsonl", Path(folder) / "result.json"
        data.write_text("".join(json.dumps({"prompt": request.prompt}) + "\n" for request in requests))
        engine = engines.load_engine("openai", "model", urls=[f"{url}/v1"], concurrency=args.concurrency, extra=same)
        command = [sys.executable, "-c", BENCH, "--base-url", url, "--backend", "openai"]
        command += ["--model", args.model, "--served-model-name", "model", "--disable-tqdm"]
        command += ["--dataset-name", "custom", "--dataset-path", str(data), "--num-prompts", str(args.requests)]
        command += ["--disable-shuffle", "--skip-chat-template", "--custom-output-len", str(args.max_tokens)]
        command += ["--max-concurrency", str(args.concurrency), "--temperature", "1.0", "--top-p", "1.0"]
        command += ["--extra-body", json.dumps(same), "--save-result", "--result-filename", str(result)]

        def measure_server_benchmark() -> float:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"the server's benchmark failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
            report = json.loads(result.read_text())
            due = args.requests * args.max_tokens
            if report["total_output_tokens"] != due:
                sys.exit(f"the server's benchmark got {report['total_output_tokens']} tokens instead of {due}")
            return float(report["output_throughput"])

        try:
            yield measure_server_benchmark, lambda: measure_engine_speed(engine, requests)
        finally:
            engine.close()


@contextmanager
def run_server(args: argparse.Namespace, log: Path) -> Iterator[str]:
    """Run vLLM's server of the model, without a prefix cache."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", port]
    command += ["--model", args.model, "--served-model-name", "model", "--dtype", args.dtype]
    command += ["--max-model-len", str(args.context), "--generation-config", "vllm", "--disable-uvicorn-access-log"]
    command += ["--no-enable-prefix-caching", "--no-enable-chunked-prefill"]
    command += ["--max-num-batched-tokens", str(max(8192, args.context))]
    for name, value in json.loads(args.options).items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            command.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            command += [f"--{flag}", str(value)]
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with log.open("wb") as output:
        running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        while True:
            if running.poll() is not None:
                sys.exit(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")
            with suppress(OSError), direct.open(f"{url}/health", timeout=5):
                break
            time.sleep(0.5)
        yield url
    finally:
        running.terminate()
        running.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(BOUNDS), help="measure one engine")
    parser.add_argument("--model", default="data/lab/solver", help="checkpoint folder or hub name")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5, help="pairs")
    parser.add_argument("--max-tokens", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=128, help="requests in flight at the server")
    parser.add_argument("--context", type=int, default=512, help="max_model_len")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument(
        "--options",
        default='{"max_num_seqs": 256, "block_size": 32, "enforce_eager": true}',
        help="further arguments of vLLM, as JSON",
    )
    args = parser.parse_args()
    for name, value in {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "2"}.items():
        os.environ.setdefault(name, value)
    title = f"{args.model}: {args.requests} requests of at most {args.max_tokens} tokens, {args.repeats} pairs"
    table = Table(title=title)
    for column in ("engine", "peer", "peer tok/s", "ours tok/s", "ratio", "range", "bound"):
        table.add_column(column, justify="left" if column in ("engine", "peer") else "right")
    for name, peer, pair in (("vllm", "LLM.generate", prepare_vllm), ("openai", "bench serve", prepare_openai)):
        if args.only not in (None, name):
            continue
        with pair(args) as (theirs, ours):
            theirs(), ours()  # to warm up
            speeds: list[tuple[float, float]] = []
            for i in range(args.repeats):
                order = (theirs, ours) if i % 2 == 0 else (ours, theirs)
                timed = {measure: measure() for measure in order}
                speeds.append((timed[theirs], timed[ours]))
        ratios = [mine / other for other, mine in speeds]
        other, mine = (statistics.median(column) for column in zip(*speeds, strict=True))
        low, high = min(ratios), max(ratios)
        ratio = f"{statistics.median(ratios):.3f}"
        table.add_row(
            name, peer, f"{other:.0f}", f"{mine:.0f}", ratio, f"{low:.3f}–{high:.3f}", f"≥ {BOUNDS[name]:.2f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
