"""The estimate of a policy: accuracy and compute on each problem, over random orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats
from isocompute.fits.policies.orders import Orders


@dataclass(frozen=True, eq=False)
class PolicyEstimate:
    """A rule under each of T thresholds on each of P problems: means over R random orders.

    Args:
        rule: the rule's name.
        thresholds: (T,).
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
    orders: Orders,
    right: Floats,
    same: Floats,
    solutions: Floats,
    verifications: Floats,
    depth: Floats,
    lam: float,
    costs: Floats | None = None,
) -> PolicyEstimate:
    """Average what was seen where a rule stopped in each order, six arrays of the shape (P, R, T).

    Args:
        rule: the rule's name.
        thresholds: (T,).
        orders: the orders, for the drawing errors.
        right: probability that the answer is right.
        same: probability that it is the answer of the full budget.
        solutions: finished solutions.
        verifications: finished verifications.
        depth: waves.
        lam: λ, the cost of a verification in solutions.
        costs: compute in solutions' worth, if lengths are known and what was cancelled is charged; None for that of the
            finished solutions and verifications, solutions + λ · verifications.
    """
    if costs is None:
        costs = solutions + lam * verifications
    return PolicyEstimate(
        rule,
        thresholds,
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
