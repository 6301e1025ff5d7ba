"""An order of a problem's solutions and verdicts that depends on what they are, not on how they are listed."""

from __future__ import annotations

import numpy as np

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.pool import Pool


def sort_solutions(label: Ints, values: Floats, judged: Ints) -> tuple[Ints, Floats, Ints]:
    """Sort the solutions of each problem by answer and values, and the values of each solution.

    Random draws take solutions and values by position. In this order, the same solutions in any order give the same
    draws. Answers stand by falling frequency, and unparsed ones last. Equally frequent answers stand in the order of
    their solutions' values; if these are equal too, a right answer comes first, and two wrong ones can be exchanged.

    Args:
        label: (P, K) numbers of the answers, the right ones first, -1 if unparsed.
        values: (P, K, M) a number for each verdict, NaN where it is unparsed.
        judged: (P, K) the numbers of verdicts of the solutions; the entries behind them are NaN.

    Returns:
        The three arrays, sorted; NaN comes last.

    Example:
        >>> verdicts = np.array([[[0.0], [1.0], [1.0], [0.0]]])
        >>> label, values, _ = sort_solutions(np.array([[1, 0, 2, 2]]), verdicts, np.ones((1, 4), dtype=int))
        >>> label, values.ravel()
        (array([[2, 2, 1, 0]]), array([0., 1., 0., 1.]))
    """
    values = np.sort(values, axis=2)
    order = order_solutions(label, np.append(np.nan_to_num(values, nan=np.inf), judged[..., None], axis=2))
    return (
        np.take_along_axis(label, order, axis=1),
        np.take_along_axis(values, order[:, :, None], axis=1),
        np.take_along_axis(judged, order, axis=1),
    )


def sort_tallied_solutions(label: Ints, yes: Ints, no: Ints, judged: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Sort the solutions of each problem as `sort_solutions` does, from the numbers of their verdicts.

    Args:
        label: as for `sort_solutions`.
        yes: (P, K) verdicts that are yes, of verdicts that are yes, no or unparsed.
        no: (P, K) those that are no.
        judged: as for `sort_solutions`.

    Returns:
        The four arrays, sorted.
    """
    order = order_solutions(label, rank_tallies(yes, no, judged))
    label, yes, no, judged = (np.take_along_axis(each, order, axis=1) for each in (label, yes, no, judged))
    return label, yes, no, judged


def rank_tallies(yes: Ints, no: Ints, judged: Ints) -> Ints:
    """Return (P, K, 3) numbers that order solutions as their sorted verdicts do: first no, then yes, then unparsed."""
    return np.stack([-no, -yes, judged], axis=2)


def order_solutions(label: Ints, numbers: Floats | Ints) -> Ints:
    """Return (P, K) the positions of each problem's solutions in the order of `sort_solutions`.

    Args:
        label: as for `sort_solutions`.
        numbers: (P, K, n) what solutions with the same answer are sorted by, the first number first: their sorted
            values, the unparsed ones as infinity, and how many they are; or `rank_tallies`.
    """
    order = np.empty(label.shape, dtype=np.int64)
    for p, (answers, numbers_of_problem) in enumerate(zip(label, numbers, strict=True)):
        listed = np.lexsort(numbers_of_problem.T[::-1])
        new = numbers_of_problem[listed][1:] != numbers_of_problem[listed][:-1]
        rank = np.empty(len(answers), dtype=np.int64)  # of a solution's values among those of its problem
        rank[listed] = np.append(0, np.cumsum(new.any(axis=1)))
        members: dict[int, list[int]] = {}
        for answer, one in zip(answers.tolist(), rank.tolist(), strict=True):
            members.setdefault(answer, []).append(one)
        parsed = sorted((-len(ranks), sorted(ranks), a) for a, ranks in members.items() if a >= 0)
        place = {a: i for i, (_, _, a) in enumerate(parsed)}
        at = np.array([place.get(a, len(parsed)) for a in answers.tolist()])
        order[p] = np.lexsort((rank, at))
    return order


def label_right_first(pool: Pool, solutions: int | None = None) -> tuple[Ints, Ints]:
    """Number the answers of each problem's first solutions from 0, the right ones first.

    Args:
        pool: the sampled answers.
        solutions: how many of the solutions; None means the K verified ones.

    Returns:
        label: (P, K), -1 where unparsed; rights: (P,) how many numbers stand for right answers.
    """
    first = pool.verified_solutions if solutions is None else solutions
    answers, correct = pool.answers[:, :first], pool.correct[:, :first]
    codes, ranks = np.unique(answers, return_inverse=True)
    # All problems at once: an answer's key is its problem and the rank of its code.
    keys = np.arange(pool.problems)[:, None] * len(codes) + ranks.reshape(answers.shape)
    found, position = np.unique(keys, return_inverse=True)
    problem, is_parsed = found // len(codes), codes[found % len(codes)] >= 0
    is_right = np.zeros(len(found), dtype=bool)
    is_right[position.reshape(answers.shape)[correct]] = True
    listed = np.flatnonzero(is_parsed)
    listed = listed[np.lexsort((~is_right[listed], problem[listed]))]
    many = np.bincount(problem[listed], minlength=pool.problems)
    label = np.full(len(found), -1)
    label[listed] = np.arange(len(listed)) - np.repeat(np.cumsum(many) - many, many)
    rights = np.bincount(problem[is_right], minlength=pool.problems)
    return label[position].reshape(answers.shape), rights
