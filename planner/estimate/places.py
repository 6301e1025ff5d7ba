"""The shape of a pool, and which solution of a problem takes each place in it.

Rows fail, and problems differ in their numbers of rows, but a pool is rectangular. Its shape is chosen so that most
rows are used. A problem with at least half of that keeps all that it has, and its missing places are filled by its own
solutions in turn, as if rows were missing at random within the problem. A problem with less is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.runners.storage.unequal import choose_pool_size

Masks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PoolShape:
    """The shape of a pool.

    Args:
        solutions: N.
        verified: K ≤ N; 0 if nothing was verified.
        scored: L ≤ N; 0 if nothing was scored.
        short: why a problem is left out, by its position: what it has too few of.
    """

    solutions: int
    verified: int
    scored: int
    short: dict[int, str]


def choose_pool_shape(present: Masks, verified: Masks, scored: Masks, fewest: bool = False) -> PoolShape:
    """Choose the shape of a pool, see `choose_pool_size`: N first, then K and L for the problems that are kept.

    Args:
        present: (P, width) whether a problem has the solution; each problem has one.
        verified: (P, width) whether it has a verdict.
        scored: (P, width) whether it was scored.
        fewest: keep all problems, with as many solutions as the one with the fewest.
    """
    counts = present.sum(axis=1)
    N = int(counts.min()) if fewest else choose_pool_size(counts)
    short = _describe_short(counts, N, "solutions")
    K = L = 0
    for what in ("verified solutions", "scored solutions"):
        is_kept = np.array([i not in short for i in range(len(counts))])
        if what == "verified solutions":
            each = verified.sum(axis=1)
            K = min(choose_pool_size(each[is_kept]), N)
            lacking = _describe_short(each, K, what)
        else:
            # A place among the first min(K, L) takes a solution that is both verified and scored.
            each, both = scored.sum(axis=1), (scored & verified).sum(axis=1)
            each = np.where(2 * both < np.minimum(K, each), both, each)
            L = min(choose_pool_size(each[is_kept]), N)
            lacking = _describe_short(each, L, what)
        short = {**lacking, **short}
    return PoolShape(N, K, L, dict(sorted(short.items())))


def _describe_short(counts: NDArray[np.int64], size: int, what: str) -> dict[int, str]:
    """Return what each problem with fewer than half of a size has, by its position."""
    return {int(i): f"{counts[i]:,} of {size:,} {what}" for i in np.flatnonzero(2 * counts < size)}


def assign_places(
    present: Masks, verified: Masks, scored: Masks, shape: PoolShape
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Assign solutions to the N places of each problem.

    The first K places take verified solutions and the first L scored ones, each in the order of their ids. Where too
    few are left, the places that lack one take those of the problem again, in turn.

    Args:
        present: (P, width) whether a problem has the solution.
        verified: (P, width) whether it has a verdict.
        scored: (P, width) whether it was scored.
        shape: the shape of the pool; no problem is short of it.

    Returns:
        The solution in each place, (P, N), and the number of places of each problem that hold one again, (P,).
    """
    # What the first places need comes first; with enough of each kind, a stable sort is all.
    fewer, more = sorted((shape.verified, shape.scored))
    first = verified if shape.verified >= shape.scored else scored
    rank = np.where(verified & scored & (fewer > 0), 0, np.where(first & (more > 0), 1, 2))
    rank = np.where(present, rank, 3)
    places = np.argsort(rank, axis=1, kind="stable")[:, : shape.solutions]
    at = np.arange(shape.solutions)
    needs_verdict, needs_score = at < shape.verified, at < shape.scored
    is_right = np.take_along_axis(present, places, axis=1)
    is_right &= np.take_along_axis(verified, places, axis=1) | ~needs_verdict
    is_right &= np.take_along_axis(scored, places, axis=1) | ~needs_score
    again = np.zeros(len(present), dtype=np.int64)
    for i in np.flatnonzero(~is_right.all(axis=1)):
        used: set[int] = set()
        for place in at:
            usable = present[i] & (verified[i] | ~needs_verdict[place]) & (scored[i] | ~needs_score[place])
            candidates = [int(j) for j in np.argsort(rank[i], kind="stable") if usable[j]]
            new = [j for j in candidates if j not in used]
            places[i, place] = new[0] if new else candidates[again[i] % len(candidates)]
            again[i] += not new
            used.add(int(places[i, place]))
    return places, again
