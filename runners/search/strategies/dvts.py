"""Diverse verifier tree search: independent greedy searches in parallel."""

from __future__ import annotations

from math import ceil

from isocompute.runners.search.strategies.node import Node, SearchGenerator, divide_slots


def run_dvts(root: Node, n: int, width: int, rounds: int) -> SearchGenerator:
    """Split the slots into ⌈n/width⌉ subtrees and continue only the best child of each.

    A subtree samples as many children as it has slots, and the best one is its next node. If that node is finished, the
    subtree ends and its slots stay empty. Otherwise each ended sibling keeps a slot, and the other siblings are
    dropped. A child cut by the token limit is never the next node. Slots are shared as evenly as possible, so each
    subtree has ``width`` slots if ``width`` divides n.

    Source: Beeching, Tunstall and Rush, *Scaling test-time compute with open models*, 2024; code:
    huggingface/search-and-learn. That code differs: it returns all children of each subtree's last round as answers,
    unfinished ones included, and loses those that finished earlier; ends a subtree when its text contains ``boxed{``,
    closed or not; counts solutions cut by the token limit as complete; limits the tokens of a step and not of a
    solution; and breaks ties by position.

    Args:
        root: the problem.
        n: slots, ≥ 1.
        width: slots of a subtree, ≥ 1.
        rounds: the most steps of a solution, ≥ 1.

    Returns:
        At most n candidates.
    """
    width = min(width, n)
    subtrees = [[root] * slots for slots in divide_slots(n, ceil(n / width))]
    ended, alive = list[Node](), list[Node]()
    for _ in range(rounds):
        children = iter((yield [parent for subtree in subtrees for parent in subtree]))
        grown = [[next(children) for _ in subtree] for subtree in subtrees]
        ended += [child for subtree in grown for child in subtree if not child.is_alive]
        subtrees, alive = [], []
        for subtree in grown:
            top = max(
                (child for child in subtree if child.end != "length"), key=lambda node: node.rank_key, default=None
            )
            if top is not None and top.is_alive:
                going = [child for child in subtree if child.is_alive]
                subtrees.append([top] * len(going))
                alive += going
        if not subtrees:
            break
    return ended + alive
