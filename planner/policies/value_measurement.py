"""Measurement of the value rule on a pool, with what it learns from other problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isocompute.fits import Pool, split_folds
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.estimate import SETTING_COLUMNS, PolicyEstimate, price_by_problem
from isocompute.fits.policies.orders import draw_orders, split_for_replay
from isocompute.fits.policies.policy import VALUE
from isocompute.fits.policies.value_fit import RATES, fit_value_model
from isocompute.fits.policies.value_model import ValueModel
from isocompute.fits.policies.value_rule import estimate_value_rule
from isocompute.planner.policies.measured_rules import (
    POLICY_SEED,
    MeasuredRule,
    join_estimates,
)
from isocompute.planner.policies.prices import RequestPrices

VALUE_PARAMETER = "least gain in P(right) for a unit of compute at which it goes on"
VALUE_PRICES = (*np.geomspace(0.1, 1e-5, 41).tolist(), 0.0)
"""The prices μ to choose from; with the last one it never stops."""


def measure_value_rule(
    pool: Pool,
    prices: RequestPrices,
    hindsight: Floats,
    draws: int,
    width: int = 1,
    clusters: Ints | None = None,
    report: Callable[[float], None] = lambda share: None,
    parts: int = 5,
    rates: Sequence[float] = RATES,
    has_one_rate: bool = False,
) -> MeasuredRule:
    """Measure the value rule: each problem under a model that was learnt on problems of other folds.

    Prices are chosen on problems whose models may have been learnt on the one that is scored, which tells one number of
    it. Where solutions were verified, the full budget is that of the verified ones, as no other can be verified.

    Args:
        pool: answers, with verdicts or without.
        prices: the cost of requests.
        hindsight: (P,) compute of one who knows when to stop.
        draws: random orders of each problem.
        width: solutions sampled side by side.
        clusters: (P,) cluster of each problem; None if each is its own.
        report: function that is called with the share of the work that is done.
        parts: number of folds.
        rates: verifications for each solution to choose from.
        has_one_rate: whether the models of all folds verify as much as the model of all problems. This takes a fraction
            of the time, and all problems then take part in the choice of one number among `rates`.
    """
    lam = prices.lam if pool.verifications else None
    most = pool.solutions if lam is None else pool.verified_solutions
    used = pool if lam is not None else Pool(pool.answers, pool.gold, keys=pool.keys)
    model = fit_value_model(used, lam, most, rates)
    fold_rates = (model.rate,) if has_one_rate else rates
    # Folds are split in the order of keys, so that the order of the rows changes nothing.
    order = np.argsort(pool.keys, kind="stable")
    folds = split_folds(pool.problems, parts, splits=1, clusters=None if clusters is None else clusters[order])
    estimates, places = [], []
    for i, test in enumerate(folds.test):
        report((i + 1) / (len(folds.test) + 1))
        own = fit_value_model(used.select_problems(order[~test]), lam, most, fold_rates)
        estimates.append(estimate_with_model(used.select_problems(order[test]), own, draws, most, width, lam))
        places.append(order[test])
    found = sort_estimate(join_estimates(estimates), np.concatenate(places))
    estimate = price_by_problem(found, prices.solution, prices.verification if lam is not None else None)
    report(1.0)
    return MeasuredRule(
        VALUE,
        VALUE_PARAMETER,
        estimate,
        most,
        model.verifications if model.is_verifying else 0,
        estimate.compute[:, -1],
        hindsight,
        model.to_dict(),
    )


def estimate_with_model(
    pool: Pool, model: ValueModel, draws: int, most: int, width: int, lam: float | None
) -> PolicyEstimate:
    """Return the estimate of a model on problems, a few of them at a time."""
    read = model.verifications if model.is_verifying else 0
    return join_estimates(
        [
            estimate_value_rule(
                part, model, VALUE_PRICES, draw_orders(part, draws, POLICY_SEED, read), most, width, lam
            )
            for part in (pool.select_problems(places) for places in split_for_replay(pool, draws, read))
        ]
    )


def sort_estimate(estimate: PolicyEstimate, places: Ints) -> PolicyEstimate:
    """Return an estimate with its problems in the order of their places."""
    order = np.argsort(places)
    columns: dict[str, Any] = {
        name: value[order]
        for name, value in vars(estimate).items()
        if isinstance(value, np.ndarray) and name not in SETTING_COLUMNS
    }
    return replace(estimate, **columns)
