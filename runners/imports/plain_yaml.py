"""YAML of other people: plain values only, without aliases and tags, to a limited depth."""

from __future__ import annotations

from typing import Any

import yaml

from isocompute.errors import DataError

MAX_YAML_DEPTH = 60
"""Most nested blocks of a YAML file; libyaml's own parser overflows the stack on deeper ones."""

MAX_YAML_BYTES = 64 * 2**20
"""Bytes of the longest YAML file."""

MAX_PLAIN_VALUES = 500_000
"""Most values of a YAML file: it is read value by value."""


def parse_plain_yaml(content: str, where: str) -> Any:
    """Return the content of a YAML document, built event by event.

    An alias can expand a small file to a huge value, and deep nesting overflows the stack of libyaml's own composer.

    Raises:
        DataError: there is an alias, nesting is too deep, or there are too many values.
        yaml.YAMLError: it is not YAML, or a value is not plain.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)
    root: list[Any] = []
    within: list[list[Any]] = [root]  # the contents so far of the open blocks
    count = 0
    try:
        event: Any = loader.get_event()
        while not isinstance(event, yaml.StreamEndEvent | yaml.DocumentEndEvent):
            start, end = event.start_mark, event.end_mark
            line = f"{where}, line {start.line + 1}"
            count += 1
            if count > MAX_PLAIN_VALUES:
                raise DataError(
                    f"{line}: there are more than {MAX_PLAIN_VALUES:,} values, the most that is read of YAML."
                )
            if isinstance(event, yaml.AliasEvent):
                raise DataError(f"{line}: aliases are not supported; found '*{event.anchor}'.")
            if isinstance(event, yaml.ScalarEvent):
                tag = event.tag if event.tag not in (None, "!") else None
                tag = tag or loader.resolve(yaml.ScalarNode, event.value, event.implicit)
                within[-1].append(loader.construct_object(yaml.ScalarNode(tag, event.value, start, end)))
            elif isinstance(event, yaml.CollectionStartEvent):
                if len(within) > MAX_YAML_DEPTH:
                    raise DataError(f"{line}: blocks are nested more than {MAX_YAML_DEPTH} deep.")
                within.append([])
            elif isinstance(event, yaml.CollectionEndEvent):
                items = within.pop()
                within[-1].append(build_yaml_block(items, line) if isinstance(event, yaml.MappingEndEvent) else items)
            event = loader.get_event()
    finally:
        loader.dispose()
    return root[0] if root else None


def build_yaml_block(items: list[Any], where: str) -> dict[Any, Any]:
    """Return alternating keys and values as a block.

    Raises:
        DataError: a key is not a plain value, or is repeated.
    """
    keys = items[::2]
    if any(isinstance(key, list | dict) for key in keys) or len(set(keys)) < len(keys):
        raise DataError(f"{where}: in the block that ends here, a key is a block or appears twice.")
    return dict(zip(keys, items[1::2], strict=True))
