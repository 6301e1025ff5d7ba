"""A sweep, as its YAML file describes it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from isocompute.errors import ConfigError, DataError
from isocompute.runners.config.base import Count, Part, Size
from isocompute.runners.config.search import ScorerRole, Search, Shape
from isocompute.runners.config.tasks import TASKS, FileTask, GymTask, TaskConfig
from isocompute.runners.documents import parse_yaml
from isocompute.runners.storage.files import refuse_memory

PLACE_AND_PACE = {
    "openai": {"urls", "concurrency", "timeout", "retries", "patience", "backoff", "key_env"},
    "vllm": {"replicas", "device_ids", "in_flight"},
    "transformers": set[str](),
}
"""Options of engines that say where and how fast they work, and not what they do."""


class Role(Part):
    """A model, the prompt it gets, and how it samples. ``options`` go to the engine as they are.

    ``thinking_end`` is what ends the thinking of a model that thinks aloud, such as ``</think>``. ``logprobs`` is how
    many of the likeliest tokens are reported at each place; a verifier that has them is read for p(yes). ``parameters``
    is the model's size, where no checkpoint in a folder tells it.
    """

    model: str
    prompt: str
    chat: bool = False
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Count = 1024
    stop: tuple[str, ...] = ()
    thinking_end: Annotated[str, Field(min_length=1)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20, strict=True)] = 0
    options: dict[str, Any] = Field(default_factory=dict)
    parameters: Size | None = None


class Sweep(Part):
    """What to sample: S solutions a problem and V verifications for each of the first ``verified`` of them.

    With a ``scorer`` the first ``scored`` solutions are scored step by step, and ``searches`` are made. A step ends in
    ``step``; with ``boxed_ends`` a closed box ends a search's solution, whatever the model would go on with.
    """

    run: Annotated[str, Field(min_length=1)]
    task: TaskConfig
    engine: Literal["vllm", "transformers", "openai"]
    solver: Role
    verifier: Role | None = None
    solutions: Count
    verifications: Annotated[int, Field(ge=0, strict=True)] = 0
    verified: Count | None = None
    scorer: ScorerRole | None = None
    step: Annotated[str, Field(min_length=1)] = "\n\n"
    boxed_ends: bool = False
    scored: Annotated[int, Field(ge=0, strict=True)] = 0
    searches: tuple[Search, ...] = ()
    seed: int = 0
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 5.0

    @model_validator(mode="after")
    def _consistent(self) -> Sweep:
        if self.verifications and self.verifier is None:
            raise ValueError("verifications are asked for, and no 'verifier' is given")
        if self.verified is not None and self.verified > self.solutions:
            raise ValueError(f"'verified' is {self.verified}, more than the {self.solutions} solutions")
        if self.scored > self.solutions:
            raise ValueError(f"'scored' is {self.scored}, more than the {self.solutions} solutions")
        if (self.scored or self.searches) and self.scorer is None:
            raise ValueError("solutions or searches are to be scored, and no 'scorer' is given")
        if self.scorer is not None and self.scorer.kind == "verdicts" and self.verifier is None:
            raise ValueError("the scorer is 'verdicts', and no 'verifier' is given")
        shapes = Counter(shape for search in self.searches for shape in search.shapes)
        if twice := [shape for shape, count in shapes.items() if count > 1]:
            raise ValueError(f"two searches are the same, but for how they are made or selected: {tuple(twice[0])}")
        if len({search.asks for search in self.searches} - {None}) > 1:
            raise ValueError("all revisions are asked for by the same 'prompt'")
        return self

    @property
    def to_verify(self) -> int:
        """How many solutions of each problem are verified."""
        return (self.verified or self.solutions) if self.verifications else 0

    @property
    def task_name(self) -> str:
        """What the task is called: its name, its generator's, or its file's."""
        if isinstance(self.task, FileTask):
            return self.task.path
        return self.task.generator if isinstance(self.task, GymTask) else self.task.name

    @property
    def models(self) -> dict[str, str]:
        """The models by role."""
        roles = {"solver": self.solver, "verifier": self.verifier}
        return {name: role.model for name, role in roles.items() if role is not None}

    @property
    def all_models(self) -> dict[str, str]:
        """The models by role, the scorer's among them; who scores with verdicts is the verifier."""
        return self.models | ({} if self.scorer is None else {"scorer": self.scorer.model or self.models["verifier"]})

    @property
    def thinking_end(self) -> str | None:
        """What ends the thinking in a solution."""
        return self.solver.thinking_end

    @property
    def by_shape(self) -> dict[Shape, Search]:
        """The searches by what tells them apart."""
        return {shape: search for search in self.searches for shape in search.shapes}

    @property
    def revising(self) -> str | None:
        """The prompt that asks for revisions, if there are any."""
        return next((search.asks for search in self.searches if search.asks), None)

    def identity(self) -> dict[str, Any]:
        """Return what may not change when a run goes on: all but its size, its place and its pace."""
        size = {"run", "solutions", "verifications", "verified", "scored", "searches", "checkpoint_seconds"}
        identity = self.model_dump(mode="json", exclude=size)
        for key in ("problems", "grader"):  # of the grader the manifest holds the version too
            identity["task"].pop(key, None)
        for role in (identity[name] for name in ("solver", "verifier", "scorer") if identity[name]):
            free = PLACE_AND_PACE[role.get("engine", self.engine)]
            role.pop("parameters")  # the run holds the size that was known when it was made
            role["options"] = {name: value for name, value in role["options"].items() if name not in free}
        return identity


