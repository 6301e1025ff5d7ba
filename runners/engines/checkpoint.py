"""Checks and loading of checkpoints: only complete and finite weights are loaded, and no code from the checkpoint runs.

transformers initialises missing weights at random, drops weights that the model does not use, and accepts NaN. A
model loaded so would answer with noise that nobody notices. This module raises an error for such a checkpoint instead.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError, safe_open

from isocompute.errors import EngineError
from isocompute.runners.cost.config_file import check_config_file, read_model_json
from isocompute.runners.cost.model_size import FLOAT_DTYPES, SafetensorsHeader, read_safetensors_header
from isocompute.runners.engines.tokenizer_file import check_tokenizer_files

WEIGHTS_FILE, WEIGHTS_INDEX_FILE = "model.safetensors", "model.safetensors.index.json"

LARGEST_BY_DTYPE = {"float16": 65504.0, "half": 65504.0}
"""The largest number of each type whose range is smaller than that of the usual stored types."""

CHECKPOINT_READ_ERRORS = (
    OSError,
    ValueError,
    ArithmeticError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
)
"""Exceptions raised when a file's content is not what its name says."""


def load_weights(shape: Any, model: str, dtype: str, unused: Collection[str] = ()) -> Any:
    """Load a model with transformers, with all weights from safetensors and no code from its folder.

    Args:
        shape: the class, or automatic class, whose ``from_pretrained`` makes the model.
        model: checkpoint folder or hub name.
        dtype: of the weights; ``auto`` is as stored.
        unused: names of weights that the checkpoint may hold although this model does not use them.

    Returns:
        The model, on the CPU.

    Raises:
        EngineError: it cannot be loaded, or the checkpoint's weights do not match the model's.
    """
    check_checkpoint_files(model)
    options = {"dtype": dtype, "use_safetensors": True, "trust_remote_code": False, "ignore_mismatched_sizes": True}
    try:
        loaded, info = shape.from_pretrained(model, output_loading_info=True, **options)
    except Exception as error:  # many kinds are raised here; each means that the model cannot be loaded
        raise build_load_error(model, error) from error
    refuse_other_weights(model, info, unused)
    if messages := info.get("error_msgs"):
        raise build_load_error(model, ValueError(next(iter(messages))))
    # state_dict leaves out buffers that are not stored: they may be infinite on purpose, as masks are.
    refuse_non_finite_tensors(
        model, (name for name, weights in loaded.state_dict().items() if not is_finite_tensor(weights))
    )
    return loaded


def refuse_other_weights(model: str, info: Mapping[str, Any], unused: Collection[str] | None = ()) -> None:
    """Raise an EngineError unless a checkpoint has exactly the weights that a model needs, in their shapes.

    Args:
        model: its name.
        info: the loading information that ``from_pretrained`` returned.
        unused: names of weights that may be left over; None allows any.
    """
    if missing := info["missing_keys"]:
        raise EngineError(
            f"The model '{model}' lacks the weights '{min(missing)}': it is of another kind, or its checkpoint is "
            f"incomplete; {describe_tensor_count(missing)} missing."
        )
    extra = set() if unused is None else set(info["unexpected_keys"]) - set(unused)
    if extra:
        raise EngineError(
            f"The checkpoint of '{model}' has weights '{min(extra)}' that the model does not use: it is not of the "
            f"kind that its config.json says; {describe_tensor_count(extra)} left over."
        )
    if shapes := {name: (tuple(stored), tuple(required)) for name, stored, required in info["mismatched_keys"]}:
        name = min(shapes)
        stored, required = shapes[name]
        raise EngineError(
            f"The weights '{name}' of '{model}' have the shape {stored}, but its config.json requires {required}; "
            f"{describe_tensor_count(shapes)} of another shape."
        )


