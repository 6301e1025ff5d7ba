"""Conversion of a grid of means, such as a paper's table, to a profile."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from isocompute.errors import DataError
from isocompute.planner.profile import Curve, Profile, PublishedMultiples, Surface
from isocompute.runners.documents import parse_json_document
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.files import read_file

PROFILE_KEYS = {"self_consistency", "strategies"}
"""Keys of which a profile has one, and a file of grids has none."""
GRID_KEYS = {"lam": "lambda_", "problems": "n_problems"}
"""Keys of an entry by their names in a profile."""


def read_grid_profile(path: str, entry: str | None, name: str | None) -> Profile:
    """Read a grid of mean success rates over S and V, as papers print it, and return it as a profile of means.

    Args:
        path: a JSON file of one or more entries, each with ``lambda_``, ``n_problems``, ``self_consistency``
            {S: success} and ``best_of_n`` [{S, V, success}], and ``published`` (`PublishedMultiples`) if it is known.
        entry: name of the entry; None if there is only one.
        name: name of the profile; the entry's name if not given.

    Raises:
        DataError: there is no such entry, or it is not a valid grid; the message names the place in the file.
    """
    try:
        content = parse_json_document(read_file(path).decode(), f"The grid '{path}'")
    except OSError as error:
        raise DataError(f"The grid '{path}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DataError(f"The grid '{path}' is not JSON.") from None
    entries = {k: v for k, v in content.items() if isinstance(v, dict)} if isinstance(content, dict) else {}
    if not entries:
        raise DataError(
            f"{path} holds no grid; it must hold {{name: {{lambda_, n_problems, self_consistency, best_of_n}}}}."
        )
    if PROFILE_KEYS & set(content):
        raise DataError(f"{path} is a profile already; plan with it: plan --budget 128x --profile {path}.")
    if entry is None and len(entries) > 1:
        raise DataError(
            f"{path} holds several grids; choose one with --entry (entry= in Python): {', '.join(entries)}."
        )
    entry = next(iter(entries)) if entry is None else entry
    if not isinstance(entry, str) or entry not in entries:
        raise DataError(f"{path} has no entry {format_error_value(entry)}; it has: {', '.join(entries)}.")
    grid, where = entries[entry], f"{path}, {entry}"
    self_consistency = read_grid_curve(grid, "self_consistency", where)
    if self_consistency.solutions[0] != 1:
        raise DataError(f"{where}: 'self_consistency' must begin at S=1, the accuracy of one solution.")
    S, V, cells = read_genrm_cells(grid, where)
    warning = f"Numbers as published ({grid.get('source', path)}), without intervals."
    coverage = read_grid_curve(grid, "coverage", where) if "coverage" in grid else None
    try:
        return Profile(
            name=name or entry,
            description=f"{grid.get('model', 'a model')} on {grid.get('dataset', 'a task')}, "
            f"verifier {grid.get('verifier', 'unknown')}",
            problems=check_positive_number(grid, "n_problems", where, int),
            lam=check_positive_number(grid, "lambda_", where, float),
            lambda_source="given with the grid",
            coverage=coverage,
            published=read_published_multiples(grid, where),
            strategies={"sc": self_consistency, "genrm": Surface(solutions=S, verifications=V, accuracy=[cells])},
            warnings=[warning],
        )
    except ValidationError as error:
        raise DataError(f"{where}: {describe_first_fault(error)}.") from None


def describe_first_fault(error: ValidationError) -> str:
    """Return the first thing that is wrong in an entry, with its key there."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    return f"{GRID_KEYS.get(key, key)}: {first['msg'].removeprefix('Value error, ')}"


def read_published_multiples(grid: dict[str, Any], where: str) -> PublishedMultiples | None:
    """Return what the paper says of an entry in multiples of SC's plateau; None if the entry does not have it.

    Raises:
        DataError: a number of it is missing or bad.
    """
    if "published" not in grid:
        return None
    try:
        return PublishedMultiples.model_validate(grid["published"])
    except ValidationError as error:
        raise DataError(f"{where}: published.{describe_first_fault(error)}.") from None


def check_positive_number(grid: dict[str, Any], key: str, where: str, kind: type[int] | type[float]) -> Any:
    """Return an entry's number under a key, as the given type.

    Raises:
        DataError: it is not a positive number below 1e9 of that type.
    """
    value = grid.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9 or kind(value) != value:
        raise DataError(
            f"{where}: '{key}' must be a positive {'whole number' if kind is int else 'number'} below 1e9; got "
            f"{format_error_value(value)}."
        )
    return kind(value)


def read_grid_curve(grid: dict[str, Any], key: str, where: str) -> Curve:
    """Return a {S: success} table of an entry as a curve of means.

    Raises:
        DataError: the table is missing, empty or invalid.
    """
    table = grid.get(key)
    if not isinstance(table, dict) or not table:
        raise DataError(f"{where}: '{key}' must be a table {{S: success}}.")
    pairs = sorted(
        (parse_knot(S, f"{where}: {key}"), check_success_rate(value, f"{where}: {key} at S={S}"))
        for S, value in table.items()
    )
    return Curve(solutions=[S for S, _ in pairs], accuracy=[[value for _, value in pairs]])


def read_genrm_cells(grid: dict[str, Any], where: str) -> tuple[list[int], list[int], list[list[float]]]:
    """Return the S, the V and the success rates (nS, nV) of an entry's cells.

    Raises:
        DataError: a cell is invalid or repeated, or the cells do not fill a rectangle.
    """
    at = f"{where}: best_of_n"
    cells: dict[tuple[int, int], float] = {}
    try:
        for cell in grid["best_of_n"]:
            key = parse_knot(cell["S"], at), parse_knot(cell["V"], at)
            if key in cells:
                raise DataError(f"{at}: the cell S={key[0]}, V={key[1]} appears twice; remove one.")
            cells[key] = check_success_rate(cell["success"], f"{at}: {cell}")
    except (KeyError, TypeError):
        raise DataError(f"{where}: 'best_of_n' must be a list of cells with S, V and success.") from None
    S, V = (sorted({key[axis] for key in cells}) for axis in (0, 1))
    if missing := [(s, v) for s in S for v in V if (s, v) not in cells]:
        raise DataError(
            f"{where}: 'best_of_n' has no cell S={missing[0][0]}, V={missing[0][1]}; the grid must be full."
        )
    if not S:
        raise DataError(f"{where}: 'best_of_n' has no cells.")
    return S, V, [[cells[s, v] for v in V] for s in S]


def parse_knot(value: Any, where: str) -> int:
    """Return a number of solutions or verifications, which may be text if it is a JSON key.

    Raises:
        DataError: it is not a whole number from 1 upwards.
    """
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and text == str(int(text)) != "0"):
        raise DataError(f"{where}: S and V must be whole numbers from 1 to 999,999,999; got '{text[:40]}'.")
    return int(text)


def check_success_rate(value: Any, where: str) -> float:
    """Return a success rate.

    Raises:
        DataError: it is not a number in 0 … 1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise DataError(f"{where}: the success is {value!r}; it must lie between 0 and 1.")
    return float(value)
