"""Models, prompts and sampling settings for questions: those of a profile, a sweep file or a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from isocompute.errors import ConfigError
from isocompute.planner.profile import Profile
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.sweep_reading import build_sweep, extract_sweep, read_sweep_keys
from isocompute.runners.config.tasks import TASKS, FileTask
from isocompute.runners.engines.registry import ENGINES
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.scorers.registry import SCORERS
from isocompute.runners.storage.provenance import read_grader_title
from isocompute.runners.storage.run import Run

KEPT_KEYS = ("engine", "solver", "verifier", "scorer", "step", "boxed_ends", "checkpoint_seconds", "cluster")
"""The keys of a sweep that say how and where rows are sampled, without its searches."""

ROLES = ("solver", "verifier", "scorer")
"""The roles whose models a server may run."""

SAMPLED_ROLES = ("solver", "verifier")
"""The roles that an address without a role is for."""

PLACEHOLDER: dict[str, Any] = {"run": "-", "task": {"path": "-"}, "solutions": 1}
"""Keys that a sweep must have and settings need not."""


@dataclass(frozen=True)
class SamplingSettings:
    """Models, prompts and settings, whatever the questions.

    Args:
        sweep: a sweep with the models, prompts and settings; its task, run and numbers mean nothing.
        grader: name of the grader that says which answers are equal; None if nothing says so.
        columns: names of the columns of a file of questions; None if they are the usual ones.
        source: what the settings are from, in words.
    """

    sweep: Sweep
    grader: str | None
    columns: FileTask | None
    source: str

    @property
    def content(self) -> dict[str, Any]:
        """The keys of a sweep file that the settings are."""
        dump = self.sweep.model_dump(mode="json")
        return {name: dump[name] for name in KEPT_KEYS if dump[name] is not None}

    def find_search_rules(self, strategy: str) -> dict[str, Any]:
        """Return the rules of a search that its allocation does not tell."""
        for search in self.sweep.searches:
            if search.strategy == strategy:
                return {"rounds": search.rounds, "prompt": search.prompt}
        return {}


def read_sampling_settings(
    config: str | os.PathLike[str] | Mapping[str, Any] | None,
    profile: Profile,
    engine: str | None = None,
    urls: Sequence[str] = (),
) -> SamplingSettings:
    """Return the models and settings with which questions are answered.

    Args:
        config: a sweep file, the folder of a run, or the content of a sweep file; the profile's own models if None.
        profile: the profile.
        engine: the engine to use instead; the other's options are dropped.
        urls: addresses of servers, of solver and verifier or as ``scorer=http://…/v1``; the engine is ``openai`` then.

    Raises:
        ConfigError, DataError, RunError: the settings cannot be read, or name no solver.
    """
    settings = read_profile_settings(profile) if config is None else read_config_settings(config)
    if settings.sweep.solver is None:
        raise ConfigError(f"{settings.source} names no solver; add the block 'solver' with its model and prompt.")
    if urls:
        if engine not in (None, "openai"):
            raise ConfigError(
                f"--url is for servers, so the engine is 'openai', not '{engine}'; leave one of them out."
            )
        engine = "openai"
    if engine is not None:
        ENGINES.find(engine)
        settings = use_engine(settings, engine)
    return use_servers(settings, urls) if urls else settings


def read_profile_settings(profile: Profile) -> SamplingSettings:
    """Return the settings of the run that a profile was fitted on.

    Raises:
        ConfigError: the profile does not hold them, or they are not valid.
    """
    if profile.sampling is None:
        raise ConfigError(
            f"The profile '{profile.name}' does not say with which models and prompts its rows were sampled; give a "
            "sweep file or a run with --config (config= in Python), or fit the run again."
        )
    content = {name: value for name, value in profile.sampling.items() if name not in ("grader", "searches")}
    searches = [{"n": 1, **rules} for rules in profile.sampling.get("searches", [])]
    sweep = build_sweep(PLACEHOLDER | content | {"searches": searches}, f"'sampling' of the profile '{profile.name}'")
    return SamplingSettings(sweep, profile.sampling.get("grader"), None, f"The profile '{profile.name}'")


def read_config_settings(config: str | os.PathLike[str] | Mapping[str, Any]) -> SamplingSettings:
    """Return the settings in a sweep file, in a run or in a mapping.

    Raises:
        ConfigError, DataError, RunError: they cannot be read.
    """
    if isinstance(config, Mapping):
        return build_settings(dict(config), "config")
    path = os.fspath(config)
    run = Run(path)
    if run.is_folder:
        manifest = run.read_manifest()
        if "imported" in manifest:
            raise ConfigError(
                f"The run at '{path}' was imported and does not say how it was sampled; give a sweep file."
            )
        sweep = extract_sweep(manifest, path)
        sweep = sweep.model_copy(update={"solver": sweep.sampling_solver})
        return SamplingSettings(sweep, read_grader_title(run).partition("/")[0], None, f"The run at '{path}'")
    return build_settings(read_sweep_keys(path, ("engine", "solver", "verifier")), path)


def build_settings(content: dict[str, Any], where: str) -> SamplingSettings:
    """Return the settings in the content of a sweep file, which may lack a run, a task and numbers.

    Raises:
        ConfigError: a key is unknown or missing, or a value is bad.
    """
    if "solutions_from" in content:
        raise ConfigError(f"{where} takes its solutions from another run; give the sweep file of that run.")
    grader = content.pop("grader", None)
    sweep = build_sweep(PLACEHOLDER | content, where)
    columns = sweep.task if isinstance(sweep.task, FileTask) and "task" in content else None
    if grader is None and sweep.task is not None:
        grader = sweep.task.grader if isinstance(sweep.task, FileTask) else TASKS[sweep.task.name].grader
    return SamplingSettings(sweep, grader if grader in GRADERS else None, columns, where)


def use_engine(settings: SamplingSettings, engine: str) -> SamplingSettings:
    """Return the settings with another engine for all roles; options of the former one are dropped."""
    sweep = settings.sweep
    if sweep.engine == engine:
        return settings
    content = settings.content | {"engine": engine}
    for role in ("solver", "verifier", "scorer"):
        if content.get(role) is not None:
            content[role] = {**content[role], "options": {}}
    is_local = ENGINES[engine].is_local  # a scorer behind a server needs an address of its own
    if content.get("scorer") is not None and is_local and engine in SCORERS[content["scorer"]["kind"]].engines:
        content["scorer"]["engine"] = engine
    searches = [search.model_dump(mode="json") for search in sweep.searches]
    return replace(settings, sweep=build_sweep(PLACEHOLDER | content | {"searches": searches}, settings.source))


def use_servers(settings: SamplingSettings, urls: Sequence[str]) -> SamplingSettings:
    """Return the settings with the addresses of servers.

    Raises:
        ConfigError: an address belongs to no role, or to one that there is no model of, or is empty; or none is known
            of the solver.
    """
    by_role: dict[str, list[str]] = {}
    for text in urls:
        role, equals, url = text.partition("=")
        is_named = bool(equals) and "/" not in role
        if is_named and (role not in ROLES or getattr(settings.sweep, role) is None):
            raise ConfigError(f"--url {text}: {settings.source} has no '{role}'; name {' or '.join(ROLES)}.")
        if is_named and not url.strip():
            raise ConfigError(
                f"--url has an empty address for the {role}; write --url {role}=http://localhost:8000/v1."
            )
        for each in [role] if is_named else SAMPLED_ROLES:
            by_role.setdefault(each, []).append(url if is_named else text)
    content = settings.content
    for role, addresses in by_role.items():
        if content.get(role) is not None:
            content[role] = {**content[role], "options": {**content[role]["options"], "urls": addresses}}
    if settings.sweep.engine == "openai" and not content["solver"]["options"].get("urls"):
        raise ConfigError("--url has no address of the solver; write --url solver=http://localhost:8000/v1.")
    if "scorer" in by_role:
        content["scorer"]["engine"] = "openai"
    searches = [search.model_dump(mode="json") for search in settings.sweep.searches]
    return replace(settings, sweep=build_sweep(PLACEHOLDER | content | {"searches": searches}, settings.source))
