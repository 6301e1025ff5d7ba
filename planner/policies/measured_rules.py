"""Measurement of every rule on a pool: replays of random orders, priced problem by problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isocompute.fits import Pool
from isocompute.fits.arrays import Floats
from isocompute.fits.policies.estimate import SETTING_COLUMNS, PolicyEstimate, price_by_problem
from isocompute.fits.policies.hindsight import compute_hindsight
from isocompute.fits.policies.orders import ROTATIONS, Orders, draw_orders, split_for_replay
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule
from isocompute.fits.policies.stop_rule import Settings, StopRule
from isocompute.planner.policies.prices import RequestPrices

POLICY_SEED = 20250606
"""The seed of all random orders. A problem's orders depend on it and on the problem's id."""


@dataclass(frozen=True, eq=False)
class MeasuredRule:
    """A rule on P problems, under each of T settings of which the last never stops before the full budget.

    Args:
        name: the rule's name.
        parameter: the meaning of its threshold, in words.
        estimate: what it reaches and costs; compute is priced problem by problem.
        solutions: solutions of the full budget, the most that any setting samples.
        verifications: most verifications of a solution; 0 if it does not verify.
        full_compute: (P,) compute of the full budget.
        hindsight: (P,) compute of one who knows when to stop with the full budget's answer, see `compute_hindsight`.
        answer_model: its model of P(right), as JSON numbers, learnt on all problems; None if it has none.
    """

    name: str
    parameter: str
    estimate: PolicyEstimate
    solutions: int
    verifications: int
    full_compute: Floats
    hindsight: Floats
    answer_model: dict[str, Any] | None = None

    @property
    def full_cost(self) -> float:
        """Mean compute of the full budget, in x."""
        return float(self.full_compute.mean())


def measure_rules(
    pool: Pool,
    prices: RequestPrices,
    draws: int,
    width: int = 1,
    report: Callable[[float], None] = lambda share: None,
    settings: Mapping[str, Settings] | None = None,
    lengths: Floats | None = None,
) -> list[MeasuredRule]:
    """Measure every rule that a pool supports under all of its settings, on the same random orders.

    Rules that verify need verdicts and λ.

    Args:
        pool: answers, with verdicts or without.
        prices: the cost of requests.
        draws: random orders of each problem, a multiple of `ROTATIONS`.
        width: solutions sampled side by side.
        report: function that is called with the share of the work that is done.
        settings: thresholds and limits by rule; all that the rule lists if not given.
        lengths: (P, N) cost of each solution, in x; None if all of a problem cost the same. With them, solutions that
            are cancelled when a rule stops are charged as far as they were generated; without, a wave is charged whole.
    """
    can_verify = pool.verifications > 0 and prices.verification is not None
    rules = [rule for rule in STOP_RULES.values() if can_verify or not rule.is_weighted]
    most = {rule.name: pool.verified_solutions if rule.is_weighted else pool.solutions for rule in rules}
    parts: dict[str, list[PolicyEstimate]] = {rule.name: [] for rule in rules}
    known: dict[bool, list[PolicyEstimate]] = {rule.is_weighted: [] for rule in rules}
    chunks = split_for_replay(pool, draws)
    for i, places in enumerate(chunks):
        chunk, own_prices = pool.select_problems(places), prices.select_problems(places)
        own_lengths = None if lengths is None else lengths[places]
        orders = draw_orders(chunk, draws, POLICY_SEED, 1)
        for weighted, each in known.items():
            limit = chunk.verified_solutions if weighted else chunk.solutions
            known_stop = compute_hindsight(chunk, orders, limit, weighted, prices.lam)
            each.append(price_by_problem(known_stop, own_prices.solution, own_prices.verification))
        for j, rule in enumerate(rules):
            own = rule.list_settings(most[rule.name]) if settings is None else settings[rule.name]
            parts[rule.name].append(
                estimate_priced_rule(rule, chunk, own, orders, most[rule.name], width, own_prices, own_lengths)
            )
            report((i + (j + 1) / len(rules)) / len(chunks))
    measured = []
    for rule in rules:
        estimate, known_stop = join_estimates(parts[rule.name]), join_estimates(known[rule.is_weighted])
        V, solutions = int(rule.is_weighted), most[rule.name]
        full = solutions * prices.price_solution(V)
        measured.append(MeasuredRule(rule.name, rule.parameter, estimate, solutions, V, full, known_stop.compute[:, 0]))
    return measured


def estimate_priced_rule(
    rule: StopRule,
    pool: Pool,
    settings: Settings,
    orders: Orders,
    most: int,
    width: int,
    prices: RequestPrices,
    lengths: Floats | None,
) -> PolicyEstimate:
    """Return the estimate of a rule that stops by votes, priced problem by problem, see `measure_rules`."""
    thresholds, limits = (column.tolist() for column in settings)
    if lengths is None:
        found = estimate_stop_rule(pool, rule, thresholds, orders, most, width, prices.lam, limits=limits)
        return price_by_problem(found, prices.solution, prices.verification)
    # `estimate_stop_rule` counts in mean solutions of these problems; x is the mean over all.
    unit = float(lengths.mean())
    lam = None if prices.verification is None else prices.verification / unit
    found = estimate_stop_rule(pool, rule, thresholds, orders, most, width, lam, lengths, limits)
    costs = (found.costs * unit).astype(np.float32)
    return replace(found, compute=unit * found.compute, compute_error=unit * found.compute_error, costs=costs)


def join_estimates(parts: list[PolicyEstimate]) -> PolicyEstimate:
    """Return the estimate over the problems of all parts, one after the other."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name, value in vars(parts[0]).items()
        if isinstance(value, np.ndarray) and name not in SETTING_COLUMNS
    }
    return replace(parts[0], **columns)


def count_draws(problems: int, total: int = 32_768) -> int:
    """Return the number of random orders of each problem: more where there are few problems.

    Args:
        problems: P.
        total: random orders of all problems together; each has at least 32 and at most 512.

    >>> count_draws(64), count_draws(128), count_draws(2000)
    (512, 256, 32)
    """
    draws = int(np.clip(total // problems, 32, 512))
    return draws - draws % ROTATIONS
