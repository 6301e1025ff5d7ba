"""Readers of JSON and YAML documents that refuse repeated keys.

The standard readers silently keep the last of two values for a key, so a sweep would run with settings that its file
also contradicts. These readers raise an error that names the key.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

from isocompute.errors import DataError
from isocompute.limits import DOCUMENT_GIB, require_memory


class NotJSONError(DataError):
    """A text that is not JSON."""


class _DuplicateKeyError(Exception):
    """Signal that a JSON object has a key twice."""


class _KeyValuePairs(list[tuple[str, Any]]):
    """The key-value pairs of an object in the order of the text, repeated keys included."""


def parse_json(content: str | bytes, where: str) -> Any:
    """Return the content of a JSON document.

    NaN and Infinity are read as numbers, as by Python's own reader.

    Args:
        content: the document.
        where: its name for errors, such as a file's path.

    Raises:
        NotJSONError: it is not JSON, not UTF-8, or nested too deep.
        DataError: an object has a key twice; the message names both. Or its values would take too much memory.

    >>> parse_json('{"S": 1, "V": [2]}', "grid.json")
    {'S': 1, 'V': [2]}
    >>> parse_json('{"cells": [{"S": 1}, {"S": 2, "S": 4}]}', "grid.json")
    Traceback (most recent call last):
    isocompute.errors.DataError: grid.json: the key 'S' appears twice in 'cells[1]'; remove one of the two.
    """
    require_memory(estimate_json_bytes(content), f"{where}, once it is read,", DOCUMENT_GIB)
    try:
        return _decode_json(content, _UNIQUE_KEY_DECODER)
    except _DuplicateKeyError:
        key, path = _find_duplicate_key(content)
    except (ValueError, RecursionError):  # ValueError: also text that is not UTF-8, and numbers of thousands of digits
        raise NotJSONError(f"{where} is not JSON.") from None
    within = f" in {_quote_key(path)}" if path else ""
    raise DataError(f"{where}: the key {_quote_key(key)} appears twice{within}; remove one of the two.")


def estimate_json_bytes(content: str | bytes | bytearray) -> int:
    """Return the memory that the values of a JSON document take at most, from its length and its signs.

    An empty list of two characters takes 64 bytes and more, so that a small archive can hold a document that fills the
    memory once it is read.

    >>> estimate_json_bytes("[[], []]")
    342
    """
    signs = ("[", "{", ",") if isinstance(content, str) else (b"[", b"{", b",")
    lists, objects, commas = (content.count(sign) for sign in signs)  # type: ignore[arg-type]
    return len(content) + 90 * lists + 200 * objects + 64 * commas


def parse_yaml(content: str, where: str) -> Any:
    """Return the content of a YAML document: plain values, with anchors, aliases and merge keys resolved.

    A key that overrides one of a block merged with ``<<`` is not a repeated key.

    Args:
        content: the document.
        where: its name for errors, such as a file's path.

    Raises:
        DataError: it is not YAML, is nested too deep, or a block has a key twice; the message gives the line.

    >>> parse_yaml("seed: 1\\nseed: 2", "a.yaml")
    Traceback (most recent call last):
    isocompute.errors.DataError: a.yaml, line 2: the key 'seed' appears twice, first in line 1; remove one of the two.
    """
    import yaml  # imported here because `plan` reads no YAML and must start quickly

    try:
        return yaml.load(content, _build_yaml_loader())
    except RecursionError:
        raise DataError(f"{where}: not YAML: nested too deeply.") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an invalid date or number
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        reason = problem if getattr(error, "context", None) == DUPLICATE_KEY else f"not YAML: {problem}"
        raise DataError(f"{where}{line}: {reason}.") from None


def check_column_names(names: Iterable[str], where: str) -> None:
    """Raise if two columns of a table have the same name.

    Columns without a name are ignored: they are never read, and spreadsheets append them to lines.

    Raises:
        DataError: two columns have the same name; the message gives it.
    """
    for name, times in Counter(names).items():
        if name and times > 1:
            often = "twice" if times == 2 else f"{times} times"
            raise DataError(f"{where}: the column {_quote_key(name)} appears {often}; keep one, or rename the others.")


def _quote_key(key: str) -> str:
    """Return a key in quotes, on one line and at most 100 characters, for an error."""
    quoted = repr(key)
    return quoted if len(quoted) <= 100 else f"{quoted[:97]}…'"


def _decode_json(content: str | bytes, reader: json.JSONDecoder) -> Any:
    """Decode JSON as `json.loads` does, with a decoder that is built once.

    With a hook, `json.loads` builds a new decoder for every line, which takes twice the time.
    """
    if isinstance(content, bytes):
        content = content.decode(json.detect_encoding(content), "surrogatepass")
    return reader.decode(content)


def _require_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _DuplicateKeyError
    return values


_UNIQUE_KEY_DECODER = json.JSONDecoder(object_pairs_hook=_require_unique_keys)


def _find_duplicate_key(content: str | bytes) -> tuple[str, str]:
    """Return the first repeated key and the path of its object.

    It decodes the document a second time, so that valid files do not pay for tracking the path.
    """
    blocks: list[tuple[str, Any]] = [("", _decode_json(content, json.JSONDecoder(object_pairs_hook=_KeyValuePairs)))]
    while blocks:
        path, value = blocks.pop()
        inner: list[tuple[str, Any]] = []
        if isinstance(value, _KeyValuePairs):
            for key, times in Counter(key for key, _ in value).items():
                if times > 1:
                    return key, path
            inner = [(f"{path}.{key}" if path else key, item) for key, item in value]
        elif isinstance(value, list):
            inner = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
        blocks.extend(reversed([(place, item) for place, item in inner if isinstance(item, list)]))
    raise AssertionError("a key appeared twice, but was not found again")


DUPLICATE_KEY = "a key appears twice"
"""The context of the error for a YAML block with a repeated key; its problem is a full sentence for the user."""


@cache
def _build_yaml_loader() -> Any:
    """Return a safe YAML loader class that refuses repeated keys.

    It checks each block when it is composed. The constructor would be too late: it merges keys into the block in place,
    where they cannot be told from the block's own, and an anchored block may be merged before it is constructed.
    """
    import yaml

    class UniqueKeyLoader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
            node: yaml.MappingNode = super().compose_mapping_node(anchor)
            lines: dict[Any, int] = {}
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue  # a list or a block, which the constructor refuses as a key
                # Keys are compared as values: 'yes' and 'true' are one. '<<' and '=' have a meaning and no value.
                special = key.tag in ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
                value = key.value if special else self.construct_object(key)
                line = key.start_mark.line + 1
                if value in lines:
                    hint = "merge several blocks with '<<: [*one, *two]'" if special else "remove one of the two"
                    problem = f"the key {_quote_key(key.value)} appears twice, first in line {lines[value]}; {hint}"
                    raise yaml.constructor.ConstructorError(DUPLICATE_KEY, node.start_mark, problem, key.start_mark)
                lines[value] = line
            return node

    return UniqueKeyLoader
