"""Model sizes, counted from the headers of a checkpoint's files without reading the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from isocompute.errors import EngineError
from isocompute.runners.cost.architecture import Architecture, count_unused_parameters, derive_architecture
from isocompute.runners.cost.config_file import read_config_file, read_model_json
from isocompute.runners.documents import parse_answer_json
from isocompute.runners.storage.files import open_regular_file

FLOAT_DTYPES = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
PACKED_DTYPES = {"I32", "U32", "I16", "U16", "I8", "U8"}
"""Types in which one number may hold several weights."""
MAX_HEADER_BYTES = 100_000_000
"""The longest header that a safetensors file may have, in bytes."""
LFS_POINTER_PREFIX = b"version https://git-lfs.github.com/spec/"
"""The first bytes of a pointer file that git-lfs leaves in place of a large file."""


@dataclass(frozen=True)
class SafetensorsHeader:
    """The header of a safetensors file.

    Args:
        tensors: by name, each with its ``dtype``, ``shape`` and ``data_offsets``.
        start: bytes before the first tensor.
    """

    tensors: dict[str, dict[str, Any]]
    start: int

    @property
    def file_size(self) -> int:
        """Size of the complete file in bytes."""
        return self.start + max((tensor["data_offsets"][1] for tensor in self.tensors.values()), default=0)


def find_model_sizes(
    models: Mapping[str, str], given: Sequence[float] = (), known: Mapping[str, float] | None = None
) -> dict[str, float | None]:
    """Return the models' parameter counts: the known one, else the checkpoint's, else the given one.

    Args:
        models: the models by role.
        given: sizes in the order of the roles, used where there is no other source; the last one holds for the
            remaining roles.
        known: sizes by role, from a run or a sweep file.

    Returns:
        The sizes by role; None if unknown.

    Raises:
        EngineError: a checkpoint cannot be read.

    Example:
        >>> find_model_sizes({"solver": "far/away", "verifier": "far/off", "scorer": "far/out"}, [8e9, 7e10])
        {'solver': 8000000000.0, 'verifier': 70000000000.0, 'scorer': 70000000000.0}
    """
    given_sizes = dict(zip(models, chain(given, repeat(given[-1])) if given else (), strict=False))
    known_sizes = known or {}
    return {
        role: known_sizes.get(role) or count_checkpoint_parameters(model) or given_sizes.get(role)
        for role, model in models.items()
    }


def count_checkpoint_parameters(model: str) -> float | None:
    """Return the number of parameters that a token uses in a local checkpoint, from its safetensors files' headers.

    Of a mixture of experts, the parameters of the experts that a token does not use are subtracted. Without such files,
    and with packed integers, of which one number may hold several weights, config.json is counted if its architecture
    is known.

    Returns:
        The number; None where it is unknown, as for a mixture whose config.json does not say how many experts a token
        uses, or does not fit the weights.

    Raises:
        EngineError: a file is invalid.
    """
    folder = Path(model).expanduser()
    index = folder / "model.safetensors.index.json"
    try:
        settings = read_config_file(folder)
        names = read_model_json(index)["weight_map"].values() if index.is_file() else ["model.safetensors"]
        tensors = [
            tensor for name in sorted(set(names)) for tensor in read_safetensors_header(folder / name).tensors.values()
        ]
        if any(tensor["dtype"] in PACKED_DTYPES for tensor in tensors):
            return _count_from_config(model)
        if (unused := count_unused_parameters(settings)) is None:
            return None
        size = sum(math.prod(tensor["shape"]) for tensor in tensors if tensor["dtype"] in FLOAT_DTYPES) - unused
        return float(size) if size > 0 else None  # its experts would be larger than its weights
    except FileNotFoundError:
        return _count_from_config(model)
    except ValueError as error:
        raise EngineError(f"The checkpoint in '{model}' cannot be read: {str(error).rstrip('.')}.") from None
    except (OSError, ArithmeticError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EngineError(f"The checkpoint in '{model}' cannot be read: {error!r}.") from None


def _count_from_config(model: str) -> float | None:
    architecture = read_architecture(model)
    return None if architecture is None else architecture.active_parameters


def read_architecture(model: str) -> Architecture | None:
    """Return what the config.json of a local checkpoint says of its cost; None without one that can be read."""
    try:
        return derive_architecture(read_config_file(Path(model).expanduser()))
    except (OSError, ValueError, ArithmeticError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def read_safetensors_header(path: Path) -> SafetensorsHeader:
    """Read the header of a safetensors file; the tensors are not read.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file is a pointer of git-lfs, or has no valid header.
    """
    with open_regular_file(path) as file:
        start = file.read(len(LFS_POINTER_PREFIX))
        if start == LFS_POINTER_PREFIX:
            raise ValueError(f"{path.name} is a git-lfs pointer, not the weights; run git lfs pull")
        length = int.from_bytes(start[:8], "little")
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"{path.name} has no header")
        file.seek(8)
        try:
            content = parse_answer_json(file.read(length))
        except ValueError as error:
            raise ValueError(f"{path.name} has no readable header: {error}") from None
    tensors = {name: tensor for name, tensor in content.items() if name != "__metadata__"}
    return SafetensorsHeader(tensors, 8 + length)
