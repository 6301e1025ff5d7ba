"""Rows of solutions and verifications as arrays; where problems have unequal numbers of them, in equal ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PoolArrays:
    """P problems with N solutions each, of which the first K were verified, at most M times.

    Args:
        answers: (P, N) texts, or None.
        correct: (P, N) whether each is right.
        verdicts: (P, K, M), NaN where unparsed or beyond a solution's last; None if K is 0.
        judged: (P, K) how many verdicts each solution has, where they differ in that; None if they do not.
        scores: (P, L) reward scores of the first L solutions, NaN of one without a step; None if L is 0.
        finished: (P, L) whether these are complete.
        notes: what found no place, in sentences.
    """

    answers: NDArray[Any]
    correct: NDArray[np.bool_]
    verdicts: NDArray[np.float64] | None
    judged: NDArray[np.int64] | None
    scores: NDArray[np.float64] | None
    finished: NDArray[np.bool_] | None
    notes: list[str]


def build_pool_arrays(solutions: pd.DataFrame, verifications: pd.DataFrame, problems: list[str]) -> PoolArrays:
    """Lay rows out by problem, solution and verification.

    Verified solutions come first, otherwise all stay in the order of their numbers. Where problems have different
    numbers of solutions, or of verified ones, each gives the first of them, as many as the problem with the fewest.

    Args:
        solutions: problem_id, solution_id, answer, correct, finish_reason, score, scored; in the order of the keys,
            one of each problem at least.
        verifications: problem_id, solution_id, verdict; in the order of the keys, none without its solution.
        problems: those that have a place, in their order; rows of others are left out.
    """
    solutions = solutions[solutions["problem_id"].isin(problems)]
    verifications = verifications[verifications["problem_id"].isin(problems)]
    width = int(solutions["solution_id"].max()) + 1
    shape = (len(problems), width)
    solved, judged = locate_solutions(solutions, problems, width), locate_solutions(verifications, problems, width)

    there = np.zeros(shape, dtype=bool)
    there.flat[solved] = True
    verdicts_each = np.bincount(judged, minlength=there.size).reshape(shape)
    order = np.argsort(np.where(there, verdicts_each == 0, 2), axis=1, kind="stable")
    solved_each, verified_each = there.sum(axis=1), (verdicts_each > 0).sum(axis=1)
    N, K = int(solved_each.min()), int(verified_each.min())

    def place_column(column: str, empty: Any) -> NDArray[Any]:
        cells = np.full(shape, empty, dtype=object)
        cells.flat[solved] = solutions[column].to_numpy(object)
        return np.take_along_axis(cells, order, axis=1)[:, :N]

    counts = np.take_along_axis(verdicts_each, order, axis=1)[:, :K]
    scored = np.logical_and.accumulate(place_column("scored", False).astype(bool), axis=1)
    L = int(scored.sum(axis=1).min())
    return PoolArrays(
        answers=place_column("answer", None),
        correct=place_column("correct", False) == True,  # noqa: E712 - a failed row's is None
        verdicts=stack_verdicts(verifications["verdict"].to_numpy(float), judged, order, counts) if K else None,
        judged=counts if K and counts.min() < counts.max() else None,
        scores=place_column("score", np.nan)[:, :L].astype(float) if L else None,
        finished=place_column("finish_reason", None)[:, :L] != "length" if L else None,
        notes=describe_unequal_counts(solved_each, verified_each, counts),
    )


def locate_solutions(rows: pd.DataFrame, problems: list[str], width: int) -> NDArray[np.int64]:
    """Return where each row's solution stands when those of all problems stand in one line."""
    problem = pd.Index(problems).get_indexer(pd.Index(rows["problem_id"]))
    return np.asarray(problem * width + rows["solution_id"].to_numpy(np.int64))


def stack_verdicts(
    verdicts: NDArray[np.float64], judged: NDArray[np.int64], order: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (P, K, M) of verdicts: each solution's from the front, NaN behind."""
    P, K = counts.shape
    rank = np.argsort(order, axis=1).ravel()[judged]  # of the verified solution among its problem's
    problem = judged // order.shape[1]
    line = np.argsort(judged, kind="stable")
    number = np.empty_like(judged)
    number[line] = np.arange(len(judged)) - np.searchsorted(judged[line], judged[line])
    array = np.full((P, K, int(counts.max())), np.nan)
    kept = rank < K
    array[problem[kept], rank[kept], number[kept]] = verdicts[kept]
    return array


def describe_unequal_counts(
    solved: NDArray[np.int64], verified: NDArray[np.int64], counts: NDArray[np.int64]
) -> list[str]:
    """Say which numbers differ, and what becomes of that."""
    notes = []
    if solved.min() < solved.max():
        notes.append(
            f"Problems have {solved.min():,} to {solved.max():,} solutions; {solved.min():,} of each are taken."
        )
    if verified.min() < verified.max():
        taken = f"{verified.min():,} of each are taken" if verified.min() else "so GenRM is not estimated"
        notes.append(f"Of a problem {verified.min():,} to {verified.max():,} solutions were verified; {taken}.")
    if counts.size and counts.min() < counts.max():
        notes.append(
            f"A verified solution has {counts.min():,} to {counts.max():,} verdicts; V means no more than it has."
        )
    return notes
