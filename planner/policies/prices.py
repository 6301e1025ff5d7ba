"""The cost of a solution and of a verification on each problem, by which policies are priced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocompute.fits.arrays import Floats
from isocompute.planner.costs.models import RequestCosts


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
