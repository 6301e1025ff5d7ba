"""The regret of the planner's advice on the lab, on GPQA traces and on simulated worlds.

    python -m experiments.advice.regret [--splits 200] [--jobs 2]

Writes docs/regret.md. Finished splits are kept in runs/advice/regret.jsonl, so that a run that was stopped goes on;
splits of another version of the code are evaluated again. The GPQA traces are read from the folder
ISOCOMPUTE_SHARED_DATA, and left out if they are not there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from experiments.advice.regret_page import PAGE, write_page
from experiments.advice.worlds import SEED, draw_pool, draw_world
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.evaluation.measured_pool import MeasuredPool, measure_pool
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.evaluation.regret import evaluate_split
from isocompute.planner.evaluation.run_evaluation import measure_run, sort_problems
from isocompute.runners.imports import import_logged_run
from isocompute.runners.storage.run import Run

ROOT = Path(__file__).resolve().parents[2]
TRACES = Path(os.environ.get("ISOCOMPUTE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "gpqa64_llama70b_raw.npz"
ROWS = ROOT / "runs" / "advice" / "regret.jsonl"
WORLDS, WORLD_PROBLEMS = tuple(f"world-{number}" for number in range(1, 40, 2)), 200
WORLD_SPLITS = 10  # for 200 splits of a run: worlds differ more than the pilots of one world
CHUNK = 10  # splits that one process evaluates before they are saved
VERSIONED = ("fits", "planner", "experiments/advice/regret.py", "experiments/advice/worlds.py")

WIDE = PilotShape(60, 128, 64, 4), PilotShape(40, 64, 64, 8), PilotShape(20, 64, 64, 4)
SHAPES = {
    "lab": (*WIDE, PilotShape(10, 256, 64, 32)),
    "gpqa": (PilotShape(40, 64, 64, 4), PilotShape(24, 64, 64, 8), PilotShape(6, 128, 64, 32)),
    "world": (*WIDE, PilotShape(10, 256, 64, 16)),
}
"""The shapes of the pilots by kind of data; the last one keeps everything of a few problems."""

Split = tuple[str, PilotShape, int]
"""The data, the shape of the pilot and the number of the split."""


def list_splits(splits: int, data: Iterable[str]) -> list[Split]:
    """List the splits to evaluate, those of the same data together."""
    listed = []
    for name in data:
        kind = name.partition("-")[0]
        count = splits if kind != "world" else max(1, splits * WORLD_SPLITS // 200)
        listed += [(name, shape, split) for shape in SHAPES[kind] for split in range(count)]
    return listed


@lru_cache(maxsize=1)
def load_data(name: str) -> MeasuredPool:
    """Measure a run, or a simulated world by its number."""
    kind, _, number = name.partition("-")
    if kind == "world":
        world = draw_world(int(number))
        pool = draw_pool(world, WORLD_PROBLEMS, np.random.default_rng((SEED, world.number, 0)))
        return measure_pool(pool, world.lam)
    if kind == "lab":
        run = Run(str(ROOT / "data" / "runs" / "lab"))
        return measure_run(run, sort_problems(read_pool(run))).measured
    with tempfile.TemporaryDirectory() as folder:
        import_logged_run("sc-genrm-scaling", str(TRACES), f"{folder}/gpqa")
        run = Run(f"{folder}/gpqa")
        return measure_run(run, sort_problems(read_pool(run)), lam=1.0).measured  # λ = 1, as in the study


def evaluate_chunk(chunk: list[Split], version: str) -> list[dict[str, Any]]:
    """Evaluate some splits of the same data, each as a row.

    Args:
        chunk: the splits.
        version: the version of the code when it was loaded; files may change while it runs.
    """
    rows = []
    for name, shape, split in chunk:
        measured = load_data(name)
        regret = evaluate_split(measured, shape, split)
        rows.append(
            {
                "version": version,
                "data": name,
                "shape": list(vars(shape).values()),
                "split": split,
                "cost_share": measured.compute_cost_share(shape),
                "budgets": measured.budgets,
                "regret": {rule: np.round(values, 6).tolist() for rule, values in regret.items()},
            }
        )
    return rows


@lru_cache(maxsize=1)
def compute_version() -> str:
    """Return a digest of the code and the prior, on which the regret depends."""
    digest = hashlib.sha256()
    for name in VERSIONED:
        inside = sorted((ROOT / name).rglob("*.py")) + sorted((ROOT / name).rglob("*.json"))
        for path in inside or [ROOT / name]:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read_rows(file: Path) -> dict[Split, dict[str, Any]]:
    """Read the splits that this version of the code has evaluated; a line that was cut off is left out."""
    found: dict[Split, dict[str, Any]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if row["version"] == compute_version():
            found[row["data"], PilotShape(*row["shape"]), row["split"]] = row
    return found


def collect_rows(wanted: list[Split], file: Path, jobs: int) -> list[dict[str, Any]]:
    """Evaluate the splits that the file does not hold yet, save them, and return the rows of all."""
    known = read_rows(file)
    missing = [split for split in wanted if split not in known]
    chunks: list[list[Split]] = []
    for split in missing:
        if not chunks or len(chunks[-1]) == CHUNK or chunks[-1][-1][0] != split[0]:
            chunks.append([])
        chunks[-1].append(split)
    file.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs) as pool, file.open("a", encoding="utf-8") as saved:
        for rows in track(pool.map(evaluate_chunk, chunks, repeat(compute_version())), "splits", total=len(chunks)):
            # A line of its own first: the last run may have been stopped within a line.
            saved.write("".join(f"\n{json.dumps(row)}" for row in rows) + "\n")
            saved.flush()
    found = read_rows(file)
    return [found[split] for split in wanted]


def main() -> None:
    """Evaluate what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=200, help="pilots of each shape of the lab and of GPQA")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    data = ["lab", *(["gpqa"] if TRACES.is_file() else []), *WORLDS]
    write_page(PAGE, collect_rows(list_splits(given.splits, data), ROWS, given.jobs), given.splits)


if __name__ == "__main__":
    main()
