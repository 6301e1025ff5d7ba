"""Reading of cells of data frames and samples as plain Python values, whatever library made them."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from isocompute.errors import DataError
from isocompute.runners.parsing.printable import format_error_value

NUMBER_PATTERN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?|[+-]?\d+/0*[1-9]\d*", re.ASCII | re.IGNORECASE)
"""Numbers that are compared by value: whole numbers, decimals, powers of ten, fractions."""

LONGEST_NUMBER = 80
"""A longer text is compared as text."""


def clean_cell(cell: Any) -> Any:
    """Return a cell as a plain Python value; None if it is empty: None, NaN, NA, NaT, masked, or blank text."""
    if cell is None or cell is np.ma.masked or type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, np.generic):
        cell = float(str(cell)) if isinstance(cell, np.floating) else cell.item()
    if isinstance(cell, Decimal):
        cell = None if cell.is_nan() else int(cell) if cell == cell.to_integral_value() else float(cell)
    if isinstance(cell, str) and not cell.strip():
        return None
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def read_list_cell(cell: Any) -> list[Any] | None:
    """Return the entries of a cell that holds a list, an array or JSON text of one; None of any other cell.

    Raises:
        DataError: a text begins like a list and is not JSON, or a list holds lists.
    """
    if isinstance(cell, str) and cell.strip()[:1] == "[":
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            raise DataError(f"{format_error_value(cell)} starts like a list but is not JSON.") from None
    elif hasattr(cell, "tolist") and not isinstance(cell, np.generic):
        cell = cell.tolist()
    if not isinstance(cell, list | tuple):
        return None
    if nested := [entry for entry in cell if isinstance(entry, list | tuple | dict)]:
        raise DataError(f"A list of verdicts holds {format_error_value(nested[0])}; it must hold single values.")
    return [clean_cell(entry) for entry in cell]


def read_cell_text(cell: Any) -> str | None:
    """Return a cell as text; None of an empty one. A whole number is written without its point.

    Raises:
        DataError: the number has too many digits to be written.
    """
    cell = clean_cell(cell)
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        cell = int(cell)
    try:
        text = "" if cell is None else str(cell)
    except ValueError:
        raise DataError("A whole number has more than 4,300 digits.") from None
    return text.encode("utf-8", "replace").decode().strip() or None  # half a surrogate pair becomes '?'


def normalise_answer_cell(cell: Any) -> str | None:
    """Return an answer as text, numbers of one value alike; None of an empty cell.

    >>> [normalise_answer_cell(cell) for cell in (28.0, " 28 ", "028.50", "1e3", "2/4", "1/3", "x = 2", float("nan"))]
    ['28', '28', '28.5', '1000', '0.5', '1/3', 'x = 2', None]
    """
    text = read_cell_text(cell)
    if text is None or len(text) > LONGEST_NUMBER or not NUMBER_PATTERN.fullmatch(text):
        return text
    value = Fraction(text)
    places = next((k for k in range(2 * LONGEST_NUMBER) if 10**k % value.denominator == 0), None)
    if places is None:
        return str(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + whole + (f".{decimals}" if decimals else "")
