"""Counts of a run's missing rows, and mean token lengths of its existing ones."""

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
"""The roles with numbered rows and their tables; each search shape is a further role."""


def name_searches(config: Sweep) -> dict[str, SearchShape]:
    """Return the shapes of a sweep's searches, by label."""
    return {shape.label: shape for shape in config.searches_by_shape}


def count_missing_rows(
    run: Run, config: Sweep, problem_ids: Sequence[str], failed: Collection[tuple[Any, ...]] = ()
) -> dict[str, int]:
    """Return the number of rows that a run lacks, by role; failed rows count as missing.

    Args:
        run: the run.
        config: the sweep. Solutions taken from another run are not sampled, so they are not counted.
        problem_ids: ids of the problems.
        failed: keys of taken solutions that failed; they are neither verified nor scored.
    """
    expected, counts = ExpectedRows(config, problem_ids), {}
    for role, table in ROLE_TABLES.items():
        if role == "solver" and config.solutions_from is not None:
            continue
        if requested := expected.count_rows(table):
            blocked = sum(1 for key in failed for _ in expected.enumerate_keys(table, key))
            counts[role] = requested - blocked - len(select_completed_rows(run, expected, table))
    if config.searches:
        frame = select_completed_rows(run, expected, SEARCHES_TABLE)
        for role, shape in name_searches(config).items():
            counts[role] = len(problem_ids) * expected.seeds[shape] - len(select_search_rows(frame, shape))
    return counts


def select_completed_rows(run: Run, expected: ExpectedRows, table: RunTable) -> pd.DataFrame:
    """Return the rows that the sweep requests and whose status is ok."""
    frame = run.read_frame(table, [*table.key_names, "status"])
    return expected.select_rows(table, frame[frame["status"] == "ok"])


def measure_token_lengths(run: Run, config: Sweep, source: str) -> dict[str, TokenLengths]:
    """Return the mean tokens of a run's rows with status ok, for each role that has rows with a known main count."""
    lengths = {
        role: average_token_lengths(run.read_frame(table, [*table.tokens, "status"]), table, source)
        for role, table in ROLE_TABLES.items()
    }
    if config.searches:
        frame = run.read_frame(
            SEARCHES_TABLE, [*SEARCHES_TABLE.key_names, *SEARCHES_TABLE.tokens, *SCORER_TOKENS, "status"]
        )
        lengths |= {
            role: average_token_lengths(select_search_rows(frame, shape), SEARCHES_TABLE, source)
            for role, shape in name_searches(config).items()
        }
    return {role: means for role, means in lengths.items() if means is not None}


def select_search_rows(frame: pd.DataFrame, shape: SearchShape) -> pd.DataFrame:
    """Return the rows of searches of one shape."""
    columns = ("strategy", "n", "beam_width", "lookahead")
    matches = [frame[column] == value for column, value in zip(columns, shape, strict=True)]
    return frame[matches[0] & matches[1] & matches[2] & matches[3]]


def average_token_lengths(frame: pd.DataFrame, table: RunTable, source: str) -> TokenLengths | None:
    """Return the mean tokens of a table's rows with status ok; None if the main count is unknown or no row is ok."""
    rows = frame[frame["status"] == "ok"]
    counts = [*table.tokens, *(SCORER_TOKENS if table is SEARCHES_TABLE else ())]
    means = {name: float(rows[name].astype(float).mean()) for name in counts}
    known = {name: None if math.isnan(value) else value for name, value in means.items()}
    if known["scorer_prompt_tokens" if table is SCORES_TABLE else table.tokens[2]] is None:
        return None
    if "generated_tokens" in known:
        known["completion_tokens"] = known.pop("generated_tokens")
    return TokenLengths(**(dict.fromkeys(MODEL_TOKENS, 0.0) | known), source=source, rows=len(rows))
