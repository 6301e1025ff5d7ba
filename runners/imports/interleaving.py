"""Completions that are stored under other problems than their own, and the batches in which that happened.

Until January 2025 best_of_n of search-and-learn repeated a batch of B questions as q1, q2, … qB, q1, q2, …, and cut
the completions into pieces of n as if they came in the order q1, q1, …, q2, q2, …: completion k of a batch, in place k
mod n of line k div n, solves problem k mod B. The last batch may have fewer than B problems. Commit 179c75b of 3
January 2025 corrected the order.
Source: github.com/huggingface/search-and-learn at 179c75b, and before it (src/sal/search/best_of_n.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

MOST_AGREEMENT = 0.25
"""Where two answers of the file agree more often, as yes and no do, agreement does not tell which belong together."""

MOST_COMPARED = 50_000
"""The most completions that are compared; of a larger file, a random part."""

LARGEST_BATCH = 1000
"""The largest batch that is tried."""

CONCENTRATION = 2.0
"""α of the model of a problem's answers: a second answer equals the first with probability of about 1 / (1 + α)."""

LEAST_PROBABILITY = 0.99
"""The least posterior probability at which the batches count as known."""

LOG_PRIOR_OF_PARTS = -4.6
"""The log-odds beforehand that a file holds parts of batches: the tool writes whole files."""

LEAST_SUPPORTED = 0.9
"""The least share of problems in batches whose own answers speak for them."""


@dataclass(frozen=True)
class Batches:
    """The batches of a file.

    Args:
        size: their number of problems; 1 if every completion is stored under its own problem.
        is_cut: whether the file ends within a batch, so that the last completions belong to problems that it lacks.
        skipped: lines of its first batch that the file lacks.
    """

    size: int
    is_cut: bool = False
    skipped: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the file holds all lines of its batches."""
        return not self.is_cut and not self.skipped


def locate_owners(lines: int, n: int, batches: Batches) -> NDArray[np.int64]:
    """Return the problem that each stored completion solves, (lines, n), as the number of its line in whole batches.

    >>> locate_owners(5, 2, Batches(3)).tolist()
    [[0, 1], [2, 0], [1, 2], [3, 4], [3, 4]]
    """
    place = np.arange(batches.skipped * n, (batches.skipped + lines) * n)
    first = place // (batches.size * n) * batches.size
    left = batches.skipped + lines - first
    size = np.full_like(first, batches.size) if batches.is_cut else np.minimum(batches.size, left)
    return np.asarray((first + (place - first * n) % size).reshape(lines, n))


def infer_batches(answers: NDArray[np.int64], golds: NDArray[np.int64]) -> Batches | None:
    """Return the batches under which the answers to a problem agree, with each other and with its right answer.

    Under each candidate the answers of a problem follow a Pólya urn, P(a | earlier ones) = (α q(a) + count(a)) / (α +
    number), with q the frequency of an answer in the file. The right answer is one more answer of its problem; without
    it, batches that begin at another line would group the same answers. The candidates, and that no answers belong
    together, are equally probable beforehand.

    Args:
        answers: (lines, n) codes of the stored answers, -1 where none could be read.
        golds: (lines,) codes of the right answers, -1 where none is known.

    Returns:
        The batches; None if no candidate is probable enough, or if it does not hold in most of the file.

    >>> golds = np.arange(12)
    >>> infer_batches(locate_owners(12, 4, Batches(4)), golds), infer_batches(np.repeat(golds[:, None], 4, 1), golds)
    (Batches(size=4, is_cut=False), Batches(size=1, is_cut=False))
    """
    lines, n = answers.shape
    place = np.flatnonzero(answers.ravel() >= 0)
    if len(place) > MOST_COMPARED:
        place = np.sort(np.random.default_rng(0).choice(place, MOST_COMPARED, replace=False))
    known = np.flatnonzero(golds >= 0)
    values = np.append(answers.ravel()[place], golds[known])
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    if n == 1 or len(values) < 2:
        return Batches(1) if n == 1 else None
    if (counts * (counts - 1)).sum() > MOST_AGREEMENT * len(values) * (len(values) - 1):
        return None
    frequencies = counts / len(values)

    def compute_problem_evidence(batches: Batches) -> NDArray[np.float64]:
        owners = np.append(locate_owners(lines, n, batches).ravel()[place], known + batches.skipped)
        return compute_evidence(owners, codes, frequencies)

    def choose_batches(candidates: list[Batches]) -> Batches | None:
        evidence = [
            compute_problem_evidence(each).sum() + (0 if each.is_whole else LOG_PRIOR_OF_PARTS) for each in candidates
        ]
        best = int(np.argmax(evidence))
        chances = np.exp(np.append(evidence, 0.0) - max(evidence[best], 0.0))
        return candidates[best] if chances[best] >= LEAST_PROBABILITY * chances.sum() else None

    found = choose_batches(list_candidates(lines, n))
    if found is None or found.size == 1:
        return found
    found = choose_batches([replace(found, skipped=skipped) for skipped in range(found.size)])
    if found is None:
        return None
    by_problem = compute_problem_evidence(found)
    batch = np.arange(len(by_problem)) // found.size
    is_supported = np.bincount(batch, by_problem) > 0
    return found if is_supported[batch].mean() >= LEAST_SUPPORTED else None


def list_candidates(lines: int, n: int) -> list[Batches]:
    """Return the batches that a file may have; those of one that is cut may be larger than the file."""
    sizes = range(1, min(lines, LARGEST_BATCH) + 1)
    cut = [size for size in range(2, min(lines * n // 2, 2 * lines, LARGEST_BATCH) + 1) if lines % size]
    return [*(Batches(size) for size in sizes), *(Batches(size, is_cut=True) for size in cut)]


def compute_evidence(
    owners: NDArray[np.int64], codes: NDArray[np.int64], frequencies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by how much the log-likelihood of each problem's answers exceeds that of unrelated answers.

    Args:
        owners: each answer's problem.
        codes: each answer, from 0 on.
        frequencies: the frequency of each code.
    """
    pairs, together = np.unique(owners * len(frequencies) + codes, return_counts=True)
    alone = CONCENTRATION * frequencies[pairs % len(frequencies)]
    gains = gammaln(alone + together) - gammaln(alone)
    number = np.bincount(owners)
    urns = np.bincount(pairs // len(frequencies), gains, len(number))
    unrelated = np.bincount(owners, np.log(frequencies[codes]), len(number))
    return np.asarray(urns + gammaln(CONCENTRATION) - gammaln(CONCENTRATION + number) - unrelated)
