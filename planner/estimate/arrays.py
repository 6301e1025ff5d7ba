"""Conversion of solution and verification rows to the arrays of a pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.fits.verdict_codes import VerdictCodes, VerdictTallies
from isocompute.planner.estimate.judged_rows import JudgedRows
from isocompute.planner.estimate.places import assign_places, choose_pool_shape


@dataclass(frozen=True, eq=False)
class PoolArrays:
    """Arrays of P problems with N solutions each, of which the first K were verified, at most M times.

    Args:
        problems: ids of the problems.
        rows: (P, N) position of each solution's row among the given ones.
        answers: (P, N) answer texts, None where unparsed.
        correct: (P, N) whether each solution is right.
        verdicts: (P, K, M) codes, unparsed beyond a solution's last verdict, or their numbers; None if K is 0.
        judged: (P, K) number of verdicts of each solution; None if K is 0 or all numbers are equal.
        scores: (P, L) reward scores of the first L solutions, NaN for a solution without a step; None if L is 0.
        finished: (P, L) whether these solutions are complete; None if L is 0.
        short: problems that are left out, with what they have too few of, such as ``1 of 8 solutions``.
        notes: sentences on unequal counts.
    """

    problems: list[str]
    rows: NDArray[np.int64]
    answers: NDArray[Any]
    correct: NDArray[np.bool_]
    verdicts: VerdictCodes | VerdictTallies | None
    judged: NDArray[np.int64] | None
    scores: NDArray[np.float64] | None
    finished: NDArray[np.bool_] | None
    short: dict[str, str]
    notes: list[str]


def build_pool_arrays(
    solutions: pd.DataFrame, verifications: JudgedRows, problems: list[str], fewest: bool = False
) -> PoolArrays:
    """Arrange rows in arrays by problem, solution and verification.

    Verified and scored solutions come first; otherwise solutions stay in the order of their ids. Where problems have
    different numbers of rows, `choose_pool_shape` decides which are used, and `assign_places` fills what is missing.

    Args:
        solutions: columns problem_id, solution_id, answer, correct, finish_reason, score and scored, sorted by key,
            with at least one row per problem.
        verifications: the verifications; each one's solution must exist.
        problems: ids of the problems to include, in order; rows of other problems are ignored.
        fewest: leave out no problem for its number of solutions, and use as many of each as the one with the fewest.
    """
    is_used = solutions["problem_id"].isin(problems).to_numpy()
    solutions = solutions[is_used]
    width = int(solutions["solution_id"].max()) + 1
    solved = locate_solutions(solutions, problems, width)

    def place_column(column: str, empty: Any) -> NDArray[Any]:
        cells = np.full((len(problems), width), empty, dtype=object)
        cells.flat[solved] = solutions[column].to_numpy(object)
        return cells

    scored = place_column("scored", False).astype(bool)
    rows = np.full(scored.shape, -1)
    rows.flat[solved] = np.flatnonzero(is_used)
    present = rows >= 0
    counts = verifications.count_verdicts(problems, width)
    shape = choose_pool_shape(present, counts > 0, scored, fewest)
    kept = [i for i in range(len(problems)) if i not in shape.short]
    names = [problems[i] for i in kept]
    places, again = assign_places(present[kept], counts[kept] > 0, scored[kept], shape)
    N, K, L = shape.solutions, shape.verified, shape.scored

    def take(cells: NDArray[Any], size: int) -> NDArray[Any]:
        return np.asarray(cells[np.array(kept, dtype=np.int64)[:, None], places[:, :size]])

    verdict_counts = take(counts, K)
    solved_each, verified_each, scored_each = (mask.sum(axis=1) for mask in (present, counts > 0, scored))
    return PoolArrays(
        problems=names,
        rows=take(rows, N),
        answers=take(place_column("answer", None), N),
        correct=take(place_column("correct", False), N) == True,  # noqa: E712 - None where it is unknown
        verdicts=verifications.take_verdicts(names, places[:, :K]) if K else None,
        judged=verdict_counts if K and verdict_counts.min() < verdict_counts.max() else None,
        scores=take(place_column("score", np.nan), L).astype(float) if L else None,
        finished=take(place_column("finish_reason", None), L) != "length" if L else None,
        short={problems[i]: reason for i, reason in shape.short.items()},
        notes=describe_unequal_counts(solved_each, verified_each, scored_each, (N, K, L), verdict_counts, again),
    )


def locate_solutions(rows: pd.DataFrame, problems: list[str], width: int) -> NDArray[np.int64]:
    """Return the flat index of each row's solution in an array of shape (problems, width)."""
    problem = pd.Index(problems).get_indexer(pd.Index(rows["problem_id"]))
    return np.asarray(problem * width + rows["solution_id"].to_numpy(np.int64))


def describe_unequal_counts(
    solved: NDArray[np.int64],
    verified: NDArray[np.int64],
    scored: NDArray[np.int64],
    sizes: tuple[int, int, int],
    counts: NDArray[np.int64],
    again: NDArray[np.int64],
) -> list[str]:
    """Return sentences on counts that differ between problems, and on what is used of them.

    Args:
        solved: (P,) number of solutions of each problem.
        verified: (P,) number of verified ones.
        scored: (P,) number of scored ones.
        sizes: N, K and L.
        counts: number of verdicts of each verified solution in the pool.
        again: number of places of each problem in the pool that hold a solution again.
    """
    notes = []
    for each, size, done, unknown in (
        (solved, sizes[0], "", ""),
        (verified, sizes[1], " were verified", "so GenRM is not estimated"),
        (scored, sizes[2], " were scored", "so bon and prm-weighted are not estimated"),
    ):
        if each.min() < each.max():
            used = f"{size:,} of each are used" if size else unknown
            numbers = f"{each.min():,} to {each.max():,} solutions"
            notes.append(f"{numbers} of a problem{done}; {used}." if done else f"Problems have {numbers}; {used}.")
    if again.any():
        places, problems = f"{again.sum():,} of {len(again) * sizes[0]:,}", int((again > 0).sum())
        notes.append(
            f"{places} solutions are missing, in {problems:,} of {len(again):,} problems; others of the same problem "
            "take their places, as if they were missing at random."
        )
    if counts.size and counts.min() < counts.max():
        notes.append(
            f"A verified solution has {counts.min():,} to {counts.max():,} verdicts; a V above that uses "
            "all that it has."
        )
    return notes
