"""Sequential revisions: chains of whole solutions, each written with the earlier ones in view."""

from __future__ import annotations

from math import ceil

from isocompute.runners.search.strategies.node import Node, SearchGenerator, divide_slots

SHOWN_ATTEMPTS = 4
"""Earlier attempts that a revision is shown, the last ones."""


def run_revisions(root: Node, n: int, width: int) -> SearchGenerator:
    """Write n attempts in ⌈n/width⌉ parallel chains of ``width``; each revises those before it in its chain.

    The ratio sequential:parallel is width : n/width; width = 1 is n independent solutions, width = n one chain. A
    node is a whole attempt, its score that of the attempt alone. All attempts are candidates, the first ones too: a
    revision turns right answers wrong as well (38 % of them in the source). Chains are as long as each other, up to
    one attempt; an attempt that the token limit cut is revised like any other.

    Source: Snell et al. 2024, arXiv 2408.03314, section 6, whose model was trained to revise; here a prompt asks for
    it. There is no code of the authors.

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
