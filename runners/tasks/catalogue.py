"""Which tasks there are, and how one is loaded: what a sweep asks, who grades it, and where it came from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from isocompute.errors import ConfigError
from isocompute.runners.config.tasks import BenchmarkTask, FileTask, GymTask, LabTask, TaskConfig
from isocompute.runners.tasks.files import file_problems, read
from isocompute.runners.tasks.gym import GRADERS, gym_problems, library, library_seed
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


def load(task: TaskConfig) -> Task:
    """Load the problems that a sweep's task block asks for.

    Raises:
        ConfigError: what it names is not there, needs a library that is not installed, or has fewer problems.
        DataError: what is there does not hold what it should.
    """
    match task:
        case LabTask():
            return Task(lab_problems(task.problems, task.levels, task.seed), "boxed-number", {})
        case GymTask():
            problems = gym_problems(task.generator, task.problems, task.seed, task.options)
            origin = {"library": library(), "library_seed": library_seed(task.generator, task.seed)}
            return Task(problems, GRADERS[task.generator], origin)
        case BenchmarkTask():
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
        case FileTask():
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


@dataclass(frozen=True)
class Entry:
    """A task as a list of tasks shows it.

    Args:
        name: how a sweep's task block names it.
        size: how many problems it has; None if as many as are asked for.
        grader: name of what grades its answers.
        source: where its problems come from.
        licence: of the problems.
        needs: the extra of isocompute to install; none if empty.
    """

    name: str
    size: int | None
    grader: str
    source: str
    licence: str
    needs: str = ""


def entries() -> list[Entry]:
    """List the tasks, without fetching any.

    >>> [entry.name for entry in entries()]
    ['math500', 'gsm8k', 'aime24', 'aime25', 'gpqa-diamond', 'lab', 'reasoning-gym', 'path: FILE']
    """
    graders = " or ".join(sorted(set(GRADERS.values()), reverse=True))
    return [
        *(Entry(name, s.size, s.grader, s.path, s.licence, "datasets") for name, s in SOURCES.items()),
        Entry("lab", None, "boxed-number", "generated", "Apache-2.0"),
        Entry("reasoning-gym", None, graders, f"{len(GRADERS)} generators", "Apache-2.0", "reasoning-gym"),
        Entry("path: FILE", None, "as given", "JSON lines, CSV, Parquet", "yours"),
    ]


def generators() -> dict[str, list[str]]:
    """Return the generators of reasoning-gym that are taken, by their grader."""
    by_grader = defaultdict(list)
    for generator, grader in GRADERS.items():
        by_grader[grader].append(generator)
    return dict(by_grader)
