"""Selection of a search's answer among its candidates.

An unfinished candidate is selected only if no candidate is finished. A candidate that occurs twice counts twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from isocompute.runners.search.strategies.node import Node

SelectionRule = Literal["vanilla", "weighted", "majority"]

SELECTION_RULES: tuple[SelectionRule, ...] = get_args(SelectionRule)


def select_candidate(candidates: Sequence[Node], answers: Mapping[int, str | None], rule: SelectionRule) -> Node:
    """Return the selected candidate.

    ``vanilla`` takes the best score. ``weighted`` takes the answer with the largest sum of its candidates' scores, and
    ``majority`` the answer with the most candidates; both then return the candidate of that answer with the best score.
    Candidates without a readable answer do not vote; if no candidate has one, the best score decides. Ties are broken
    by `Node.tie_breaker`; for an answer, by that of its first node, so that having many nodes does not help in a tie.

    Args:
        candidates: at least one.
        answers: for each candidate's number the representative of its answer class, or None.
        rule: ``vanilla``, ``weighted`` or ``majority``.
    """
    eligible = [node for node in candidates if node.is_finished] or list(candidates)
    votes: dict[str, list[Node]] = {}
    for node in sorted(eligible, key=lambda node: node.id):
        if (answer := answers[node.id]) is not None:
            votes.setdefault(answer, []).append(node)
    if votes and rule != "vanilla":
        eligible = max(votes.values(), key=lambda nodes: (weigh_answer(nodes, rule), nodes[0].tie_breaker))
    return max(eligible, key=lambda node: node.rank_key)


def weigh_answer(nodes: Sequence[Node], rule: SelectionRule) -> float:
    """Return the weight of an answer's candidates; a NaN score counts as 0."""
    if rule == "majority":
        return len(nodes)
    return math.fsum(node.score for node in nodes if not math.isnan(node.score))
