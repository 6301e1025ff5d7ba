"""Conversion of solution and verification rows to arrays, truncated to the same counts for all problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PoolArrays:
    """Arrays of P problems with N solutions each, of which the first K were verified, at most M times.

    Args:
        answers: (P, N) answer texts, None where unparsed.
        correct: (P, N) whether each solution is right.
        verdicts: (P, K, M), NaN where unparsed or beyond a solution's last verdict; None if K is 0.
        judged: (P, K) number of verdicts of each solution; None if K is 0 or all numbers are equal.
        scores: (P, L) reward scores of the first L solutions, NaN for a solution without a step; None if L is 0.
        finished: (P, L) whether these solutions are complete; None if L is 0.
        notes: sentences on unequal counts.
    """

    answers: NDArray[Any]
    correct: NDArray[np.bool_]
    verdicts: NDArray[np.float64] | None
    judged: NDArray[np.int64] | None
    scores: NDArray[np.float64] | None
    finished: NDArray[np.bool_] | None
    notes: list[str]


def build_pool_arrays(solutions: pd.DataFrame, verifications: pd.DataFrame, problems: list[str]) -> PoolArrays:
    """Arrange rows in arrays by problem, solution and verification.

    Verified solutions come first; otherwise solutions stay in the order of their ids. If problems have different
    numbers of solutions, or of verified ones, each contributes its first ones, as many as the problem with the fewest.

    Args:
        solutions: columns problem_id, solution_id, answer, correct, finish_reason, score and scored, sorted by key,
            with at least one row per problem.
        verifications: columns problem_id, solution_id and verdict, sorted by key; each row's solution must exist.
        problems: ids of the problems to include, in order; rows of other problems are ignored.
    """
    solutions = solutions[solutions["problem_id"].isin(problems)]
    verifications = verifications[verifications["problem_id"].isin(problems)]
    width = int(solutions["solution_id"].max()) + 1
    shape = (len(problems), width)
    solved, judged = locate_solutions(solutions, problems, width), locate_solutions(verifications, problems, width)

    is_present = np.zeros(shape, dtype=bool)
    is_present.flat[solved] = True
    verdicts_each = np.bincount(judged, minlength=is_present.size).reshape(shape)
    # Verified solutions get 0, others 1 and missing ones 2.
    order = np.argsort(np.where(is_present, verdicts_each == 0, 2), axis=1, kind="stable")
    solved_each, verified_each = is_present.sum(axis=1), (verdicts_each > 0).sum(axis=1)
    N, K = int(solved_each.min()), int(verified_each.min())

    def place_column(column: str, empty: Any) -> NDArray[Any]:
        cells = np.full(shape, empty, dtype=object)
        cells.flat[solved] = solutions[column].to_numpy(object)
        return np.take_along_axis(cells, order, axis=1)[:, :N]

    counts = np.take_along_axis(verdicts_each, order, axis=1)[:, :K]
    # Only scores without a gap from the first solution on are used.
    scored = np.logical_and.accumulate(place_column("scored", False).astype(bool), axis=1)
    L = int(scored.sum(axis=1).min())
    return PoolArrays(
        answers=place_column("answer", None),
        correct=place_column("correct", False) == True,  # noqa: E712 - None in a failed row
        verdicts=stack_verdicts(verifications["verdict"].to_numpy(float), judged, order, counts) if K else None,
        judged=counts if K and counts.min() < counts.max() else None,
        scores=place_column("score", np.nan)[:, :L].astype(float) if L else None,
        finished=place_column("finish_reason", None)[:, :L] != "length" if L else None,
        notes=describe_unequal_counts(solved_each, verified_each, counts, scored.sum(axis=1)),
    )


def locate_solutions(rows: pd.DataFrame, problems: list[str], width: int) -> NDArray[np.int64]:
    """Return the flat index of each row's solution in an array of shape (problems, width)."""
    problem = pd.Index(problems).get_indexer(pd.Index(rows["problem_id"]))
    return np.asarray(problem * width + rows["solution_id"].to_numpy(np.int64))


def stack_verdicts(
    verdicts: NDArray[np.float64], judged: NDArray[np.int64], order: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return verdicts as an array (P, K, M): those of each solution first, then NaN.

    Args:
        verdicts: (rows,) verdicts.
        judged: (rows,) flat index of each verdict's solution, see `locate_solutions`.
        order: (P, width) order of the solutions, verified ones first.
        counts: (P, K) number of verdicts of each verified solution.
    """
    P, K = counts.shape
    rank = np.argsort(order, axis=1).ravel()[judged]  # position of the row's solution among those of its problem
    problem = judged // order.shape[1]
    line = np.argsort(judged, kind="stable")
    number = np.empty_like(judged)
    number[line] = np.arange(len(judged)) - np.searchsorted(judged[line], judged[line])
    array = np.full((P, K, int(counts.max())), np.nan)
    kept = rank < K
    array[problem[kept], rank[kept], number[kept]] = verdicts[kept]
    return array


def describe_unequal_counts(
    solved: NDArray[np.int64], verified: NDArray[np.int64], counts: NDArray[np.int64], scored: NDArray[np.int64]
) -> list[str]:
    """Return sentences on counts that differ between problems, and on what is used of them."""
    notes = []
    if solved.min() < solved.max():
        notes.append(
            f"Problems have {solved.min():,} to {solved.max():,} solutions; {solved.min():,} of each are used."
        )
    if verified.min() < verified.max():
        used = f"{verified.min():,} of each are used" if verified.min() else "so GenRM is not estimated"
        notes.append(f"{verified.min():,} to {verified.max():,} solutions of a problem were verified; {used}.")
    if scored.min() < min(scored.max(), solved.min()):
        used = f"{scored.min():,} of each are used" if scored.min() else "so bon and prm-weighted are not estimated"
        notes.append(
            f"The first {scored.min():,} to {scored.max():,} solutions of a problem were scored without a gap; {used}."
        )
    if counts.size and counts.min() < counts.max():
        notes.append(
            f"A verified solution has {counts.min():,} to {counts.max():,} verdicts; a V above that uses "
            "all that it has."
        )
    return notes
