"""Random orders of the solutions of a pool and of their verdicts, which all rules and thresholds share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.estimators.monte_carlo import check_seed
from isocompute.fits.estimators.solution_order import label_right_first, order_solutions, rank_tallies
from isocompute.fits.pool import Pool
from isocompute.fits.verdict_codes import VerdictCodes

REPLAY_BYTES = 2**26
"""Memory that the orders of some problems, and what a rule sees along them, take at a time."""
SOLUTION_BYTES, VERDICT_BYTES = 64, 4
"""Bytes of it that a solution in an order takes, with the state after it, and that a verdict takes."""
ROTATIONS = 4
"""Draws in a row that are rotations of one order. Their first quarters have no solution in common."""


@dataclass(frozen=True, eq=False)
class Orders:
    """R orders in which the solutions of each problem of a pool arrive, and in which each solution's verdicts do.

    Args:
        solutions: (P, R, N) positions of the solutions in the pool.
        verdicts: (P, R, K, m) positions of the first m verdicts of each verified solution in `Pool.verdict_codes`,
            those behind its last verdict at the end; None without verdicts.
        rotations: how many orders in a row depend on each other. Each such group is one draw for the drawing error.

    Raises:
        DataError: fewer than two groups, so that there would be no drawing error.
    """

    solutions: NDArray[np.int32]
    verdicts: NDArray[np.integer] | None
    rotations: int = 1

    def __post_init__(self) -> None:
        draws = self.solutions.shape[1]
        if draws % self.rotations or draws < 2 * self.rotations:
            raise DataError(f"draws must be a multiple of {self.rotations}, at least twice it; got {draws}.")

    @property
    def draws(self) -> int:
        """R, the number of orders of each problem."""
        return int(self.solutions.shape[1])

    def compute_errors(self, values: Floats) -> Floats:
        """Return (P, T) the standard errors of the means over draws of (P, R, T) values, from the draws alone."""
        problems, draws, columns = values.shape
        groups = draws // self.rotations
        means = values.reshape(problems, groups, self.rotations, columns).mean(axis=2)
        return np.asarray(means.std(axis=1, ddof=1) / np.sqrt(groups))

    def select_problems(self, positions: NDArray[np.int64]) -> Orders:
        """Return the orders of the problems at the given positions."""
        verdicts = None if self.verdicts is None else self.verdicts[positions]
        return Orders(self.solutions[positions], verdicts, self.rotations)


def draw_orders(pool: Pool, draws: int, seed: int, verdicts: int | None = None) -> Orders:
    """Draw random orders of the solutions of each problem, and of the verdicts of each solution.

    Every order is uniform. `ROTATIONS` of them in a row are one order begun at different places, so that rules that
    stop early see different solutions in each: sampling without replacement, with a smaller error than independent
    orders. The order of the verified solutions among themselves is uniform too, so rules that verify read the same
    orders and pass over solutions without verdicts.

    Args:
        pool: the sampled answers, with or without verdicts.
        draws: R, a multiple of `ROTATIONS`, at least twice it.
        seed: 0 … 2⁶⁴-1. The same seed gives the same bytes. A problem's orders depend on its key, its solutions and
            their verdicts, not on how they are listed.
        verdicts: m, how many verdicts of each solution will be read at most; None means all.

    Raises:
        DataError: a wrong number of draws, or a seed out of range.

    Example:
        >>> orders = draw_orders(Pool([[0, 1, 1, 2]], [0]), draws=8, seed=0)
        >>> orders.solutions.shape, sorted(orders.solutions[0, :4, 0].tolist())  # one rotation starts at each solution
        ((1, 8, 4), [0, 1, 2, 3])
    """
    from isocompute.fits.estimators.kernels_streams import start_streams
    from isocompute.fits.policies.kernels_orders import draw_solution_orders, draw_verdict_orders

    check_seed(seed)
    if draws % ROTATIONS or draws < 2 * ROTATIONS:
        raise DataError(f"draws must be a multiple of {ROTATIONS}, at least {2 * ROTATIONS}; got {draws}.")
    label, _ = label_right_first(pool, pool.solutions)
    problems, K, M = pool.problems, pool.verified_solutions, pool.verifications
    streams = start_streams(pool.keys, np.uint64(seed))
    solutions = np.empty((problems, draws, pool.solutions), dtype=np.int32)
    canonical = np.empty(label.shape, dtype=np.int64)
    if pool.solutions > K:
        rest = pool.solutions - K
        canonical[:, K:] = K + order_solutions(label[:, K:], np.zeros((problems, rest, 1)))
    tallies, judged = pool.tallies, pool.judged
    if tallies is None or judged is None:
        draw_solution_orders(canonical, ROTATIONS, streams, solutions)
        return Orders(solutions, None, ROTATIONS)
    if pool.has_probabilities:
        ranks = np.nan_to_num(np.sort(np.asarray(pool.verdict_codes), axis=2), nan=np.inf)
        canonical[:, :K] = order_solutions(label[:, :K], np.append(ranks, judged[..., None], axis=2))
    else:
        canonical[:, :K] = order_solutions(label[:, :K], rank_tallies(tallies.yes, tallies.no, judged))
    draw_solution_orders(canonical, ROTATIONS, streams, solutions)
    read = M if verdicts is None else min(verdicts, M)
    places = np.empty((problems, draws, K, read), dtype=np.min_scalar_type(max(M - 1, 1)))
    for p in range(problems):  # one at a time, as a problem's verdicts may be many
        in_order = np.tile(np.arange(M), (K, 1))
        if isinstance(pool.held_verdicts, np.ndarray):
            codes = pool.held_verdicts[p]
            # The entries behind a solution's verdicts are unparsed, as others are, but must stay behind them.
            ranked = np.where(in_order >= judged[p, :, None], np.inf, np.where(codes >= 0, codes, 2.0))
            in_order = np.argsort(ranked, axis=1, kind="stable")
        draw_verdict_orders(canonical[p, :K], in_order, judged[p], streams[p], places[p])
    return Orders(solutions, places, ROTATIONS)


def split_for_replay(pool: Pool, draws: int, verdicts: int = 1) -> list[Ints]:
    """Return the positions of the problems in parts, so that the replay of each fits into `REPLAY_BYTES`.

    Args:
        pool: the pool.
        draws: R.
        verdicts: m, how many verdicts of each solution are read at most.

    Example:
        >>> [len(part) for part in split_for_replay(Pool(np.zeros((900, 64), dtype=int), [0] * 900), draws=32)]
        [512, 388]
    """
    read = pool.verified_solutions * min(verdicts, pool.verifications)
    size = max(1, REPLAY_BYTES // (draws * (pool.solutions * SOLUTION_BYTES + read * VERDICT_BYTES)))
    return [np.arange(i, min(i + size, pool.problems)) for i in range(0, pool.problems, size)]


def read_ordered_verdicts(pool: Pool, places: NDArray[np.integer]) -> VerdictCodes:
    """Return (P, R, K, n) the codes of the verdicts at the first n positions of orders, see `Orders.verdicts`.

    Example:
        >>> pool = Pool([[0, 1]], [0], [[[1, 0, 0], [0, 1, 1]]])
        >>> read_ordered_verdicts(pool, np.array([[[[1, 0], [0, 2]]]]))
        array([[[[0, 1],
                 [0, 1]]]], dtype=int8)
    """
    held = pool.held_verdicts
    assert held is not None, "only verdicts have orders"
    found = np.empty(places.shape, dtype=held.dtype if isinstance(held, np.ndarray) else np.int8)
    own = np.arange(pool.verified_solutions)[:, None]
    for p, each in enumerate(places):  # one problem at a time, as positions become indices of eight bytes
        found[p] = held[p][own, each] if isinstance(held, np.ndarray) else held[p].read_codes(each)
    return found
