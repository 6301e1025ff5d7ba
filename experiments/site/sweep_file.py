"""The page of the keys of a sweep file, from the models that validate it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from experiments.site.json_pages import describe_type
from experiments.site.markdown import write_code, write_prose, write_table
from isocompute.runners.config.base import ConfigBlock
from isocompute.runners.config.cluster import ClusterConfig, ReplicaCounts
from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.search import ScorerRole, SearchConfig
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.tasks import TASKS, FileTask

HEAD = """# Sweep file

A sweep file is YAML. An unknown key, a repeated key and a bad value are errors that say what would be right. Paths are
relative to the folder in which the command runs. [Sample your own model](../howto/sweep.md) has examples.
"""

BLOCKS: tuple[tuple[str, type[ConfigBlock]], ...] = (
    ("The file", Sweep),
    ("`solver` and `verifier`", ModelRole),
    ("`scorer`", ScorerRole),
    ("`searches`, each entry", SearchConfig),
    ("`task`, of your own file", FileTask),
    ("`cluster`", ClusterConfig),
    ("`cluster`, each role", ReplicaCounts),
)

BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def write_page() -> str:
    """Return the page."""
    return HEAD + "".join(describe_block(title, block) for title, block in (*BLOCKS, *list_named_tasks()))


def list_named_tasks() -> Iterator[tuple[str, type[ConfigBlock]]]:
    """Yield a title and the block of the named tasks, once for tasks of the same block."""
    names: dict[type[ConfigBlock], list[str]] = {}
    for name in TASKS.own:
        names.setdefault(TASKS[name].block_class, []).append(name)
    for block, tasks in names.items():
        yield f"`task`, with the name {' or '.join(map(write_code, tasks))}", block


def describe_block(title: str, block: type[ConfigBlock]) -> str:
    """Return the section of one block."""
    paragraphs = [write_prose(text) for text in (block.__doc__ or "").split("\n\n")]
    table = write_table(["key", "value", "default", "meaning"], describe_keys(block))
    return f"\n## {title}\n\n" + "\n\n".join(paragraphs) + f"\n\n{table}"


def describe_keys(block: type[ConfigBlock]) -> Iterator[list[str]]:
    """Yield the row of each key of a block."""
    schemas, meanings = block.model_json_schema()["properties"], read_meanings(block)
    for name, field in block.model_fields.items():
        default = "required"
        if not field.is_required():
            default = write_code(format_default(field.get_default(call_default_factory=True)))
        yield [write_code(name), write_code(describe_value(schemas[name])), default, write_prose(meanings[name])]


def describe_value(schema: dict[str, Any]) -> str:
    """Return the type of a key, with its bounds.

    >>> describe_value({"type": "integer", "minimum": 1})
    'integer ≥ 1'
    """
    if "anyOf" in schema:
        values = (describe_value(option) for option in schema["anyOf"] if option.get("type") != "null")
        return " or ".join(dict.fromkeys(values))
    names = dict.fromkeys(("TaskBlock", "FileTask", "ClusterConfig", "ReplicaCounts"), "block") | {"object": "keys"}
    kind = describe_type(schema)
    kind = names.get(kind, "block" if kind.endswith("Role") else kind.replace("SearchConfig", "blocks"))
    return " ".join([kind, *(f"{sign} {schema[bound]:g}" for bound, sign in BOUNDS.items() if bound in schema)])


def format_default(value: object) -> str:
    """Return a default as YAML would hold it.

    >>> format_default(()), format_default("last"), format_default(False)
    ('[]', 'last', 'false')
    """
    if value is None:
        return "none"
    if isinstance(value, ConfigBlock):
        return "{}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(list(value))
    return value.encode("unicode_escape").decode() if isinstance(value, str) else str(value)


def read_meanings(block: type[ConfigBlock]) -> dict[str, str]:
    """Return the docstring below each field of a block, also of those that it inherits.

    Raises:
        KeyError: a field has none.
    """
    meanings: dict[str, str] = {}
    for owner in reversed(block.__mro__):
        if owner.__module__.startswith("isocompute."):
            body = ast.parse(inspect.getsource(owner)).body[0].body
            for field, below in pairwise(body):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(str(text))):
                        meanings[name] = text
    return {name: meanings[name] for name in block.model_fields}
