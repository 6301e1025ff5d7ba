"""The registry of engines that a sweep file may name, and their loading."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocompute.errors import ConfigError, EngineError
from isocompute.registry import Registry, load_object
from isocompute.runners.cost.config_file import LARGEST_DOCUMENT_BYTES
from isocompute.runners.engines.base import Engine
from isocompute.runners.engines.options import (
    CONCURRENCY,
    POLL,
    SERVER_OPTIONS,
    TRANSFORMERS_OPTIONS,
    VLLM_OPTIONS,
    EngineOption,
    find_bad_option,
)


@dataclass(frozen=True)
class EngineEntry:
    """An engine.

    Args:
        loader: ``module:callable`` that takes a model's name and the options of its role, and returns an `Engine`.
        description: a description for users.
        is_local: whether it loads a checkpoint itself, from a folder or from the hub; the checkpoint is then checked
            before sampling. Otherwise only the engine knows what the model's name means.
        free_options: options that affect where and how fast it works, but not the results; they may change when a run
            is resumed.
        extra: the extra of isocompute that installs its dependencies; empty if it has none.
        keeps_records: whether it keeps files in the run from which a later process finds what it asked for; its loader
            then takes them as ``records``, a `RecordFiles`, and a function ``note`` that prints a line.
        size_reader: ``module:function`` that takes a model's name and options, and asks the server for the number of
            parameters; it returns None if that is unknown. Empty if there is no server.
        options: the options whose values are checked before any work starts; others are left to the engine.
    """

    loader: str
    description: str
    is_local: bool
    free_options: frozenset[str] = frozenset()
    extra: str = ""
    size_reader: str = ""
    keeps_records: bool = False
    options: tuple[EngineOption, ...] = ()


OPENAI = EngineEntry(
    "isocompute.runners.engines.openai:OpenAIEngine",
    "servers with an OpenAI-compatible endpoint",
    is_local=False,
    free_options=frozenset({"urls", "concurrency", "timeout", "retries", "patience", "backoff", "key_env"}),
    extra="openai",
    size_reader="isocompute.runners.engines.server_sizes:fetch_served_parameters",
    options=(CONCURRENCY, *SERVER_OPTIONS),
)
OPENAI_BATCH = EngineEntry(
    "isocompute.runners.engines.openai_batch:OpenAIBatchEngine",
    "OpenAI's batch API: within a day, at half the price",
    is_local=False,
    free_options=frozenset({"urls", "poll", "retries", "timeout", "patience", "backoff", "key_env"}),
    extra="openai",
    keeps_records=True,
    options=(POLL, *SERVER_OPTIONS),
)
TRANSFORMERS = EngineEntry(
    "isocompute.runners.engines.transformers:TransformersEngine",
    "Hugging Face transformers in this process",
    is_local=True,
    extra="transformers",
    options=TRANSFORMERS_OPTIONS,
)
VLLM = EngineEntry(
    "isocompute.runners.engines.devices:load_vllm",
    "vLLM in this process",
    is_local=True,
    free_options=frozenset({"replicas", "device_ids", "in_flight"}),
    extra="vllm",
    options=VLLM_OPTIONS,
)

ENGINES_MODULE = "isocompute.runners.engines.registry"

ENGINES: Registry[EngineEntry] = Registry(
    "engine",
    "isocompute.engines",
    {
        name: f"{ENGINES_MODULE}:{name.upper().replace('-', '_')}"
        for name in ("vllm", "transformers", "openai", "openai-batch")
    },
    EngineEntry,
)
"""Every engine by its name."""


DOCUMENT_ENDINGS = {".json", ".jinja", ".txt"}


def check_model_folder(model: str) -> None:
    """Raise unless a local model's folder exists and holds files that can be read; hub names are not checked.

    Raises:
        EngineError: there is no such folder, no checkpoint in it, or a file in it is a pipe, a device, or too large.
    """
    looks_local = model.startswith((".", "/", "~", "data/")) or model.count("/") != 1
    folder = Path(model).expanduser()
    if looks_local and not (folder / "config.json").is_file():
        what = "has no config.json" if folder.is_dir() else "does not exist"
        raise EngineError(f"The model folder '{model}' {what}; give a checkpoint's folder or a name on the hub.")
    try:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            check_model_file(model, path)
    except OSError as error:
        raise EngineError(f"The model folder '{model}' cannot be read: {error.strerror or error}.") from None


def check_model_file(model: str, path: Path) -> None:
    """Raise if a file of a model's folder is not one that ends, or is a document that is too large.

    Raises:
        EngineError: it is; the message names it.
    """
    if not path.exists() or path.is_dir():
        return  # what needs it says so
    if not path.is_file():
        raise EngineError(f"The model '{model}' cannot be loaded: {path.name} is a pipe or a device, not a file.")
    if path.suffix in DOCUMENT_ENDINGS and path.stat().st_size > LARGEST_DOCUMENT_BYTES:
        raise EngineError(
            f"The model '{model}' cannot be loaded: {path.name} has more than {LARGEST_DOCUMENT_BYTES:,} bytes."
        )


def is_checkpoint_folder(model: str) -> bool:
    """Return whether a model is a checkpoint folder on this machine."""
    return (Path(model).expanduser() / "config.json").is_file()


def load_engine(name: str, model: str, **options: Any) -> Engine:
    """Load a model into an engine.

    Args:
        name: one of `ENGINES`.
        model: a checkpoint folder or hub name; for ``openai`` the name that the server gives the model.
        options: passed on to the engine; ``vllm`` also takes ``replicas``, the number of copies that share the work.

    Raises:
        ConfigError: the engine or one of its options is unknown.
        EngineError: the library is not installed, the folder does not exist, or the model cannot be loaded.
    """
    entry = ENGINES.find(name)
    if fault := find_bad_option(entry.options, {key: value for key, value in options.items() if key != "records"}):
        raise ConfigError(f"The engine '{name}': {fault}.")
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
    return ENGINES.guard_worker(name, engine)


def describe_missing_package(what: str, error: ImportError, extra: str) -> str:
    """Return the message for a missing package, with the command that installs it.

    >>> describe_missing_package("The engine 'vllm'", ModuleNotFoundError("No module", name="vllm"), "vllm")
    "The engine 'vllm' needs a package that is not installed (vllm): pip install 'isocompute[vllm]'."
    """
    advice = f": pip install 'isocompute[{extra}]'" if extra else ""
    return f"{what} needs a package that is not installed ({error.name or error}){advice}."
