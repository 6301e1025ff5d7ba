"""The rules of a profile for a mean budget, each problem under a setting that was chosen on other problems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isocompute.fits import split_folds
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN
from isocompute.planner.plan_choice import CHOICE_SPLITS
from isocompute.planner.policies.prices import RequestPrices
from isocompute.planner.profile import PolicyPart, Profile


@dataclass(frozen=True, eq=False)
class PricedRule:
    """A rule of a profile, priced problem by problem.

    Args:
        name: name of the rule.
        part: what was measured.
        compute: (P, T) mean compute, in x.
        clusters: (P,) cluster of each problem; None if each is its own.
    """

    name: str
    part: PolicyPart
    compute: Floats
    clusters: Ints | None

    def score_budget(self, budget: float) -> ScoredRule | None:
        """Return the rule for a mean budget in x; None if even the cheapest setting costs more."""
        part, compute = self.part, self.compute
        position = choose_position(part.array, compute, budget)
        if position is None:
            return None
        positions = choose_positions(part.array, compute, budget, self.clusters)
        accuracy, spent = (
            np.take_along_axis(column, positions, axis=1).mean(axis=1) for column in (part.array, compute)
        )
        most = np.array(part.percentile_95) * compute.mean(axis=0) / np.array(part.compute)
        return ScoredRule(self.name, part, position, accuracy, spent, float(most[positions].mean()))


@dataclass(frozen=True, eq=False)
class ScoredRule:
    """A rule for a mean budget.

    Args:
        name: name of the rule.
        part: what was measured.
        position: position of the setting chosen on all problems, see `choose_position`.
        accuracy: (P,) accuracy, each problem under settings chosen on others.
        compute: (P,) mean compute in x, likewise.
        percentile_95: 95th percentile of compute over problems and orders, the mean over the chosen settings; that by
            completion tokens, scaled with the mean, under other cost models.
    """

    name: str
    part: PolicyPart
    position: int
    accuracy: Floats
    compute: Floats
    percentile_95: float

    @property
    def threshold(self) -> float:
        """The threshold chosen on all problems, for new ones."""
        return self.part.thresholds[self.position]

    @property
    def limit(self) -> int:
        """The most solutions that were chosen with it."""
        return self.part.list_limits()[self.position]


def list_priced_rules(profile: Profile, prices: RequestPrices) -> Iterator[PricedRule]:
    """Yield the rules of a profile; those that verify are left out where λ is unknown."""
    clusters = None if profile.clusters is None else np.array(profile.clusters)
    for name, part in profile.measured_policies.items():
        if not part.most_verifications or prices.verification is not None:
            yield PricedRule(name, part, price_part(part, prices), clusters)


def price_part(part: PolicyPart, prices: RequestPrices) -> Floats:
    """Return (P, T) the mean compute of a rule on each problem, in x."""
    compute = part.sampled * prices.solution[:, None]
    if part.most_verifications and prices.verification is not None:
        compute = compute + part.verified * prices.verification[:, None]
    return np.asarray(compute)


def choose_position(accuracy: Floats, compute: Floats, budget: float) -> int | None:
    """Return the cheapest setting within the equivalence margin of the most accurate one within a mean budget.

    Args:
        accuracy: (n, T) on the problems to choose on.
        compute: (n, T) likewise, in x.
        budget: mean compute, in x.

    Returns:
        Its position; None if even the cheapest costs more than the budget.

    Example:
        >>> choose_position(np.array([[0.4, 0.698, 0.7, 0.8]]), np.array([[1.0, 3.0, 5.0, 9.0]]), 6)
        1
    """
    reached, cost = accuracy.mean(axis=0), compute.mean(axis=0)
    is_within = cost <= budget * (1 + 1e-9)
    if not is_within.any():
        return None
    near = is_within & (reached >= reached[is_within].max() - EQUIVALENCE_MARGIN)
    return int(np.where(near, cost, np.inf).argmin())


def choose_positions(accuracy: Floats, compute: Floats, budget: float, clusters: Ints | None) -> Ints:
    """Return (P, splits) the setting of each problem, chosen on problems of other folds, see `choose_position`."""
    folds = split_folds(len(accuracy), splits=CHOICE_SPLITS, clusters=clusters)
    found = [choose_position(accuracy[train], compute[train], budget) for train in folds.train]
    taken = np.array([int(compute.mean(axis=0).argmin()) if at is None else at for at in found])
    return np.stack([taken[held] for held in folds.test.T])
