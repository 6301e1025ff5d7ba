"""The records of a run's models: their sizes, and the settings of their requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocompute.planner.ignored_setting import THINKING_WORDS, flatten_settings
from isocompute.planner.profile import ModelRecord
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
