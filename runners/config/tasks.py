"""The task block of a sweep file: named tasks and the user's own files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, StrictBool, ValidationInfo, field_validator

from isocompute.registry import Registry, load_object
from isocompute.runners.config.base import ConfigBlock, ProblemCount, Seed
from isocompute.runners.grading.registry import GRADERS


class TaskBlock(ConfigBlock):
    """The base of the blocks of named tasks."""

    name: str
    """The name of the task."""

    @property
    def title(self) -> str:
        """The task's name."""
        return self.name


class LabTask(TaskBlock):
    """Problems from the lab's generator."""

    name: Literal["lab"]
    problems: ProblemCount = 100
    """The number of problems."""
    levels: list[Annotated[int, Field(strict=True)]] = Field(default=[1, 2, 3, 4, 5], min_length=1, max_length=100)
    """The levels of difficulty, which take turns."""
    seed: Seed = 0
    """The seed of the generator."""


class BenchmarkTask(TaskBlock):
    """A benchmark from the hub; ``seed`` orders the options of multiple-choice problems."""

    problems: ProblemCount | None = None
    """The number of problems, the first ones. All, unless set."""
    revision: Annotated[str, Field(min_length=1)] | None = None
    """The commit of the dataset. The one that this version names, unless set."""
    seed: Seed = 0
    """Orders the options of multiple-choice problems."""


class GymTask(TaskBlock):
    """Problems from a generator of reasoning-gym; ``options`` are passed to it unchanged."""

    name: Literal["reasoning-gym"]
    generator: str
    """The name of the generator."""
    problems: ProblemCount = 100
    """The number of problems."""
    seed: Seed = 0
    """The seed of the generator."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options that the generator is given as they are."""

    @property
    def title(self) -> str:
        """The generator's name."""
        return self.generator


class FileTask(ConfigBlock):
    """Problems from a JSON-lines, CSV or Parquet file; the other keys name its columns, the grader and the number.

    With ``unanswered`` the column of right answers may be missing, and so may each of its cells. Solutions of problems
    without a right answer are neither right nor wrong.
    """

    path: str
    """A JSON-lines, CSV or Parquet file."""
    question: str = "question"
    """The column of questions."""
    answer: str = "answer"
    """The column of right answers."""
    name: str | None = None
    """The column of the problems' names. Their numbers, unless set."""
    subject: str | None = None
    """The column of subjects."""
    level: str | None = None
    """The column of levels of difficulty."""
    choices: tuple[str, ...] = ()
    """The columns of the options of a multiple-choice problem."""
    grader: Annotated[str, AfterValidator(GRADERS.check_name)] | None = None
    """The grader. It is chosen by the form of the right answers, unless set."""
    problems: ProblemCount | None = None
    """The number of problems, the first ones. All, unless set."""
    seed: Seed = 0
    """Orders the options of multiple-choice problems."""
    unanswered: StrictBool = False
    """True if right answers may be missing."""

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
    def title(self) -> str:
        """The file's path."""
        return self.path


@dataclass(frozen=True)
class TaskEntry:
    """The registry entry of a named task.

    Args:
        block: ``module:class`` of its block in a sweep file, a `TaskBlock`.
        loader: ``module:function`` that takes the block and returns a `tasks.Task`; a longer list of problems begins
            with the problems of a shorter one.
        grader: name of its grader, for display.
        source: source of its problems, for display.
        licence: licence of the problems.
        size: number of problems; None if any number can be generated.
        extra: the extra of isocompute that installs its dependencies; empty if there are none.
        step_grader: ``module:function`` that takes a question and the steps of a solution, and returns whether each
            step is right, or None if it cannot tell; empty if the truth of steps is unknown, as nearly everywhere.
    """

    block: str
    loader: str
    grader: str
    source: str
    licence: str
    size: int | None = None
    extra: str = ""
    step_grader: str = ""

    @property
    def block_class(self) -> type[TaskBlock]:
        """The class that `block` names."""
        block: type[TaskBlock] = load_object(self.block)
        return block


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
"""The named tasks, by name."""


def find_task_block(task: object) -> type[TaskBlock | FileTask] | None:
    """Return the class of a task's block: `FileTask` if it has a ``path``, otherwise that of the named task.

    Returns:
        The class; None if the block is invalid or names no known task.
    """
    if not isinstance(task, dict):
        return None
    if "path" in task:
        return FileTask
    name = task.get("name")
    return TASKS[name].block_class if isinstance(name, str) and name in TASKS else None


def read_task_block(task: object) -> TaskBlock | FileTask:
    """Validate a task's block with the class that fits it.

    Raises:
        ValueError: it is not a block, or names no known task.
        ValidationError: a key is unknown, missing, or has a bad value.
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
