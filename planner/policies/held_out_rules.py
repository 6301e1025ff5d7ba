"""Rules under settings that were chosen on other problems than those they are scored on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from isocompute.fits import Folds
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.certificate import certify_threshold
from isocompute.fits.policies.estimate import SETTING_COLUMNS, PolicyEstimate
from isocompute.fits.policies.threshold_choice import choose_threshold_for_budget
from isocompute.planner.policies.measured_rules import MeasuredRule

Choose = Callable[[PolicyEstimate, Ints | None], int | None]
"""A function of an estimate on some problems, and their clusters; returns the position of a setting, or None."""


@dataclass(frozen=True, eq=False)
class HeldOutRule:
    """A rule, with the settings under which each problem is scored: one for each split into folds.

    Args:
        rule: the rule.
        positions: (P, splits) position of the setting, chosen on problems of other folds.
        position: the position chosen on all problems, which is the one to use on new ones.
        is_full: whether no setting qualified on all problems, so that the full budget stands in.
    """

    rule: MeasuredRule
    positions: Ints
    position: int
    is_full: bool = False

    @property
    def threshold(self) -> float:
        """The threshold to use on new problems."""
        return float(self.rule.estimate.thresholds[self.position])

    @property
    def limit(self) -> int:
        """The most solutions that go with it."""
        return int(self.rule.estimate.limits[self.position])

    def average(self, column: Floats) -> Floats:
        """Return (P,) the mean over splits of a (P, T) column of the estimate at each problem's settings."""
        return np.asarray(np.take_along_axis(column, self.positions, axis=1).mean(axis=1))

    def compute_cost_quantile(self, share: float) -> float:
        """Return the quantile of compute over problems, orders and splits."""
        costs = np.take_along_axis(self.rule.estimate.costs, self.positions[:, None], axis=2)
        return float(np.quantile(costs, share))

    def compute_drawing_error(self, errors: Floats) -> float:
        """Return the standard error of a mean over problems from the draws alone, from (P, T) errors of problems."""
        return float(np.sqrt(np.sort(self.average(errors) ** 2).sum()) / len(errors))


@dataclass(frozen=True, eq=False)
class RuleFolds:
    """A rule with its estimates on the problems outside of each fold.

    Args:
        rule: the rule.
        folds: F folds, each split of which holds every problem out once.
        parts: for each fold the estimate on the problems to choose on, and their clusters.
        clusters: (P,) cluster of each problem; None if each is its own.
    """

    rule: MeasuredRule
    folds: Folds
    parts: list[tuple[PolicyEstimate, Ints | None]]
    clusters: Ints | None

    def choose(self, choose: Choose) -> HeldOutRule:
        """Choose a setting on the problems outside of each fold, and on all problems.

        Where nothing qualifies, the full budget stands in: the rule never stops.
        """
        last = len(self.rule.estimate.thresholds) - 1
        found = [choose(*part) for part in self.parts]
        taken = np.array([last if position is None else position for position in found])
        positions = np.stack([taken[held] for held in self.folds.test.T])
        whole = choose(self.rule.estimate, self.clusters)
        return HeldOutRule(self.rule, positions, last if whole is None else whole, whole is None)


def split_rule(rule: MeasuredRule, folds: Folds, clusters: Ints | None = None) -> RuleFolds:
    """Return a rule with its estimates on the problems outside of each fold."""
    parts = [
        (select_estimate(rule.estimate, train), None if clusters is None else clusters[train]) for train in folds.train
    ]
    return RuleFolds(rule, folds, parts, clusters)


def choose_for_budget(budget: float) -> Choose:
    """Return the choice of the most accurate setting within a mean compute, the cheapest one if none is within it."""

    def choose(estimate: PolicyEstimate, clusters: Ints | None) -> int | None:
        found = choose_threshold_for_budget(estimate, budget).position
        return int(estimate.compute.mean(axis=0).argmin()) if found is None else found

    return choose


def choose_for_guarantee(delta: float, confidence: float) -> Choose:
    """Return the choice of the cheapest threshold that is certified to change at most a share δ of the answers."""

    def choose(estimate: PolicyEstimate, clusters: Ints | None) -> int | None:
        return certify_threshold(estimate, delta, confidence, clusters).position

    return choose


def select_estimate(estimate: PolicyEstimate, problems: np.ndarray) -> PolicyEstimate:
    """Return the estimate on some of its problems."""
    columns = {
        name: value[problems]
        for name, value in vars(estimate).items()
        if isinstance(value, np.ndarray) and name not in (*SETTING_COLUMNS, "costs")
    }
    return replace(estimate, **columns)