def check_checkpoint_files(
    model: str, revision: str | None = None, cache: str | None = None, every: bool = False
) -> bool:
    """Check that a checkpoint's files are present and complete, by their lengths and headers.

    For a model on the hub, only files in this machine's cache are checked; nothing is fetched.

    Args:
        model: checkpoint folder or hub name.
        revision: of a model on the hub; its main branch if not given.
        cache: folder of the hub's cache; the usual one if not given.
        every: whether all safetensors files of a folder without an index are read, as vLLM does, or only the usual one.

    Returns:
        Whether all of its weights are here; False only for a model on the hub.

    Raises:
        EngineError: a folder has no safetensors files, a file is missing, a git-lfs pointer or cut short, or
            config.json or the tokenizer cannot be used.
    """
    folder = find_checkpoint_folder(model, revision, cache)
    if folder is None:
        return False
    check_config_file(model, folder)
    check_tokenizer_files(model, folder)
    local = Path(model).expanduser().is_dir()
    file_of_tensor = read_weights_index(model, folder)
    stored: dict[str, set[str]] = {}
    for tensor, name in file_of_tensor.items():
        stored.setdefault(name, set()).add(tensor)
    files = list_weights_files(folder, stored, every)
    if local and not files:
        raise EngineError(
            f"The model '{model}' cannot be loaded: its folder has no safetensors files, and isocompute reads "
            "weights only from those."
        )
    for name in sorted({*stored, *files}):
        if (folder / name).is_file():
            header = read_checked_header(model, folder / name)
            if missing := stored.get(name, set()) - set(header.tensors):
                raise EngineError(
                    f"The model '{model}' cannot be loaded: {name} lacks the tensor '{min(missing)}', which "
                    f"{WEIGHTS_INDEX_FILE} says "
                    f"is in it; {describe_tensor_count(missing)} missing."
                )
            if duplicates := {
                tensor for tensor in header.tensors if file_of_tensor.get(tensor, name) != name and name in stored
            }:
                raise EngineError(
                    f"The model '{model}' cannot be loaded: {name} holds the tensor '{min(duplicates)}', which "
                    f"{WEIGHTS_INDEX_FILE} says "
                    f"is in {file_of_tensor[min(duplicates)]}; {describe_tensor_count(duplicates)} in two files."
                )
        elif local:
            raise EngineError(
                f"The model '{model}' cannot be loaded: {name} does not exist, but {WEIGHTS_INDEX_FILE} names it."
            )
    return local or (bool(stored) and set(stored) <= set(files)) or WEIGHTS_FILE in files


def check_finite_weights(
    model: str, revision: str | None = None, cache: str | None = None, every: bool = False, dtype: str = "auto"
) -> None:
    """Check tensor by tensor that a checkpoint's weights are finite.

    A file that passed is not read again while this process lives and the file does not change.

    Args:
        model: checkpoint folder or hub name; for the latter the files in the cache are read.
        revision: as in `check_checkpoint_files`.
        cache: as in `check_checkpoint_files`.
        every: as in `check_checkpoint_files`.
        dtype: the type in which the weights will be held; a number too large for it becomes infinite.

    Raises:
        EngineError: a tensor holds NaN or an infinity, or a file cannot be read.
    """
    folder = find_checkpoint_folder(model, revision, cache)
    if folder is None:
        return
    non_finite: list[str] = []
    try:
        for name in list_weights_files(folder, read_weights_index(model, folder).values(), every):
            stat = (folder / name).stat()
            non_finite += find_non_finite_tensors(
                str(folder / name), stat.st_size, stat.st_mtime_ns, LARGEST_BY_DTYPE.get(dtype, math.inf)
            )
    except (*CHECKPOINT_READ_ERRORS, SafetensorError) as error:
        raise build_load_error(model, error) from error
    refuse_non_finite_tensors(model, non_finite)


@lru_cache(maxsize=4096)
def find_non_finite_tensors(path: str, size: int, changed: int, largest: float) -> tuple[str, ...]:
    """Return the names of a file's tensors that hold NaN, an infinity, or a number beyond the largest.

    ``size`` and ``changed``, the time of the last change, are part of the cache key: a changed file is read again.
    """
    with safe_open(path, framework="pt") as file:
        floats = (name for name in file.keys() if file.get_slice(name).get_dtype() in FLOAT_DTYPES)  # noqa: SIM118
        return tuple(name for name in floats if not is_finite_tensor(file.get_tensor(name), largest))


def is_finite_tensor(weights: Any, largest: float = math.inf) -> bool:
    """Return whether every number of a tensor is finite and at most the largest; True without floating-point numbers.

    >>> is_finite_tensor(torch.tensor([1.0, float("nan")])), is_finite_tensor(torch.tensor([1, 2]))
    (False, True)
    """
    if not isinstance(weights, torch.Tensor) or weights.is_meta or not weights.is_floating_point():
        return True
    if not weights.numel():
        return True
    if weights.element_size() == 1:  # torch has no aminmax for eight-bit floats
        weights = weights.float()
    ends = torch.stack(weights.aminmax())
    return bool(ends.isfinite().all() and (ends.abs() <= largest).all())


