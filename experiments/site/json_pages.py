"""The page of what ``--json`` prints, from the JSON Schemas in docs/json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.site.markdown import write_code, write_prose, write_table

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "json"

HEAD = """# JSON Schemas

Most commands print JSON with `--json`; `policy_file` is what `policies -o` writes. Each has a JSON Schema (draft
2020-12), which the tests hold every output against. `schema_version` grows when a key changes its meaning; new keys may
come at any time, so ignore those that you do not know. `null` means unknown.
[How to read the JSON](../howto/read_json.md) has examples.
"""


def write_page() -> str:
    """Return the page."""
    return HEAD + "".join(describe_schema(path) for path in sorted(FOLDER.glob("*.json")))


def describe_schema(path: Path) -> str:
    """Return the section of one schema: its own keys, and those of each block within it."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    blocks = {} if "properties" not in schema else {"": schema}
    blocks |= {name: block for name, block in schema.get("$defs", {}).items() if "properties" in block}
    parts = [f"\n## {path.stem}\n\n{write_code(schema['title'])}: [{path.name}](../json/{path.name})\n"]
    for name, block in blocks.items():
        title = f"\n### {path.stem}: {name}\n" if name else ""
        meaning = write_prose(block.get("description", ""))
        parts.append(f"{title}\n{meaning}\n\n{write_table(['key', 'type', 'meaning'], describe_keys(block))}")
    return "".join(parts)


def describe_keys(block: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the row of each key of a block."""
    for name, key in block["properties"].items():
        yield [write_code(name), write_code(describe_type(key)), write_prose(key.get("description", ""))]


def describe_type(schema: Mapping[str, Any]) -> str:
    """Return the type of a JSON Schema in words.

    >>> describe_type({"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "null"}]})
    'array of number or null'
    """
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(describe_type, options)))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    if schema.get("type") == "array" and "items" in schema:
        return f"array of {describe_type(schema['items'])}"
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        return f"object of {describe_type(values)}"
    return str(schema.get("type", "any"))
