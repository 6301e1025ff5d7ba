"""The task block of a sweep file: the tasks that have a name, and files of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, ValidationInfo, field_validator

from isocompute.registry import Registry, load_object
from isocompute.runners.config.base import ConfigBlock, Count
from isocompute.runners.grading.registry import GRADERS


class TaskBlock(ConfigBlock):
    """What the block of every task that has a name begins with."""

    name: str

    @property
    def title(self) -> str:
        """What the task is called."""
        return self.name


class LabTask(TaskBlock):
    """Problems made by the lab's generator."""

    name: Literal["lab"]
    problems: Count = 100
    levels: list[int] = Field(default=[1, 2, 3, 4, 5], min_length=1)
    seed: int = 0


class BenchmarkTask(TaskBlock):
    """A benchmark from the hub; ``seed`` orders the options where it is multiple choice."""

    problems: Count | None = None
    revision: Annotated[str, Field(min_length=1)] | None = None
    seed: int = 0


class GymTask(TaskBlock):
    """Problems made by a generator of reasoning-gym; ``options`` go to it as they are."""

    name: Literal["reasoning-gym"]
    generator: str
    problems: Count = 100
    seed: int = 0
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """The generator's name."""
        return self.generator


class FileTask(ConfigBlock):
    """Problems from a JSON-lines, CSV or Parquet file; the other keys name its columns, what grades, and how many."""

    path: str
    question: str = "question"
    answer: str = "answer"
    name: str | None = None
    subject: str | None = None
    level: str | None = None
    choices: tuple[str, ...] = ()
    grader: Annotated[str, AfterValidator(GRADERS.check_name)] | None = None
    problems: Count | None = None
    seed: int = 0

    @field_validator("choices", mode="before")
    @classmethod
    def _wrap_single_column(cls, choices: object) -> object:
        return (choices,) if isinstance(choices, str) else choices

    @field_validator("grader")
    @classmethod
    def _check_letter_grader(cls, grader: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("choices") and grader not in (None, "letter"):
            raise ValueError("with 'choices' an answer is a letter; leave the grader out")
        return grader

    @property
    def grader_name(self) -> str:
        """What grades the answers."""
        return self.grader or ("letter" if self.choices else "boxed-number")

    @property
    def title(self) -> str:
        """The file's path."""
        return self.path


@dataclass(frozen=True)
class TaskEntry:
    """A task that has a name.

    Args:
        block: ``module:class`` of its block in a sweep file, a `TaskBlock`.
        loader: ``module:function`` that takes the block and returns a `tasks.Task`; the problems of a longer list
            begin with those of a shorter one.
        grader: name of what grades its answers, for people.
        source: where its problems come from, for people.
        licence: of the problems.
        size: how many problems it has; None if as many as are asked for.
        extra: the extra of isocompute that installs what it needs; empty if nothing is needed.
    """

    block: str
    loader: str
    grader: str
    source: str
    licence: str
    size: int | None = None
    extra: str = ""

    @property
    def block_class(self) -> type[TaskBlock]:
        """The class that `block` names."""
        found: type[TaskBlock] = load_object(self.block)
        return found


CATALOGUE_MODULE = "isocompute.runners.tasks.catalogue"

TASKS: Registry[TaskEntry] = Registry(
    "task",
    "isocompute.tasks",
    {
        "math500": f"{CATALOGUE_MODULE}:MATH500",
        "gsm8k": f"{CATALOGUE_MODULE}:GSM8K",
        "aime24": f"{CATALOGUE_MODULE}:AIME24",
        "aime25": f"{CATALOGUE_MODULE}:AIME25",
        "gpqa-diamond": f"{CATALOGUE_MODULE}:GPQA_DIAMOND",
        "lab": f"{CATALOGUE_MODULE}:LAB_TASK",
        "reasoning-gym": f"{CATALOGUE_MODULE}:REASONING_GYM",
    },
    TaskEntry,
)
"""Every task that has a name, by its name."""


def find_task_block(task: object) -> type[TaskBlock | FileTask] | None:
    """Return the class of a task's block: a file's if it has a ``path``, else that of the task that it names."""
    if not isinstance(task, dict):
        return None
    if "path" in task:
        return FileTask
    name = task.get("name")
    return TASKS[name].block_class if isinstance(name, str) and name in TASKS else None


def read_task_block(task: object) -> TaskBlock | FileTask:
    """Read a task's block by the class that fits it.

    Raises:
        ValueError: it is no block, or names no task.
        ValidationError: a key of it is unknown, missing, or has a bad value.
    """
    if isinstance(task, TaskBlock | FileTask):
        return task
    if not isinstance(task, dict):
        raise ValueError("it must be a block of keys")
    block = find_task_block(task)
    if block is None:
        raise ValueError(f"give the 'name' of a task ({', '.join(TASKS)}), or the 'path' of a file")
    return block.model_validate(task)


TaskConfig = Annotated[SerializeAsAny[TaskBlock] | FileTask, BeforeValidator(read_task_block)]