def find_checkpoint_folder(model: str, revision: str | None = None, cache: str | None = None) -> Path | None:
    """Return a checkpoint's folder, the named one or the one in the hub's cache; None if there is none."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    try:
        config_path = try_to_load_from_cache(model, "config.json", cache_dir=cache, revision=revision)
    except ValueError:  # a name that the hub cannot have
        return None
    return Path(config_path).parent if isinstance(config_path, str) else None


def read_weights_index(model: str, folder: Path) -> dict[str, str]:
    """Return the file that holds each tensor, as the checkpoint's index says; empty without an index.

    Raises:
        EngineError: the index cannot be read, or names a file outside the folder.
    """
    try:
        if not (folder / WEIGHTS_INDEX_FILE).is_file():
            return {}
        place = dict(read_model_json(folder / WEIGHTS_INDEX_FILE)["weight_map"])
        foreign = next((name for name in place.values() if Path(name).name != name), None)
    except CHECKPOINT_READ_ERRORS as error:
        raise EngineError(
            f"The model '{model}' cannot be loaded: {WEIGHTS_INDEX_FILE} cannot be read: {error!r}."
        ) from None
    if foreign is not None:
        raise EngineError(
            f"The model '{model}' cannot be loaded: {WEIGHTS_INDEX_FILE} names '{foreign}', which is not a file in "
            "its folder."
        )
    return place


def list_weights_files(folder: Path, stored: Iterable[str], every: bool = False) -> list[str]:
    """Return the names of the safetensors files that hold a model's weights and exist.

    Args:
        folder: of the checkpoint.
        stored: the files that its index names.
        every: whether, without an index, every safetensors file counts. Otherwise all count only if the usual one is
            missing.
    """
    names = set(stored)
    if names or (not every and (folder / WEIGHTS_FILE).is_file()):
        return sorted(name for name in {*names, WEIGHTS_FILE} if (folder / name).is_file())
    return sorted(path.name for path in folder.glob("*.safetensors") if path.is_file())


def read_checked_header(model: str, path: Path) -> SafetensorsHeader:
    """Return a file's header.

    Raises:
        EngineError: there is no header, or the file's length differs from the one in the header.
    """
    try:
        header, length = read_safetensors_header(path), path.stat().st_size
        size = header.file_size
    except CHECKPOINT_READ_ERRORS as error:
        reason = str(error) if type(error) is ValueError else f"{path.name} has no readable header"
        raise EngineError(f"The model '{model}' cannot be loaded: {reason}.") from None
    if length != size:
        raise EngineError(
            f"The model '{model}' cannot be loaded: {path.name} has {length:,} bytes, but should have {size:,} "
            "according to its header; copy or download it again."
        )
    return header


def refuse_non_finite_tensors(model: str, names: Iterable[str]) -> None:
    """Raise an EngineError that names the first non-finite tensor, if there are any."""
    if ordered := sorted(names):
        raise EngineError(
            f"The model '{model}' cannot be used: its weights '{ordered[0]}' hold numbers that are NaN or infinite "
            f"({len(ordered):,} of its tensors do)."
        )


def describe_tensor_count(names: Collection[str]) -> str:
    """Return the number of tensors with the verb.

    >>> describe_tensor_count(["a"]), describe_tensor_count(["a", "b"])
    ('1 tensor is', '2 tensors are')
    """
    return "1 tensor is" if len(names) == 1 else f"{len(names):,} tensors are"


def build_load_error(model: str, error: Exception, library: str = "") -> EngineError:
    """Return the error that says in one sentence why a model cannot be loaded.

    Args:
        model: its name.
        error: the library's exception.
        library: the library, if it is not transformers.
    """
    message = repr(error) if isinstance(error, KeyError) else str(error)
    if "trust_remote_code" in message or "contains custom code" in message:
        return EngineError(
            f"The model '{model}' needs code from its own folder, which isocompute does not run; choose a model "
            f"whose architecture {library or 'transformers'} supports."
        )
    lines = [line.strip() for line in message.splitlines() if line.strip()] or [type(error).__name__]
    if "validation error" in lines[0] and len(lines) > 1:  # pydantic: the next line has the reason
        lines = [lines[1].removeprefix("Value error, ")]
    message = " ".join(lines)[:300] if lines[0].endswith(":") else lines[0]
    opening = f"{library} cannot load '{model}'" if library else f"The model '{model}' cannot be loaded"
    return EngineError(f"{opening}: {message}")
