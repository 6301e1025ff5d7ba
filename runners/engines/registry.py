"""The engines that a sweep file may name: what each is, and how one is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocompute.errors import ConfigError, EngineError
from isocompute.registry import Registry, load_object
from isocompute.runners.engines.base import Engine


@dataclass(frozen=True)
class EngineEntry:
    """An engine.

    Args:
        loader: ``module:callable`` that takes a model's name and the options of its role, and returns an `Engine`.
        description: what it is, for people.
        is_local: whether it loads a checkpoint itself, a folder of safetensors or a hub's name, which is checked before
            anything is sampled; if not, the model is a name that says something to the engine alone.
        free_options: options that say where and how fast it works, and not what it does: they may be others when a run
            goes on.
        extra: the extra of isocompute that installs what it needs; empty if nothing is needed.
        size_reader: ``module:function`` that takes a model's name and options, and asks whoever has loaded it how many
            parameters it has; it returns None if that is not known. Empty if there is nobody to ask.
    """

    loader: str
    description: str
    is_local: bool
    free_options: frozenset[str] = frozenset()
    extra: str = ""
    size_reader: str = ""


OPENAI = EngineEntry(
    "isocompute.runners.engines.openai:OpenAIEngine",
    "servers with an OpenAI-compatible endpoint",
    is_local=False,
    free_options=frozenset({"urls", "concurrency", "timeout", "retries", "patience", "backoff", "key_env"}),
    extra="openai",
    size_reader="isocompute.runners.engines.server_sizes:fetch_served_parameters",
)
TRANSFORMERS = EngineEntry(
    "isocompute.runners.engines.transformers:TransformersEngine",
    "Hugging Face transformers in this process",
    is_local=True,
    extra="transformers",
)
VLLM = EngineEntry(
    "isocompute.runners.engines.devices:load_vllm",
    "vLLM in this process",
    is_local=True,
    free_options=frozenset({"replicas", "device_ids", "in_flight"}),
    extra="vllm",
)

ENGINES_MODULE = "isocompute.runners.engines.registry"

ENGINES: Registry[EngineEntry] = Registry(
    "engine",
    "isocompute.engines",
    {name: f"{ENGINES_MODULE}:{name.upper()}" for name in ("vllm", "transformers", "openai")},
    EngineEntry,
)
"""Every engine by its name."""


def check_model_folder(model: str) -> None:
    """Raise unless the folder of a model that is to be loaded is there; a hub's name is taken at its word.

    Raises:
        EngineError: there is no such folder, or no checkpoint in it.
    """
    looks_local = model.startswith((".", "/", "~", "data/")) or model.count("/") != 1
    folder = Path(model).expanduser()
    if looks_local and not (folder / "config.json").is_file():
        what = "has no config.json" if folder.is_dir() else "is not there"
        raise EngineError(f"The model folder '{model}' {what}; give a checkpoint's folder or a hub's name.")


def is_checkpoint_folder(model: str) -> bool:
    """Return whether a model is a checkpoint's folder on this machine."""
    return (Path(model).expanduser() / "config.json").is_file()


def load_engine(name: str, model: str, **options: Any) -> Engine:
    """Load a model into an engine.

    Args:
        name: one of `ENGINES`.
        model: a checkpoint folder, or a hub's name for one; for ``openai`` the name that the server gives it.
        options: passed on to the engine; with ``vllm`` also ``replicas``, how many copies of the model share the work.

    Raises:
        ConfigError: the engine is unknown, or an option of it is.
        EngineError: the library is not installed, the folder is not there, or the model cannot be loaded.
    """
    entry = ENGINES.find(name)
    if entry.is_local:
        check_model_folder(model)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        with ENGINES.wrap_plugin_errors(name):
            engine: Engine = load_object(entry.loader)(model, **options)
    except ImportError as error:
        raise EngineError(describe_missing_package(f"The engine '{name}'", error, entry.extra)) from error
    except TypeError as error:
        raise ConfigError(f"The engine '{name}' does not take these options: {error}.") from error
    return engine


def describe_missing_package(what: str, error: ImportError, extra: str) -> str:
    """Say that something needs a package that cannot be imported, and what installs it.

    >>> describe_missing_package("The engine 'vllm'", ModuleNotFoundError("No module", name="vllm"), "vllm")
    "The engine 'vllm' needs a package that is not installed (vllm): pip install 'isocompute[vllm]'."
    """
    advice = f": pip install 'isocompute[{extra}]'" if extra else ""
    return f"{what} needs a package that is not installed ({error.name or error}){advice}."
