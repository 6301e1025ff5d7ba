"""Loads a checkpoint only if all of it is there, and never runs code from it.

transformers draws weights at random where a checkpoint lacks them, leaves out what it has no place for, and takes what
is not a number as it is. A model loaded so would answer, and nobody would see that the answers are noise. So this
module refuses such a checkpoint with one sentence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError, safe_open

from isocompute.errors import EngineError
from isocompute.runners.cost.model_size import FLOAT_DTYPES, SafetensorsHeader, read_safetensors_header

WEIGHTS_FILE, WEIGHTS_INDEX_FILE = "model.safetensors", "model.safetensors.index.json"

LARGEST_BY_DTYPE = {"float16": 65504.0, "half": 65504.0}
"""The largest number of a type that is smaller than what weights are usually stored as."""

CHECKPOINT_READ_ERRORS = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
"""What reading a file raises that is not what its name says."""


def load_weights(shape: Any, model: str, dtype: str, unused: Collection[str] = ()) -> Any:
    """Load a model with transformers: all of its weights from safetensors, and no code from its folder.

    Args:
        shape: the class, or automatic class, whose ``from_pretrained`` makes the model.
        model: checkpoint folder or hub name.
        dtype: of the weights; ``auto`` is as stored.
        unused: names of weights that the checkpoint may hold although this model has no place for them.

    Returns:
        The model, on the CPU.

    Raises:
        EngineError: it cannot be loaded, or the checkpoint's weights are not those of the model.
    """
    check_checkpoint_files(model)
    options = {"dtype": dtype, "use_safetensors": True, "trust_remote_code": False, "ignore_mismatched_sizes": True}
    try:
        loaded, found = shape.from_pretrained(model, output_loading_info=True, **options)
    except Exception as error:  # many kinds are raised here; each means that the model cannot be loaded
        raise build_load_error(model, error) from error
    refuse_other_weights(model, found, unused)
    if said := found.get("error_msgs"):
        raise build_load_error(model, ValueError(next(iter(said))))
    # Of the buffers only those that a checkpoint stores: others may hold an infinity on purpose, as masks do.
    refuse_non_finite_tensors(
        model, (name for name, weights in loaded.state_dict().items() if not is_finite_tensor(weights))
    )
    return loaded


def refuse_other_weights(model: str, found: Mapping[str, Any], unused: Collection[str] | None = ()) -> None:
    """Raise an EngineError unless a checkpoint has the weights that a model needs, in their shapes, and no others.

    Args:
        model: its name.
        found: what ``from_pretrained`` says of the loading.
        unused: names of weights that may be left over; None if any may.
    """
    if missing := found["missing_keys"]:
        raise EngineError(
            f"The model '{model}' has no weights '{min(missing)}': it is of another kind, or its checkpoint is not "
            f"whole; {describe_tensor_count(missing)} missing."
        )
    extra = set() if unused is None else set(found["unexpected_keys"]) - set(unused)
    if extra:
        raise EngineError(
            f"The checkpoint of '{model}' has weights '{min(extra)}' that the model has no place for: it is of another "
            f"kind than its config.json says; {describe_tensor_count(extra)} left over."
        )
    if shapes := {name: (tuple(stored), tuple(wanted)) for name, stored, wanted in found["mismatched_keys"]}:
        name = min(shapes)
        stored, wanted = shapes[name]
        raise EngineError(
            f"The weights '{name}' of '{model}' have the shape {stored} where its config.json asks for {wanted}; "
            f"{describe_tensor_count(shapes)} of another shape."
        )


def check_checkpoint_files(
    model: str, revision: str | None = None, cache: str | None = None, every: bool = False
) -> bool:
    """Check that a checkpoint's files are there and whole, as far as their lengths and headers tell.

    Of a model on the hub those files are checked that lie in the cache on this machine; nothing is fetched.

    Args:
        model: checkpoint folder or hub name.
        revision: of a model on the hub; its main branch if not given.
        cache: folder of the hub's cache; the usual one if not given.
        every: whether all safetensors files of a folder without an index are read, as vLLM does, or the usual one.

    Returns:
        Whether all of its weights are here; False only for a model on the hub.

    Raises:
        EngineError: a folder has no safetensors files, or a file is missing, a pointer of git-lfs or cut short.
    """
    folder = find_checkpoint_folder(model, revision, cache)
    if folder is None:
        return False
    local = Path(model).expanduser().is_dir()
    place = read_weights_index(model, folder)
    stored: dict[str, set[str]] = {}
    for tensor, name in place.items():
        stored.setdefault(name, set()).add(tensor)
    files = list_weights_files(folder, stored, every)
    if local and not files:
        raise EngineError(
            f"The model '{model}' cannot be loaded: its folder has no safetensors files, and isocompute reads weights "
            "from no others."
        )
    for name in sorted({*stored, *files}):
        if (folder / name).is_file():
            read = read_checked_header(model, folder / name)
            if lost := stored.get(name, set()) - set(read.tensors):
                raise EngineError(
                    f"The model '{model}' cannot be loaded: {name} lacks the tensor '{min(lost)}', which "
                    f"{WEIGHTS_INDEX_FILE} says "
                    f"is in it; {describe_tensor_count(lost)} missing."
                )
            if twice := {tensor for tensor in read.tensors if place.get(tensor, name) != name and name in stored}:
                raise EngineError(
                    f"The model '{model}' cannot be loaded: {name} holds the tensor '{min(twice)}', which "
                    f"{WEIGHTS_INDEX_FILE} says "
                    f"is in {place[min(twice)]}; {describe_tensor_count(twice)} in two files."
                )
        elif local:
            raise EngineError(
                f"The model '{model}' cannot be loaded: {name} is not there, and {WEIGHTS_INDEX_FILE} names it."
            )
    return local or (bool(stored) and set(stored) <= set(files)) or WEIGHTS_FILE in files


def check_finite_weights(
    model: str, revision: str | None = None, cache: str | None = None, every: bool = False, dtype: str = "auto"
) -> None:
    """Read a checkpoint's weights tensor by tensor, and refuse what is not a number or infinite.

    A file that was found to be well is not read again as long as this process lives and the file does not change.

    Args:
        model: checkpoint folder or hub name; of one on the hub the files in the cache are read.
        revision: as in `check_checkpoint_files`.
        cache: as in `check_checkpoint_files`.
        every: as in `check_checkpoint_files`.
        dtype: what the weights will be held as; a number that is too large for it becomes infinite.

    Raises:
        EngineError: a tensor holds such a number, or a file cannot be read.
    """
    folder = find_checkpoint_folder(model, revision, cache)
    if folder is None:
        return
    bad: list[str] = []
    try:
        for name in list_weights_files(folder, read_weights_index(model, folder).values(), every):
            at = (folder / name).stat()
            bad += find_non_finite_tensors(
                str(folder / name), at.st_size, at.st_mtime_ns, LARGEST_BY_DTYPE.get(dtype, math.inf)
            )
    except (*CHECKPOINT_READ_ERRORS, SafetensorError) as error:
        raise build_load_error(model, error) from error
    refuse_non_finite_tensors(model, bad)


@lru_cache(maxsize=4096)
def find_non_finite_tensors(path: str, size: int, changed: int, largest: float) -> tuple[str, ...]:
    """Return the names of a file's tensors that hold NaN, an infinity, or a number beyond the largest.

    Size and time of change say whether the file is still the same.
    """
    with safe_open(path, framework="pt") as file:
        floats = (name for name in file.keys() if file.get_slice(name).get_dtype() in FLOAT_DTYPES)  # noqa: SIM118
        return tuple(name for name in floats if not is_finite_tensor(file.get_tensor(name), largest))


def is_finite_tensor(weights: Any, largest: float = math.inf) -> bool:
    """Say whether every number of a tensor is finite, and within the largest; what holds no such numbers is.

    >>> is_finite_tensor(torch.tensor([1.0, float("nan")])), is_finite_tensor(torch.tensor([1, 2]))
    (False, True)
    """
    if not isinstance(weights, torch.Tensor) or weights.is_meta or not weights.is_floating_point():
        return True
    if not weights.numel():
        return True
    if weights.element_size() == 1:  # the least and the greatest of eight-bit numbers are not to be had
        weights = weights.float()
    ends = torch.stack(weights.aminmax())
    return bool(ends.isfinite().all() and (ends.abs() <= largest).all())


def find_checkpoint_folder(model: str, revision: str | None = None, cache: str | None = None) -> Path | None:
    """Return the folder of a checkpoint: the one that is named, or that of the hub's cache; None if there is none."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    try:
        found = try_to_load_from_cache(model, "config.json", cache_dir=cache, revision=revision)
    except ValueError:  # a name that the hub cannot have
        return None
    return Path(found).parent if isinstance(found, str) else None


