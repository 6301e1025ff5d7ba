"""Sequential revisions: chains of whole solutions, each written with the earlier ones in the prompt."""

from __future__ import annotations

from math import ceil

from isocompute.runners.search.strategies.node import Node, SearchGenerator, divide_slots

SHOWN_ATTEMPTS = 4
"""The number of latest attempts that a revision prompt shows."""


def run_revisions(root: Node, n: int, width: int) -> SearchGenerator:
    """Write n attempts in ⌈n/width⌉ parallel chains of ``width``; each attempt revises the earlier ones of its chain.

    The ratio sequential:parallel is width : n/width; width = 1 gives n independent solutions, width = n one chain. A
    node is a whole attempt, and its score is that of the attempt alone. All attempts are candidates, the first ones
    too, because a revision can also turn a right answer wrong (38 % of them in the source). Chain lengths differ by at
    most one attempt. An attempt that the token limit cut is revised like any other.

    Source: Snell et al. 2024, arXiv 2408.03314, section 6, whose model was trained to revise; here a prompt asks for
    revisions. The authors published no code.

    Args:
        root: the problem.
        n: attempts in all, ≥ 1.
        width: attempts of a chain, ≥ 1.

    Returns:
        n candidates.
    """
    lengths = divide_slots(n, ceil(n / min(width, n)))
    chains, attempts = [root] * len(lengths), list[Node]()
    for number in range(lengths[0]):
        chains = yield chains[: sum(length > number for length in lengths)]
        attempts += chains
    return attempts
