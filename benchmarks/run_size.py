"""Time and peak memory of reading runs of 1 to 100 million verifications, drawn against their rows.

    python -m benchmarks.run_size measure FOLDER [SHAPE …] [STEP …]
    python -m benchmarks.run_size draw

`measure` writes synthetic runs into the folder, where they stay. A shape is a number of problems, of solutions of each
and of verifications of each solution, such as 500x64x32. If none is given, they are those of `SERIES`, in which the
last number grows. It takes these steps, or those that are named, with each of them in a process of its own:

- fit: `isocompute fit`, from the check of the run to the profile's file;
- check: `isocompute check`;
- resume: what a sweep does before its first request, the check included;
- runs: `isocompute runs`.

Compiled loops are kept on disk, so a small run is fitted first, or the first fit would compile them. The results are
docs/run_size.csv, from which `draw` makes the figure and the table of docs/run_size.md.
"""

from __future__ import annotations

import csv
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.synthetic_runs import write_synthetic_run

if TYPE_CHECKING:
    import pandas as pd

Shape = tuple[int, int, int]
SERIES: dict[str, tuple[Shape, ...]] = {
    "500 × 16 × V": tuple((500, 16, each) for each in (128, 1280, 12500)),
    "500 × 64 × V": tuple((500, 64, each) for each in (32, 320, 3125)),
}
"""From V = 128 on all runs of the first have the same estimates, so that only the rows grow. In the second they end at
smaller V where there are fewer verifications."""
STYLES = ("-", "--")
SMALL_SHAPE = (12, 8, 4)
RESULTS, PAGE = Path("docs/run_size.csv"), Path("docs/run_size.md")
SHAPE_COLUMNS = ("problems", "solutions", "verifications")
COLUMNS = ("step", *SHAPE_COLUMNS, "rows", "processor_seconds", "megabytes")


def fit(folder: str) -> None:
    from isocompute.planner.estimate.fitting import fit_profile

    with tempfile.TemporaryDirectory() as target:
        fit_profile(folder, "synthetic").write(f"{target}/profile.json")


def check(folder: str) -> None:
    from isocompute.runners.storage.check import check_run
    from isocompute.runners.storage.run import Run

    assert check_run(Run(folder)).is_whole


def resume(folder: str) -> None:
    """Do all that a sweep does before its first request, of a run that lacks nothing."""
    from isocompute.runners.config.sweep import Sweep
    from isocompute.runners.display import SilentDisplay
    from isocompute.runners.grading import Grader
    from isocompute.runners.sampling.sampler import Sampler
    from isocompute.runners.storage.check import set_aside_stray_judgements
    from isocompute.runners.storage.provenance import extract_origin
    from isocompute.runners.storage.run import Run
    from isocompute.runners.storage.schema import PROBLEMS_TABLE
    from isocompute.runners.tasks import Problem

    run = Run(folder)
    with run.lock():
        set_aside_stray_judgements(run)
        names = [name for (name,) in sorted(run.read_keys(PROBLEMS_TABLE))]
        problems = [Problem(name, "lab", f"What is {i}?", "0") for i, name in enumerate(names)]
        config = extract_origin(run.read_manifest(), folder)
        assert isinstance(config, Sweep)
        grader = Grader("lab", "lab/1", lambda text: None, lambda answer: answer)
        sampler = Sampler(config, run, problems, {}, grader, SilentDisplay(), refuse_model, refuse_model)
        assert sampler.sample_missing_rows().sampled == 0


def refuse_model(*arguments: object, **options: object) -> object:
    raise AssertionError("nothing is missing, so no model is needed")


def survey(folder: str) -> None:
    from isocompute.runners.storage.progress import measure_run_progress
    from isocompute.runners.storage.run import Run

    assert measure_run_progress(Run(folder)).verifications.done


STEPS: dict[str, Callable[[str], None]] = {
    "fit": fit,
    "check": check,
    "resume": resume,
    "runs": survey,
}


