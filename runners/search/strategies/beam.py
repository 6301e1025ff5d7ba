"""Beam search with a process reward model."""

from __future__ import annotations

from math import ceil

from isocompute.runners.search.strategies.node import (
    Node,
    SearchGenerator,
    divide_slots,
    expand_parents,
    select_best_nodes,
)


def run_beam_search(root: Node, n: int, width: int, rounds: int) -> SearchGenerator:
    """Keep the best steps of a round over all slots, and give each of them ``width`` continuations.

    With F slots held by what has ended, the n − F others go to the best ⌈(n − F)/width⌉ nodes that go on, as evenly as
    they can be dealt, the better nodes first; while nothing has ended these are the n/width best with ``width``
    children each. Every slot ends with one candidate, so a search samples as many steps as its n candidates have
    together, and no more than n·rounds.

    Source: Snell et al. 2024, arXiv 2408.03314, section 5.2; as code, huggingface/search-and-learn. That code, and not
    this, refills the slots of what has finished, so that it samples more than n solutions; returns the first n to
    finish, not the best, and copies of them where they are fewer; takes what the token limit cut for complete; samples
    to its end, in however many steps, what has not finished at the last round; pays for a lookahead and does not score
    it; keeps everything when n < width; and breaks ties by position.

    Args:
        root: the problem.
        n: slots, ≥ 1.
        width: continuations of a kept node, ≥ 1.
        rounds: steps of a solution at most, ≥ 1.

    Returns:
        n candidates.
    """
    width = min(width, n)
    parents, ended, alive = [root] * n, list[Node](), list[Node]()
    for _ in range(rounds):
        children = yield parents
        ended += [child for child in children if not child.is_alive]
        alive = [child for child in children if child.is_alive]
        if not alive:
            break
        kept = select_best_nodes(alive, ceil(len(alive) / width))
        parents = expand_parents(kept, divide_slots(len(alive), len(kept)))
    return ended + alive
