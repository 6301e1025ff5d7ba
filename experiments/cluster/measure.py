"""Measurements on this machine that the simulation takes, and the sweeps of real workers that it is checked against.

    nice python -m experiments.cluster.measure [driver] [doubles] [workers]

Writes experiments/cluster/measured.json; parts that are not named stay as they are. The doubles sleep as long as a
model would work, and burn no CPU. The workers are the lab's solver in vLLM, one thread each.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from heapq import heappop, heappush
from itertools import cycle
from operator import attrgetter
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from experiments.cluster.workload import LOGS, Workload, draw_workload
from isocompute.fits.laws.throughput import ThroughputLaw, fit_throughput
from isocompute.runners import engines, prompts, tasks
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.tasks import TaskConfig
from isocompute.runners.engines import Completion, Request, Sampling
from isocompute.runners.engines.affinity import ReplicaLoads
from isocompute.runners.engines.replicas import Replicas
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

MEASURED = Path(__file__).with_name("measured.json")
REPEATS = 5
DEALT_REPLICAS = (8, 64, 1000)
DOUBLES = (1, 2, 4, 8, 16)
DOUBLE_LAW = ThroughputLaw(0.01, 0.001, 1, 8, 0.0)
DOUBLE_SLOTS, DOUBLE_SECONDS_OF_SLEEP = 8, 0.004
DOUBLE_WORK = {"problems": 6, "solutions": 8, "verifications": 8, "tokens_per_request": 12}
WORKERS = (1, 2)
WORKER_SLOTS, FITTED = 16, (4, 16)
WORKER_PROBLEMS, WORKER_SOLUTIONS = 10, 12
WORKER_OPTIONS = {
    "dtype": "bfloat16",
    "max_model_len": 512,
    "block_size": 32,
    "enforce_eager": True,
    "distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor",
}


class EchoEngine:
    """A double that answers at once with texts of the logs."""

    def __init__(self, texts: dict[str, Iterator[tuple[str, int]]]) -> None:
        self.texts = texts

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Answer each request with the next text of its table."""
        while pending:
            request = pending.popleft()
            text, tokens = next(self.texts[request.key[0].name])
            yield request, Completion(text, 100, 0, tokens, "stop", started_at=time.time(), seconds=1.0)

    def close(self) -> None:
        """Do nothing."""


class SleepingCopy:
    """A double of a model with continuous batching, which sleeps as long as the model would work.

    Args:
        tokens: the tokens of each request.
    """

    in_flight = 2 * DOUBLE_SLOTS

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = tokens

    def run(self, pending: deque[int]) -> Iterator[tuple[int, None]]:
        """Answer each request when its tokens would be done."""
        running: list[tuple[float, int]] = []
        waiting: deque[int] = deque()
        count, since = 0.0, time.perf_counter()
        while pending or waiting or running:
            now = time.perf_counter()
            count += (now - since) / (DOUBLE_LAW.alone + DOUBLE_LAW.shared * len(running))
            since = now
            done = []
            while running and running[0][0] <= count:
                done.append(heappop(running)[1])
            while pending and len(waiting) + len(running) < self.in_flight:
                waiting.append(pending.popleft())
            while waiting and len(running) < DOUBLE_SLOTS:
                number = waiting.popleft()
                heappush(running, (count + self.tokens[number], number))
            for number in done:
                yield number, None
            if running:
                step = DOUBLE_LAW.alone + DOUBLE_LAW.shared * len(running)
                time.sleep(max(0.0, min(DOUBLE_SECONDS_OF_SLEEP, (running[0][0] - count) * step)))

    def close(self) -> None:
        """Do nothing."""


def measure_driver() -> dict[str, Any]:
    """Measure the CPU seconds of a row, graded and written, and of dealing one among several numbers of replicas."""
    run = Run(str(LOGS))
    texts = {
        table.name: list(
            run.read_frame(table, ["text", "completion_tokens"]).dropna().itertuples(index=False, name=None)
        )
        for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)
    }
    rows = {"solutions": (64, 0), "verifications": (8, 16)}
    seconds = {name: statistics.median(time_sweep(run, texts, S, V) for _ in range(3)) for name, (S, V) in rows.items()}
    problems = len(run.read_frame(PROBLEMS_TABLE, ["problem_id"]))
    solution = seconds["solutions"] / (problems * 64)
    verification = (seconds["verifications"] - 8 * problems * solution) / (problems * 8 * 16)
    return {
        "solution": solution,
        "verification": verification,
        "dealing": {str(replicas): time_dealing(replicas) for replicas in DEALT_REPLICAS},
    }


