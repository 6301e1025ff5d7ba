"""Aggregation of step scores into one score for a solution."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from isocompute.errors import DataError

AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda scores: scores[-1],
    "min": min,
    "prod": math.prod,
    "mean": fmean,
}
"""The aggregates by name: the last step's score, the lowest, the product, the mean."""

AGGREGATE_PHRASES = {
    "last": "that of its last step",
    "min": "that of its worst step",
    "prod": "the product of its steps' scores",
    "mean": "the mean of its steps' scores",
}
"""The aggregates in words."""


def aggregate_scores(scores: Sequence[float], how: str) -> float:
    """Return one score for all steps.

    NaN marks a blank step and is skipped, so ``last`` is the last step that is not blank. The result is NaN if no score
    is left.

    ``last`` was the best of last, min and prod in Snell et al. 2024 (arXiv 2408.03314, section 5); ``min`` and ``prod``
    are those of Lightman et al. 2023 (arXiv 2305.20050, appendix F).

    Args:
        scores: step scores, first to last, in [0, 1] or NaN.
        how: ``last``, ``min``, ``prod`` or ``mean``.

    Raises:
        DataError: ``how`` is unknown.

    >>> [aggregate_scores([0.5, 0.8, float("nan")], how) for how in AGGREGATES]
    [0.8, 0.5, 0.4, 0.65]
    >>> aggregate_scores([], "min")
    nan
    """
    if how not in AGGREGATES:
        raise DataError(f"Scores cannot be aggregated by '{how}'; there are: {', '.join(AGGREGATES)}.")
    known = [score for score in scores if not math.isnan(score)]
    return float(AGGREGATES[how](known)) if known else math.nan
