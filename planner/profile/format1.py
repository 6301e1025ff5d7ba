"""Profiles of format 1: a field a strategy, and nothing of single problems. They are read as format 2."""

from __future__ import annotations

from typing import Any

STRATEGY_FIELDS = {
    "self_consistency": "sc",
    "genrm": "genrm",
    "genrm_vote": "genrm+vote",
    "weighted": "weighted",
    "fused": "fused",
    "bon": "bon",
    "prm_weighted": "prm-weighted",
}
"""Where format 1 holds a strategy, and what it is called."""

MOST_PROBLEMS = 10**7
"""Of a file that is believed."""

DRAWN_STRATEGIES = ("weighted", "fused", "prm-weighted")
"""The strategies that were estimated by drawing."""


def upgrade_profile_content(content: dict[str, Any]) -> dict[str, Any]:
    """Return a profile of format 1 as one of format 2.

    The largest error of drawing stands for that of every strategy that was drawn. Keys that are not known here are
    kept, and so is the curve ``best_of_n``, which nothing reads.

    Args:
        content: the file's.
    """
    new = {key: value for key, value in content.items() if key not in {*STRATEGY_FIELDS, "searches"}}
    error, trust = new.pop("drawn_error", None), new.pop("trust", None)
    strategies: dict[str, Any] = {}
    for field, name in STRATEGY_FIELDS.items():
        part = content.get(field)
        if part is None:
            continue
        if isinstance(part, dict) and name in DRAWN_STRATEGIES and error is not None:
            part = {**part, "error": error}
        if isinstance(part, dict) and name == "fused" and trust is not None:
            part = {**part, "parameters": {"trust": trust}}
        strategies[name] = part
    if error is not None and not strategies.keys() & set(DRAWN_STRATEGIES):
        new["drawn_error"] = error
    if trust is not None and "fused" not in strategies:
        new["trust"] = trust
    searches = content.get("searches", {})
    strategies |= searches if isinstance(searches, dict) else {"searches": searches}
    problems = content.get("problems")
    count = problems if content.get("per_problem") is True and isinstance(problems, int) else 0
    records: list[dict[str, Any]] = [{}] * min(max(count, 0), MOST_PROBLEMS)
    return {**new, "format": 2, "strategies": strategies, "per_problem": records}
