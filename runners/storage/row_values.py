"""Checks of the rows of a run, each on its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isocompute.runners.parsing.verdicts import SKIPPED_FINISH_REASON
from isocompute.runners.storage.row_states import Mask
from isocompute.runners.storage.schema import (
    GRADES_TABLE,
    NODES_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    WAITING_STATUS,
    RunTable,
)

RESULT_COLUMNS = ("answer", "correct", "verdict", "p_yes")
"""Columns that must be null in a failed row."""

UNIT_INTERVAL_COLUMNS = ("verdict", "p_yes", "score", "step_score")
"""Columns whose values lie in 0 … 1."""

LOWEST_NUMBERS = {"solution_id": 0, "verification_id": 0, "node_id": 1, "parent": 0, "round": 1}
"""The lowest value of each numbering column."""

IMPORT_NULL_COLUMNS = ("question", "gold")
"""Columns of problems that may be null in an import. In a sweep the gold may, of problems to be answered."""


def find_impossible_rows(
    table: RunTable, content: pa.Table, imported: bool, unanswered: bool = False
) -> Iterator[tuple[str, Mask]]:
    """Yield each fault that a row can have on its own, with a mask of the rows that have it.

    Args:
        table: whose rows.
        content: the rows.
        imported: whether they were imported; some columns may then be null, such as the gold of a right solution.
        unanswered: whether right answers may be unknown; then it is unknown which solutions are right.
    """
    names = {column.name for column in table.columns}
    ok = (
        to_boolean_mask(pc.equal(content["status"], "ok"))
        if table.has_status
        else np.ones(content.num_rows, dtype=bool)
    )
    for column in table.columns:
        may_lack = imported or (unanswered and column.name == "gold")
        if not column.null or (column.name in IMPORT_NULL_COLUMNS and not may_lack):
            yield f"without {column.name}", to_boolean_mask(pc.is_null(content[column.name]))
    for name, lacking in find_unfilled_columns(table, content, ok, imported):
        if name == "correct" and unanswered:
            continue
        yield f"with status ok and no {name}", lacking
    for name in (column.name for column in table.columns):
        values = content[name]
        if name in UNIT_INTERVAL_COLUMNS:  # NaN is not null and counts as outside
            yield f"with a {name} outside 0 … 1", mark_outside_range(values)
        if name == "step_scores":  # in a row that is not ok they are another tool's, in its own range
            yield "with step_scores outside 0 … 1", ok & mark_invalid_steps(values)
        if name.endswith("_tokens"):
            yield f"with {name} below 0", to_boolean_mask(pc.less(values, 0))
        if name.endswith("seconds"):
            yield f"with {name} that are negative or not finite", mark_impossible_seconds(values)
        if name in RESULT_COLUMNS and table.has_status:
            yield f"with '{name}' and a status that is not ok", ~ok & to_boolean_mask(pc.is_valid(values))
        # Other tables of a sweep are compared with the sweep.
        if name in LOWEST_NUMBERS and (imported or table in (NODES_TABLE, GRADES_TABLE)):
            yield f"with a {name} below {LOWEST_NUMBERS[name]}", to_boolean_mask(pc.less(values, LOWEST_NUMBERS[name]))
    for column in table.columns:
        if column.within is not None:
            more = pc.greater(content[column.name], content[column.within])
            yield f"with more {column.name} than {column.within}", to_boolean_mask(more)
    if {"answer", "correct"} <= names and not imported:
        yield (
            "with correct = true and no answer",
            to_boolean_mask(content["correct"]) & to_boolean_mask(pc.is_null(content["answer"])),
        )
    if table is NODES_TABLE:
        yield (
            "with a parent that does not come before it",
            to_boolean_mask(pc.greater_equal(content["parent"], content["node_id"])),
        )
    if table is GRADES_TABLE and content.num_rows:
        yield (
            "with another grader than the first row",
            to_boolean_mask(pc.not_equal(content["grader"], content["grader"][0])),
        )


def find_unfilled_columns(table: RunTable, content: pa.Table, ok: Mask, imported: bool) -> Iterator[tuple[str, Mask]]:
    """Yield the columns that a row with status ok must fill, with a mask of the rows that do not."""

    def mark_null(name: str) -> Mask:
        return to_boolean_mask(pc.is_null(content[name]))

    if table in (SOLUTIONS_TABLE, SEARCHES_TABLE):
        yield "correct", ok & mark_null("correct")
    if table is SOLUTIONS_TABLE and not imported:
        yield "text", ok & mark_null("text")
    if table is VERIFICATIONS_TABLE and not imported:
        yield (
            "text",
            ok & mark_null("text") & ~to_boolean_mask(pc.equal(content["finish_reason"], SKIPPED_FINISH_REASON)),
        )
    if table is SCORES_TABLE:
        yield "step_scores", ok & mark_null("step_scores")
    if table is NODES_TABLE:
        yield "text", (ok | to_boolean_mask(pc.equal(content["status"], WAITING_STATUS))) & mark_null("text")
        yield "correct", ok & to_boolean_mask(pc.equal(content["fate"], "finished")) & mark_null("correct")


def mark_outside_range(values: pa.ChunkedArray | pa.Array) -> Mask:
    """Mark values outside 0 … 1; null means unknown and is not marked."""
    return to_boolean_mask(pc.invert(pc.and_(pc.greater_equal(values, 0), pc.less_equal(values, 1))))


def mark_impossible_seconds(values: pa.ChunkedArray) -> Mask:
    """Mark durations below 0, NaN or infinite; null means unknown and is not marked."""
    return to_boolean_mask(pc.invert(pc.and_(pc.greater_equal(values, 0), pc.less(values, np.inf))))


def mark_invalid_steps(scores: pa.ChunkedArray) -> Mask:
    """Mark rows with a step score that is null or outside 0 … 1; NaN is the valid score of a blank step."""
    lists = scores.combine_chunks()
    rows, steps = pc.list_parent_indices(lists), pc.list_flatten(lists)
    bad = to_boolean_mask(pc.is_null(steps)) | (mark_outside_range(steps) & ~to_boolean_mask(pc.is_nan(steps)))
    mask = np.zeros(len(scores), dtype=bool)
    mask[np.asarray(rows)[bad]] = True
    return mask


def to_boolean_mask(values: pa.ChunkedArray | pa.Array) -> Mask:
    """Return a Boolean column as an array; null becomes False."""
    known = pc.fill_null(values, False)
    return np.asarray(known.to_numpy() if isinstance(known, pa.ChunkedArray) else known.to_numpy(zero_copy_only=False))
