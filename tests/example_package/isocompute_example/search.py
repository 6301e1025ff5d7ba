"""A search that never selects: n chains, each of which continues until it ends."""

from isocompute.runners.search.registry import SearchStrategy


def chains(root, n, rounds):
    """Grow n chains side by side. A finished chain keeps its slot; the n chains are the candidates."""
    slots = [root] * n
    for _ in range(rounds):
        going = [i for i, node in enumerate(slots) if node.is_alive]
        if not going:
            break
        children = yield [slots[i] for i in going]
        for i, child in zip(going, children, strict=True):
            slots[i] = child
    return slots


def begin(n, width, rounds, seed):
    from isocompute.runners.search.strategies.node import make_root_node

    return chains(make_root_node(), n, rounds)


CHAINS = SearchStrategy(begin, "N chains of steps, none of which is dropped", "#9467bd")
