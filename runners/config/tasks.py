"""The task block of a sweep file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from isocompute.runners.config.base import Count, Part

GraderName = Literal["boxed-number", "math", "letter", "numeric", "exact"]


class LabTask(Part):
    """Problems made by the lab's generator."""

    name: Literal["lab"]
    problems: Count = 100
    levels: list[int] = Field(default=[1, 2, 3, 4, 5], min_length=1)
    seed: int = 0


class BenchmarkTask(Part):
    """A benchmark from the hub; ``seed`` orders the options where it is multiple choice."""

    name: Literal["math500", "gsm8k", "aime24", "aime25", "gpqa-diamond"]
    problems: Count | None = None
    revision: Annotated[str, Field(min_length=1)] | None = None
    seed: int = 0


class GymTask(Part):
    """Problems made by a generator of reasoning-gym; ``options`` go to it as they are."""

    name: Literal["reasoning-gym"]
    generator: str
    problems: Count = 100
    seed: int = 0
    options: dict[str, Any] = Field(default_factory=dict)


class FileTask(Part):
    """Problems from a JSON-lines, CSV or Parquet file; the other keys name its columns, what grades, and how many."""

    path: str
    question: str = "question"
    answer: str = "answer"
    name: str | None = None
    subject: str | None = None
    level: str | None = None
    choices: tuple[str, ...] = ()
    grader: GraderName | None = None
    problems: Count | None = None
    seed: int = 0

    @field_validator("choices", mode="before")
    @classmethod
    def _one_column(cls, choices: object) -> object:
        return (choices,) if isinstance(choices, str) else choices

    @field_validator("grader")
    @classmethod
    def _letters(cls, grader: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("choices") and grader not in (None, "letter"):
            raise ValueError("with 'choices' an answer is a letter; leave the grader out")
        return grader

    @property
    def graded_by(self) -> str:
        """What grades the answers."""
        return self.grader or ("letter" if self.choices else "boxed-number")


TASKS: dict[str, type[Part]] = {
    **dict.fromkeys(get_args(BenchmarkTask.model_fields["name"].annotation), BenchmarkTask),
    "lab": LabTask,
    "reasoning-gym": GymTask,
}
"""The tasks that have a name, and the shape of their block."""


def shape(task: object) -> str | None:
    """Say which shape a task's block has: a file's if it has a ``path``, else the one that its ``name`` says."""
    given = task if isinstance(task, dict) else vars(task) if isinstance(task, Part) else {}
    if "path" in given:
        return FileTask.__name__
    named = TASKS.get(str(given.get("name")))
    return None if named is None else named.__name__


TaskConfig = Annotated[
    Annotated[LabTask, Tag("LabTask")]
    | Annotated[BenchmarkTask, Tag("BenchmarkTask")]
    | Annotated[GymTask, Tag("GymTask")]
    | Annotated[FileTask, Tag("FileTask")],
    Discriminator(shape),
]
