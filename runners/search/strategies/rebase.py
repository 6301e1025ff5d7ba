"""REBASE: a round's slots go to its nodes in proportion to the softmax of their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from isocompute.runners.search.strategies.node import Node, SearchGenerator, expand_parents, select_best_nodes

REBASE_TEMPERATURE = 0.2
"""Of the softmax over scores, as published."""


def run_rebase(root: Node, n: int, rounds: int, temperature: float = REBASE_TEMPERATURE) -> SearchGenerator:
    """Give each node that goes on a share of the free slots, w ∝ exp(score / temperature), the best first.

    With F slots held by what has ended there are n − F to give. The best node gets ⌈(n − F)·w₁/Σw⌉ children, the next
    one the same share of what is left, and so on: all are given, and the last nodes may get none.

    Source: Wu et al. 2024, arXiv 2408.00724 (there W_j = Round(B·softmax), which need not add up to B); as
    code, thu-wyz/inference_scaling, whose rounding this is. That code, and not this, rounds up what is left over from
    floating-point sums, so that it can give more than it has; takes a phrase in prompt or solution for its end; limits
    the tokens of a step where it means those of a solution; loses nodes without a score; and drops what has not
    finished at its last round.

    Args:
        root: the problem.
        n: slots, ≥ 1.
        rounds: steps of a solution at most, ≥ 1.
        temperature: of the softmax, > 0; the scores' own unit.

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
    """Return how many children each node gets, by its score; the scores come in descending order.

    >>> assign_children([0.9, 0.9, 0.1], 3, 0.2)
    [2, 1, 0]
    """
    # Fractions, so that the shares of equal nodes are equal and the last node's share of itself is 1.
    weights = [Fraction(math.exp((score - scores[0]) / temperature)) for score in scores]
    whole, counts = sum(weights), []
    for weight in weights:
        count = math.ceil(slots * weight / whole) if slots else 0
        counts.append(count)
        slots, whole = slots - count, whole - weight
    return counts
