"""Which rows a run lacks, and how long those are that it has: solutions, verifications, scores and searches."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from isocompute.runners.config.search import SearchShape
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.price import TokenLengths
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    MODEL_TOKENS,
    SCORER_TOKENS,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)

ROLE_TABLES = {"solver": SOLUTIONS_TABLE, "verifier": VERIFICATIONS_TABLE, "scorer": SCORES_TABLE}
"""The roles whose rows are numbered, and these rows; a search is a role of its own, by its shape."""


def name_searches(config: Sweep) -> dict[str, SearchShape]:
    """Return the searches that a sweep asks for, by what they are called."""
    return {shape.label: shape for shape in config.searches_by_shape}


def count_missing_rows(
    run: Run, config: Sweep, problem_ids: Sequence[str], failed: Collection[tuple[Any, ...]] = ()
) -> dict[str, int]:
    """Count the rows that a run lacks, by the role that makes them; a row that failed is lacking.

    Args:
        run: what is there.
        config: what is asked for. Solutions that are taken from another run are not made, and so not counted.
        problem_ids: of which problems.
        failed: keys of solutions that are taken and failed, so that nobody verifies or scores them.
    """
    expected, counts = ExpectedRows(config, problem_ids), {}
    for role, table in ROLE_TABLES.items():
        if role == "solver" and config.solutions_from is not None:
            continue
        if asked := expected.count_rows(table):
            hopeless = sum(1 for key in failed for _ in expected.enumerate_keys(table, key))
            counts[role] = asked - hopeless - len(select_completed_rows(run, expected, table))
    if config.searches:
        frame = select_completed_rows(run, expected, SEARCHES_TABLE)
        for role, shape in name_searches(config).items():
            counts[role] = len(problem_ids) * expected.seeds[shape] - len(select_search_rows(frame, shape))
    return counts


def select_completed_rows(run: Run, expected: ExpectedRows, table: RunTable) -> pd.DataFrame:
    """Return the rows that are asked for and are ok."""
    frame = run.read_frame(table, [*table.key_names, "status"])
    return expected.select_rows(table, frame[frame["status"] == "ok"])


def measure_token_lengths(run: Run, config: Sweep, source: str) -> dict[str, TokenLengths]:
    """Return the mean tokens of a run's rows that are ok, of each role that has some and says how many it sampled."""
    found = {
        role: average_token_lengths(run.read_frame(table, [*table.tokens, "status"]), table, source)
        for role, table in ROLE_TABLES.items()
    }
    if config.searches:
        frame = run.read_frame(
            SEARCHES_TABLE, [*SEARCHES_TABLE.key_names, *SEARCHES_TABLE.tokens, *SCORER_TOKENS, "status"]
        )
        found |= {
            role: average_token_lengths(select_search_rows(frame, shape), SEARCHES_TABLE, source)
            for role, shape in name_searches(config).items()
        }
    return {role: means for role, means in found.items() if means is not None}


def select_search_rows(frame: pd.DataFrame, shape: SearchShape) -> pd.DataFrame:
    """Return the rows of searches of one shape."""
    columns = ("strategy", "n", "beam_width", "lookahead")
    same = [frame[column] == value for column, value in zip(columns, shape, strict=True)]
    return frame[same[0] & same[1] & same[2] & same[3]]


def average_token_lengths(frame: pd.DataFrame, table: RunTable, source: str) -> TokenLengths | None:
    """Return the mean tokens of a table's rows that are ok; None if there is none, or their main count is unknown."""
    rows = frame[frame["status"] == "ok"]
    counts = [*table.tokens, *(SCORER_TOKENS if table is SEARCHES_TABLE else ())]
    means = {name: float(rows[name].astype(float).mean()) for name in counts}
    known = {name: None if math.isnan(value) else value for name, value in means.items()}
    if known["scorer_prompt_tokens" if table is SCORES_TABLE else table.tokens[2]] is None:
        return None
    if "generated_tokens" in known:
        known["completion_tokens"] = known.pop("generated_tokens")
    return TokenLengths(**(dict.fromkeys(MODEL_TOKENS, 0.0) | known), source=source, rows=len(rows))
