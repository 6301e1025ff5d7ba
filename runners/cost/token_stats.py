"""Which rows a run lacks, and how long those are that it has: solutions, verifications, scores and searches."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from isocompute.runners.config.search import Shape
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.price import Lengths
from isocompute.runners.storage.expected import Expected
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    SCORER_TOKENS,
    SCORES,
    SEARCHES,
    SOLUTIONS,
    TOKENS,
    VERIFICATIONS,
    Table,
)

TABLES = {"solver": SOLUTIONS, "verifier": VERIFICATIONS, "scorer": SCORES}
"""The roles whose rows are numbered, and these rows; a search is a role of its own, by its shape."""


def names(config: Sweep) -> dict[str, Shape]:
    """Return the searches that a sweep asks for, by what they are called."""
    return {shape.label: shape for shape in config.by_shape}


def missing(
    run: Run, config: Sweep, problem_ids: Sequence[str], failed: Collection[tuple[Any, ...]] = ()
) -> dict[str, int]:
    """Count the rows that a run lacks, by the role that makes them; a row that failed is lacking.

    Args:
        run: what is there.
        config: what is asked for. Solutions that are taken from another run are not made, and so not counted.
        problem_ids: of which problems.
        failed: keys of solutions that are taken and failed, so that nobody verifies or scores them.
    """
    expected, counts = Expected(config, problem_ids), {}
    for role, table in TABLES.items():
        if role == "solver" and config.solutions_from is not None:
            continue
        if asked := expected.count(table):
            hopeless = sum(1 for key in failed for _ in expected.keys(table, key))
            counts[role] = asked - hopeless - len(done(run, expected, table))
    if config.searches:
        frame = done(run, expected, SEARCHES)
        for role, shape in names(config).items():
            counts[role] = len(problem_ids) * expected.seeds[shape] - len(of(frame, shape))
    return counts


def done(run: Run, expected: Expected, table: Table) -> pd.DataFrame:
    """Return the rows that are asked for and are ok."""
    frame = run.frame(table, [*table.key_names, "status"])
    return expected.select(table, frame[frame["status"] == "ok"])


def lengths(run: Run, config: Sweep, source: str) -> dict[str, Lengths]:
    """Return the mean tokens of a run's rows that are ok, of each role that has some and says how many it sampled."""
    found = {role: mean(run.frame(table, [*table.tokens, "status"]), table, source) for role, table in TABLES.items()}
    if config.searches:
        frame = run.frame(SEARCHES, [*SEARCHES.key_names, *SEARCHES.tokens, *SCORER_TOKENS, "status"])
        found |= {role: mean(of(frame, shape), SEARCHES, source) for role, shape in names(config).items()}
    return {role: means for role, means in found.items() if means is not None}


def of(frame: pd.DataFrame, shape: Shape) -> pd.DataFrame:
    """Return the rows of searches of one shape."""
    columns = ("strategy", "n", "beam_width", "lookahead")
    same = [frame[column] == value for column, value in zip(columns, shape, strict=True)]
    return frame[same[0] & same[1] & same[2] & same[3]]


def mean(frame: pd.DataFrame, table: Table, source: str) -> Lengths | None:
    """Return the mean tokens of a table's rows that are ok; None if there is none, or their main count is unknown."""
    rows = frame[frame["status"] == "ok"]
    counts = [*table.tokens, *(SCORER_TOKENS if table is SEARCHES else ())]
    means = {name: float(rows[name].astype(float).mean()) for name in counts}
    known = {name: None if math.isnan(value) else value for name, value in means.items()}
    if known["scorer_prompt_tokens" if table is SCORES else table.tokens[2]] is None:
        return None
    if "generated_tokens" in known:
        known["completion_tokens"] = known.pop("generated_tokens")
    return Lengths(**(dict.fromkeys(TOKENS, 0.0) | known), source=source, rows=len(rows))