def measure_step(step: str, folder: str) -> dict[str, float]:
    """Return the processor's seconds and the peak memory of a step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.run_size", "step", step, folder]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def run_step(step: str, folder: str) -> None:
    STEPS[step](folder)
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "processor_seconds": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss / 1024,
    }
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))


def measure(folder: str, shapes: Sequence[Shape], steps: Sequence[str]) -> None:
    """Measure steps on runs of some shapes; earlier results of other shapes and steps stay in the file."""
    if "fit" in steps:
        measure_step("fit", write_run(folder, SMALL_SHAPE))
    for shape in shapes:
        path, key = write_run(folder, shape), dict(zip(SHAPE_COLUMNS, map(str, shape), strict=True))
        for step in steps:
            figures = {name: str(value) for name, value in measure_step(step, path).items()}
            add_result({"step": step, **key, "rows": str(math.prod(shape)), **figures})


def write_run(folder: str, shape: Shape) -> str:
    """Write a synthetic run unless it is there, and return its path."""
    path = f"{folder}/{'x'.join(map(str, shape))}"
    if not os.path.exists(path):
        write_synthetic_run(path, *shape)
    return path


def add_result(row: dict[str, str]) -> None:
    """Write a result into the file, in the place of an earlier one of the same step and shape."""

    def order(each: dict[str, str]) -> tuple[int, ...]:
        return list(STEPS).index(each["step"]), *(int(each[name]) for name in ("rows", *SHAPE_COLUMNS))

    rows = {}
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            rows = {order(each): each for each in csv.DictReader(file)}
    rows[order(row)] = row
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows))


def list_cells(table: pd.DataFrame) -> list[list[str]]:
    """Return the rows of the page's table: shape, million verifications, then seconds and memory of each step."""
    rows = []
    for shape, group in table.groupby([*SHAPE_COLUMNS]):
        found = {row.step: f"{row.processor_seconds:,.0f} s, {row.megabytes:,.0f} MB" for row in group.itertuples()}
        sizes = " × ".join(f"{size:,}" for size in shape)
        rows.append([sizes, f"{math.prod(shape) / 1e6:,.1f}", *(found.get(step, "not run") for step in STEPS)])
    return rows


def replace_table(page: str, rows: list[list[str]]) -> str:
    """Return a page with other rows in its first table."""
    start = page.index("\n", page.index("|--:|")) + 1
    end = page.index("\n\n", start - 1) + 1
    return page[:start] + "".join(f"| {' | '.join(row)} |\n" for row in rows) + page[end:]


def draw() -> None:
    """Draw the results: time on logarithmic axes, where a line of slope 1 is linear, and peak memory."""
    import pandas as pd

    from isocompute.figures.style import get_figure, prepare_axes, render_file

    table = pd.read_csv(RESULTS)
    PAGE.write_text(replace_table(PAGE.read_text(), list_cells(table)))
    with prepare_axes(None, 2, (7.2, 3.2)) as panels:
        for ax, column, title in zip(
            panels, ("processor_seconds", "megabytes"), ("processor seconds", "peak memory, MB"), strict=True
        ):
            for i, (step, measured) in enumerate(table.groupby("step", sort=False)):
                shapes = measured[[*SHAPE_COLUMNS]].apply(tuple, axis=1)
                for (label, series), style in zip(SERIES.items(), STYLES, strict=True):
                    rows = measured[shapes.isin(series)]
                    if len(rows):
                        ax.plot(rows["rows"] / 1e6, rows[column], style, color=f"C{i}", marker="o", markersize=3,
                                label=f"{step}, {label}")  # fmt: skip
            ax.set(xscale="log", xlabel="million verifications", title=title)
            ax.grid(alpha=0.25, lw=0.5)
        panels[0].set_yscale("log")
        panels[1].set_ylim(0, None)
        panels[0].legend(frameon=False)
    for kind in ("png", "pdf"):
        Path(f"docs/run_size.{kind}").write_bytes(render_file(get_figure(panels[0]), f"run_size.{kind}"))


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "step":
        run_step(*arguments)
    elif what == "measure":
        words = [word.split("x") for word in arguments[1:] if word not in STEPS]
        shapes = [(int(problems), int(solutions), int(each)) for problems, solutions, each in words]
        steps = [step for step in STEPS if step in arguments] or list(STEPS)
        measure(arguments[0], shapes or list(dict.fromkeys(chain(*SERIES.values()))), steps)
    else:
        draw()
