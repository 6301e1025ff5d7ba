"""The value rule, replayed: it does what gains most P(right) for its compute, and stops where this is below a price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.estimators.solution_order import label_right_first
from isocompute.fits.policies.estimate import PolicyEstimate, build_policy_estimate
from isocompute.fits.policies.orders import Orders, read_ordered_verdicts
from isocompute.fits.policies.replay import find_stops
from isocompute.fits.policies.value_model import FEATURE_NAMES, ValueModel, list_looks
from isocompute.fits.pool import Pool
from isocompute.fits.verdict_codes import VerdictCodes

if TYPE_CHECKING:
    from isocompute.fits.policies.kernels_value_replay import Walk


def estimate_value_rule(
    pool: Pool,
    model: ValueModel,
    prices: Sequence[float],
    orders: Orders,
    most: int | None = None,
    width: int = 1,
    lam: float | None = None,
) -> PolicyEstimate:
    """Estimate what the value rule reaches and costs under each price.

    In each order the verified solutions of the pool come first. That is one of its random orders, as solutions were
    not chosen for verification by what they are. Solutions behind them are sampled, and cannot be verified: the rule
    in the replay verifies only the first K solutions of a problem, as the model says when it is carried out.

    Several right answers of a problem vote apart, as the rule does not know which they are.

    Args:
        pool: the sampled answers, with verdicts if the model verifies.
        model: what was learnt, on other problems.
        prices: (T,) μ, the gain in P(right) below which a unit of compute is not spent; ≥ 0. With 0 it never stops.
        orders: random orders of the pool, the same for all rules.
        most: solutions of the full budget; None means all of the pool.
        width: solutions sampled, or verifications made, side by side, ≥ 1.
        lam: λ, the cost of a verification in solutions; it may be None if the model does not verify.

    Raises:
        DataError: no prices or one below 0, `most` or `width` out of range, a model that verifies and a pool without
            verdicts or no λ.
    """
    values = np.asarray(prices, dtype=float)
    if values.ndim != 1 or not values.size or not (values >= 0).all():
        raise DataError(f"prices must be a non-empty sequence of numbers ≥ 0; got {prices!r}.")
    looks, walk, is_right = walk_pool(pool, model, orders, most, width, lam, keep_features=False)
    with np.errstate(divide="ignore"):
        stops = find_stops(-walk.worth, -np.log(values))
    right = np.take_along_axis(is_right, stops, axis=2)
    lead, verified, waves = (np.take_along_axis(each, stops, axis=2) for each in (walk.lead, walk.verified, walk.waves))
    return build_policy_estimate(
        "value",
        values,
        np.full(len(values), looks[-1]),
        orders,
        right,
        (lead == walk.lead[..., -1:]).astype(float),
        looks[stops].astype(float),
        verified.astype(float),
        waves.astype(float),
        lam or 0.0,
    )


def walk_pool(
    pool: Pool,
    model: ValueModel,
    orders: Orders,
    most: int | None,
    width: int,
    lam: float | None,
    keep_features: bool,
) -> tuple[Ints, Walk, Floats]:
    """Return (L,) the looks, what the rule sees at each on all orders, and (P, R, L) whether the leader is right."""
    from isocompute.fits.policies.kernels_value_replay import Walk, walk_problems

    longest = pool.solutions if most is None else most
    if not 1 <= longest <= pool.solutions:
        raise DataError(f"most must lie between 1 and {pool.solutions}, the solutions of the pool; got {most}.")
    if width < 1:
        raise DataError(f"width must be at least 1 solution; got {width}.")
    if model.is_verifying and not pool.verifications:
        raise DataError("the value rule was learnt with verdicts, and the pool has none.")
    if model.is_verifying and lam is None:
        raise DataError("the value rule verifies, so it needs λ, the cost of a verification; got none.")
    label, rights = label_right_first(pool, pool.solutions)
    solutions, verdicts, able = _order_verified_first(pool, model, orders)
    looks = list_looks(longest)
    shape = (pool.problems, orders.draws, len(looks))
    walk = Walk(
        np.empty(shape),
        np.empty(shape, dtype=np.int64),
        np.empty(shape, dtype=np.int64),
        np.empty(shape, dtype=np.int64),
        np.empty((*shape, len(FEATURE_NAMES)) if keep_features else (0, 0, 0, 0)),
    )
    table, weights = np.array(model.answers.table), np.array(model.weights)
    rate = float(model.rate if model.is_verifying else 0.0)
    walk_problems(
        table, weights, looks, rate, float(lam or 0.0), width, label, solutions, verdicts, able, model.verifiable, walk
    )
    return looks, walk, ((walk.lead >= 0) & (walk.lead < rights[:, None, None])).astype(float)


def _order_verified_first(
    pool: Pool, model: ValueModel, orders: Orders
) -> tuple[NDArray[np.int32], VerdictCodes, Ints]:
    """Return the orders with the verified solutions first, the verdicts in order, and the most of each solution."""
    able = np.zeros((pool.problems, pool.solutions), dtype=np.int64)
    if not model.is_verifying or pool.judged is None or orders.verdicts is None:
        return np.array(orders.solutions), np.zeros((pool.problems, orders.draws, 0, 1), dtype=np.int8), able
    able[:, : pool.verified_solutions] = np.minimum(pool.judged, min(model.verifications, orders.verdicts.shape[3]))
    is_behind = orders.solutions >= pool.verified_solutions
    first = np.argsort(is_behind, axis=2, kind="stable").astype(np.int64)
    return np.take_along_axis(orders.solutions, first, axis=2), read_ordered_verdicts(pool, orders.verdicts), able
