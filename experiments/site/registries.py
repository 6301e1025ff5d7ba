"""The page of everything that a sweep file, a profile or a command can name, from the registries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from experiments.site.markdown import write_code, write_prose, write_table
from isocompute.figures.registry import FIGURES
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.registry import Registry
from isocompute.runners.config.tasks import TASKS
from isocompute.runners.engines.registry import ENGINES
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.imports.formats import IMPORT_FORMATS
from isocompute.runners.scorers.registry import SCORERS
from isocompute.runners.search.registry import SEARCH_STRATEGIES, SELECTION_STYLES

HEAD = """# Registries

These are the names that a sweep file, a profile or a command may hold. Each list comes from the registry that the code
reads. Another package adds names through the entry points that stand below each title;
[an engine of your own](../howto/own_engine.md) shows how.
"""

Describe = Callable[[Any], list[str]]

REGISTRIES: tuple[tuple[str, Registry[Any], list[str], Describe], ...] = (
    (
        "Strategies",
        STRATEGIES,
        ["needs", "what it does"],
        lambda entry: [entry.needs, write_prose(describe_learnt(entry.description))],
    ),
    (
        "Searches",
        SEARCH_STRATEGIES,
        ["width", "what it does"],
        lambda entry: ["yes" if entry.has_width else "", write_prose(entry.description)],
    ),
    (
        "Engines",
        ENGINES,
        ["extra", "what runs the model"],
        lambda entry: [write_extra(entry.extra), write_prose(entry.description)],
    ),
    (
        "Scorers",
        SCORERS,
        ["engines", "what scores the steps"],
        lambda entry: [", ".join(map(write_code, entry.engines)), write_prose(entry.description)],
    ),
    ("Graders", GRADERS, ["answers that it reads"], lambda entry: [write_prose(entry.description)]),
    (
        "Tasks",
        TASKS,
        ["problems", "grader", "extra", "source", "licence"],
        lambda entry: [
            "any" if entry.size is None else str(entry.size),
            write_prose(entry.grader),
            write_extra(entry.extra),
            write_prose(entry.source),
            write_prose(entry.licence),
        ],
    ),
    ("Imports", IMPORT_FORMATS, ["log that it reads"], lambda entry: [write_prose(entry.description)]),
    (
        "Figures",
        FIGURES,
        ["drawn from", "what it shows"],
        lambda entry: [entry.needs, write_prose(entry.description)],
    ),
)
"""Each registry with its title, and what the page says of an entry."""


def write_extra(extra: str) -> str:
    """Return an extra as code; nothing if there is none."""
    return write_code(extra) if extra else ""


def describe_learnt(description: str) -> str:
    """Return a strategy's description without placeholders of learnt parameters.

    >>> describe_learnt("to the power {trust:g}")
    'to the power that is learnt'
    """
    return re.sub(r"\{\w+:g\}", "that is learnt", description)


def write_page() -> str:
    """Return the page."""
    return HEAD + "".join(describe_registries())


def describe_registries() -> Iterator[str]:
    """Yield the section of each registry, and that of the rules by which a search selects."""
    for title, registry, header, describe in REGISTRIES:
        rows = [[write_code(name), *describe(registry[name])] for name in registry.own]
        yield f"\n## {title}\n\nEntry points: {write_code(registry.group)}\n\n{write_table(['name', *header], rows)}"
    rules = [[write_code(name), write_prose(meaning)] for name, (meaning, _) in SELECTION_STYLES.items()]
    yield f"\n## Selection rules of a search\n\n{write_table(['select', 'what wins'], rules)}"
