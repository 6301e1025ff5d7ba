"""The test of a selector: given two solutions of a problem, it must choose the right one more often than chance.

A strategy that pays for verdicts or scores can only gain by them if they tell right solutions from wrong ones of the
same problem. With S = 2, each strategy takes one of two solutions, so its gain over S = 1 shows this for each problem
by itself: it is 2p(1 - p)(A - 1/2), where p is the share of right solutions and A the probability that the selector
ranks a right one above a wrong one. Votes gain nothing at S = 2, since ties are broken at random.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.groups import code_problem_groups

RANK_CONFIDENCE = 0.975
"""One-sided confidence of the stratified rank-sum test."""
GAIN_CONFIDENCE = 0.8
"""One-sided confidence of the t test over problems."""
_ROUNDING = 1e-9


def is_selector_informative(table: AllocationOptions, clusters: ArrayLike | None = None) -> bool:
    """Return whether a strategy's selector was shown to choose better than chance between two solutions.

    Two tests of the mean gain over problems must both pass, each at the largest number of verifications:

    - the rank-sum test stratified by problem (van Elteren 1960), against a selector whose verdicts have nothing to do
      with being right: then A varies around 1/2 with the variance (K + 1) / 12RW among K solutions of a problem, of
      which R are right and W wrong. Ties would make it smaller, so the test is conservative;
    - a t test over problems, against a selector that depends on the answers and is right in some problems, and wrong in
      as many others.

    Strategies that pay for no selector pass, and so do those whose gain cannot be told: without the knots S = 1 and
    S = 2, as for searches, or with fewer than two problems.

    Args:
        table: the strategy's options.
        clusters: (P,) label of each problem's cluster, which counts as one problem; None if each is its own.

    Example:
        >>> from isocompute.fits import build_verified_options
        >>> useless = [[[0.5], [0.4], [0.5]], [[0.5], [0.6], [0.5]]]
        >>> is_selector_informative(build_verified_options(useless, [1, 2, 64], [1], lam=1.0))
        False
        >>> useful = [[[0.5], [0.7], [0.9]], [[0.5], [0.6], [0.8]]]
        >>> is_selector_informative(build_verified_options(useful, [1, 2, 64], [1], lam=1.0))
        True
    """
    selection = _measure_selection(table)
    if selection is None:
        return True
    single, gain, solutions = selection
    groups = code_problem_groups(len(gain), clusters=clusters)
    if groups.clusters < 2:
        return True

    def sum_clusters(values: Floats) -> Floats:
        return np.asarray(np.bincount(groups.cluster, values) / groups.sizes.mean())

    rank_error = np.sqrt((sum_clusters(_compute_null_errors(single, solutions)) ** 2).sum()) / groups.clusters
    error = sum_clusters(gain - gain.mean()).std(ddof=1) / np.sqrt(groups.clusters)
    needed = max(ndtri(RANK_CONFIDENCE) * rank_error, stdtrit(groups.clusters - 1, GAIN_CONFIDENCE) * error)
    return bool(gain.mean() > needed + _ROUNDING)


def find_uninformed_tables(tables: Sequence[AllocationOptions], clusters: ArrayLike | None = None) -> frozenset[int]:
    """Return the tables whose selector was not shown to tell right from wrong, by index; none if that holds for all.

    Args:
        tables: options of n strategies.
        clusters: (P,) label of each problem's cluster; None if each is its own.
    """
    found = {index for index, table in enumerate(tables) if not is_selector_informative(table, clusters)}
    return frozenset(found if len(found) < len(tables) else ())


def _measure_selection(table: AllocationOptions) -> tuple[Floats, Floats, int] | None:
    """Return (P,) the accuracy with one solution, (P,) the gain with two, and the largest number of solutions.

    It is None for a strategy that pays for no selector, and without the knots S = 1 and S = 2.
    """
    numbers, knots = table.grid.numbers, table.grid.knots
    if "S" not in numbers:
        return None
    sizes, cost = numbers["S"][knots], table.grid.cost[knots]
    depths = numbers["V"][knots] if "V" in numbers else np.ones_like(sizes)
    one, two = (np.flatnonzero((sizes == size) & (depths == depths.max())) for size in (1, 2))
    if not (len(one) and len(two)) or cost[two[0]] <= 2:
        return None
    single = table.accuracy[:, one[0]]
    return single, table.accuracy[:, two[0]] - single, int(sizes.max())


def _compute_null_errors(single: Floats, solutions: int) -> Floats:
    """Return (P,) the standard deviation of the gain of a selector that knows nothing, among K solutions of a problem.

    The gain is 2RW / K(K - 1) times A - 1/2, whose variance is (K + 1) / 12RW.
    """
    right = single * solutions
    pairs = right * (solutions - right)
    return np.sqrt(np.maximum(pairs, 0) * (solutions + 1) / 3) / (solutions * (solutions - 1))
