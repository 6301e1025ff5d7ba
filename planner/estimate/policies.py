"""Estimation of policies as a part of a profile: a ladder of settings of each rule."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import Pool
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.estimate import PolicyEstimate
from isocompute.fits.policies.policy import VALUE
from isocompute.fits.policies.stop_rule import Settings
from isocompute.planner.costs.models import price_profile_requests
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.policies.measured_rules import MeasuredRule, count_draws, measure_rules
from isocompute.planner.policies.prices import RequestPrices, build_request_prices
from isocompute.planner.policies.value_measurement import measure_value_rule
from isocompute.planner.profile import PolicyPart, Profile, round_accuracies

LADDER_RATIO = 1.12
"""Least ratio of the mean compute of one setting of a profile to that of the one before; its square is the most, if
there are settings between."""
VALUE_LADDER_RATIO = 1.5
"""Least ratio of the mean compute of one price of the value rule to that of the one before."""
VALUE_FOLDS = 3
"""Folds of problems from which the value rule of a profile is learnt: few, as a fit has to be quick."""
VALUE_RATES = (0.0, 1.0, 2.0)
"""Verifications for each solution that the value rule of a profile chooses from, for the same reason."""
VALUE_ORDERS = 4_800
"""Random orders of all problems together from which the value rule of a profile is estimated."""
LADDER_DRAWS = 16
"""Random orders of each problem from which the ladder is chosen."""
PROFILE_ORDERS = 12_800
"""Random orders of all problems together from which the other rules of a profile are estimated."""
COUNT_DIGITS = 3
"""Decimal places of the mean numbers of solutions."""


def add_policies(profile: Profile, run_pool: RunPool) -> Profile:
    """Return a profile with every rule that stops early and that can be estimated from its pool.

    Without votes or with one solution of each problem there is none.
    """
    pool = run_pool.pool
    if not run_pool.has_answers or pool.solutions < 2:
        return profile
    costs = price_profile_requests(profile, "tokens", CostSettings())
    prices = build_request_prices(costs, profile.lam, pool.problems)
    ladders = {rule.name: choose_ladder(rule.estimate, pool.keys) for rule in measure_rules(pool, prices, LADDER_DRAWS)}
    rules = measure_rules(pool, prices, count_draws(pool.problems, PROFILE_ORDERS), settings=ladders)
    if profile.independent_problems > 1:
        rules.append(measure_value_ladder(profile, pool, prices, rules[-1].hindsight))
    return profile.model_copy(
        update={"policies": {rule.name: describe_part(rule, prices, pool.keys) for rule in rules}}
    )


def measure_value_ladder(profile: Profile, pool: Pool, prices: RequestPrices, hindsight: Floats) -> MeasuredRule:
    """Measure the value rule at a ladder of prices, each problem under a model that was learnt on other problems."""
    clusters = None if profile.clusters is None else np.array(profile.clusters)
    draws = count_draws(pool.problems, VALUE_ORDERS)
    rule = measure_value_rule(
        pool, prices, hindsight, draws, clusters=clusters, parts=VALUE_FOLDS, rates=VALUE_RATES, has_one_rate=True
    )
    return replace(rule, estimate=select_settings(rule.estimate, choose_price_ladder(rule.estimate, pool.keys)))


def select_settings(estimate: PolicyEstimate, places: Ints) -> PolicyEstimate:
    """Return an estimate under some of its settings."""
    columns: dict[str, Any] = {
        name: value[..., places] for name, value in vars(estimate).items() if isinstance(value, np.ndarray)
    }
    return replace(estimate, **columns)


def choose_ladder(estimate: PolicyEstimate, keys: NDArray[np.uint64], ratio: float = LADDER_RATIO) -> Settings:
    """Choose settings whose mean compute grows in steps, the most accurate one of each step, the last one included.

    From the full budget down, each is the most accurate, and of equals the cheapest, of those whose compute is less by
    the ratio to its square; or the next cheaper one if there is none.

    Args:
        estimate: a rule under all of its settings.
        keys: (P,) keys of the problems.
        ratio: the ratio, > 1.
    """
    compute, accuracy = (average_problems(each, keys) for each in (estimate.compute, estimate.accuracy))
    chosen = [len(compute) - 1]
    while (cheaper := np.flatnonzero(compute * ratio <= compute[chosen[-1]] * (1 + 1e-9))).size:
        least = min(compute[chosen[-1]] / ratio**2, compute[cheaper].max())
        step = cheaper[compute[cheaper] >= least * (1 - 1e-9)]
        chosen.append(int(step[np.lexsort((compute[step], -accuracy[step]))[0]]))
    places = np.array(chosen[::-1])
    return estimate.thresholds[places], estimate.limits[places]


def choose_price_ladder(estimate: PolicyEstimate, keys: NDArray[np.uint64], ratio: float = VALUE_LADDER_RATIO) -> Ints:
    """Return the positions of prices whose mean compute grows by a ratio or more, the last one included."""
    compute = average_problems(estimate.compute, keys)
    chosen = [len(compute) - 1]
    for at in range(len(compute) - 2, -1, -1):
        if compute[at] * ratio <= compute[chosen[-1]] * (1 + 1e-9):
            chosen.append(at)
    return np.array(chosen[::-1])


def average_problems(values: Floats, keys: NDArray[np.uint64]) -> Floats:
    """Return the mean over problems, added in the order of their keys, so that their own order changes nothing."""
    return np.asarray(values[np.argsort(keys, kind="stable")].mean(axis=0))


def describe_part(rule: MeasuredRule, prices: RequestPrices, keys: NDArray[np.uint64]) -> PolicyPart:
    """Return a measured rule as a part of a profile, rounded."""
    estimate, each = rule.estimate, rule.verifications
    goes_along = np.allclose(estimate.verifications, each * estimate.solutions)
    errors = np.sqrt(np.sort(estimate.accuracy_error**2, axis=0).sum(axis=0)) / len(estimate.accuracy)
    return PolicyPart(
        parameter=rule.parameter,
        thresholds=estimate.thresholds.tolist(),
        limits=estimate.limits.tolist(),
        most_solutions=rule.solutions,
        most_verifications=each,
        error=round(float(errors.max()), 6),
        compute=[round_count(x) for x in average_problems(estimate.compute, keys)],
        percentile_95=[round_count(x) for x in estimate.compute_cost_quantile(0.95)],
        hindsight=None if rule.name == VALUE else describe_hindsight(rule, prices),
        accuracy=round_accuracies(estimate.accuracy),
        solutions=[[round_count(x) for x in row] for row in estimate.solutions],
        verifications=None if goes_along else [[round_count(x) for x in row] for row in estimate.verifications],
        answer_model=rule.answer_model,
    )


def describe_hindsight(rule: MeasuredRule, prices: RequestPrices) -> list[float]:
    """Return hindsight's compute on each problem as a number of solutions, rounded."""
    solutions = np.maximum(rule.hindsight / prices.price_solution(rule.verifications), 1)
    return [round_count(x) for x in solutions]


def round_count(value: float) -> float:
    """Return a mean count rounded to `COUNT_DIGITS`; it stays at least 1 if it was.

    >>> round_count(2.00049), round_count(1.0)
    (2.0, 1.0)
    """
    return float(math.floor(value * 10**COUNT_DIGITS + 0.5) / 10**COUNT_DIGITS)
