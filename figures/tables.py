"""Checks of the tables of figures, and their rendering as CSV."""

from __future__ import annotations

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
