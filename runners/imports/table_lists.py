"""Cells of a table that hold lists: a row with them stands for several solutions or verifications."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.row_counts import require_list_length
from isocompute.runners.imports.table_columns import SOLUTION_COLUMNS, VERIFICATION_COLUMNS

PRINTED_ENTRY_PATTERN = re.compile(
    r"""\s*+(?P<entry>(?P<quoted>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")|None|True|False|nan|[-+]?[\d.]{1,40}(?:e[-+]?\d{1,4})?)"""
    r"\s*+(?P<comma>,)?",
    re.DOTALL,
)
"""An entry of a list as Python prints it, with the comma after it."""

BLANKS_PATTERN = re.compile(r"\s*+")

PRINTED_WORDS = {"None": None, "True": True, "False": False, "nan": None}


def expand_solutions(row: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a row for each solution of a row whose solution columns hold lists; the row itself if none does.

    Raises:
        DataError: the lists have different lengths, or are too long.
    """
    gold = row.get("gold")
    columns = [name for name in SOLUTION_COLUMNS if name not in ("solution", "answer") or not is_bracketed(gold)]
    lists = {name: cells for name in columns if (cells := read_list(row.get(name))) is not None}
    if not lists or not {"solution", "answer", "correct"} & set(lists):
        yield where, row
        return
    for name, cells in lists.items():
        require_list_length(cells, name, where)
    count = len(next(iter(lists.values())))
    if count == 0:
        raise DataError(f"{where}: '{next(iter(lists))}' is an empty list, so the problem has no solution.")
    lists |= {
        name: cells
        for name in VERIFICATION_COLUMNS
        if (cells := read_list(row.get(name))) is not None and len(cells) == count
    }
    if wrong := [name for name, cells in lists.items() if len(cells) != count]:
        raise DataError(f"{where}: '{next(iter(lists))}' lists {count} solutions, but '{wrong[0]}' another number.")
    for i in range(count):
        yield f"{where}, solution {i}", {**row, **{name: cells[i] for name, cells in lists.items()}}


def expand_verdicts(row: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a row for each verification of a row whose verification columns hold lists; the row itself if none does.

    Raises:
        DataError: the lists have different lengths, or are too long.
    """
    lists = {name: cells for name in VERIFICATION_COLUMNS if (cells := read_list(row.get(name))) is not None}
    if not lists:
        yield where, row
        return
    for name, cells in lists.items():
        require_list_length(cells, name, where)
    count = len(next(iter(lists.values())))
    if wrong := [name for name, cells in lists.items() if len(cells) != count]:
        raise DataError(f"{where}: '{next(iter(lists))}' lists {count} verifications, but '{wrong[0]}' another number.")
    blank = dict.fromkeys(VERIFICATION_COLUMNS)
    label = row.get("solution_id")
    marked = {**row, "solution_id": f"row {where}" if label is None else label}  # its verifications have one solution
    if count == 0:
        yield where, {**marked, **blank}
    if "verdict" in lists:  # an empty entry is a verification whose verdict could not be read
        lists["verdict"] = [math.nan if verdict is None else verdict for verdict in lists["verdict"]]
    for i in range(count):
        yield f"{where}, verification {i}", {**marked, **{name: cells[i] for name, cells in lists.items()}}


def is_bracketed(cell: Any) -> bool:
    """Return whether a cell is text in square brackets; if a right answer is, so may be the answers."""
    return isinstance(cell, str) and cell.strip()[:1] == "[" and cell.strip()[-1:] == "]"


def read_list(cell: Any) -> list[Any] | None:
    """Return the entries of a list, or of text that is a list in JSON or as Python prints it; None of other cells.

    >>> [read_list(cell) for cell in ("[1, 0]", "['0', nan]", "['0' '1']", "[0, 1)", "[x, y]")]
    [[1, 0], ['0', None], ['0', '1'], None, None]
    """
    if isinstance(cell, str) and cell[:1] == "[" and cell[-1:] == "]":
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return read_printed_list(cell)
    return cell if isinstance(cell, list) else None


def read_printed_list(text: str) -> list[Any] | None:
    """Return the entries of a flat list of texts and numbers as Python or NumPy prints it; None of other texts.

    NumPy puts no commas between texts.
    """
    entries: list[Any] = []
    place, end = 1, len(text) - 1
    while not BLANKS_PATTERN.fullmatch(text, place, end):
        found = PRINTED_ENTRY_PATTERN.match(text, place, end)
        if found is None or not (found["comma"] or found.end() == end or found["quoted"]):
            return None
        try:
            entries.append(PRINTED_WORDS[found[1]] if found[1] in PRINTED_WORDS else ast.literal_eval(found[1]))
        except (ValueError, SyntaxError):
            return None
        place = found.end()
    return entries
