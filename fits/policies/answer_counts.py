"""Counts of votes and verdicts by answer, from which the model of answers is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.arrays import Ints
from isocompute.fits.pool import Pool


@dataclass(frozen=True, eq=False)
class AnswerCounts:
    """The A parsed answers of all problems of a pool. Several right answers of a problem count as one.

    Within a problem they stand by what is counted, wrong ones first, not by how the pool lists them.

    Args:
        problem: (A,) position of the answer's problem.
        votes: (A,) solutions with the answer.
        yes: (A,) verdicts p(yes) ≥ 1/2 on these solutions.
        no: (A,) their other verdicts that can be read.
        is_right: (A,) whether it is the right answer.
        problems: P, those without a parsed answer included.
        unread: verdicts on solutions with an answer that cannot be read, over all problems.
    """

    problem: Ints
    votes: Ints
    yes: Ints
    no: Ints
    is_right: NDArray[np.bool_]
    problems: int
    unread: int


def count_answers(pool: Pool) -> AnswerCounts:
    """Count votes and verdicts by answer.

    Example:
        >>> counts = count_answers(Pool([[4, 4, 7]], [7], [[[1, 0], [1, 1], [1, float("nan")]]]))
        >>> counts.votes, counts.yes, counts.no, counts.unread
        (array([2, 1]), array([3, 1]), array([1, 0]), 1)
    """
    is_yes, is_no, unread = _count_verdicts(pool)
    rows = []
    for p in range(pool.problems):
        answers = np.where(pool.correct[p], -2, pool.answers[p])  # one code for all right answers
        codes, at = np.unique(answers, return_inverse=True)
        counts = [np.bincount(at, weights, len(codes)).astype(int) for weights in (None, is_yes[p], is_no[p])]
        table = np.stack([np.full(len(codes), p), codes == -2, *counts], axis=1)[codes != -1]
        rows.append(table[np.lexsort(table.T[:0:-1])])
    table = np.concatenate(rows)
    problem, is_right, votes, yes, no = table.T
    return AnswerCounts(
        problem, votes, yes, no, is_right.astype(bool), pool.problems, int(unread[pool.answers >= 0].sum())
    )


def _count_verdicts(pool: Pool) -> tuple[Ints, Ints, Ints]:
    """Return three (P, N) arrays: each solution's verdicts that say yes, that say no, and that cannot be read."""
    counts = np.zeros((3, pool.problems, pool.solutions), dtype=np.int64)
    if pool.tallies is not None and pool.judged is not None:
        yes, no = pool.tallies.yes, pool.tallies.no
        counts[:, :, : pool.verified_solutions] = yes, no, pool.judged - yes - no
    return counts[0], counts[1], counts[2]
