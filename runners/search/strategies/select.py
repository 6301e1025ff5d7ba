"""Which of a search's candidates is its answer.

An unfinished candidate is never selected while there is a finished one. A candidate that is there twice counts twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from isocompute.runners.search.strategies.node import Node

SelectionRule = Literal["vanilla", "weighted", "majority"]

SELECTION_RULES: tuple[SelectionRule, ...] = get_args(SelectionRule)


def select_candidate(candidates: Sequence[Node], answers: Mapping[int, str | None], rule: SelectionRule) -> Node:
    """Return the candidate that is selected.

    ``vanilla`` takes the best score. ``weighted`` takes the answer whose candidates have the largest sum of scores,
    ``majority`` the one that most of them have, and of these the candidate with the best score. Who has no readable
    answer has no vote; if nobody has, the best score decides. Ties are broken by luck: of nodes by their own, of
    answers by that of their first node, so that an answer does not win a tie by having many.

    Args:
        candidates: at least one.
        answers: of each candidate, by its number: the representative of its class of equal answers, or None.
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
    """Return what an answer's candidates weigh; a score that is NaN weighs nothing."""
    if rule == "majority":
        return len(nodes)
    return math.fsum(node.score for node in nodes if not math.isnan(node.score))
