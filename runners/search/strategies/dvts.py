"""Diverse verifier tree search: independent greedy searches, side by side."""

from __future__ import annotations

from math import ceil

from isocompute.runners.search.strategies.node import Node, SearchGenerator, divide_slots


def run_dvts(root: Node, n: int, width: int, rounds: int) -> SearchGenerator:
    """Split the slots into ⌈n/width⌉ subtrees; in each, only the best child goes on.

    A subtree samples as many children as it has slots; the best of them is its next node. Is that a finished one, the
    subtree ends, and its slots stay empty; else each of its siblings that has ended keeps a slot, and the others are
    dropped. What the token limit cut is never a subtree's next node. Slots are dealt as evenly as they go, so subtrees
    have ``width`` of them when ``width`` divides n.

    Source: Beeching, Tunstall and Rush, *Scaling test-time compute with open models*, 2024; as code,
    huggingface/search-and-learn. That code, and not this, returns all children of each subtree's last round as its
    answers, unfinished ones among them, and loses those that finished before; ends a subtree when its text holds
    ``boxed{``, closed or not; takes what the token limit cut for complete; limits the tokens of a step and not those of
    a solution; and breaks ties by position.

    Args:
        root: the problem.
        n: slots, ≥ 1.
        width: slots of a subtree, ≥ 1.
        rounds: steps of a solution at most, ≥ 1.

    Returns:
        The candidates, at most n.
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
