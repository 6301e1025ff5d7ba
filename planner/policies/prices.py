"""The cost of a solution and of a verification on each problem, by which policies are priced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isocompute.fits.arrays import Floats, Ints
from isocompute.planner.costs.models import COUNTED_MODELS, RequestCosts, price_profile_requests
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.profile import Profile

if TYPE_CHECKING:  # it loads pandas, which a plan does not need
    from isocompute.planner.estimate.pool_from_run import RunPool


@dataclass(frozen=True, eq=False)
class RequestPrices:
    """The cost of a request on each problem, in x: the mean cost of a solution.

    Args:
        solution: (P,) a solution; its mean is 1.
        verification: (P,) a verification; None if nothing was verified, or λ is unknown.
        lam: λ, the mean cost of a verification; None likewise.
    """

    solution: Floats
    verification: Floats | None
    lam: float | None

    def select_problems(self, problems: Ints) -> RequestPrices:
        """Return the costs on some problems; λ stays that of all."""
        verification = None if self.verification is None else self.verification[problems]
        return RequestPrices(self.solution[problems], verification, self.lam)

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
        return RequestPrices(np.ones(problems), None if lam is None else np.full(problems, lam), lam)
    each = solution / solution.mean()
    if lam is None:
        return RequestPrices(each, None, None)
    measured = costs.compute_ratio("verifier")
    if verification is None or measured is None or not np.isclose(measured, lam, rtol=1e-6, atol=0):
        return RequestPrices(each, lam * each, lam)
    return RequestPrices(each, verification / solution.mean(), lam)


def build_profile_prices(profile: Profile) -> RequestPrices:
    """Return the cost of requests on each problem of a profile, by its own way of counting tokens."""
    model = next(name for name, way in COUNTED_MODELS.items() if way == profile.counting)
    return build_request_prices(price_profile_requests(profile, model, CostSettings()), profile.lam, profile.problems)


def measure_lengths(pool: RunPool, prices: RequestPrices) -> Floats | None:
    """Return (P, N) the cost of each solution of a pool, in x; None if the tokens of some are unknown.

    It is the cost of a solution of its problem times its completion tokens over their mean there.

    Args:
        pool: the pool.
        prices: the cost of requests.
    """
    rows = pool.rows.solutions
    if "completion_tokens" not in rows:
        return None
    tokens = rows["completion_tokens"].to_numpy(float)[pool.places]
    means = tokens.mean(axis=1, keepdims=True)
    if not np.isfinite(tokens).all() or not (means > 0).all():
        return None
    return np.asarray(prices.solution[:, None] * tokens / means)
