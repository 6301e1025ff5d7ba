"""Checks of the tables of figures, and their rendering as CSV, LaTeX and Markdown."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

import pandas as pd

from isocompute.errors import DataError


def check_table(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Check that a table can be drawn.

    Args:
        table: the table.
        columns: the required columns.
        name: name of the figure.

    Raises:
        DataError: the table is not a data frame, a column is missing, or there are no rows.
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"The table of {name} must be a data frame; got {type(table).__name__}.")
    if missing := [column for column in columns if column not in table]:
        raise DataError(f"The table of {name} has no column '{missing[0]}'; it must have: {', '.join(columns)}.")
    if table.empty:
        raise DataError(f"The table of {name} has no rows, so there is nothing to draw.")


def render_table(table: pd.DataFrame) -> bytes:
    """Return a table as CSV file content: UTF-8, numbers to ten significant digits, missing values empty.

    >>> render_table(pd.DataFrame({"strategy": ["sc", "genrm"], "compute": [4.0, float("nan")]}))
    b'strategy,compute\\nsc,4\\ngenrm,\\n'
    """
    return table.to_csv(index=False, float_format="%.10g", lineterminator="\n").encode()


LATEX_ESCAPES = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip
"""The LaTeX for letters that mean something else there."""


def list_cells(table: pd.DataFrame) -> list[list[str]]:
    """Return the cells of a table as its CSV has them, the names of the columns first, each in one line."""
    rows = csv.reader(render_table(table).decode().splitlines(keepends=True))
    return [[" ".join(cell.split()) for cell in row] for row in rows]


def list_numeric(table: pd.DataFrame) -> list[bool]:
    """Return for each column whether it holds numbers, which are aligned on the right."""
    kinds = pd.api.types
    return [kinds.is_numeric_dtype(kind) and not kinds.is_bool_dtype(kind) for kind in table.dtypes]


def render_latex_table(table: pd.DataFrame) -> bytes:
    """Return a table as LaTeX file content, for the package booktabs; the numbers are those of the CSV.

    >>> print(render_latex_table(pd.DataFrame({"name": ["a_b"], "low": [0.1]})).decode())
    \\begin{tabular}{lr}
    \\toprule
    name & low \\\\
    \\midrule
    a\\_b & 0.1 \\\\
    \\bottomrule
    \\end{tabular}
    <BLANKLINE>
    """
    escape = str.maketrans(LATEX_ESCAPES)
    head, *rows = [" & ".join(cell.translate(escape) for cell in row) + r" \\" for row in list_cells(table)]
    kinds = "".join("r" if numeric else "l" for numeric in list_numeric(table))
    lines = [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    return ("\n".join(lines) + "\n").encode()


def render_markdown_table(table: pd.DataFrame) -> bytes:
    """Return a table as Markdown file content; the numbers are those of the CSV.

    >>> print(render_markdown_table(pd.DataFrame({"name": ["a|b"], "low": [0.1]})).decode())
    | name | low |
    |:--|--:|
    | a\\|b | 0.1 |
    <BLANKLINE>
    """
    escaped = [[re.sub(r"([\\`*_\[\]<>|])", r"\\\1", cell) for cell in row] for row in list_cells(table)]
    head, *rows = [f"| {' | '.join(row)} |" for row in escaped]
    kinds = "|" + "|".join("--:" if numeric else ":--" for numeric in list_numeric(table)) + "|"
    return ("\n".join([head, kinds, *rows]) + "\n").encode()
