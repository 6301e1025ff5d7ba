"""From the first solutions of a run and their scores to arrays: the pool that a scorer selects in and weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits import Pool, Work, best_of_n, finished_first, weighted
from isocompute.fits.estimators.monte_carlo import Estimate
from isocompute.planner.estimate.compute_accounting import Sizes, priced, scoring
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.scorers.aggregate import aggregate
from isocompute.runners.storage.provenance import Imported
from isocompute.runners.storage.schema import SCORES, SCORING

SCORED = [*SCORES.key_names, "step_scores", *(column.name for column in SCORING), "status"]


@dataclass(frozen=True, eq=False)
class Scored:
    """P problems, the first K solutions of each with a score.

    Args:
        scores: (P, K) what the steps' scores come to, in [0, 1]; NaN of a solution without a single step.
        finished: (P, K) whether a solution is complete; the token limit cut the others.
        rhos: ρ, what scoring a solution costs in solutions, by way of counting; None where unknown.
    """

    scores: NDArray[np.float64]
    finished: NDArray[np.bool_]
    rhos: dict[str, float | None]

    @property
    def size(self) -> int:
        """K."""
        return int(self.scores.shape[1])

    def bon(self, pool: Pool, S: list[int]) -> NDArray[np.float64]:
        """Return what the best score of S solutions reaches, (P, nS), exactly.

        As a search selects with the rule ``vanilla``: a solution that was cut only where all were, one without a score
        last, one whose answer cannot be read like any other; ties uniform.
        """
        return best_of_n(finished_first(self.scores, self.finished), pool.correct[:, : self.size], S)

    def vote(self, pool: Pool, S: list[int], draws: int, seed: int) -> Estimate:
        """Return what a vote over S solutions reaches in which each counts as its score, by drawing.

        Who votes is who votes in self-consistency: each solution whose answer can be read. One without a score adds
        nothing to its answer.
        """
        fixed = Pool(pool.answers[:, : self.size], pool.gold, self.scores[:, :, None])
        return weighted(fixed, S, [1], draws, seed)


def scored_pool(
    origin: Sweep | Imported, solutions: pd.DataFrame, scores: pd.DataFrame, solution: Work, known: Sizes
) -> Scored:
    """Lay scores out by problem and solution.

    Args:
        origin: the sweep.
        solutions: rows in the order of their keys, of the problems that have a place.
        scores: likewise, of each problem's first K solutions; all are ok.
        solution: what generating one takes.
        known: the models' sizes.

    Raises:
        DataError: a score outside [0, 1].
    """
    assert isinstance(origin, Sweep), "an import has no scores"
    assert origin.scorer is not None, "without a scorer there are no scores"
    first = solutions[solutions["solution_id"] < origin.scored]
    shape = (len(scores) // origin.scored, origin.scored)
    values = np.array([aggregate(steps, origin.scorer.aggregate) for steps in scores["step_scores"]])
    if ((values < 0) | (values > 1)).any():
        wrong = scores.iloc[int(((values < 0) | (values > 1)).argmax())]
        key = (wrong["problem_id"], int(wrong["solution_id"]))
        raise DataError(f"{origin.run}/scores: the scores of {key} are outside 0 … 1.")
    work = scoring(scores, first["completion_tokens"], known, origin.scorer.kind == "verdicts")
    return Scored(
        scores=values.reshape(shape),
        finished=(first["finish_reason"] != "length").to_numpy().reshape(shape),
        rhos=priced([work], solution),
    )
