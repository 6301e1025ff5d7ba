"""Examples in docstrings as code: the section ``Example:`` is read as Google's ``Examples:``, whose ``>>>`` is code."""

from __future__ import annotations

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """An extension of the reader of docstrings, see mkdocs.yml."""

    def on_object(self, *, obj: griffe.Object, **context: Any) -> None:
        """Rename the section in the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = name_examples(obj.docstring.value)


def name_examples(docstring: str) -> str:
    r"""Return a docstring with the title that makes examples code.

    >>> name_examples("Add.\n\nExample:\n    >>> 1 + 1\n    2")
    'Add.\n\nExamples:\n    >>> 1 + 1\n    2'
    """
    return re.sub(r"^Example:$", "Examples:", docstring, flags=re.MULTILINE)
