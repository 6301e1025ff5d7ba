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

    If ended nodes hold F slots, the best ⌈(n − F)/width⌉ other nodes share the remaining n − F slots as evenly as
    possible, the better nodes first. While no node has ended, these are the n/width best with ``width`` children each.
    Every slot ends with one candidate, so a search samples as many steps as its n candidates have together, and at most
    n·rounds.

    Source: Snell et al. 2024, arXiv 2408.03314, section 5.2; code: huggingface/search-and-learn. That code differs: it
    refills the slots of finished solutions, so it samples more than n solutions; returns the first n to finish, not the
    best, and copies if there are fewer; counts solutions cut by the token limit as complete; samples unfinished
    solutions to their end after the last round, in any number of steps; pays for a lookahead and does not score it;
    keeps all nodes when n < width; and breaks ties by position.

    Args:
        root: the problem.
        n: slots, ≥ 1.
        width: continuations of a kept node, ≥ 1.
        rounds: the most steps of a solution, ≥ 1.

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
