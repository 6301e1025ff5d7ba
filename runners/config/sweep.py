"""A sweep, as its YAML file describes it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, model_validator

from isocompute.errors import ConfigError, DataError
from isocompute.registry import Registry
from isocompute.runners.config.base import Count, Part, Size
from isocompute.runners.config.search import ScorerRole, Search, Shape
from isocompute.runners.config.tasks import TASKS, FileTask, TaskConfig, find_block
from isocompute.runners.documents import parse_yaml
from isocompute.runners.engines.registry import ENGINES
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.scorers.registry import SCORERS
from isocompute.runners.search.registry import SEARCHES
from isocompute.runners.storage.files import refuse_memory


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
    engine: Annotated[str, AfterValidator(ENGINES.check)]
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
        if self.scorer is not None and self.scorer.uses_verifier and self.verifier is None:
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
        return self.task.title

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

    def packages(self, grader: str) -> dict[str, str]:
        """Return the packages of others that add what the sweep names, with their versions.

        Args:
            grader: name or title of what grades its task.
        """
        named: list[tuple[Registry[Any], str]] = [(ENGINES, self.engine), (GRADERS, grader.partition("/")[0])]
        if not isinstance(self.task, FileTask):
            named.append((TASKS, self.task.name))
        if self.scorer is not None:
            named.append((SCORERS, self.scorer.kind))
        named += [(SEARCHES, search.strategy) for search in self.searches]
        found = (registry.package(name) for registry, name in named)
        return dict(sorted(package for package in found if package is not None))

    def identity(self) -> dict[str, Any]:
        """Return what may not change when a run goes on: all but its size, its place and its pace."""
        size = {"run", "solutions", "verifications", "verified", "scored", "searches", "checkpoint_seconds"}
        identity = self.model_dump(mode="json", exclude=size)
        for key in ("problems", "grader"):  # of the grader the manifest holds the version too
            identity["task"].pop(key, None)
        for name in ("solver", "verifier", "scorer"):
            if (role := identity[name]) is not None:
                free = self._free_options(name)
                role.pop("parameters")  # the run holds the size that was known when it was made
                role["options"] = {key: value for key, value in role["options"].items() if key not in free}
        return identity

    def _free_options(self, role: str) -> frozenset[str]:
        """Return the options of a role that say where and how fast it works, and not what it does."""
        if role != "scorer" or self.scorer is None or self.scorer.uses_verifier:
            return ENGINES[self.engine].free_options
        entry = SCORERS[self.scorer.kind]
        return entry.free_options if entry.loader else ENGINES[self.scorer.engine].free_options


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
        raise ConfigError(f"{path}: {explain(error, content)}") from None
    refuse_memory(sweep.run)
    return sweep


def sweep_of(manifest: dict[str, Any], run: str) -> Sweep:
    """Return the sweep that a run's manifest says it was made by.

    Raises:
        DataError: the manifest holds none.
    """
    try:
        return Sweep.model_validate(manifest["config"])
    except ValidationError as error:
        reason = explain(error, manifest["config"])
        raise DataError(f"The manifest of '{run}' has a 'config' that is not a sweep's: {reason}") from None


def explain(error: ValidationError, given: object) -> str:
    """Put the first thing that pydantic found wrong with a sweep into one sentence.

    Args:
        error: what pydantic raised.
        given: what was to be a sweep.
    """
    first = error.errors()[0]
    loc = [str(part) for part in first["loc"]]
    shapes: dict[str, type[Part]] = {"solver": Role, "verifier": Role, "scorer": ScorerRole, "searches": Search}
    if block := find_block(given.get("task") if isinstance(given, dict) else None):
        shapes["task"] = block
    where = ".".join(loc)
    if first["type"] == "extra_forbidden":
        known = shapes.get(loc[0], Sweep) if len(loc) > 1 else Sweep
        return f"the key '{where}' is unknown; known here: {', '.join(known.model_fields)}."
    if first["type"] == "missing":
        return f"the key '{where}' is missing."
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "model_type":
        message = "it must be a block of keys"
    return f"{where}: {message}; got {first['input']!r}." if where else f"{message}."
