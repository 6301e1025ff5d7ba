"""Completions that are stored under other problems than their own, and the batches in which that happened.

Until January 2025 best_of_n of search-and-learn repeated a batch of B questions as q1, q2, … qB, q1, q2, …, and cut
the completions into pieces of n as if they came in the order q1, q1, …, q2, q2, …: completion k of a batch, in place k
mod n of line k div n, solves problem k mod B. The last batch may have fewer than B problems. Commit 179c75b of 3
January 2025 corrected the order.
Source: github.com/huggingface/search-and-learn at 179c75b, and before it (src/sal/search/best_of_n.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln

MOST_AGREEMENT = 0.25
"""In a file where two answers agree more often, as yes and no do, agreement does not tell which belong together."""

MOST_COMPARED = 50_000
"""The most completions that are compared; of a larger file, a random part."""

LARGEST_BATCH = 1000
"""The largest batch that is tried."""

CONCENTRATION = 2.0
"""α of the model of a problem's answers: a second answer equals the first with probability of about 1 / (1 + α)."""

LEAST_PROBABILITY = 0.99
"""The least posterior probability at which the batches count as known."""

LOG_PRIOR_OF_CUT = -4.6
"""The log-odds beforehand that a file ends within a batch: the tool writes whole files."""

LEAST_EVEN = 1e-3
"""The least probability of samples as uneven as these, if each sample of a problem is equally likely to be right."""

LEAST_COMPARED = 10
"""The fewest problems among which the samples of one number are compared with those of another."""

LEAST_PART = 50
"""The fewest problems of a part of the file that right answers confirm.

A file that begins within a batch, or lacks lines, has groups of answers that agree, but under other problems.
"""

LEAST_CONFIRMED = 0.9
"""The least share of problems in parts that right answers confirm."""


@dataclass(frozen=True)
class Batches:
    """The batches of a file.

    Args:
        size: their number of problems; 1 if every completion is stored under its own problem.
        is_cut: whether the file ends within a batch, so that the last completions belong to problems that it lacks.
    """

    size: int
    is_cut: bool = False


