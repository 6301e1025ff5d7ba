"""Options of the strategies where the first solutions are those that a level of difficulty was estimated from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    AllocationOptions,
    DifficultyLevels,
    Pool,
    add_charge,
    cut_pool,
    order_seen_first,
    stack_options,
)
from isocompute.fits.choice.allocation_grid import compute_knot_weights
from isocompute.planner.estimate.drawing import PROFILE_SEED
from isocompute.planner.estimate.profile_from_run import list_allocations
from isocompute.planner.profile import Curve, Profile, Surface
from isocompute.planner.strategies.options import build_pool_options, get_rho
from isocompute.planner.strategies.registry import STRATEGIES, Strategy

REUSE_ORDERS = 4
"""The number of random orders of the pool for each draw of the levels."""
REUSE_DRAWS = 2
"""The number of Monte Carlo draws: all solutions of a cut pool are used, so little is left to chance."""


def build_reusing_options(
    levels: DifficultyLevels,
    pool: Pool,
    profile: Profile,
    pool_options: Sequence[AllocationOptions],
) -> list[AllocationOptions]:
    """Return the options of each strategy over R·P rows, with the cost of finding the level in their costs.

    A strategy over the pool goes on from the m solutions that the level was estimated from. S of them with V
    verifications each cost max(S, m) + λSV. If a verdict of each of the m was read, the first S keep theirs, and the
    m - S others cost λ each. A search uses none of the pool's solutions, and pays the whole charge.

    Args:
        levels: the levels of R draws.
        pool: the pool that they were estimated from.
        profile: its profile, with λ and ρ.
        pool_options: the options over the whole pool.
    """
    reusing = []
    verdict_cost = 0.0 if levels.seen_verdicts is None else (levels.charge - levels.samples) / levels.samples
    for options in pool_options:
        part = profile.strategies[options.strategy]
        if options.strategy not in STRATEGIES or not isinstance(part, Curve | Surface):
            reusing.append(add_charge(stack_options([options] * len(levels.levels)), levels.charge))
            continue
        strategy = STRATEGIES[options.strategy]
        V = part.verifications if isinstance(part, Surface) else []
        accuracy = estimate_reusing(strategy, levels, pool, part)
        table = build_pool_options(
            strategy,
            accuracy.reshape(-1, *accuracy.shape[2:]),
            part.solutions,
            V,
            profile.lam,
            get_rho(profile),
            options.error,
        )
        assert table is not None, "the whole pool's cost is known"
        left_out = np.maximum(levels.samples - table.grid.numbers["S"], 0)  # solutions seen and not used
        kept = left_out if V else levels.samples  # verdicts that were read and are not among the strategy's
        reusing.append(add_charge(table, left_out + verdict_cost * kept))
    return reusing


def estimate_reusing(
    strategy: Strategy, levels: DifficultyLevels, pool: Pool, part: Curve | Surface
) -> NDArray[np.float64]:
    """Estimate a strategy that goes on from the solutions that the level was estimated from, for each draw.

    The pool is put into random orders with these solutions first, and the strategy is run on the first S of them, with
    V of their verdicts; if a verdict of each was read, with their first V. A few orders are a noisy estimate, but the
    accuracy over all subsets is known, and it is what the other draws estimate without knowing this one. With x_r of
    draw r, accuracy + x_r - (mean of the others' x) is therefore unbiased given draw r, and its mean over the draws is
    the known accuracy.

    Orders are run at powers of two and at the largest S and V; the differences are interpolated in log S and log V.

    Args:
        strategy: the strategy.
        levels: the levels of R draws.
        pool: the pool.
        part: the strategy's accuracy over all subsets.

    Returns:
        (R, P, nS) or (R, P, nS, nV). Single values may lie outside 0 … 1; means of many do not.
    """
    draws = len(levels.levels)
    V = part.verifications if isinstance(part, Surface) else []
    run_S, run_V = ([n for n in on if n & (n - 1) == 0 or n == on[-1]] for on in (part.solutions, V))
    usable = list_allocations(strategy, pool)[0][-1]
    estimator = strategy.apply_parameters(part.parameters)
    # Problems that are there several times would be learnt from while they are scored.
    orders = 1 if strategy.learns and not strategy.estimate_learnt else REUSE_ORDERS
    # All V at once, averaged over the verdicts, unless some of these must come first.
    groups = [run_V] if levels.seen_verdicts is None or not V else [[each] for each in run_V]
    found = np.empty((draws, pool.problems, len(run_S), max(len(run_V), 1)))
    for draw in range(draws):
        ordered = order_seen_first(levels, draw, pool, usable, bool(V), orders)
        for i, size in enumerate(run_S):
            accuracy = [
                estimator(cut_pool(ordered, size, group[-1] if group else 0), [size], group, REUSE_DRAWS, PROFILE_SEED)
                .accuracy.reshape(orders, pool.problems, -1)
                .mean(axis=0)
                for group in groups
            ]
            found[draw, :, i] = np.concatenate(accuracy, axis=1)
    apart = (found - found.mean(axis=0)) * draws / max(draws - 1, 1)
    apart = np.einsum("si,rpij->rpsj", interpolate_knots(part.solutions, run_S), apart)
    if not V:
        return np.asarray(part.array + apart[..., 0])
    return np.asarray(part.array + np.einsum("vj,rpsj->rpsv", interpolate_knots(V, run_V), apart))


def interpolate_knots(at: list[int], on: list[int]) -> NDArray[np.float64]:
    """Return the weights (at, on) that interpolate from some knots to all."""
    return compute_knot_weights(np.array(at), np.array(on), "S")
