"""Measurement of every rule on a pool: replays of random orders, priced problem by problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isocompute.fits import Pool
from isocompute.fits.arrays import Floats
from isocompute.fits.policies.estimate import PolicyEstimate
from isocompute.fits.policies.hindsight import compute_hindsight
from isocompute.fits.policies.orders import ROTATIONS, draw_orders
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule
from isocompute.planner.costs.models import RequestCosts

POLICY_SEED = 20250606
"""The seed of all random orders. A problem's orders depend on it and on the problem's id."""
MOST_CELLS = 4_000_000
"""The most solutions in orders that are replayed at a time, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class RequestPrices:
    """The cost of a request on each problem, in x: the mean cost of a solution.

    Args:
        solution: (P,) a solution; its mean is 1.
        verification: (P,) a verification; its mean is λ. None if nothing was verified, or λ is unknown.
    """

    solution: Floats
    verification: Floats | None

    @property
    def lam(self) -> float | None:
        """λ, the mean cost of a verification."""
        return None if self.verification is None else float(self.verification.mean())

    def price_solution(self, verifications: int) -> Floats:
        """Return (P,) the cost of a solution with some verifications."""
        if not verifications:
            return self.solution
        assert self.verification is not None, "what verifies has a λ"
        return np.asarray(self.solution + verifications * self.verification)


@dataclass(frozen=True, eq=False)
class MeasuredRule:
    """A rule on P problems, under each of T thresholds of which the last never stops.

    Args:
        name: the rule's name.
        parameter: the meaning of its threshold, in words.
        estimate: what it reaches and costs; compute is priced problem by problem.
        solutions: most solutions of a problem.
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


def build_request_prices(costs: RequestCosts, lam: float | None, problems: int) -> RequestPrices:
    """Return the cost of requests on each problem; those that are not known by problem are the mean everywhere.

    A policy samples most where problems are hard, and hard problems may have long texts. So its mean compute is not the
    mean number of its requests times their mean cost.

    Args:
        costs: the costs of requests under a cost model.
        lam: λ of the plan; one that differs from the costs' own was given, and is the same for all problems.
        problems: P.
    """
    solution, verification = costs.each.get("solver"), costs.each.get("verifier")
    if solution is None or not solution.any():
        return RequestPrices(np.ones(problems), None if lam is None else np.full(problems, lam))
    each = solution / solution.mean()
    if lam is None:
        return RequestPrices(each, None)
    measured = costs.compute_ratio("verifier")
    if verification is None or measured is None or not np.isclose(measured, lam, rtol=1e-6, atol=0):
        return RequestPrices(each, lam * each)
    return RequestPrices(each, verification / solution.mean())


def measure_rules(
    pool: Pool,
    prices: RequestPrices,
    draws: int,
    width: int = 1,
    report: Callable[[float], None] = lambda share: None,
    thresholds: Mapping[str, Sequence[float]] | None = None,
) -> list[MeasuredRule]:
    """Measure every rule that a pool supports under all of its thresholds, on the same random orders.

    Rules that verify need verdicts and λ.

    Args:
        pool: answers, with verdicts or without.
        prices: the cost of requests.
        draws: random orders of each problem, a multiple of `ROTATIONS`.
        width: solutions sampled side by side.
        report: function that is called with the share of the work that is done.
        thresholds: by rule; all that the rule lists if not given.
    """
    can_verify = pool.verdicts is not None and prices.verification is not None
    rules = [rule for rule in STOP_RULES.values() if can_verify or not rule.is_weighted]
    most = {rule.name: pool.verified_solutions if rule.is_weighted else pool.solutions for rule in rules}
    parts: dict[str, list[PolicyEstimate]] = {rule.name: [] for rule in rules}
    known: dict[bool, list[PolicyEstimate]] = {rule.is_weighted: [] for rule in rules}
    chunks = split_pool(pool, draws)
    for i, chunk in enumerate(chunks):
        orders = draw_orders(chunk, draws, POLICY_SEED)
        for weighted, each in known.items():
            limit = chunk.verified_solutions if weighted else chunk.solutions
            each.append(compute_hindsight(chunk, orders, limit, weighted, prices.lam))
        for j, rule in enumerate(rules):
            own = rule.list_thresholds(most[rule.name]).tolist() if thresholds is None else thresholds[rule.name]
            parts[rule.name].append(estimate_stop_rule(chunk, rule, own, orders, most[rule.name], width, prices.lam))
            report((i + (j + 1) / len(rules)) / len(chunks))
    measured = []
    for rule in rules:
        estimate, known_stop = (
            price_estimate(join_estimates(each), prices) for each in (parts[rule.name], known[rule.is_weighted])
        )
        V, solutions = int(rule.is_weighted), most[rule.name]
        full = solutions * prices.price_solution(V)
        measured.append(MeasuredRule(rule.name, rule.parameter, estimate, solutions, V, full, known_stop.compute[:, 0]))
    return measured


def split_pool(pool: Pool, draws: int) -> list[Pool]:
    """Split a pool into parts of a few problems, so that the replay of each fits into memory."""
    size = max(1, MOST_CELLS // (draws * pool.solutions))
    return [pool.select_problems(np.arange(i, min(i + size, pool.problems))) for i in range(0, pool.problems, size)]


def join_estimates(parts: list[PolicyEstimate]) -> PolicyEstimate:
    """Return the estimate over the problems of all parts, one after the other."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name, value in vars(parts[0]).items()
        if isinstance(value, np.ndarray) and name != "thresholds"
    }
    return replace(parts[0], **columns)


def price_estimate(estimate: PolicyEstimate, prices: RequestPrices) -> PolicyEstimate:
    """Return an estimate with compute priced problem by problem.

    The spread over orders is scaled with the mean, which is exact where verifications go with solutions.
    """
    compute = estimate.solutions * prices.solution[:, None]
    if prices.verification is not None:
        compute = compute + estimate.verifications * prices.verification[:, None]
    scale = compute / estimate.compute
    costs = (estimate.costs * scale[:, None]).astype(np.float32)
    return replace(estimate, compute=compute, compute_error=estimate.compute_error * scale, costs=costs)


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
