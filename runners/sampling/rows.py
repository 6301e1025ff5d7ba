"""Rows of solutions and verifications, built from completions."""

from __future__ import annotations

from typing import Any

from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.engines import Completion
from isocompute.runners.engines.clock import build_clock_columns
from isocompute.runners.grading import AnswerClasses
from isocompute.runners.parsing.p_yes import compute_yes_probability
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.parsing.verdicts import SKIPPED_FINISH_REASON, parse_verdict
from isocompute.runners.storage.schema import (
    DIGEST_COLUMN,
    MODEL_TOKENS,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)


def build_completion_cells(completion: Completion) -> dict[str, Any]:
    """Return the columns that solutions and verifications share."""
    cells = {name: getattr(completion, name) for name in (*MODEL_TOKENS, "finish_reason", "status")}
    return cells | build_clock_columns(completion.started_at, completion.seconds)


def build_skipped_row(key: tuple[Any, ...], digest: str) -> dict[str, Any]:
    """Return the row of a verification that is skipped at no cost, because the solution has no visible text."""
    row = dict(zip(VERIFICATIONS_TABLE.key_names, key, strict=True))
    row |= dict.fromkeys(MODEL_TOKENS, 0)
    return {**row, "finish_reason": SKIPPED_FINISH_REASON, "status": "ok", "seconds": 0.0, DIGEST_COLUMN.name: digest}


def build_completion_row(
    table: RunTable, key: list[Any], completion: Completion, classes: AnswerClasses | None, role: ModelRole
) -> dict[str, Any]:
    """Return the row of a graded solution or of a verification with its verdict; a failure has neither."""
    row = {
        **dict(zip(table.key_names, key, strict=True)),
        "text": completion.text,
        **build_completion_cells(completion),
    }
    if completion.text is None:
        return row
    visible = cut_thinking(completion.text, role.thinking_end, completion.is_ended)
    if table is SOLUTIONS_TABLE:
        assert classes is not None, "what is sampled is graded"
        row["answer"], row["correct"] = classes.grade(visible)
    else:
        row["verdict"] = parse_verdict(visible)
        row["p_yes"] = compute_yes_probability(completion.tokens, visible) if completion.tokens else None
    return row
