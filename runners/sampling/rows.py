"""What came back of a request as a row: a graded solution, or a verification with its verdict."""

from __future__ import annotations

from typing import Any

from isocompute.runners.config.sweep import Role
from isocompute.runners.engines import Completion
from isocompute.runners.engines.clock import clock_cells
from isocompute.runners.grading import Classes
from isocompute.runners.parsing.p_yes import p_yes
from isocompute.runners.parsing.thinking import cut
from isocompute.runners.parsing.verdicts import SKIPPED, verdict_of
from isocompute.runners.storage.schema import JUDGED, SOLUTIONS, TOKENS, VERIFICATIONS, Table


def sampled_cells(completion: Completion) -> dict[str, Any]:
    """Return the columns that every sampled row has."""
    said = {name: getattr(completion, name) for name in (*TOKENS, "finish_reason", "status")}
    return said | clock_cells(completion.started_at, completion.seconds)


def skipped_row(key: tuple[Any, ...], digest: str) -> dict[str, Any]:
    """Return the row of a verification that costs and says nothing: the solution has nothing to verify."""
    row = dict(zip(VERIFICATIONS.key_names, key, strict=True))
    row |= dict.fromkeys(TOKENS, 0)
    return {**row, "finish_reason": SKIPPED, "status": "ok", "seconds": 0.0, JUDGED.name: digest}


def sampled_row(
    table: Table, key: list[Any], completion: Completion, classes: Classes | None, role: Role
) -> dict[str, Any]:
    """Grade a solution, or read a verification's verdict; what failed has neither answer nor verdict."""
    row = {**dict(zip(table.key_names, key, strict=True)), "text": completion.text, **sampled_cells(completion)}
    if completion.text is None:
        return row
    visible = cut(completion.text, role.thinking_end)
    if table is SOLUTIONS:
        assert classes is not None, "what is sampled is graded"
        row["answer"], row["correct"] = classes.grade(visible)
    else:
        row["verdict"] = verdict_of(visible)
        row["p_yes"] = p_yes(completion.tokens, visible) if completion.tokens else None
    return row