def locate_completions(lines: int, n: int, batches: Batches) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return of each stored completion the problem that it solves, as the number of its line, and its own number.

    >>> [each.tolist() for each in locate_completions(4, 2, Batches(3))]
    [[0, 1, 2, 0, 1, 2, 3, 3], [0, 0, 0, 1, 1, 1, 0, 1]]
    """
    place = np.arange(lines * n)
    first = place // (batches.size * n) * batches.size
    size = np.full_like(first, batches.size) if batches.is_cut else np.minimum(batches.size, lines - first)
    within = place - first * n
    return first + within % size, within // size


def infer_batches(answers: NDArray[np.int64], golds: NDArray[np.int64]) -> Batches | None:
    """Return the batches under which the answers to a problem agree, with each other and with its right answer.

    Under each candidate the answers of a problem follow a Pólya urn, P(a | earlier ones) = (α q(a) + count(a)) / (α +
    number), with q the frequency of an answer in the file. The right answer is one more answer of its problem. The
    candidates, and that no answers belong together, are equally probable beforehand, but for files that are cut.

    Args:
        answers: (lines, n) codes of the stored answers, -1 where none could be read.
        golds: (lines,) codes of the right answers, -1 where none is known.

    Returns:
        The batches; None if no candidate is probable enough, or right answers do not confirm it.

    >>> golds = np.arange(12)
    >>> stored, _ = locate_completions(12, 4, Batches(4))
    >>> infer_batches(stored.reshape(12, 4), golds), infer_batches(np.repeat(golds[:, None], 4, 1), golds)
    (Batches(size=4, is_cut=False), Batches(size=1, is_cut=False))
    """
    lines, n = answers.shape
    if n == 1:
        return Batches(1)
    place = np.flatnonzero(answers.ravel() >= 0)
    if len(place) > MOST_COMPARED:
        place = np.sort(np.random.default_rng(0).choice(place, MOST_COMPARED, replace=False))
    known = np.flatnonzero(golds >= 0)
    values = np.append(answers.ravel()[place], golds[known])
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    total = len(values)
    if total < 2 or (counts * (counts - 1)).sum() > MOST_AGREEMENT * total * (total - 1):
        return None

    def compare_problems(owners: NDArray[np.int64]) -> NDArray[np.float64]:
        return compute_evidence(owners, codes[: len(owners)], counts / total, lines)

    candidates = list_candidates(lines, n)
    evidence = [0.0]  # of unrelated answers
    for each in candidates:
        owners = np.append(locate_completions(lines, n, each)[0][place], known)
        evidence.append(compare_problems(owners).sum() + LOG_PRIOR_OF_CUT * each.is_cut)
    best = int(np.argmax(evidence))
    if best == 0 or np.exp(np.array(evidence) - evidence[best]).sum() > 1 / LEAST_PROBABILITY:
        return None
    found = candidates[best - 1]
    owners, sample = (each[place] for each in locate_completions(lines, n, found))
    gains = compare_problems(np.append(owners, known))[:lines] - compare_problems(owners)[:lines]
    is_right = answers.ravel()[place] == np.append(golds, np.full(found.size, -1))[owners]
    part_lines = max(found.size, LEAST_PART)
    part = np.minimum(np.arange(lines) // part_lines, max(lines // part_lines - 1, 0))  # what is left joins the last
    is_confirmed = (np.bincount(part, gains) > 0)[part].mean() >= LEAST_CONFIRMED
    batch = place // n // max(found.size, LEAST_COMPARED)
    return found if found.size == 1 or (is_confirmed and is_even(is_right, batch, sample)) else None


def is_even(is_right: NDArray[np.bool_], batch: NDArray[np.int64], sample: NDArray[np.int64]) -> bool:
    """Return whether the first, second, … sample of a problem are right about equally often, by a χ² test.

    Where lines are missing, rounds of samples belong to other problems in a part of the file.

    Args:
        is_right: whether each answer is right.
        batch: the part of the file that it is in.
        sample: its number among the samples of its problem.
    """
    cells = batch * (sample.max() + 1) + sample
    share = (np.bincount(batch, is_right) / np.maximum(np.bincount(batch), 1))[batch]
    expected, variance = np.bincount(cells, share), np.bincount(cells, share * (1 - share))
    kept = variance > 0
    spread = ((np.bincount(cells, is_right) - expected)[kept] ** 2 / variance[kept]).sum()
    freedom = kept.sum() - len(np.unique(batch))
    return bool(freedom < 1 or chdtrc(freedom, spread) >= LEAST_EVEN)


def list_candidates(lines: int, n: int) -> list[Batches]:
    """Return the batches that a file may have; those of one that is cut may be larger than the file."""
    sizes = range(1, min(lines, LARGEST_BATCH) + 1)
    cut = [size for size in range(2, min(lines * n // 2, 2 * lines, LARGEST_BATCH) + 1) if lines % size]
    return [*(Batches(size) for size in sizes), *(Batches(size, is_cut=True) for size in cut)]


def compute_evidence(
    owners: NDArray[np.int64], codes: NDArray[np.int64], frequencies: NDArray[np.float64], problems: int
) -> NDArray[np.float64]:
    """Return by how much the log-likelihood of each problem's answers exceeds that of unrelated answers.

    Args:
        owners: each answer's problem.
        codes: each answer, from 0 on.
        frequencies: the frequency of each code.
        problems: the least number of problems; one without answers has 0.
    """
    pairs, together = np.unique(owners * len(frequencies) + codes, return_counts=True)
    alone = CONCENTRATION * frequencies[pairs % len(frequencies)]
    gains = gammaln(alone + together) - gammaln(alone)
    number = np.bincount(owners, minlength=problems)
    urns = np.bincount(pairs // len(frequencies), gains, len(number))
    unrelated = np.bincount(owners, np.log(frequencies[codes]), len(number))
    return np.asarray(urns + gammaln(CONCENTRATION) - gammaln(CONCENTRATION + number) - unrelated)