def time_sweep(run: Run, texts: dict[str, list[tuple[str, int]]], S: int, V: int) -> float:
    """Return the CPU seconds of a sweep whose model answers at once."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problems.jsonl"
        frame = run.read_frame(PROBLEMS_TABLE, ["question", "gold"]).rename(columns={"gold": "answer"})
        frame.to_json(file, orient="records", lines=True)
        model = {"model": "double/echo", "chat": False}
        config = Sweep.model_validate(
            {
                "run": f"{folder}/run",
                "task": {"path": str(file)},
                "engine": "openai",
                "solver": {**model, "prompt": "math-solve"},
                "solutions": S,
            }
            | ({"verifier": {**model, "prompt": "genrm-ft"}, "verifications": V} if V else {})
        )
        engine = EchoEngine({name: cycle(found) for name, found in texts.items()})
        begun = time.process_time()
        run_sweep(config, load=lambda *_, **__: engine, keep_going=True)
        return time.process_time() - begun


def time_dealing(replicas: int) -> float:
    """Return the CPU seconds that `Replicas` spends on an answer and on dealing the next request."""
    copies = [SleepingCopy([]) for _ in range(replicas)]
    dealer: Replicas[int] = Replicas(copies, lambda number: number // 32)
    loads, pending, steps = ReplicaLoads(dict.fromkeys(range(replicas), 0)), deque(range(10**6)), 20_000
    dealer._assign_requests(pending, loads)
    begun = time.process_time()
    for step in range(steps):
        replica = step % replicas
        loads.set_load(replica, loads.by_replica[replica] - 1)
        dealer._assign_requests(pending, loads)
    return (time.process_time() - begun) / steps


def time_doubles() -> dict[str, Any]:
    """Time a sweep through `Replicas` with doubles that sleep, in alternating order."""
    work = draw_workload(seed=1, **DOUBLE_WORK)
    return {"seconds": time_alternately(DOUBLES, lambda replicas: run_doubles(work, replicas))}


def run_doubles(work: Workload, replicas: int) -> float:
    """Return the seconds of a sweep on sleeping copies."""
    tokens = [*work.solutions.tolist(), *work.verifications.tolist()]
    first, V = len(work.solutions), len(work.verifications) // len(work.solutions)
    problem = first // len(work.questions)
    copies = Replicas(
        [SleepingCopy(tokens) for _ in range(replicas)],
        lambda number: -1 - number // problem if number < first else (number - first) // V,
    )
    pending, begun = deque(range(first)), time.perf_counter()
    for number, _ in copies.run(pending):
        if number < first:
            pending.extend(range(first + number * V, first + (number + 1) * V))
    return time.perf_counter() - begun


def time_workers() -> dict[str, Any]:
    """Fit the law of one worker, then time a sweep on one and on two, in alternating order."""
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    os.environ.update(environment)
    with ExitStack() as stack:
        copies = []
        for _ in range(max(WORKERS)):
            copies.append(engines.load_engine("vllm", "data/lab/solver", max_num_seqs=WORKER_SLOTS, **WORKER_OPTIONS))
            stack.callback(copies[-1].close)
        for copy in copies:
            run_workers([copy], "warm", 2)
        points = [fit_point(copies[0], at) for at in (*FITTED, *reversed(FITTED))]
        law = fit_throughput([at for at, _ in points], [seconds for _, seconds in points])
        lengths: dict[str, list[int]] = {}

        def time_some(workers: int) -> float:
            seconds, found = run_workers(copies[:workers], "timed", WORKER_SOLUTIONS)
            lengths[str(workers)] = found
            return seconds

        seconds = time_alternately(WORKERS, time_some)
    return {"law": vars(law), "lengths": lengths, "seconds": seconds}


def fit_point(copy: Any, at_once: int) -> tuple[int, float]:
    """Return seconds of a token with so many requests at work on a worker."""
    before, copy.in_flight = copy.in_flight, at_once
    seconds, lengths = run_workers([copy], f"fit {at_once}", max(2, 4 * at_once // WORKER_PROBLEMS))
    copy.in_flight = before
    return at_once, seconds * at_once / sum(lengths)


def run_workers(copies: list[Any], word: str, solutions: int) -> tuple[float, list[int]]:
    """Return the seconds of sampling solutions of the lab's problems on workers, and their tokens in order."""
    task = TypeAdapter(TaskConfig).validate_python({"name": "lab", "problems": WORKER_PROBLEMS, "seed": 11})
    text = prompts.load_prompt("lab-solve", needs=("question",))
    asked = deque(
        Request((i, j), text.fill(question=problem.question), derive_seed(0, word, i, j), Sampling(0.7, 1.0, 200))
        for i, problem in enumerate(tasks.load_task(task).problems)
        for j in range(solutions)
    )
    for copy in copies:
        copy.llm.reset_prefix_cache()
    begun = time.perf_counter()
    done = {
        request.key: completion.completion_tokens or 0
        for request, completion in Replicas(copies, attrgetter("prompt")).run(asked)
    }
    return time.perf_counter() - begun, [done[key] for key in sorted(done)]


def time_alternately(counts: Sequence[int], run: Callable[[int], float]) -> dict[str, list[float]]:
    """Return the seconds of each repeat by count; every second round goes backwards."""
    seconds: dict[str, list[float]] = {str(count): [] for count in counts}
    for repeat in range(REPEATS):
        for count in counts if repeat % 2 == 0 else reversed(counts):
            seconds[str(count)].append(run(count))
    return seconds


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "driver": measure_driver,
    "doubles": time_doubles,
    "workers": time_workers,
}


def main() -> None:
    named = sys.argv[1:] or list(PARTS)
    if unknown := set(named) - set(PARTS):
        sys.exit(f"'{min(unknown)}' is no part; the parts are {', '.join(PARTS)}.")
    measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    for name in named:
        load = os.getloadavg()[0]
        measured[name] = PARTS[name]() | {"load": [load, os.getloadavg()[0]], "cores": os.cpu_count()}
        MEASURED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
