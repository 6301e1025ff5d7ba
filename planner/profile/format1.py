"""Conversion of profiles of format 1, which have a field per strategy and no problem records, to format 2."""

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
"""The field of format 1 that holds a strategy, and the strategy's name."""

MOST_PROBLEMS = 10**7
"""Largest number of problems for which records are created; a larger one in a file is implausible."""

DRAWN_STRATEGIES = ("weighted", "fused", "prm-weighted")
"""The strategies that format 1 estimated by Monte Carlo draws."""


def upgrade_profile_content(content: dict[str, Any]) -> dict[str, Any]:
    """Convert the content of a profile of format 1 to format 2.

    Format 1 has one Monte Carlo error, the largest; each strategy estimated by drawing gets it. Unknown keys are kept,
    and so is the curve ``best_of_n``, which is no longer read.

    Args:
        content: the parsed file.
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
    # With no strategy to carry them, the error and κ stay at the top level, so that no information is lost.
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
