"""A check of a checkpoint's config.json, before a library builds a model of the sizes that it names."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from isocompute.errors import EngineError
from isocompute.runners.documents import parse_answer_json
from isocompute.runners.storage.files import open_regular_file

CONFIG_FILE = "config.json"

LONGEST_CONFIG_BYTES = 2**24
"""Bytes of the longest config.json that is read."""

LARGEST_DOCUMENT_BYTES = 2**27
"""Bytes of the largest document in a model's folder: a tokenizer, a list of tensors, a template."""

COUNT_PATTERN = re.compile(r"(?:num_|n_).*|.*(?:_layers|_experts|_heads)|n_?layers?")
"""Names of numbers of layers, heads and experts: a library builds as many modules, one after the other."""

MOST_MODULES = 20_000
LARGEST_SIZE = 2**40

SIZE_NAMES = ("hidden_size", "intermediate_size", "vocab_size", "num_hidden_layers", "num_attention_heads")
"""Numbers that are whole and above zero wherever they stand."""


def read_model_json(path: Path, most: int = LARGEST_DOCUMENT_BYTES) -> Any:
    """Return the content of a JSON document in a model's folder.

    Raises:
        OSError: it is missing, or cannot be read.
        ValueError: it is no file, too large, or not JSON; the message says so without the file's name.
    """
    with open_regular_file(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return parse_answer_json(content)


def read_config_file(folder: Path) -> dict[str, Any]:
    """Return a folder's config.json, whose numbers a model can have.

    Raises:
        OSError: it is missing, or cannot be read.
        ValueError: it is no block of keys, or a number is out of its range; the message names the file.
    """
    try:
        content = read_model_json(folder / CONFIG_FILE, LONGEST_CONFIG_BYTES)
    except ValueError as error:
        raise ValueError(f"{CONFIG_FILE}: {str(error).rstrip('.')}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{CONFIG_FILE} is not a block of keys")
    if fault := find_config_fault(content):
        raise ValueError(f"{CONFIG_FILE}: {fault}")
    return content


def check_config_file(model: str, folder: Path) -> None:
    """Raise unless config.json is a block of keys whose numbers a model can have; one that is missing is passed over.

    Raises:
        EngineError: it is not; the message names the file and the key.
    """
    try:
        read_config_file(folder)
    except FileNotFoundError:
        return  # the caller says so
    except OSError as error:
        reason = f"{CONFIG_FILE} cannot be read: {error.strerror}"
        raise EngineError(f"The model '{model}' cannot be loaded: {reason}.") from None
    except ValueError as error:
        raise EngineError(f"The model '{model}' cannot be loaded: {error}.") from None


def find_config_fault(content: dict[str, Any]) -> str | None:
    """Return which number of a configuration a model cannot have; None if it can have all.

    >>> find_config_fault({"num_hidden_layers": 10**9})
    "'num_hidden_layers' is 1,000,000,000; the most is 20,000"
    >>> find_config_fault({"text_config": {"hidden_size": "64"}})
    "'text_config.hidden_size' must be a whole number above zero"
    """
    blocks = [("", content)]
    while blocks:
        path, block = blocks.pop()
        for name, value in block.items():
            if isinstance(value, dict):
                blocks.append((f"{path}{name}.", value))
            if name in SIZE_NAMES and value is not None and (type(value) is not int or value < 1):
                return f"'{path}{name}' must be a whole number above zero"
            if isinstance(value, int) and not isinstance(value, bool):
                most = MOST_MODULES if COUNT_PATTERN.fullmatch(name) else LARGEST_SIZE
                if abs(value) > most:
                    return f"'{path}{name}' is {value:,}; the most is {most:,}"
            elif isinstance(value, float) and not math.isfinite(value):
                return f"'{path}{name}' is not a finite number"
    return None