def read_weights_index(model: str, folder: Path) -> dict[str, str]:
    """Return which file of a checkpoint its index says a tensor is in; nothing without an index.

    Raises:
        EngineError: the index cannot be read, or names a file outside the folder.
    """
    try:
        if not (folder / WEIGHTS_INDEX_FILE).is_file():
            return {}
        place = dict(json.loads((folder / WEIGHTS_INDEX_FILE).read_bytes())["weight_map"])
        strange = next((name for name in place.values() if Path(name).name != name), None)
    except CHECKPOINT_READ_ERRORS as error:
        raise EngineError(
            f"The model '{model}' cannot be loaded: {WEIGHTS_INDEX_FILE} cannot be read: {error!r}."
        ) from None
    if strange is not None:
        raise EngineError(
            f"The model '{model}' cannot be loaded: {WEIGHTS_INDEX_FILE} names '{strange}', which is no file of it."
        )
    return place


def list_weights_files(folder: Path, stored: Iterable[str], every: bool = False) -> list[str]:
    """Return the names of the safetensors files that hold a model's weights and are there.

    Args:
        folder: of the checkpoint.
        stored: the files that its index names.
        every: whether without an index every safetensors file counts; else others count where the usual one is missing.
    """
    names = set(stored)
    if names or (not every and (folder / WEIGHTS_FILE).is_file()):
        return sorted(name for name in {*names, WEIGHTS_FILE} if (folder / name).is_file())
    return sorted(path.name for path in folder.glob("*.safetensors") if path.is_file())


