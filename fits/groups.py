"""Strata and clusters of problems, as codes for intervals and for resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError

MIN_STRATUM = 5
"""A stratum with fewer clusters, whose spread is hardly known, is joined with the next one."""


@dataclass(frozen=True, eq=False)
class ProblemGroups:
    """P problems in n clusters in H strata.

    Args:
        cluster: (P,) the cluster of each problem, 0 … n - 1, in order of first appearance.
        stratum: (n,) the stratum of each cluster, 0 … H - 1.
        sizes: (n,) number of problems of each cluster.
    """

    cluster: NDArray[np.int64]
    stratum: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @property
    def clusters(self) -> int:
        """The number of clusters n."""
        return len(self.sizes)


def code_problem_groups(
    problems: int, strata: ArrayLike | None = None, clusters: ArrayLike | None = None
) -> ProblemGroups:
    """Number the clusters and the strata of problems.

    A cluster is in the stratum of its first problem. Strata are taken in the order of their labels; one with fewer than
    `MIN_STRATUM` clusters is joined with the next, and the last one with the one before.

    Args:
        problems: P ≥ 1.
        strata: (P,) labels that can be sorted; None for one stratum.
        clusters: (P,) labels; None if each problem is a cluster of its own.

    Raises:
        DataError: the labels are not (P,).

    Example:
        >>> groups = code_problem_groups(4, clusters=["b", "a", "b", "c"])
        >>> groups.cluster.tolist(), groups.sizes.tolist(), groups.stratum.tolist()
        ([0, 1, 0, 2], [2, 1, 1], [0, 0, 0])
    """
    labels = np.arange(problems) if clusters is None else _check_labels(clusters, problems, "clusters")
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    cluster, starts = rank[codes], np.sort(first)
    stratum = np.zeros(len(starts), dtype=np.int64)
    if strata is not None:
        _, codes = np.unique(_check_labels(strata, problems, "strata")[starts], return_inverse=True)
        stratum = _join_small_strata(codes)[codes]
    return ProblemGroups(cluster, stratum, np.bincount(cluster))


def compute_cluster_values(values: ArrayLike, clusters: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the linearised value of each cluster, by which the error of a mean over problems is that of clusters.

    It is the mean over problems plus the sum of the cluster's deviations from it, divided by the mean cluster size; for
    clusters of equal size, the cluster's mean. The mean of these values is the mean over problems.

    Args:
        values: (P, …) per-problem values.
        clusters: (P,) label of each problem's cluster; None if each problem is its own.

    Returns:
        (n, …) for n clusters; the values themselves without clusters.

    Example:
        >>> compute_cluster_values([0.0, 0.5, 1.0, 0.5], clusters=["a", "a", "b", "b"])
        array([0.25, 0.75])
    """
    table = np.asarray(values, dtype=float)
    if clusters is None:
        return table
    groups, mean = code_problem_groups(len(table), clusters=clusters), table.mean(axis=0)
    sums = np.zeros((groups.clusters, *table.shape[1:]))
    np.add.at(sums, groups.cluster, table - mean)
    return np.asarray(mean + sums / groups.sizes.mean())


def compute_cluster_deviations(values: ArrayLike, groups: ProblemGroups) -> tuple[NDArray[np.float64], int]:
    """Return the deviations of clusters from the mean of their stratum, and their degrees of freedom.

    They are linearised for clusters of different sizes. Their products, summed over the clusters and divided by the
    degrees of freedom and the number of clusters, are the covariance of the means over problems.

    Args:
        values: (P, K) per-problem values.
        groups: the clusters and strata of the problems.

    Returns:
        (n, K) deviations of n clusters, and n less the number of strata.

    Example:
        >>> deviations, freedom = compute_cluster_deviations([[0.0], [1.0], [0.5]], code_problem_groups(3))
        >>> deviations.ravel().tolist(), freedom
        ([-0.5, 0.5, 0.0], 2)
    """
    problems = np.asarray(values, dtype=float)
    sizes = groups.sizes / groups.sizes.mean()
    sums = np.zeros((groups.clusters, problems.shape[1]))
    np.add.at(sums, groups.cluster, problems)
    linear = sums / groups.sizes.mean() - problems.mean(axis=0) * sizes[:, None]
    strata = int(groups.stratum.max()) + 1
    if strata > 1:  # the shares of the strata are fixed, so that only the variance within them counts
        within = np.zeros((strata, linear.shape[1]))
        np.add.at(within, groups.stratum, linear)
        linear = linear - (within / np.bincount(groups.stratum)[:, None])[groups.stratum]
    return linear, groups.clusters - strata


def _join_small_strata(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the new number of each stratum, after small ones are joined with the next."""
    joined: list[int] = []
    number, held = 0, 0
    for count in np.bincount(codes):
        joined.append(number)
        held += int(count)
        if held >= MIN_STRATUM:
            number, held = number + 1, 0
    return np.minimum(joined, max(number - 1, 0))


def _check_labels(labels: ArrayLike, problems: int, name: str) -> NDArray[np.generic]:
    array = np.asarray(labels)
    if array.shape != (problems,):
        raise DataError(f"{name} must hold one label per problem, shape ({problems},); got {array.shape}.")
    return array
