"""The engines by name, and how one is loaded."""

from __future__ import annotations

import os
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.engines.base import Engine
from isocompute.runners.engines.devices import place
from isocompute.runners.engines.replicas import replicated

LOCAL = ("transformers", "vllm")
"""The engines that load a model themselves; the others name it to a server."""


def check(model: str) -> None:
    """Raise unless the folder of a model that is to be loaded is there; a hub's name is taken at its word.

    Raises:
        EngineError: there is no such folder, or no checkpoint in it.
    """
    looks_local = model.startswith((".", "/", "~", "data/")) or model.count("/") != 1
    folder = Path(model).expanduser()
    if looks_local and not (folder / "config.json").is_file():
        what = "has no config.json" if folder.is_dir() else "is not there"
        raise EngineError(f"The model folder '{model}' {what}; give a checkpoint's folder or a hub's name.")


def is_folder(model: str) -> bool:
    """Return whether a model is a checkpoint's folder on this machine."""
    return (Path(model).expanduser() / "config.json").is_file()


def load(name: str, model: str, **options: Any) -> Engine:
    """Load a model into an engine.

    Args:
        name: ``vllm``, ``transformers`` or ``openai``.
        model: a checkpoint folder, or a hub's name for one; for ``openai`` the name that the server gives it.
        options: passed on to the engine; with ``vllm`` also ``replicas``, how many copies of the model share the work.

    Raises:
        ConfigError: the engine is unknown, or an option of it is.
        EngineError: the library is not installed, the folder is not there, or the model cannot be loaded.
    """
    if name in LOCAL:
        check(model)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        if name == "vllm":
            from isocompute.runners.engines.vllm import VLLM

            return replicated(partial(VLLM, model), attrgetter("prompt"), place, **options)
        if name == "transformers":
            from isocompute.runners.engines.transformers import Transformers

            return Transformers(model, **options)
        if name == "openai":
            from isocompute.runners.engines.openai import OpenAI

            return OpenAI(model, **options)
    except ImportError as error:
        raise EngineError(
            f"The engine '{name}' needs a package that is not installed ({error.name}): "
            f"pip install 'isocompute[{name}]'."
        ) from error
    except TypeError as error:
        raise ConfigError(f"The engine '{name}' does not take these options: {error}.") from error
    raise ConfigError(f"The engine '{name}' is unknown; there are: openai, transformers, vllm.")
