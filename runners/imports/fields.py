"""Reading of single values from foreign rows: each has the right type and range, or an error names its location."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.parsing.printable import format_error_value

INT32_MAX = 2**31 - 1
WHOLE_NUMBER_PATTERN = re.compile(r"([0-9]{1,10})(?:\.0{1,20})?", re.ASCII)
BOOLEAN_WORDS = {
    "true": True,
    "yes": True,
    "1": True,
    "1.0": True,
    "false": False,
    "no": False,
    "0": False,
    "0.0": False,
}


def require_field(row: Mapping[str, Any], key: str, where: str) -> Any:
    """Return the value of a key.

    Raises:
        DataError: the key is missing or null.
    """
    if row.get(key) is None:
        raise DataError(
            f"{where}: '{key}' is missing or null; there are {', '.join(map(str, row))[:200] or 'no keys'}."
        )
    return row[key]


def read_text_field(row: Mapping[str, Any], key: str, where: str) -> str | None:
    """Return a text, possibly empty, or a number as text; None if there is none.

    Raises:
        DataError: it is neither text nor a number.
    """
    value = row.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{where}: '{key}' must be text; it is {format_error_value(value)}.")
    return str(value)


def read_label_field(row: Mapping[str, Any], key: str, where: str) -> str | None:
    """Return a name as text, 1.0 as 1; None if there is none.

    >>> [read_label_field({"id": value}, "id", "here") for value in (1, 1.0, 1.5, "1.0", None)]
    ['1', '1', '1.5', '1.0', None]

    Raises:
        DataError: it is neither text nor a number.
    """
    value = row.get(key)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return read_text_field(row, key, where)


def read_name_field(row: Mapping[str, Any], key: str, where: str) -> str:
    """Return a name, which must not be blank.

    Raises:
        DataError: it is missing or blank.
    """
    value = (read_label_field(row, key, where) or "").strip()
    if not value:
        raise DataError(f"{where}: '{key}', which names the problem, is missing.")
    return value


def read_text_list_field(row: Mapping[str, Any], key: str, where: str) -> list[str]:
    """Return a list of texts.

    Raises:
        DataError: it is not a list of texts.
    """
    values = require_field(row, key, where)
    if not isinstance(values, list):
        raise DataError(f"{where}: '{key}' must be a list of texts; it is {format_error_value(values)}.")
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise DataError(f"{where}: '{key}' must be a list of texts; number {i} is {format_error_value(value)}.")
    return values


def read_block_field(row: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    """Return a block of keys; an empty one if there is none.

    Raises:
        DataError: it is something else.
    """
    value = row.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DataError(f"{where}: '{key}' must be a block of keys; it is {format_error_value(value)}.")
    return value


def read_count_field(row: Mapping[str, Any], key: str, where: str) -> int | None:
    """Return a count, such as a number of tokens; None if it is missing or NaN.

    >>> (read_count_field({"n": 3.0}, "n", "here"), read_count_field({"n": " 12.0"}, "n", "here"),
    ... read_count_field({"n": ""}, "n", "here"))
    (3, 12, None)

    Raises:
        DataError: it is not a whole number from 0 to 2,147,483,647.
    """
    value = row.get(key)
    if isinstance(value, str):
        number = WHOLE_NUMBER_PATTERN.fullmatch(value.strip())
        value = int(number[1]) if number else value.strip() or None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | str) or not isinstance(value, int | float) or not 0 <= value <= INT32_MAX or value % 1:
        raise DataError(
            f"{where}: '{key}' must be a whole number from 0 to {INT32_MAX:,}; it is {format_error_value(row[key])}."
        )
    return int(value)


def read_level_field(row: Mapping[str, Any], key: str, where: str) -> int | None:
    """Return a level of difficulty: a whole number, or text with one; None if it is missing.

    >>> [read_level_field({"level": level}, "level", "here") for level in (3, "Level 3", "3.0", None)]
    [3, 3, 3, None]

    Raises:
        DataError: it holds no whole number.
    """
    value = row.get(key)
    if isinstance(value, str) and (found := re.fullmatch(r"\s*[A-Za-z][A-Za-z:_-]* ?(\d{1,4})\s*", value, re.ASCII)):
        return int(found[1])
    return read_count_field(row, key, where)


def read_probability_field(row: Mapping[str, Any], key: str, where: str) -> float | None:
    """Return a number from 0 to 1; None if it is missing or NaN. Rounding errors above 1 are removed.

    >>> (read_probability_field({"p": "0.25"}, "p", "here"), read_probability_field({"p": True}, "p", "here"),
    ... read_probability_field({"p": 1 + 1e-9}, "p", "here"))
    (0.25, 1.0, 1.0)

    Raises:
        DataError: it is something else.
    """
    value = row.get(key)
    if isinstance(value, str):
        word = value.strip().lower()
        value = None if not word else float(BOOLEAN_WORDS[word]) if word in BOOLEAN_WORDS else parse_float_or_word(word)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if not isinstance(value, int | float) or not 0 <= value <= 1 + 1e-6:
        raise DataError(
            f"{where}: '{key}' must be yes, no, or a number from 0 to 1; it is {format_error_value(row[key])}."
        )
    return min(float(value), 1.0)


def read_seconds_field(row: Mapping[str, Any], key: str, where: str) -> float | None:
    """Return a number of seconds; None if it is missing or NaN.

    >>> (read_seconds_field({"time": 1.5}, "time", "here"), read_seconds_field({"time": 2}, "time", "here"),
    ... read_seconds_field({}, "time", "here"))
    (1.5, 2.0, None)

    Raises:
        DataError: it is not a finite number, 0 or more.
    """
    value = row.get(key)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise DataError(f"{where}: '{key}' must be seconds, 0 or more; it is {format_error_value(value)}.")
    return float(value)


def read_flag_field(row: Mapping[str, Any], key: str, where: str) -> bool | None:
    """Return a yes or no as a bool; None if it is missing.

    Raises:
        DataError: it is something else.
    """
    value = read_probability_field(row, key, where)
    if value is not None and value not in (0.0, 1.0):
        raise DataError(f"{where}: '{key}' must be true or false; it is {format_error_value(row[key])}.")
    return None if value is None else bool(value)


def parse_float_or_word(word: str) -> float | str:
    """Return a word as a number if it is one, else unchanged."""
    try:
        return float(word)
    except ValueError:
        return word
