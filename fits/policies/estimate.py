"""The estimate of a policy: accuracy and compute on each problem, over random orders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.orders import Orders

SETTING_COLUMNS = ("thresholds", "limits")
"""The columns of an estimate that are (T,); the others begin with the problems."""


@dataclass(frozen=True, eq=False)
class PolicyEstimate:
    """A rule under each of T settings on each of P problems: means over R random orders.

    A setting is a threshold with a limit, the most solutions of a problem. The full budget is that of the pool,
    whatever the limit.

    Args:
        rule: the rule's name.
        thresholds: (T,).
        limits: (T,) most solutions.
        accuracy: (P, T) probability that the answer is right, ties being uniform.
        same: (P, T) probability that the answer is that of the full budget.
        compute: (P, T) compute in solutions' worth: solutions + λ · verifications if lengths are not known, else tokens
            over those of a mean solution, including what was cancelled.
        solutions: (P, T) finished solutions.
        verifications: (P, T) finished verifications.
        depth: (P, T) calls one after the other: how often the rule waits for a wave.
        accuracy_error, same_error, compute_error: (P, T) standard errors from the draws alone.
        costs: (P, R, T) compute in each order.
    """

    rule: str
    thresholds: Floats
    limits: Ints
    accuracy: Floats
    same: Floats
    compute: Floats
    solutions: Floats
    verifications: Floats
    depth: Floats
    accuracy_error: Floats
    same_error: Floats
    compute_error: Floats
    costs: NDArray[np.float32]

    def compute_cost_quantile(self, share: float) -> Floats:
        """Return (T,) the quantile of compute over all problems and orders, such as 0.95."""
        return np.asarray(np.quantile(self.costs.reshape(-1, len(self.thresholds)), share, axis=0), dtype=float)

    def compute_problem_cost_quantiles(self, share: float) -> Floats:
        """Return (P, T) the quantile of compute over the orders of each problem."""
        return np.asarray(np.quantile(self.costs, share, axis=1), dtype=float)

    def compute_mean_error(self, errors: Floats) -> Floats:
        """Return (T,) the drawing error of a mean over problems, from (P, T) errors: √Σ error² / P.

        It is that of this run's problems. Another sample of problems differs by more.
        """
        return np.asarray(np.sqrt((errors**2).sum(axis=0)) / len(errors))


def build_policy_estimate(
    rule: str,
    thresholds: Floats,
    limits: Ints,
    orders: Orders,
    right: Floats,
    same: Floats,
    solutions: Floats,
    verifications: Floats,
    depth: Floats,
    lam: float | Floats,
    costs: Floats | None = None,
) -> PolicyEstimate:
    """Average what was seen where a rule stopped in each order, six arrays of the shape (P, R, T).

    Args:
        rule: the rule's name.
        thresholds: (T,).
        limits: (T,) most solutions.
        orders: the orders, for the drawing errors.
        right: probability that the answer is right.
        same: probability that it is the answer of the full budget.
        solutions: finished solutions.
        verifications: finished verifications.
        depth: waves.
        lam: λ, the cost of a verification in solutions; or (P,) that of each problem.
        costs: compute in solutions' worth, if lengths are known and what was cancelled is charged; None for that of the
            finished solutions and verifications, solutions + λ · verifications.
    """
    if costs is None:
        costs = solutions + np.reshape(lam, (-1, 1, 1)) * verifications
    return PolicyEstimate(
        rule,
        thresholds,
        limits,
        right.mean(axis=1),
        same.mean(axis=1),
        costs.mean(axis=1),
        solutions.mean(axis=1),
        verifications.mean(axis=1),
        depth.mean(axis=1),
        orders.compute_errors(right),
        orders.compute_errors(same),
        orders.compute_errors(costs),
        costs.astype(np.float32),
    )


def price_by_problem(
    estimate: PolicyEstimate, solution: ArrayLike, verification: ArrayLike | None = None
) -> PolicyEstimate:
    """Charge each problem what its own solutions and verifications cost, instead of 1 and λ.

    A rule samples most where problems are hard, and there texts may be longer than elsewhere: then it costs more than
    its number of solutions, while a fixed number costs the same. The mean is exact for rules that do not look at
    lengths and wait for what they began, because then a sampled solution is as long on average as any of its problem.
    The computes of single orders are scaled by the ratio of the problem's means.

    Args:
        estimate: a policy's estimate, with compute in numbers of solutions and verifications.
        solution: (P,) mean tokens of a solution of each problem over the mean tokens of all solutions, > 0.
        verification: (P,) mean tokens of a verification of each problem over the mean tokens of all solutions, ≥ 0; it
            may be None if the policy does not verify.

    Raises:
        DataError: costs that are negative, not finite or not one for each problem, or none of a verification where the
            policy verifies.

    Example:
        >>> from isocompute.fits import Pool
        >>> from isocompute.fits.policies.orders import draw_orders
        >>> from isocompute.fits.policies.replay import estimate_stop_rule
        >>> from isocompute.fits.policies.rules.window import WINDOW
        >>> pool = Pool([[0, 0, 0, 0], [0, 1, 0, 1]], [0, 0])
        >>> found = estimate_stop_rule(pool, WINDOW, [4], draw_orders(pool, draws=8, seed=0))
        >>> price_by_problem(found, [0.5, 1.5]).compute.ravel()
        array([2., 6.])
    """
    prices = []
    for name, values in (("solution", solution), ("verification", verification)):
        if values is None and estimate.verifications.any():
            raise DataError(f"{estimate.rule} verifies, so it needs the cost of a {name} of each problem; got none.")
        price = np.asarray(np.zeros(len(estimate.compute)) if values is None else values, dtype=float)
        if price.shape != (len(estimate.compute),) or not (np.isfinite(price).all() and (price >= 0).all()):
            raise DataError(f"{name} must hold a cost of 0 or more of each of {len(estimate.compute)} problems.")
        prices.append(price[:, None])
    compute = estimate.solutions * prices[0] + estimate.verifications * prices[1]
    ratio = compute / estimate.compute
    return replace(
        estimate,
        compute=compute,
        compute_error=estimate.compute_error * ratio,
        costs=(estimate.costs * ratio[:, None, :]).astype(np.float32),
    )
