"""Readers of JSON and YAML documents that refuse repeated keys, and what takes too much memory.

The standard readers silently keep the last of two values for a key, so a sweep would run with settings that its file
also contradicts. These readers raise an error that names the key.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from isocompute.errors import DataError
from isocompute.limits import DOCUMENT_GIB, fits_memory, require_memory
from isocompute.terminal import has_surrogates

MAX_YAML_CHARACTERS = 500_000
"""The longest YAML document that is read."""
MAX_YAML_NESTING = 30
"""The most nested blocks of a YAML document."""
MAX_YAML_VALUES = 20_000
"""The most values of a YAML document, counted once for each alias."""
MAX_JSON_DEPTH = 100
"""The most nested blocks of a JSON document."""
SHORT_DOCUMENT = 2**24
"""Characters below which a document takes little memory, whatever its letters are."""
WIDE_LETTERS = ((0xF0, 4), (0xC4, 2), (0, 1))
"""The lowest first byte in UTF-8 of letters that take 4, 2 and 1 bytes each in memory."""


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


def parse_answer_json(content: str | bytes | bytearray) -> Any:
    """Return the content of a JSON document that a server sent; of a repeated key the last value counts.

    Raises:
        ValueError: it is not JSON, nested too deep, or its values would take too much memory; the message says which.

    >>> parse_answer_json(b'{"id": 1}')
    {'id': 1}
    """
    if not fits_memory(estimate_json_bytes(content), DOCUMENT_GIB):
        raise ValueError(f"its values would take more than {DOCUMENT_GIB:g} GiB")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None


def estimate_json_bytes(content: str | bytes | bytearray) -> int:
    """Return the memory that the text of a JSON document and its values take at most, from its length and its signs.

    An empty list of two characters takes 64 bytes and more, so that a small archive can hold a document that fills the
    memory once it is read. Python keeps every character of a text in as many bytes as its widest one needs.

    >>> estimate_json_bytes("[[], []]")
    350
    """
    signs = ("[", "{", ",") if isinstance(content, str) else (b"[", b"{", b",")
    lists, objects, commas = (content.count(sign) for sign in signs)  # type: ignore[arg-type]
    text, values = measure_letters(content)
    return (text + values) * len(content) + 90 * lists + 200 * objects + 64 * commas


def measure_letters(content: str | bytes | bytearray) -> tuple[int, int]:
    r"""Return the bytes of a letter of a JSON document, 1, 2 or 4, and of a letter of its values at most.

    A document that is too short to matter is not searched. Escapes write wide letters in narrow ones.

    >>> measure_letters("é" * SHORT_DOCUMENT), measure_letters("😀" * SHORT_DOCUMENT)
    ((1, 1), (4, 4))
    >>> measure_letters(rb'"\ud83d\ude00"' * SHORT_DOCUMENT)
    (1, 4)
    """
    if len(content) < SHORT_DOCUMENT:
        return 1, 1
    if isinstance(content, str):
        text = (sys.getsizeof(content) - sys.getsizeof("")) // len(content)
        has_escapes = "\\u" in content
    else:
        highest = int(np.frombuffer(content, dtype=np.uint8).max())
        text = next(width for lead, width in WIDE_LETTERS if highest >= lead)
        has_escapes = b"\\u" in content
    return text, 4 if has_escapes else text


def parse_json_document(content: str | bytes, where: str) -> Any:
    """Return the content of a JSON document that isocompute itself writes, or a user by hand: a profile, a manifest.

    Besides what `parse_json` refuses, text must be valid and blocks nested at most 100 deep.

    Raises:
        NotJSONError: it is not JSON.
        DataError: it breaks one of these rules, or an object has a key twice.

    >>> parse_json_document('{"name": "\\ud800"}', "p.json")
    Traceback (most recent call last):
    isocompute.errors.DataError: p.json has half of a surrogate pair in a text, which is not valid text.
    """
    value = parse_json(content, where)
    blocks: list[Any] = [value]
    for _ in range(MAX_JSON_DEPTH):
        inner = [item for block in blocks for item in _list_items(block)]
        if any(isinstance(item, str) and has_surrogates(item) for item in inner):
            raise DataError(f"{where} has half of a surrogate pair in a text, which is not valid text.")
        blocks = [item for item in inner if isinstance(item, dict | list)]
        if not blocks:
            return value
    raise DataError(f"{where}: blocks are nested more than {MAX_JSON_DEPTH} deep.")


def _list_items(block: Any) -> Iterable[Any]:
    """Return the values of a list, or the keys and values of a block."""
    if isinstance(block, dict):
        return (*block, *block.values())
    return block if isinstance(block, list) else [block] if isinstance(block, str) else ()


def parse_yaml(content: str, where: str) -> Any:
    """Return the content of a YAML document: plain values, with anchors, aliases and merge keys resolved.

    A key that overrides one of a block merged with ``<<`` is not a repeated key. A date is a text. What YAML 1.1 reads
    in another way than YAML 1.2 is refused: ``1:20`` is 80 there, ``010`` is 8, and ``yes`` is true.

    Args:
        content: the document.
        where: its name for errors, such as a file's path.

    Raises:
        DataError: it is not YAML; it is too large, also by its aliases, or nested too deep; a block has a key twice, or
            a value has two readings. The message gives the line.

    >>> parse_yaml("seed: 1\\nseed: 2", "a.yaml")
    Traceback (most recent call last):
    isocompute.errors.DataError: a.yaml, line 2: the key 'seed' appears twice, first in line 1; remove one of the two.
    """
    import yaml  # imported here because `plan` reads no YAML and must start quickly

    if len(content) > MAX_YAML_CHARACTERS:
        raise DataError(f"{where} has more than {MAX_YAML_CHARACTERS:,} characters, the most that is read of YAML.")
    try:
        return yaml.load(content, _build_yaml_loader())
    except RecursionError:
        raise DataError(f"{where}: not YAML: nested too deeply.") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an invalid number
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        reason = YAML_FAULTS.get(str(problem), f"not YAML: {problem}")
        reason = str(problem) if getattr(error, "context", None) == REFUSED_YAML else reason
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


YAML_FAULTS = {
    "but found another document": "a second document begins here; keep one in the file",
    "second occurrence": "an anchor has the name of an earlier one; rename it",
}
"""Words of the parser that need the rest of its message, and what they mean."""

REFUSED_YAML = "refused"
"""The context of the error for YAML that a rule of isocompute refuses; its problem is a full sentence for the user."""

TEXT_TAG = "tag:yaml.org,2002:str"
CORE_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map"))
SPECIAL_TAGS = frozenset({"tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"})
"""Tags of the keys ``<<`` and ``=``, which have a meaning and no value."""
OLD_NUMBER_PATTERN = re.compile(
    r"[-+]?(?:0[0-9_]+|0b[01_]+|0o[0-7]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9.][0-9.]*_[0-9_.eE+-]*)"
)
"""Numbers that YAML 1.1 reads in base 8, 2 or 60, or without their underscores, and that other readers take as text."""
YAML_NUMBER_PATTERN = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
"""Numbers of YAML 1.2 and JSON; YAML 1.1 takes some for texts, such as ``8e9`` and ``1e-05``."""
LONGEST_NUMBER = 400
"""Characters of the longest number."""
OLD_TRUTH_PATTERN = re.compile(r"yes|no|on|off", re.IGNORECASE)


@cache
def _build_yaml_loader() -> Any:
    """Return a loader class for plain values that refuses repeated keys, growth, and values that are read in two ways.

    It checks each block when it is composed. The constructor would be too late: it merges keys into the block in place,
    where they cannot be told from the block's own, and an anchored block may be merged before it is constructed.
    """
    import yaml

    def refuse(problem: str, mark: Any) -> Any:
        return yaml.constructor.ConstructorError(REFUSED_YAML, mark, problem, mark)

    class StrictLoader(yaml.SafeLoader):
        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            self.depth = self.composed = 0
            self.sizes: dict[int, int] = {}  # by finished node, its values with those of its aliases

        def compose_node(self, parent: Any, index: Any) -> Any:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            is_alias = self.check_event(yaml.AliasEvent)
            self.depth += 1
            self.composed += 1
            if self.depth > MAX_YAML_NESTING:
                raise refuse(f"blocks are nested more than {MAX_YAML_NESTING} deep", mark)
            node: Any = super().compose_node(parent, index)
            self.depth -= 1
            if is_alias and id(node) not in self.sizes:
                raise refuse("a block holds itself by its alias", mark)
            self.sizes[id(node)] = size = self.count_values(node)
            if max(size, self.composed) > MAX_YAML_VALUES:
                raise refuse(f"the document has more than {MAX_YAML_VALUES:,} values, with those of its aliases", mark)
            return node

        def count_values(self, node: yaml.Node) -> int:
            """Return the number of values of a node; a text counts as one for each 100 characters."""
            if isinstance(node, yaml.ScalarNode):
                return 1 + len(node.value) // 100
            inner = (
                node.value if isinstance(node, yaml.SequenceNode) else [each for pair in node.value for each in pair]
            )
            return 1 + sum(self.sizes[id(each)] for each in inner)

        def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            is_plain = not event.style and event.tag in (None, "!")
            node: yaml.ScalarNode = super().compose_scalar_node(anchor)
            text = node.value
            if node.tag.endswith(":timestamp") and is_plain:
                node.tag = TEXT_TAG
            if event.tag not in (None, "!", TEXT_TAG):
                raise refuse(f"values with the tag {_quote_key(event.tag)} are not supported", node.start_mark)
            if is_plain and node.tag == TEXT_TAG and YAML_NUMBER_PATTERN.fullmatch(text):
                node.tag = "tag:yaml.org,2002:float"
            if node.tag.endswith((":int", ":float")) and len(text) > LONGEST_NUMBER:
                raise refuse(f"a number has more than {LONGEST_NUMBER} characters", node.start_mark)
            if node.tag not in CORE_TAGS | SPECIAL_TAGS:
                raise refuse(f"values with the tag {_quote_key(node.tag)} are not supported", node.start_mark)
            if is_plain and (OLD_NUMBER_PATTERN.fullmatch(text) or OLD_TRUTH_PATTERN.fullmatch(text)):
                kind = "true or false" if OLD_TRUTH_PATTERN.fullmatch(text) else "the number in digits"
                raise refuse(
                    f"{_quote_key(text)} has two readings in YAML; write {kind}, or put it in quotes if it is a text",
                    node.start_mark,
                )
            if has_surrogates(text):
                raise refuse("a text has half of a surrogate pair, which is not valid text", node.start_mark)
            return node

        def compose_sequence_node(self, anchor: Any) -> yaml.SequenceNode:
            node: yaml.SequenceNode = super().compose_sequence_node(anchor)
            if node.tag not in CORE_TAGS:
                raise refuse(f"lists with the tag {_quote_key(node.tag)} are not supported", node.start_mark)
            return node

        def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
            node: yaml.MappingNode = super().compose_mapping_node(anchor)
            if node.tag not in CORE_TAGS:
                raise refuse(f"blocks with the tag {_quote_key(node.tag)} are not supported", node.start_mark)
            lines: dict[Any, int] = {}
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise refuse("a key is a list or a block; write a text", key.start_mark)
                # Keys are compared as values: 'True' and 'true' are one. '<<' and '=' have a meaning and no value.
                special = key.tag in SPECIAL_TAGS
                value = key.value if special else self.construct_object(key)
                line = key.start_mark.line + 1
                if value in lines:
                    hint = "merge several blocks with '<<: [*one, *two]'" if special else "remove one of the two"
                    problem = f"the key {_quote_key(key.value)} appears twice, first in line {lines[value]}; {hint}"
                    raise refuse(problem, key.start_mark)
                lines[value] = line
            return node

    for tag in SPECIAL_TAGS:  # as a value, a text; a key with a meaning is resolved before
        StrictLoader.add_constructor(tag, lambda _, node: node.value)
    return StrictLoader
