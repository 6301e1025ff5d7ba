"""The fit of the value rule to problems whose right answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.policies.answer_model_fit import fit_answer_model
from isocompute.fits.policies.orders import draw_orders, split_for_replay
from isocompute.fits.policies.value_model import FEATURE_NAMES, ValueModel
from isocompute.fits.policies.value_rule import walk_pool
from isocompute.fits.pool import Pool

RATES = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Verifications for each solution from which the fit chooses."""
PRICES = np.geomspace(2e-4, 0.1, 8)
"""Prices over which the fit averages: one set of weights serves them all."""
RATE_PRICES = PRICES[PRICES < 0.01]
"""Prices at which rates are compared. At dearer ones a few solutions decide, and few of them are verified."""
MOST_VERIFICATIONS = 128
"""The most verifications of a solution that the rule makes, and that a profile has estimates of."""
FIT_DRAWS = 16
SOFTNESS = 0.3
RIDGE = 0.02  # over the number of problems
USUAL_WEIGHTS = np.array([0.0, 0.5, 0.5, 0.0, 0.0, -1.0, 0.0])
"""The weights are shrunk towards these: gain = c · √(P(leader wrong) · P(second right)) / compute."""
WEIGHT_STEPS = 100


def fit_value_model(
    pools: Pool | Sequence[Pool],
    lam: float | None = None,
    most: int | None = None,
    rates: Sequence[float] = RATES,
    kinds: int = 3,
    seed: int = 0,
) -> ValueModel:
    """Learn the value rule: the model of answers, when going on is worth it, and how much to verify.

    The weights of the gain of going on maximise what the rule is used for, P(right) - μ · compute where it stops, on
    random orders of the pools, averaged over `PRICES`. For this the rule goes on with the probability
    1/(1 + exp(-(log gain - log μ)/s)), s = 0.3, which has a slope. The weights of the standardised features are shrunk
    towards `USUAL_WEIGHTS` by a ridge, the less the more problems there are. The same is done for each rate, and the
    best one is taken.

    Args:
        pools: problems whose right answers are known. A model learnt on several pools verifies no more than the
            smallest of them allows.
        lam: λ; None without verdicts.
        most: solutions of the full budget; None means all of a pool.
        rates: verifications for each solution to choose from; it is 0 without λ or verdicts, and where no verdict can
            be read.
        kinds: of the model of answers.
        seed: of the orders.

    Returns:
        The model, which verifies a solution at most `MOST_VERIFICATIONS` times. The same seed and problems give the
        same bytes, in any order.

    Raises:
        DataError: no rates.
    """
    each = [_sort_problems(pool) for pool in ([pools] if isinstance(pools, Pool) else pools)]
    answers = fit_answer_model(each, kinds)
    if lam is None or answers.read == 0 or not all(pool.verifications for pool in each):
        rates = (0.0,)
    if not len(rates):
        raise DataError("fitting the value rule needs at least one rate of verifications; got none.")
    start = ValueModel(
        answers,
        np.zeros(len(FEATURE_NAMES)),
        0.0,
        min(pool.verified_solutions for pool in each),
        min(MOST_VERIFICATIONS, *(pool.verifications for pool in each)),
    )
    found = [_fit_weights(each, replace(start, rate=rate), lam, most, seed) for rate in rates]
    return max(found, key=lambda pair: pair[0])[1]


def _sort_problems(pool: Pool) -> Pool:
    return pool.select_problems(np.argsort(pool.keys, kind="stable"))


def _fit_weights(
    pools: Sequence[Pool], model: ValueModel, lam: float | None, most: int | None, seed: int
) -> tuple[float, ValueModel]:
    """Return the value reached on the pools at `RATE_PRICES`, and the model with its weights."""
    features, right, cost = collect_looks(pools, model, lam, most, seed)
    from isocompute.fits.policies.kernels_value_fit import compute_order_values

    middle, scale = features.mean(axis=(0, 1)), features.std(axis=(0, 1))
    middle[0], scale = 0.0, np.where(scale > 0, scale, 1.0)
    scaled = (features - middle) / scale
    usual, ridge = USUAL_WEIGHTS * scale, RIDGE / sum(pool.problems for pool in pools)
    values, slopes = np.empty(len(right)), np.empty((len(right), len(middle)))

    def compute_loss(weights: Floats) -> tuple[float, Floats]:
        compute_order_values(scaled, right, cost, weights, PRICES, SOFTNESS, values, slopes)
        off = np.append(0.0, weights[1:] - usual[1:])
        loss = ridge * (off**2).sum() - values.mean() / len(PRICES)
        return float(loss), 2 * ridge * off - slopes.mean(axis=0) / len(PRICES)

    start = usual.copy()
    start[0] = np.log(PRICES).mean()
    best = minimize(compute_loss, start, jac=True, method="L-BFGS-B", options={"maxiter": WEIGHT_STEPS})
    compute_order_values(scaled, right, cost, best.x, RATE_PRICES, SOFTNESS, values, slopes)
    weights = best.x / scale
    weights[0] -= (weights[1:] * middle[1:]).sum()
    return float(values.mean()), replace(model, weights=weights)


def collect_looks(
    pools: Sequence[Pool], model: ValueModel, lam: float | None, most: int | None, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return (n, L, D) features, and (n, L) whether the leader is right and the compute, on orders of all problems.

    The last look of a shorter pool is repeated, at which it stops in any case.
    """
    parts: list[list[Floats]] = []
    read = model.verifications if model.is_verifying else 0
    each = [pool.select_problems(at) for pool in pools for at in split_for_replay(pool, FIT_DRAWS, read)]
    for pool in each:
        longest = pool.solutions if most is None else min(most, pool.solutions)
        orders = draw_orders(pool, FIT_DRAWS, seed, read)
        looks, walk, right = walk_pool(pool, model, orders, longest, 1, lam, keep_features=True)
        cost = np.asarray(looks + (lam or 0.0) * walk.verified, dtype=float)
        parts.append([each.reshape(-1, *each.shape[2:]) for each in (walk.features, right, cost)])
    deepest = max(part[1].shape[1] for part in parts)
    for part in parts:
        missing = deepest - part[1].shape[1]
        part[:] = [np.concatenate([each, np.repeat(each[:, -1:], missing, axis=1)], axis=1) for each in part]
    features, right, cost = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return features, right, cost
