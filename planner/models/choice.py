"""The choice among models, strategies and cascades within a budget, with paired intervals over the shared problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN
from isocompute.fits.groups import code_problem_groups
from isocompute.fits.mean_intervals import compute_difference_interval, compute_mean_interval
from isocompute.planner.models.candidates import Candidate

DRAWS, SEED = 10_000, 2507
_TIE = 1e-9


@dataclass(frozen=True, eq=False)
class ModelOption:
    """A candidate, compared with the recommended one on the same problems.

    Args:
        candidate: the allocation.
        interval: 95 % interval of its expected accuracy.
        gap: expected accuracy of the recommendation minus this one's; None for the recommendation itself.
        gap_interval: paired 95 % interval of the gap.
        probability_best: probability that no other candidate is better by more than half a point.
    """

    candidate: Candidate
    interval: tuple[float, float]
    gap: float | None
    gap_interval: tuple[float, float] | None
    probability_best: float


def choose_candidate(candidates: Sequence[Candidate]) -> Candidate:
    """Choose the cheapest of the candidates that are expected to be within half a point of the best.

    Candidates whose selector is not informative are passed over, if others are left, and so is one that another
    candidate equals or exceeds at no higher cost.

    Args:
        candidates: the candidates within the budget, at least one.
    """
    considered = [each for each in candidates if each.is_informative] or list(candidates)
    highest = max(each.accuracy for each in considered)
    near = [each for each in considered if each.accuracy >= highest - EQUIVALENCE_MARGIN]
    unbeaten = [each for each in near if not any(_is_better(other, each) for other in considered)]
    return min(unbeaten or near, key=lambda each: (each.cost, -each.accuracy))


def _is_better(other: Candidate, each: Candidate) -> bool:
    """Return whether another candidate is at least as accurate and no dearer, and better in one of the two."""
    cost, accuracy = other.cost - each.cost, other.accuracy - each.accuracy
    return cost <= 0 and accuracy >= -_TIE and (cost < 0 or accuracy > _TIE)


def compare_candidates(
    candidates: Sequence[Candidate], strata: ArrayLike | None = None, clusters: ArrayLike | None = None
) -> list[ModelOption]:
    """Compare candidates with the recommended one, which comes first; the others follow by expected accuracy.

    Args:
        candidates: the candidates within the budget.
        strata: (P,) level of each problem; None if it is unknown.
        clusters: (P,) cluster of each problem; None if each is its own.
    """
    best = choose_candidate(candidates)
    rest = sorted((each for each in candidates if each is not best), key=lambda each: (-each.accuracy, each.cost))
    ordered = [best, *rest]
    probabilities = _compute_best_probabilities(ordered, clusters)
    return [
        ModelOption(
            candidate=each,
            interval=enclose_candidate(each, strata, clusters),
            gap=None if each is best else best.accuracy - each.accuracy,
            gap_interval=None if each is best else enclose_gap(best, each, strata, clusters),
            probability_best=probability,
        )
        for each, probability in zip(ordered, probabilities, strict=True)
    ]


def enclose_candidate(
    candidate: Candidate, strata: ArrayLike | None, clusters: ArrayLike | None
) -> tuple[float, float]:
    """Return the 95 % interval of a candidate's accuracy over problems, moved to the expected one.

    Args:
        candidate: the allocation.
        strata: (P,) level of each problem; None if it is unknown.
        clusters: (P,) cluster of each problem; None if each is its own.
    """
    interval = compute_mean_interval(candidate.values, strata, clusters)
    return _move_interval(interval, candidate.accuracy - float(candidate.values.mean()), (0, 1))


def enclose_gap(
    best: Candidate, other: Candidate, strata: ArrayLike | None, clusters: ArrayLike | None
) -> tuple[float, float]:
    """Return the paired 95 % interval of one accuracy minus another, moved to the expected difference.

    Args:
        best: the candidate whose accuracy comes first.
        other: the candidate whose accuracy is subtracted.
        strata: (P,) level of each problem; None if it is unknown.
        clusters: (P,) cluster of each problem; None if each is its own.
    """
    difference = best.values - other.values
    shift = best.accuracy - other.accuracy - float(difference.mean())
    return _move_interval(compute_difference_interval(difference, strata, clusters), shift, (-1, 1))


def _move_interval(interval: tuple[Floats, Floats], shift: float, bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = (float(np.clip(end + shift, *bounds)) for end in interval)
    return low, high


def _compute_best_probabilities(options: Sequence[Candidate], clusters: ArrayLike | None) -> list[float]:
    """Return for each candidate the probability that no other is better by more than the equivalence margin.

    The accuracies are drawn around what is expected, with the covariance of the means over clusters of problems.
    """
    values = np.stack([each.values for each in options])
    groups = code_problem_groups(values.shape[1], clusters=clusters)
    deviations = values - values.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(groups.cluster, row) for row in deviations]) / groups.sizes.mean()
    covariance = np.atleast_2d(np.cov(sums)) / groups.clusters
    root_values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(root_values, 0, None)) @ vectors.T
    drawn = np.array([each.accuracy for each in options])
    drawn = drawn + np.random.default_rng(SEED).standard_normal((DRAWS, len(options))) @ root
    behind = drawn.max(axis=1, keepdims=True) - drawn
    return [float(share) for share in (behind <= EQUIVALENCE_MARGIN).mean(axis=0)]
