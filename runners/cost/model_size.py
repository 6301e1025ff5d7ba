"""How large a model is, as its checkpoint's folder tells; its weights are not read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from isocompute.errors import EngineError

FLOAT_DTYPES = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
PACKED_DTYPES = {"I32", "U32", "I16", "U16", "I8", "U8"}
"""Types in which one number may be several weights."""
MAX_HEADER_BYTES = 100_000_000
"""Bytes of the longest header that a safetensors file may have."""
LFS_POINTER_PREFIX = b"version https://git-lfs.github.com/spec/"
"""How a file begins that git-lfs leaves in the place of a large one."""
EXPERT_COUNT_KEYS = ("num_local_experts", "num_experts", "n_routed_experts")


@dataclass(frozen=True)
class SafetensorsHeader:
    """What a safetensors file says of itself.

    Args:
        tensors: by name, each with its ``dtype``, ``shape`` and ``data_offsets``.
        start: bytes before the first tensor.
    """

    tensors: dict[str, dict[str, Any]]
    start: int

    @property
    def file_size(self) -> int:
        """Bytes of the file if it is whole."""
        return self.start + max((tensor["data_offsets"][1] for tensor in self.tensors.values()), default=0)


def find_model_sizes(
    models: Mapping[str, str], given: Sequence[float] = (), known: Mapping[str, float] | None = None
) -> dict[str, float | None]:
    """Return how many parameters models have: as is known, else as the checkpoint in a folder says, else as was given.

    Args:
        models: by role.
        given: sizes of those that neither is known nor a folder here tells, in the order of the roles; the last one
            holds for the roles after it.
        known: by role, as a run or a sweep file says.

    Returns:
        By role; None where nobody says.

    Raises:
        EngineError: a checkpoint cannot be read.

    Example:
        >>> find_model_sizes({"solver": "far/away", "verifier": "far/off", "scorer": "far/out"}, [8e9, 7e10])
        {'solver': 8000000000.0, 'verifier': 70000000000.0, 'scorer': 70000000000.0}
    """
    told = dict(zip(models, chain(given, repeat(given[-1])) if given else (), strict=False))
    sizes = known or {}
    return {
        role: sizes.get(role) or count_checkpoint_parameters(model) or told.get(role) for role, model in models.items()
    }


def count_checkpoint_parameters(model: str) -> float | None:
    """Return how many parameters a checkpoint's folder holds, as the headers of its safetensors files say.

    Returns:
        None without such files, and where what is stored is not what a token passes: packed integers, and experts
        of which each token visits a few.

    Raises:
        EngineError: a file is not what its name says.
    """
    folder = Path(model).expanduser()
    index = folder / "model.safetensors.index.json"
    try:
        settings = json.loads((folder / "config.json").read_bytes())
        names = json.loads(index.read_bytes())["weight_map"].values() if index.is_file() else ["model.safetensors"]
        tensors = [
            tensor for name in sorted(set(names)) for tensor in read_safetensors_header(folder / name).tensors.values()
        ]
        if any(settings.get(name) for name in EXPERT_COUNT_KEYS) or any(
            tensor["dtype"] in PACKED_DTYPES for tensor in tensors
        ):
            return None
        return float(sum(math.prod(tensor["shape"]) for tensor in tensors if tensor["dtype"] in FLOAT_DTYPES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EngineError(f"The checkpoint in '{model}' cannot be read: {error!r}.") from None


def read_safetensors_header(path: Path) -> SafetensorsHeader:
    """Read what a safetensors file says of its tensors; the tensors themselves are not read.

    Raises:
        OSError: the file is not there, or the disk does not give it.
        ValueError: the file is a pointer of git-lfs, or has no header that can be read.
    """
    with path.open("rb") as file:
        start = file.read(len(LFS_POINTER_PREFIX))
        if start == LFS_POINTER_PREFIX:
            raise ValueError(f"{path.name} is a pointer of git-lfs, not the weights: git lfs pull")
        length = int.from_bytes(start[:8], "little")
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"{path.name} has no header")
        file.seek(8)
        content = json.loads(file.read(length))
    tensors = {name: tensor for name, tensor in content.items() if name != "__metadata__"}
    return SafetensorsHeader(tensors, 8 + length)
