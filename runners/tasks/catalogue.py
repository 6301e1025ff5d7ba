"""The tasks that come with isocompute, and how one is loaded: what is asked, who grades it, and where it came from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from isocompute.errors import ConfigError
from isocompute.registry import load_object
from isocompute.runners.config.tasks import TASKS, BenchmarkTask, FileTask, GymTask, LabTask, TaskBlock, TaskEntry
from isocompute.runners.tasks.files import file_problems, read
from isocompute.runners.tasks.gym import GENERATORS, gym_problems, library, library_seed
from isocompute.runners.tasks.hub import SOURCES, digest, hub_problems
from isocompute.runners.tasks.lab import lab_problems
from isocompute.runners.tasks.problem import Columns, Problem


@dataclass(frozen=True)
class Task:
    """A task as a sweep runs it.

    Args:
        problems: what is asked, with the right answers as the task gives them.
        grader: name of what grades the answers.
        origin: where the problems came from, for the manifest: dataset and revision, file hash, or library and seed.
    """

    problems: list[Problem]
    grader: str
    origin: dict[str, Any]


def load(task: TaskBlock | FileTask) -> Task:
    """Load the problems that a sweep's task block asks for.

    Raises:
        ConfigError: what it names is not there, needs a library that is not installed, or has fewer problems.
        DataError: what is there does not hold what it should.
    """
    if isinstance(task, FileTask):
        return load_file(task)
    entry = TASKS.find(task.name)
    with TASKS.blaming(task.name):
        loaded: Task = load_object(entry.loader)(task)
        return loaded


def load_lab(task: LabTask) -> Task:
    """Make problems of the lab."""
    return Task(lab_problems(task.problems, task.levels, task.seed), "boxed-number", {})


def load_generated(task: GymTask) -> Task:
    """Make problems by a generator of reasoning-gym."""
    problems = gym_problems(task.generator, task.problems, task.seed, task.options)
    origin = {"library": library(), "library_seed": library_seed(task.generator, task.seed)}
    return Task(problems, GENERATORS[task.generator], origin)


def load_benchmark(task: BenchmarkTask) -> Task:
    """Read problems of a benchmark on the hub."""
    source = SOURCES[task.name]
    problems = hub_problems(task.name, task.revision, task.seed)
    origin = {
        "dataset": source.path,
        "config": source.config,
        "split": source.split,
        "revision": task.revision or source.revision,
        "sha256": digest(problems),
    }
    return Task(first(problems, task.problems, task.name), source.grader, origin)


def load_file(task: FileTask) -> Task:
    """Read problems from a file."""
    columns = Columns(task.question, task.answer, task.name, task.subject, task.level, task.choices)
    problems = file_problems(task.path, columns, task.problems, task.seed)
    origin = {"sha256": sha256(read(task.path)).hexdigest()}
    return Task(first(problems, task.problems, task.path), task.graded_by, origin)


def first(problems: list[Problem], count: int | None, where: str) -> list[Problem]:
    """Return the first problems.

    Raises:
        ConfigError: there are not that many.
    """
    if count is not None and count > len(problems):
        raise ConfigError(f"task.problems: {where} has {len(problems):,} problems, and {count:,} are asked for.")
    return problems[:count]


BLOCKS, HERE = "isocompute.runners.config.tasks", "isocompute.runners.tasks.catalogue"


def describe_benchmark(name: str) -> TaskEntry:
    """Return the entry of a benchmark on the hub."""
    source = SOURCES[name]
    return TaskEntry(
        f"{BLOCKS}:BenchmarkTask",
        f"{HERE}:load_benchmark",
        source.grader,
        source.path,
        source.licence,
        source.size,
        "datasets",
    )


MATH500, GSM8K, AIME24, AIME25, GPQA_DIAMOND = map(
    describe_benchmark, ("math500", "gsm8k", "aime24", "aime25", "gpqa-diamond")
)

LAB = TaskEntry(f"{BLOCKS}:LabTask", f"{HERE}:load_lab", "boxed-number", "generated", "Apache-2.0")

REASONING_GYM = TaskEntry(
    f"{BLOCKS}:GymTask",
    f"{HERE}:load_generated",
    " or ".join(sorted(set(GENERATORS.values()), reverse=True)),
    f"{len(GENERATORS)} generators",
    "Apache-2.0",
    extra="reasoning-gym",
)

FILE = TaskEntry(f"{BLOCKS}:FileTask", f"{HERE}:load_file", "as given", "JSON lines, CSV, Parquet", "yours")


def list_tasks() -> dict[str, TaskEntry]:
    """Return the tasks by name, and what a file of one's own is, without fetching any.

    >>> list(list_tasks())
    ['math500', 'gsm8k', 'aime24', 'aime25', 'gpqa-diamond', 'lab', 'reasoning-gym', 'path: FILE']
    """
    return {**TASKS, "path: FILE": FILE}


def generators() -> dict[str, list[str]]:
    """Return the generators of reasoning-gym that are taken, by their grader."""
    by_grader = defaultdict(list)
    for generator, grader in GENERATORS.items():
        by_grader[grader].append(generator)
    return dict(by_grader)
