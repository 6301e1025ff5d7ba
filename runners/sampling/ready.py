"""What a sweep needs before its models are loaded: run, problems, prompts, and what the manifest will say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isocompute.errors import RunError
from isocompute.registry import load_object
from isocompute.runners import engines, grading
from isocompute.runners.config.sweep import Sweep, sweep_of
from isocompute.runners.cost.model_size import weights
from isocompute.runners.grading import Grader
from isocompute.runners.prompts import Prompt
from isocompute.runners.storage.provenance import AS_LOGGED, sizes_of
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.taking import Source
from isocompute.runners.tasks import Problem


@dataclass(frozen=True)
class Ready:
    """All that a sweep needs but its models.

    Args:
        config: the sweep, with what it takes from another run.
        run: its run.
        problems: what is asked.
        texts: the prompts, by role.
        asked: what the manifest will say.
        source: the other run's problems and solutions; None if the sweep samples its own.
        served: parameter counts that servers say of their models, by role.
    """

    config: Sweep
    run: Run
    problems: list[Problem]
    texts: dict[str, Prompt]
    asked: dict[str, Any]
    source: Source | None
    served: dict[str, float]


def load_grader(config: Sweep, title: str) -> Grader:
    """Return the grader of a name or title. Solutions that are taken are graded, so that only searches need one.

    Raises:
        ConfigError: it is unknown, or a package that it needs is missing.
        RunError: searches are asked for, and no grader here reads answers as those that they would stand beside.
    """
    if config.taken is None:
        return grading.load(title)
    if not config.searches:
        return Grader(title.partition("/")[0], title, lambda text: None, lambda answer: answer)
    grader = None if title.startswith(f"{AS_LOGGED}/") else grading.load(title)
    if grader is None or grader.title != title:
        raise RunError(
            f"The answers of '{config.taken.run}' were read by {title}, and those of searches would be read by "
            f"{'a grader' if grader is None else grader.title}; grade that run again first: isocompute grade RUN."
        )
    return grader


def notes(ready: Ready) -> Iterator[str]:
    """Say what a person should know of a sweep that begins or goes on: what it takes, and which sizes are unknown."""
    config = ready.config
    if ready.source is not None:
        taken = ready.source.taken
        if ready.source.solutions is None:
            yield (
                f"There is no run at '{taken.run}' any more; the sweep goes on with the solutions that were taken from "
                "it."
            )
        if taken.failed:
            yield (
                f"{taken.failed:,} of the {taken.problems * taken.solutions:,} solutions of '{taken.run}' failed "
                "there; they stand as failures here too."
            )
    for role in asking_roles(config):
        which = f"The size of the {role}'s model '{config.models[role]}' is"
        if role not in ready.asked["parameters"]:
            yield f"{which} unknown: the server does not say it; '{role}.parameters' gives it."
        elif role in ready.served:
            yield (
                f"{which} {ready.served[role]:,.0f} parameters, as the server says; if a token passes through fewer, "
                f"as in a mixture of experts, '{role}.parameters' gives that."
            )


def ask_servers(config: Sweep, run: Run) -> dict[str, float]:
    """Return the parameter counts that servers say of a sweep's models, by role, of those that nothing else tells.

    A run that has begun is not asked about again: it holds what was said when it began, and goes on with that.
    """
    if not asking_roles(config):
        return {}
    try:
        read_size = load_object(engines.ENGINES[config.engine].size_reader)
    except ImportError:  # without httpx nothing is asked of a server; loading the engine says so
        return {}
    held = held_sizes(config, run)
    found: dict[str, float] = {}
    asked: dict[str, float | None] = {}
    for role in asking_roles(config):
        model = getattr(config, role)
        if role in held:
            found[role] = held[role]
        elif model.parameters is None and weights(model.model) is None:
            question = repr((model.model, sorted(model.options.items(), key=str)))
            if question not in asked:
                asked[question] = read_size(model.model, model.options)
            if (size := asked[question]) is not None:
                found[role] = size
    return found


def asking_roles(config: Sweep) -> list[str]:
    """Return the roles whose models a server has loaded; of a solver that solved elsewhere the other run may know."""
    known = {} if config.taken is None else {"solver": config.taken.parameters.get("solver")}
    roles = ("solver", "verifier") if engines.ENGINES[config.engine].size_reader else ()
    return [role for role in roles if getattr(config, role) is not None and known.get(role) is None]


def held_sizes(config: Sweep, run: Run) -> dict[str, float]:
    """Return the sizes that a run holds of the models that are asked for now, where no sweep file gave them."""
    if not run.exists or "imported" in (written := run.manifest()):
        return {}
    earlier, sizes = sweep_of(written, run.path), sizes_of(written, run.path)
    return {
        name: sizes[name]
        for name in asking_roles(config)
        if name in sizes
        and (role := getattr(earlier, name)) is not None
        and (role.model, role.parameters) == (getattr(config, name).model, None)
    }
