"""A sweep, as its YAML file describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isocompute.errors import ConfigError, DataError

Count = Annotated[int, Field(ge=1, strict=True)]


class Part(BaseModel):
    """A block of the file; an unknown key in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LabTask(Part):
    """Problems made by the lab's generator."""

    name: Literal["lab"]
    problems: Count = 100
    levels: list[int] = Field(default=[1, 2, 3, 4, 5], min_length=1)
    seed: int = 0


class FileTask(Part):
    """Problems from a JSON-lines file; the other keys name its columns."""

    path: str
    question: str = "question"
    answer: str = "answer"
    name: str | None = None
    problems: Count | None = None


class Role(Part):
    """A model, the prompt it gets, and how it samples. ``options`` go to the engine as they are."""

    model: str
    prompt: str
    chat: bool = False
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Count = 1024
    stop: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class Sweep(Part):
    """What to sample: S solutions a problem and V verifications for each of the first ``verified`` of them."""

    run: Annotated[str, Field(min_length=1)]
    task: LabTask | FileTask
    engine: Literal["vllm", "transformers"]
    solver: Role
    verifier: Role | None = None
    solutions: Count
    verifications: Annotated[int, Field(ge=0, strict=True)] = 0
    verified: Count | None = None
    seed: int = 0
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 5.0

    @model_validator(mode="after")
    def _consistent(self) -> Sweep:
        if self.verifications and self.verifier is None:
            raise ValueError("verifications are asked for, and no 'verifier' is given")
        if self.verified is not None and self.verified > self.solutions:
            raise ValueError(f"'verified' is {self.verified}, more than the {self.solutions} solutions")
        return self

    @property
    def to_verify(self) -> int:
        """How many solutions of each problem are verified."""
        return (self.verified or self.solutions) if self.verifications else 0

    def identity(self) -> dict[str, Any]:
        """Return what may not change when a run goes on: all but its size, its place and its pace."""
        size = {"run", "solutions", "verifications", "verified", "checkpoint_seconds"}
        identity = self.model_dump(mode="json", exclude=size)
        identity["task"].pop("problems")
        return identity


def read(path: str) -> Sweep:
    """Read a sweep file; paths in it are relative to where the command runs.

    Raises:
        ConfigError: no such file, not YAML, an unknown key, or a bad value; says which and what would be right.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The sweep file '{path}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"The sweep file '{path}' is not UTF-8 text.") from None
    except RecursionError:
        raise ConfigError(f"{path}: not YAML: nested too deep.") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or a number that is none
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise ConfigError(f"{path}{where}: not YAML: {problem}.") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a sweep: it must hold keys such as run, task, engine, solver.")
    if isinstance(task := content.get("task"), dict) and task.get("name") != "lab" and "path" not in task:
        raise ConfigError(f"{path}: task: give 'name: lab', or the 'path' of a JSON-lines file.")
    try:
        return Sweep.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, content)}") from None


def sweep_of(manifest: dict[str, Any], run: str) -> Sweep:
    """Return the sweep that a run's manifest says it was made by.

    Raises:
        DataError: the manifest holds none.
    """
    try:
        return Sweep.model_validate(manifest["config"])
    except ValidationError:
        raise DataError(f"The manifest of '{run}' has a 'config' that is not a sweep's.") from None


def explain(error: ValidationError, content: dict[str, Any]) -> str:
    """Put the first thing that pydantic found wrong into one sentence."""
    task = content.get("task")
    chosen = "LabTask" if isinstance(task, dict) and task.get("name") == "lab" else "FileTask"
    # A task matches one of two shapes; complaints about the shape that was not meant are noise.
    found = [e for e in error.errors() if not {"LabTask", "FileTask"} - {chosen} & set(map(str, e["loc"]))]
    first = (found or error.errors())[0]
    loc = [str(part) for part in first["loc"] if part not in ("LabTask", "FileTask")]
    where = ".".join(loc)
    if first["type"] == "extra_forbidden":
        owner = {"solver": Role, "verifier": Role, "task": LabTask if chosen == "LabTask" else FileTask}
        shape = owner.get(loc[0], Sweep) if len(loc) > 1 else Sweep
        return f"the key '{where}' is unknown; known here: {', '.join(shape.model_fields)}."
    if first["type"] == "missing":
        return f"the key '{where}' is missing."
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "model_type":
        message = "it must be a block of keys"
    return f"{where}: {message}; got {first['input']!r}." if where else f"{message}."
