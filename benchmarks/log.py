"""Speed and peak memory of a run of a million verifications: append, scan into a pool, check and survey.

    python benchmarks/log.py

500 problems × 64 solutions × 32 verifications with texts of about 100 bytes, written as a sweep writes them, one row
at a time, into parts of 50,000 rows and again into parts of 500, the size of a sweep's parts if it saves every few
seconds. Each step runs in a separate process. The bound is the time of pyarrow alone on the same rows: to write them
from a table in memory into one file, and to read the columns in question, or all, from that file.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.progress import measure_run_progress
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

P, S, V = 500, 64, 32
ROWS = P * S * V
SCANNED = [*VERIFICATIONS_TABLE.key_names, "verdict", "prompt_tokens", "cached_tokens", "completion_tokens", "status"]
SENTENCE = "so the sum of and is carry digit step first then times minus check right wrong since 4 7 12 38 47 85 510"
WORDS = SENTENCE.split()
TABLES = {"large parts": 50_000, "small parts": 500}


def make_verification_rows(problem: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(problem)
    words = np.array(WORDS)[rng.integers(0, len(WORDS), (S * V, 20))]
    yes, tokens = rng.random(S * V) < 0.6, rng.integers(20, 60, S * V)
    return [
        {
            "problem_id": f"math-{problem:03d}",
            "solution_id": i // V,
            "verification_id": i % V,
            "text": f"{' '.join(words[i])}\nCorrect? {'Yes' if yes[i] else 'No'}",
            "verdict": float(yes[i]),
            "p_yes": float(tokens[i] / 60),
            "prompt_tokens": 300 + i // V,
            "cached_tokens": 288 if i % V else 0,
            "completion_tokens": int(tokens[i]),
            "finish_reason": "stop",
            "status": "ok",
        }
        for i in range(S * V)
    ]


def make_solution_rows(problem: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(problem)
    for i, answer in enumerate(rng.integers(0, 6, S)):
        yield {
            "problem_id": f"math-{problem:03d}",
            "solution_id": i,
            "text": " ".join(rng.choice(WORDS, 60)),
            "answer": str(answer),
            "correct": bool(answer == 0),
            "prompt_tokens": 120,
            "cached_tokens": 112 if i else 0,
            "completion_tokens": 150,
            "finish_reason": "stop",
            "status": "ok",
        }


def write_run_start(run: Run) -> None:
    """Write all of a run but its verifications."""
    role = {"model": "a/model", "prompt": "lab-solve"}
    content = {
        "run": run.path,
        "task": {"name": "lab", "problems": P},
        "engine": "vllm",
        "solver": role,
        "verifier": role,
    }
    config = Sweep.model_validate({**content, "solutions": S, "verifications": V})
    run.write_manifest({"config": config.model_dump(mode="json")})
    names = [f"math-{problem:03d}" for problem in range(P)]
    problems, solved = run.open_writer(PROBLEMS_TABLE, 3600), run.open_writer(SOLUTIONS_TABLE, 3600)
    problems.add_rows({"problem_id": name, "task": "lab", "question": "…", "gold": "0"} for name in names)
    solved.add_rows(row for problem in range(P) for row in make_solution_rows(problem))
    problems.flush()
    solved.flush()


def append_verifications(folder: str, rows: int) -> float:
    run = Run(folder)
    write_run_start(run)
    writer, seconds = run.open_writer(VERIFICATIONS_TABLE, 3600, rows), 0.0
    for problem in range(P):
        made = make_verification_rows(problem)
        begun = time.perf_counter()
        for row in made:
            writer.add_rows([row])
        seconds += time.perf_counter() - begun
    begun = time.perf_counter()
    writer.flush()
    return seconds + time.perf_counter() - begun


def measure_call(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def write_bound(folder: str) -> float:
    parts = (
        pa.Table.from_pylist(make_verification_rows(problem), schema=VERIFICATIONS_TABLE.schema) for problem in range(P)
    )
    table = pa.concat_tables(parts).combine_chunks()
    return measure_call(lambda: pq.write_table(table, f"{folder}/bound.parquet"))


STEPS: dict[str, Callable[..., float]] = {
    "append": append_verifications,
    "scan": lambda folder: measure_call(lambda: read_pool(Run(folder))),
    "check": lambda folder: measure_call(lambda: check_run(Run(folder))),
    "survey": lambda folder: measure_call(lambda: measure_run_progress(Run(folder))),
    "pyarrow write": write_bound,
    "pyarrow read": lambda folder: measure_call(lambda: pq.read_table(f"{folder}/bound.parquet")),
    "pyarrow read columns": lambda folder: measure_call(
        lambda: pq.read_table(f"{folder}/bound.parquet", columns=SCANNED)
    ),
    "imports": lambda: 0.0,
}


def run_step(name: str, *arguments: object) -> tuple[float, float]:
    """Return the seconds and the peak memory, in MB, of a step in a separate process."""
    command = [sys.executable, __file__, name, json.dumps(arguments)]
    return tuple(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def main() -> None:
    table = Table(title=f"{ROWS:,} verifications")
    for heading in ("step", "seconds", "rows/s", "bound", "of the bound", "peak memory"):
        table.add_column(heading, justify="left" if heading in ("step", "bound") else "right")
    with tempfile.TemporaryDirectory() as folder:
        bounds = {name: run_step(name, folder) for name in ("pyarrow write", "pyarrow read", "pyarrow read columns")}
        for name, (seconds, peak) in bounds.items():
            table.add_row(name, f"{seconds:.2f}", f"{ROWS / seconds:,.0f}", "", "", f"{peak:,.0f} MB")
        for parts, rows in TABLES.items():
            table.add_section()
            run = f"{folder}/{rows}"
            done = {"append": run_step("append", run, rows)}
            done |= {name: run_step(name, run) for name in ("scan", "check", "survey")}
            bound = {"append": "pyarrow write", "check": "pyarrow read"}
            for name, (seconds, peak) in done.items():
                beside = bound.get(name, "pyarrow read columns")
                ratio = f"{seconds / bounds[beside][0]:.1f}×"
                cells = f"{seconds:.2f}", f"{ROWS / seconds:,.0f}", beside, ratio, f"{peak:,.0f} MB"
                table.add_row(f"{name}, {parts}", *cells)
    console = Console()
    console.print(table)
    console.print(f"Imports alone take {run_step('imports')[1]:,.0f} MB. Parts hold 50,000 rows, or 500.")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        seconds = STEPS[sys.argv[1]](*json.loads(sys.argv[2]))
        print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