def read_checked_header(model: str, path: Path) -> SafetensorsHeader:
    """Return a file's header.

    Raises:
        EngineError: it has none, or the file is shorter or longer than the header says.
    """
    try:
        read, length = read_safetensors_header(path), path.stat().st_size
        size = read.file_size
    except CHECKPOINT_READ_ERRORS as error:
        said = str(error) if type(error) is ValueError else f"{path.name} has no header that can be read"
        raise EngineError(f"The model '{model}' cannot be loaded: {said}.") from None
    if length != size:
        raise EngineError(
            f"The model '{model}' cannot be loaded: {path.name} has {length:,} bytes and should have {size:,} by its "
            "header; copy or download it again."
        )
    return read


def refuse_non_finite_tensors(model: str, names: Iterable[str]) -> None:
    """Raise an EngineError that names the first of the tensors that are not finite, if there are any."""
    if bad := sorted(names):
        raise EngineError(
            f"The model '{model}' cannot be used: its weights '{bad[0]}' hold numbers that are NaN or infinite "
            f"({len(bad):,} of its tensors do)."
        )


def describe_tensor_count(names: Collection[str]) -> str:
    """Say how many tensors there are, with the verb.

    >>> describe_tensor_count(["a"]), describe_tensor_count(["a", "b"])
    ('1 tensor is', '2 tensors are')
    """
    return "1 tensor is" if len(names) == 1 else f"{len(names):,} tensors are"


def build_load_error(model: str, error: Exception, whose: str = "") -> EngineError:
    """Return the error that says in one sentence why a model cannot be loaded.

    Args:
        model: its name.
        error: what the library raised.
        whose: the library, if it is not transformers.
    """
    said = repr(error) if isinstance(error, KeyError) else str(error)
    if "trust_remote_code" in said or "contains custom code" in said:
        return EngineError(
            f"The model '{model}' needs code from its own folder, and isocompute runs none: choose a model whose "
            f"architecture {whose or 'transformers'} knows."
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [type(error).__name__]
    if "validation error" in lines[0] and len(lines) > 1:  # pydantic: what is wrong stands in the next line
        lines = [lines[1].removeprefix("Value error, ")]
    said = " ".join(lines)[:300] if lines[0].endswith(":") else lines[0]
    opening = f"{whose} cannot load '{model}'" if whose else f"The model '{model}' cannot be loaded"
    return EngineError(f"{opening}: {said}")
