"""Sweeps as they are read: from their files, from mappings and from the manifests of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from isocompute.errors import ConfigError, DataError, RunError
from isocompute.runners.config.base import ConfigBlock
from isocompute.runners.config.cluster import ClusterConfig, ReplicaCounts
from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.search import ScorerRole, SearchConfig
from isocompute.runners.config.sweep import POLICY_KEY, Sweep
from isocompute.runners.config.taken import SourceRun
from isocompute.runners.config.tasks import find_task_block
from isocompute.runners.documents import parse_yaml
from isocompute.runners.parsing.printable import quote_value
from isocompute.runners.storage.files import read_file, refuse_memory_path


def read_sweep(path: str) -> Sweep:
    """Read a sweep file; paths in it are relative to the working directory.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or has an unknown key, a repeated key or a bad value; the
            message says which, and what would be right.
        RunError: the run is in memory, which is lost when the command ends.
    """
    sweep = build_sweep(read_sweep_keys(path, ("run", "task", "engine", "solver")), path)
    refuse_memory_path(sweep.run)
    return sweep


def read_sweep_keys(path: str, usual: Sequence[str]) -> dict[str, Any]:
    """Return the keys and values of a sweep file.

    Args:
        path: the file.
        usual: some of the keys that it holds, for errors.

    Raises:
        ConfigError: the file cannot be read, is not YAML, repeats a key, or holds no keys.
    """
    try:
        content = parse_yaml(read_file(path).decode(), path)
    except OSError as error:
        raise ConfigError(f"The sweep file '{path}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"The sweep file '{path}' is not UTF-8 text.") from None
    except (DataError, RunError) as error:
        raise ConfigError(str(error)) from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a sweep: it must hold keys such as {', '.join(usual)}.")
    return content


def build_sweep(content: Mapping[str, Any], where: str = "the sweep") -> Sweep:
    """Return the sweep that a mapping of keys describes.

    Args:
        content: the keys and values of a sweep file.
        where: what holds them, for errors.

    Raises:
        ConfigError: a key is unknown or missing, or a value is bad.
    """
    try:
        return Sweep.model_validate(dict(content))
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain_validation_error(error, content)}") from None


def extract_sweep(manifest: dict[str, Any], run: str) -> Sweep:
    """Return the sweep in a run's manifest, bound to its source run if it has one.

    Raises:
        DataError: the manifest holds no valid sweep, or does not say what was taken.
    """
    try:
        sweep = Sweep.model_validate(manifest["config"])
    except ValidationError as error:
        reason = explain_validation_error(error, manifest["config"])
        raise DataError(f"The manifest of '{run}' has an invalid 'config': {reason}") from None
    if isinstance(policy := manifest.get(POLICY_KEY), str):
        sweep = sweep.bind_policy(policy)
    if sweep.solutions_from is None:
        return sweep
    try:
        return sweep.bind_source_run(SourceRun.model_validate(manifest.get("solutions_from")))
    except (ValidationError, ConfigError):
        raise DataError(f"The manifest of '{run}' has no valid 'solutions_from' entry.") from None


def explain_validation_error(error: ValidationError, given: object) -> str:
    """Return the first fault that pydantic found in a sweep as one sentence.

    Args:
        error: the error that pydantic raised.
        given: the content that was validated.
    """
    first = error.errors()[0]
    loc = [str(part) for part in first["loc"]]
    shapes: dict[str, type[ConfigBlock]] = {
        "solver": ModelRole,
        "verifier": ModelRole,
        "scorer": ScorerRole,
        "searches": SearchConfig,
        "cluster": ClusterConfig,
    }
    if block := find_task_block(given.get("task") if isinstance(given, dict) else None):
        shapes["task"] = block
    where = ".".join(loc)
    if first["type"] == "extra_forbidden":
        known = shapes.get(loc[0], Sweep) if len(loc) > 1 else Sweep
        known = ReplicaCounts if known is ClusterConfig and len(loc) > 2 else known
        return f"the key '{where}' is unknown; known here: {', '.join(known.model_fields)}."
    if first["type"] == "missing":
        return f"the key '{where}' is missing."
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "model_type":
        message = "it must be a block of keys"
    return f"{where}: {message}; got {quote_value(first['input'])}." if where else f"{message}."
