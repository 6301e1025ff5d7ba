"""Which of a search's candidates is its answer.

An unfinished candidate is never selected while there is a finished one. A candidate that is there twice counts twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from isocompute.runners.search.strategies.node import Node

Rule = Literal["vanilla", "weighted", "majority"]

RULES: tuple[Rule, ...] = get_args(Rule)


def chosen(candidates: Sequence[Node], answers: Mapping[int, str | None], rule: Rule) -> Node:
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
    eligible = [node for node in candidates if node.finished] or list(candidates)
    votes: dict[str, list[Node]] = {}
    for node in sorted(eligible, key=lambda node: node.id):
        if (answer := answers[node.id]) is not None:
            votes.setdefault(answer, []).append(node)
    if votes and rule != "vanilla":
        eligible = max(votes.values(), key=lambda nodes: (weight(nodes, rule), nodes[0].luck))
    return max(eligible, key=lambda node: node.merit)


def weight(nodes: Sequence[Node], rule: Rule) -> float:
    """Return what an answer's candidates weigh; a score that is NaN weighs nothing."""
    if rule == "majority":
        return len(nodes)
    return math.fsum(node.score for node in nodes if not math.isnan(node.score))
