"""The registry of graders that a task or a command may name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocompute.registry import Registry, load_object

if TYPE_CHECKING:
    from isocompute.runners.grading.graders import Grader


@dataclass(frozen=True)
class GraderEntry:
    """A grader.

    Args:
        loader: ``module:callable`` that takes nothing and returns a `Grader`, whose title begins with its name and a
            slash.
        description: a description for users of the answers that it reads.
    """

    loader: str
    description: str


GRADERS_MODULE = "isocompute.runners.grading.graders"

BOXED_NUMBER = GraderEntry(
    f"{GRADERS_MODULE}:make_boxed_number_grader",
    "the content of the last box: numbers by value, everything else by text",
)
MATH = GraderEntry(f"{GRADERS_MODULE}:make_math_grader", "mathematics in LaTeX, compared by meaning")
LETTER = GraderEntry(f"{GRADERS_MODULE}:make_letter_grader", "the letter of a choice")
NUMERIC = GraderEntry(f"{GRADERS_MODULE}:make_numeric_grader", "one number, compared by value without its unit")
EXACT = GraderEntry(f"{GRADERS_MODULE}:make_exact_grader", "a text, compared character by character")

GRADER_REGISTRY_MODULE = "isocompute.runners.grading.registry"

GRADERS: Registry[GraderEntry] = Registry(
    "grader",
    "isocompute.graders",
    {
        name: f"{GRADER_REGISTRY_MODULE}:{name.upper().replace('-', '_')}"
        for name in ("boxed-number", "math", "letter", "numeric", "exact")
    },
    GraderEntry,
)
"""Every grader by its name."""


def load_grader_by_name(name: str) -> Grader:
    """Return a grader by its name or its title.

    >>> load_grader_by_name("letter").title, load_grader_by_name("numeric/2").extract_answer("so 3 + 4 = 7.0")
    ('letter/2', '7')

    Raises:
        ConfigError: the name is unknown, or a package that it needs is missing.
    """
    plain = name.partition("/")[0]
    entry = GRADERS.find(plain)
    with GRADERS.wrap_plugin_errors(plain):
        grader: Grader = load_object(entry.loader)()
        return grader