def read(path: str) -> Sweep:
    """Read a sweep file; paths in it are relative to where the command runs.

    Raises:
        ConfigError: no such file, not YAML, a key that is unknown or stands twice, or a bad value; says which and what
            would be right.
        RunError: the run is to be in memory, which is lost when the command ends.
    """
    try:
        content = parse_yaml(Path(path).read_text(encoding="utf-8"), path)
    except OSError as error:
        raise ConfigError(f"The sweep file '{path}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"The sweep file '{path}' is not UTF-8 text.") from None
    except DataError as error:
        raise ConfigError(str(error)) from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a sweep: it must hold keys such as run, task, engine, solver.")
    try:
        sweep = Sweep.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error)}") from None
    refuse_memory(sweep.run)
    return sweep


def sweep_of(manifest: dict[str, Any], run: str) -> Sweep:
    """Return the sweep that a run's manifest says it was made by.

    Raises:
        DataError: the manifest holds none.
    """
    try:
        return Sweep.model_validate(manifest["config"])
    except ValidationError:
        raise DataError(f"The manifest of '{run}' has a 'config' that is not a sweep's.") from None


def explain(error: ValidationError) -> str:
    """Put the first thing that pydantic found wrong into one sentence."""
    first = error.errors()[0]
    loc = [str(part) for part in first["loc"]]
    shapes: dict[str, type[Part]] = {"solver": Role, "verifier": Role, "scorer": ScorerRole, "searches": Search}
    if loc[:1] == ["task"] and len(loc) > 1:
        tasks: list[type[Part]] = [FileTask, *TASKS.values()]
        shapes["task"] = next(task for task in tasks if task.__name__ == loc[1])
        del loc[1]  # the shape is no key of the file
    where = ".".join(loc)
    if first["type"] == "extra_forbidden":
        known = shapes.get(loc[0], Sweep) if len(loc) > 1 else Sweep
        return f"the key '{where}' is unknown; known here: {', '.join(known.model_fields)}."
    if first["type"] == "union_tag_not_found" and isinstance(first["input"], dict):
        return f"task: give the 'name' of a task ({', '.join(TASKS)}), or the 'path' of a file."
    if first["type"] == "missing":
        return f"the key '{where}' is missing."
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] in ("model_type", "union_tag_not_found"):
        message = "it must be a block of keys"
    return f"{where}: {message}; got {first['input']!r}." if where else f"{message}."
