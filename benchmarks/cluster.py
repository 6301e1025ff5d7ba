"""Speed of replicas on Ray against that of the same replicas without it: ratios of tokens/s, all measured in one run.

    python benchmarks/cluster.py [--engine sleeping|vllm] [--replicas 2] [--requests 2000] [--repeats 5]

sleeping: a double that gives each of its requests a token every `STEP_SECONDS` and burns no CPU, so that what Ray and
    the driver cost stands out.
vllm: a model in vLLM. Without Ray, `Replicas` keeps the copies in this process; their engines have their own processes.

The two sides of a pair run one after the other; the order alternates. Each pair gives a ratio; the median over pairs
and the range are printed. Prefix caches are off. Needs the extra ``ray``.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from operator import attrgetter

from rich.console import Console
from rich.table import Table

from isocompute.runners import engines
from isocompute.runners.cluster import open_cluster
from isocompute.runners.cluster.handle import ReplicaPlan
from isocompute.runners.cluster.loading import build_failed_completion
from isocompute.runners.cluster.pool import ReplicaPool
from isocompute.runners.cluster.resources import ReplicaShape
from isocompute.runners.engines import Completion, Engine, Request, Sampling
from isocompute.runners.engines.replicas import Replicas
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

BOUND = 0.95
STEP_SECONDS = 0.02


class SleepingEngine:
    """A test double of an engine: every request that it holds gets a token at each step.

    Args:
        in_flight: the most requests that it holds.
    """

    def __init__(self, in_flight: int = 256) -> None:
        self.in_flight = in_flight

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Work through the queue; a completion's length follows from its seed."""
        held: list[tuple[int, Request]] = []
        step, due = 0, time.perf_counter()
        while pending or held:
            while pending and len(held) < self.in_flight:
                request = pending.popleft()
                held.append((step + 1 + request.seed % request.sampling.max_tokens, request))
            due = max(due + STEP_SECONDS, time.perf_counter() - STEP_SECONDS)
            time.sleep(max(0.0, due - time.perf_counter()))
            step += 1
            ended = [request for end, request in held if end <= step]
            held = [(end, request) for end, request in held if end > step]
            for request in ended:
                count = 1 + request.seed % request.sampling.max_tokens
                yield request, Completion("word " * count, len(request.prompt), 0, count, "stop")

    def close(self) -> None:
        """Do nothing: it holds no memory."""


def make_benchmark_requests(count: int, max_tokens: int) -> list[Request]:
    rng, sampling = random.Random(20250401), Sampling(temperature=1.0, max_tokens=max_tokens)
    prompts = [
        f"Problem: Start with {rng.randint(2, 99)}, add {rng.randint(2, 99)}, times {rng.randint(2, 9)}.\nSolution:\n"
        for _ in range(max(1, count // 16))
    ]
    return [
        Request((SOLUTIONS_TABLE, str(i // 16), i % 16), prompts[i // 16 % len(prompts)], rng.getrandbits(63), sampling)
        for i in range(count)
    ]


def measure_engine_speed(engine: Engine, requests: list[Request]) -> float:
    start, tokens = time.perf_counter(), 0
    for _, completion in engine.run(deque(requests)):
        if completion.completion_tokens is None:
            sys.exit(f"a request failed: {completion.status}")
        tokens += completion.completion_tokens
    return tokens / (time.perf_counter() - start)


def load_both_sides(args: argparse.Namespace, stack: ExitStack) -> tuple[Engine, Engine]:
    """Load the replicas without Ray, and those on Ray."""
    cluster = stack.enter_context(open_cluster(f"local:{args.replicas}"))
    options = json.loads(args.options)
    here: Engine
    if args.engine == "sleeping":
        here = Replicas([SleepingEngine() for _ in range(args.replicas)], attrgetter("prompt"))
        loader, arguments, options = "cluster:SleepingEngine", (), {}
    else:
        here = engines.load_engine("vllm", args.model, replicas=args.replicas, **options)
        loader, arguments = "isocompute.runners.engines.registry:load_engine", ("vllm", args.model)
    stack.callback(here.close)
    plan = ReplicaPlan(
        "solver", loader, arguments, options, ReplicaShape(1, args.gpus),
        environment={"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    pool = ReplicaPool(
        plan, cluster, args.replicas, args.replicas, 60.0, 3600.0, build_failed_completion, lambda line: None
    )
    stack.callback(pool.close)
    while sum(replica.is_open for replica in pool.replicas) < args.replicas:
        list(pool.run(deque(make_benchmark_requests(args.replicas, 1))))
    return here, pool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["sleeping", "vllm"], default="sleeping")
    parser.add_argument("--model", default="data/lab/solver", help="checkpoint folder or hub name")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of a replica")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--max-tokens", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5, help="pairs")
    parser.add_argument(
        "--options",
        default='{"dtype": "bfloat16", "max_model_len": 512, "max_num_seqs": 128, "block_size": 32, '
        '"enforce_eager": true, "enable_prefix_caching": false}',
        help="arguments of vLLM, as JSON",
    )
    args = parser.parse_args()
    requests = make_benchmark_requests(args.requests, args.max_tokens)
    with ExitStack() as stack:
        here, on_ray = load_both_sides(args, stack)
        speeds: list[tuple[float, float]] = []
        for i in range(-1, args.repeats):
            order = (here, on_ray) if i % 2 else (on_ray, here)
            timed = {id(side): measure_engine_speed(side, requests) for side in order}
            if i >= 0:  # the first pair warms up
                speeds.append((timed[id(here)], timed[id(on_ray)]))
    ratios = sorted(ours / peer for peer, ours in speeds)
    peer, ours = (statistics.median(column) for column in zip(*speeds, strict=True))
    title = f"{args.replicas} replicas of '{args.engine}', {args.requests} requests of at most {args.max_tokens} tokens"
    table = Table(title=f"{title}, {args.repeats} pairs")
    for column in ("without Ray tok/s", "on Ray tok/s", "ratio", "range", "bound"):
        table.add_column(column, justify="right")
    spread = f"{ratios[0]:.3f}–{ratios[-1]:.3f}"
    table.add_row(f"{peer:,.0f}", f"{ours:,.0f}", f"{statistics.median(ratios):.3f}", spread, f"≥ {BOUND:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
