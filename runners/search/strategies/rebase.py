"""REBASE: each round's slots are shared among its nodes in proportion to the softmax of their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from isocompute.runners.search.strategies.node import Node, SearchGenerator, expand_parents, select_best_nodes

REBASE_TEMPERATURE = 0.2
"""Temperature of the softmax over scores, as published."""


def run_rebase(root: Node, n: int, rounds: int, temperature: float = REBASE_TEMPERATURE) -> SearchGenerator:
    """Give each node that continues a share of the free slots, w ∝ exp(score / temperature), the best first.

    If ended nodes hold F slots, n − F are free. The best node gets ⌈(n − F)·w₁/Σw⌉ children, the next one its share of
    the rest by the same formula, and so on. All slots are used, and the last nodes may get none.

    Source: Wu et al. 2024, arXiv 2408.00724 (there W_j = Round(B·softmax), which need not add up to B); the rounding
    follows its code, thu-wyz/inference_scaling. That code differs otherwise: it rounds up remainders of floating-point
    sums, so it can give more slots than there are; treats a phrase in prompt or solution as its end; limits the tokens
    of a step where those of a solution are meant; loses nodes without a score; and drops solutions that are unfinished
    after the last round.

    Args:
        root: the problem.
        n: slots, ≥ 1.
        rounds: the most steps of a solution, ≥ 1.
        temperature: temperature of the softmax, > 0, in the unit of the scores.

    Returns:
        n candidates.
    """
    parents, ended, alive = [root] * n, list[Node](), list[Node]()
    for _ in range(rounds):
        children = yield parents
        ended += [child for child in children if not child.is_alive]
        alive = select_best_nodes((child for child in children if child.is_alive), n)
        if not alive:
            break
        parents = expand_parents(alive, assign_children([node.score for node in alive], len(alive), temperature))
    return ended + alive


def assign_children(scores: Sequence[float], slots: int, temperature: float) -> list[int]:
    """Return the number of children of each node; the scores must be in descending order.

    >>> assign_children([0.9, 0.9, 0.1], 3, 0.2)
    [2, 1, 0]
    """
    # Fractions are exact: the last node's share of the remaining weight is 1, and all slots are used.
    weights = [Fraction(math.exp((score - scores[0]) / temperature)) for score in scores]
    whole, counts = sum(weights), []
    for weight in weights:
        count = math.ceil(slots * weight / whole) if slots else 0
        counts.append(count)
        slots, whole = slots - count, whole - weight
    return counts
