"""The records of a run's models: their sizes, and the settings of their requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocompute.planner.ignored_setting import THINKING_WORDS, flatten_settings
from isocompute.planner.profile import ModelRecord
from isocompute.runners.config.search import SearchConfig
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.model_size import read_architecture
from isocompute.runners.storage.provenance import ImportedRun

KEPT_SETTINGS = ("prompt", "chat", "temperature", "top_p", "max_tokens", "stop", "thinking_end")
"""The settings of every role that a profile keeps."""


def describe_model(name: str, used_parameters: float | None, settings: Mapping[str, Any]) -> ModelRecord:
    """Return the record of a model, with what the config.json of a local folder says of its KV cache and attention.

    Args:
        name: the model's name or folder.
        used_parameters: the parameters that a token uses; None if unknown.
        settings: what its requests were made with.
    """
    shape = read_architecture(name)
    unused = 0.0 if shape is None else shape.unused_parameters
    is_mixture = used_parameters is not None and bool(unused)
    return ModelRecord(
        name=name,
        parameters=used_parameters + (unused or 0) if used_parameters is not None and is_mixture else used_parameters,
        active_parameters=used_parameters if is_mixture else None,
        kv_bytes=None if shape is None else shape.kv_bytes,
        attention_flops=None if shape is None else shape.attention_flops,
        settings=dict(settings),
    )


def collect_settings(origin: Sweep | ImportedRun, role: str) -> dict[str, Any]:
    """Return the settings of a role's requests; empty for an imported run.

    Of an engine's options only those on thinking are kept: others may hold addresses or keys, and change no text.
    """
    if not isinstance(origin, Sweep):
        return {}
    config = origin.sampling_solver if role == "solver" else getattr(origin, role, None)
    if config is None:
        return {}
    content = config.model_dump(mode="json")
    options = dict(flatten_settings(content.get("options") or {}))
    thinking = {f"options.{name}": value for name, value in options.items() if any(w in name for w in THINKING_WORDS)}
    return {name: content[name] for name in KEPT_SETTINGS if content.get(name) not in (None, [])} | thinking


def collect_sampling(origin: Sweep | ImportedRun, grader: str) -> dict[str, Any] | None:
    """Return how a run's rows were sampled, as keys of a sweep file, so that the same can be done for other problems.

    Left out are the task, the sizes, and options of an engine that change no result, such as addresses.

    Args:
        origin: what made the run.
        grader: name and version of the grader of its answers.

    Returns:
        The keys, and the grader's name under ``grader``; None if another tool sampled the solutions.
    """
    if not isinstance(origin, Sweep) or (solver := origin.sampling_solver) is None:
        return None
    # the solver of taken solutions is that of the other run; its settings are cleaned as this sweep's own would be
    sweep = origin.model_copy(update={"solver": solver, "solutions_from": None})
    identity = sweep.build_identity()
    content: dict[str, Any] = {name: identity[name] for name in ("engine", "solver", "verifier", "scorer", "step")}
    content["boxed_ends"] = identity["boxed_ends"]
    for role in ("solver", "verifier", "scorer"):
        if content[role] is not None:
            content[role] = {name: value for name, value in content[role].items() if value not in (None, [], {})}
    rules = {search.strategy: describe_search_rules(search) for search in origin.searches}
    content["searches"] = [{"strategy": name, **kept} for name, kept in rules.items() if kept]
    content["grader"] = grader.partition("/")[0]
    return {name: value for name, value in content.items() if value not in (None, [])}


def describe_search_rules(search: SearchConfig) -> dict[str, Any]:
    """Return the rules of a search that its allocation does not tell, as far as they are not the usual ones."""
    usual = SearchConfig(strategy=search.strategy, n=(1,))
    return {
        name: getattr(search, name) for name in ("rounds", "prompt") if getattr(search, name) != getattr(usual, name)
    }
