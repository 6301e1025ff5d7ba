"""The pages of the Python functions, results, figures and errors, which mkdocstrings fills from their docstrings."""

from __future__ import annotations

import inspect

import isocompute
from isocompute import errors, fits, testing

HEAD = """# Python

`import isocompute as iso` alone loads no numpy: a function is loaded when it is first used. There is a function for
each command, with the same name and the same arguments. A wrong argument raises a member of
[the error family](errors.md) with one sentence.
"""

ESTIMATORS_HEAD = """# Estimators

The functions of `isocompute.fits` take arrays, and load only numpy and scipy. P is the number of problems, N that of
solutions, and M that of verifications of a solution. [Estimators](../explanation/estimators.md) has the formulas.
"""

TESTING_HEAD = """# Test suites

A plug-in of your own must pass one of these: subclass it in your tests. They come with `pip install
'isocompute[testing]'`, and [Add your own engine](../howto/own_engine.md) shows one.
"""


def write_python_page() -> str:
    """Return the page of the public names: functions, then the types of their results, then figures."""
    functions = [f"{module}.{name}" for name, module in isocompute.PUBLIC.items() if name[0].islower()]
    results = [f"{module}.{name}" for name, module in isocompute.PUBLIC.items() if name[0].isupper()]
    figures = "`iso.figures.NAME` is a `Figure` for each name in [the registry](registries.md#figures).\n\n"
    drawn = write_section("Figures", ["isocompute.figures.drawing.Figure"], figures)
    return HEAD + write_section("Functions", functions) + write_section("Results", results) + drawn


def write_estimators_page() -> str:
    """Return the page of the functions that take arrays."""
    return ESTIMATORS_HEAD + write_section("Names", [f"{fits.__name__}.{name}" for name in fits.__all__])


def write_testing_page() -> str:
    """Return the page of the suites that a plug-in must pass."""
    return TESTING_HEAD + write_section("Suites", [f"{testing.__name__}.{name}" for name in testing.__all__])


def write_errors_page() -> str:
    """Return the page of the error family."""
    family = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    title, _, drawing = inspect.cleandoc(errors.__doc__ or "").partition("\n\n")
    head = f"# Errors\n\n{title}\n\n{drawing}\n"
    return head + write_section("The classes", [f"{errors.__name__}.{name}" for name in family])


def write_section(title: str, paths: list[str], head: str = "") -> str:
    """Return a section with the documentation of some objects."""
    return f"\n## {title}\n\n{head}" + "\n".join(f"::: {path}\n" for path in paths)
