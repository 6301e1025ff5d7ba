"""The tasks that come with isocompute, and their loading."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from isocompute.errors import ConfigError
from isocompute.registry import load_object
from isocompute.runners.config.tasks import TASKS, BenchmarkTask, FileTask, GymTask, LabTask, TaskBlock, TaskEntry
from isocompute.runners.grading.golds import choose_task_grader, extract_gold_answer
from isocompute.runners.tasks.files import read_file_problems, read_task_file
from isocompute.runners.tasks.gym import GENERATOR_GRADERS, derive_library_seed, describe_library, make_gym_problems
from isocompute.runners.tasks.hub import BENCHMARK_SOURCES, hash_problems, read_hub_problems
from isocompute.runners.tasks.lab import make_lab_problems
from isocompute.runners.tasks.problem import Problem, ProblemColumns


@dataclass(frozen=True)
class Task:
    """A task as a sweep runs it.

    Args:
        problems: the problems, with their right answers as the task gives them.
        grader: name of the grader.
        origin: the origin of the problems, for the manifest: dataset and revision, file hash, or library and seed.
    """

    problems: list[Problem]
    grader: str
    origin: dict[str, Any]


def load_task(task: TaskBlock | FileTask) -> Task:
    """Load the problems of a sweep's task block.

    Raises:
        ConfigError: the source does not exist, needs a library that is not installed, or has fewer problems.
        DataError: the source does not hold the expected data.
    """
    if isinstance(task, FileTask):
        return load_file_task(task)
    entry = TASKS.find(task.name)
    with TASKS.wrap_plugin_errors(task.name):
        loaded: Task = load_object(entry.loader)(task)
        return loaded


def load_lab_task(task: LabTask) -> Task:
    """Generate problems of the lab."""
    return Task(make_lab_problems(task.problems, task.levels, task.seed), "boxed-number", {})


def load_gym_task(task: GymTask) -> Task:
    """Generate problems with a generator of reasoning-gym."""
    problems = make_gym_problems(task.generator, task.problems, task.seed, task.options)
    origin = {"library": describe_library(), "library_seed": derive_library_seed(task.generator, task.seed)}
    return Task(problems, GENERATOR_GRADERS[task.generator], origin)


def load_benchmark_task(task: BenchmarkTask) -> Task:
    """Load problems of a benchmark on the hub."""
    source = BENCHMARK_SOURCES[task.name]
    problems = read_hub_problems(task.name, task.revision, task.seed)
    origin = {
        "dataset": source.path,
        "config": source.config,
        "split": source.split,
        "revision": task.revision or source.revision,
        "sha256": hash_problems(problems),
    }
    return Task(take_first_problems(problems, task.problems, task.name), source.grader, origin)


def load_file_task(task: FileTask) -> Task:
    """Load problems from a file.

    Raises:
        ConfigError, DataError: the file cannot be read, or its right answers are programs and no grader is named.
    """
    columns = ProblemColumns(
        task.question, task.answer, task.name, task.subject, task.level, task.choices, task.unanswered
    )
    problems = read_file_problems(task.path, columns, task.problems, task.seed)
    golds = [problem.gold for problem in problems if problem.gold is not None]
    grader = task.grader or ("letter" if task.choices else choose_task_grader(golds, task.path))
    if grader != "exact":  # a gold may be a whole solution that ends in its answer
        problems = [replace(p, gold=extract_gold_answer(p.gold) or p.gold) for p in problems]
    origin = {"sha256": sha256(read_task_file(task.path)).hexdigest()}
    return Task(take_first_problems(problems, task.problems, task.path), grader, origin)


def take_first_problems(problems: list[Problem], count: int | None, where: str) -> list[Problem]:
    """Return the first ``count`` problems; all if it is None.

    Raises:
        ConfigError: there are fewer.
    """
    if count is not None and count > len(problems):
        raise ConfigError(f"task.problems: {where} has {len(problems):,} problems, but {count:,} are requested.")
    return problems[:count]


TASK_BLOCKS_MODULE, TASK_LOADERS_MODULE = "isocompute.runners.config.tasks", "isocompute.runners.tasks.catalogue"


def describe_benchmark(name: str) -> TaskEntry:
    """Return the registry entry of a benchmark on the hub."""
    source = BENCHMARK_SOURCES[name]
    return TaskEntry(
        f"{TASK_BLOCKS_MODULE}:BenchmarkTask",
        f"{TASK_LOADERS_MODULE}:load_benchmark_task",
        source.grader,
        source.path,
        source.licence,
        source.size,
        "datasets",
    )


MATH500, GSM8K, AIME24, AIME25, GPQA_DIAMOND = map(
    describe_benchmark, ("math500", "gsm8k", "aime24", "aime25", "gpqa-diamond")
)

LAB_TASK = TaskEntry(
    f"{TASK_BLOCKS_MODULE}:LabTask",
    f"{TASK_LOADERS_MODULE}:load_lab_task",
    "boxed-number",
    "generated",
    "Apache-2.0",
    step_grader="isocompute.runners.tasks.lab:grade_lab_steps",
)

REASONING_GYM = TaskEntry(
    f"{TASK_BLOCKS_MODULE}:GymTask",
    f"{TASK_LOADERS_MODULE}:load_gym_task",
    " or ".join(sorted(set(GENERATOR_GRADERS.values()), reverse=True)),
    f"{len(GENERATOR_GRADERS)} generators",
    "Apache-2.0",
    extra="reasoning-gym",
)

FILE_TASK = TaskEntry(
    f"{TASK_BLOCKS_MODULE}:FileTask",
    f"{TASK_LOADERS_MODULE}:load_file_task",
    "as given",
    "JSON lines, CSV, Parquet",
    "yours",
)


def list_tasks() -> dict[str, TaskEntry]:
    """Return the tasks by name, and an entry for your own files, without fetching any.

    >>> list(list_tasks())
    ['math500', 'gsm8k', 'aime24', 'aime25', 'gpqa-diamond', 'lab', 'reasoning-gym', 'path: FILE']
    """
    return {**TASKS, "path: FILE": FILE_TASK}


def list_generators() -> dict[str, list[str]]:
    """Return the supported generators of reasoning-gym by their grader."""
    by_grader = defaultdict(list)
    for generator, grader in GENERATOR_GRADERS.items():
        by_grader[grader].append(generator)
    return dict(by_grader)
