"""The published numbers that come with isocompute, and the profiles that are drawn beside them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pandas as pd

from isocompute.errors import DataError
from isocompute.planner.profile import Profile, read_profile

PUBLISHED_COLUMNS = (
    "source", "place", "task", "model", "method", "budget", "unit", "quantity", "value", "precision", "how_read", "mark"
)  # fmt: skip
SECOND_HAND = "second-hand"
MARKS = ("paper", SECOND_HAND, "unknown")
"""The places where a number was read: in the paper, in a text of somebody else, or nowhere; then it has no value."""

STUDY, SEARCH_AND_LEARN, SNELL = "singhi-2025", "search-and-learn", "snell-2024"


@dataclass(frozen=True, eq=False)
class PublishedResults:
    """The results of three papers, and profiles of our own runs to draw beside them.

    Args:
        papers: the numbers of each paper by the name of its file, see `read_published_numbers`.
        study: the published grid of Singhi et al. 2025.
        lab: the lab, with verifications up to V = 32.
        searched: the lab with searches and a reward model.
        language_model: a language model that verifies itself.
    """

    papers: dict[str, pd.DataFrame]
    study: Profile
    lab: Profile
    searched: Profile
    language_model: Profile


def read_published_results() -> PublishedResults:
    """Read the published numbers and the profiles that come with isocompute.

    Raises:
        DataError: a file is missing or damaged.
    """
    folder = Path(str(files("isocompute") / "data" / "published"))
    papers = {name: read_published_numbers(folder / f"{name}.csv") for name in (STUDY, SEARCH_AND_LEARN, SNELL)}
    profiles = ("llama-3.1-8b-math", "lab", "lab-both-small", "qwen2.5-coder-1.5b-gsm-symbolic")
    return PublishedResults(papers, *map(read_profile, profiles))


def read_published_numbers(path: Path) -> pd.DataFrame:
    """Read the numbers of a paper.

    Args:
        path: a CSV file.

    Returns:
        A row for each number. ``source``: the paper. ``place``: its figure or table, or how it was graded. ``task``,
        ``model``, ``method``: of the measurement. ``budget`` in ``unit``: such as N, or multiples of SC's plateau.
        ``quantity``, ``value``: what was measured, NaN where it is unknown. ``precision``: the last printed digit.
        ``how_read``: text, table or read off a figure; empty where unknown. ``mark``: one of `MARKS`.

    Raises:
        DataError: the file cannot be read, a column is missing, a number is none, or a mark is unknown.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype=str)
    except (OSError, ValueError) as error:
        raise DataError(f"The published numbers cannot be read from {path}: {' '.join(str(error).split())}.") from None
    if tuple(table.columns) != PUBLISHED_COLUMNS:
        raise DataError(f"{path} must have the columns {', '.join(PUBLISHED_COLUMNS)}; got {', '.join(table.columns)}.")
    for column in ("budget", "value", "precision"):
        given = table[column].replace("", None)
        table[column] = pd.to_numeric(given, errors="coerce").astype(float)
        if len(wrong := table.index[table[column].isna() & given.notna()]):
            raise DataError(f"{path}, row {wrong[0] + 2}: {column} must be a number or empty; got '{given[wrong[0]]}'.")
    if len(wrong := table.index[~table["mark"].isin(MARKS)]):
        raise DataError(
            f"{path}, row {wrong[0] + 2}: mark must be {', '.join(MARKS)}; got '{table['mark'][wrong[0]]}'."
        )
    return table
