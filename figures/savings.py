"""The number of solutions with which weighted Best-of-N is as accurate as a search, or as a choice by level."""

from __future__ import annotations

import numpy as np
import pandas as pd

from isocompute.figures.plots.search_by_n import BEST_BY_LEVEL, list_method_points, score_best_by_level
from isocompute.fits.arrays import Floats
from isocompute.fits.bootstrap import draw_bootstrap_weights
from isocompute.planner.profile import Profile

BASELINE = "prm-weighted"
SAVINGS_COLUMNS = ("method", "N", "equal_N", "low", "high")
SAVINGS_REPLICATES = 1000
SAVINGS_SEED = 20240806


def build_savings_table(profile: Profile) -> pd.DataFrame:
    """Return the N at which weighted Best-of-N reaches the accuracy of beam search and of a choice by difficulty.

    Args:
        profile: a profile with searches and a reward model.

    Returns:
        A row for each method and each N at which it was run; no rows without them. ``method``: beam+weighted, or
        "best for each level", the best of weighted Best-of-N and the searches on other problems of the level.
        ``equal_N``: interpolated in log N, within what was measured. ``low``, ``high``: its 95 % bootstrap interval
        over problems, paired.
    """
    chosen = {BASELINE, *(name for name in profile.searches if name.endswith("+weighted"))}
    points = [point for point in list_method_points(profile) if point[1] in chosen]
    baseline = {point[2]: point[4] for point in points if point[1] == BASELINE}
    if not baseline or profile.independent_problems < 2:
        return pd.DataFrame(columns=list(SAVINGS_COLUMNS))
    numbers, curve = np.array(sorted(baseline)), np.stack([baseline[N] for N in sorted(baseline)], axis=1)
    levels = np.ones(profile.problems, dtype=np.int64) if profile.strata is None else np.array(profile.strata)
    clusters = None if profile.clusters is None else np.array(profile.clusters)
    weights = draw_bootstrap_weights(
        profile.problems, SAVINGS_REPLICATES, SAVINGS_SEED, profile.strata, profile.clusters
    )
    scored: list[tuple[str, int, Floats]] = [(point[0], point[2], point[4]) for point in points if "beam" in point[0]]
    for N in sorted({point[2] for point in points if point[1] != BASELINE}):
        measured = {point[0]: point[4] for point in points if point[2] == N}
        scored.append((BEST_BY_LEVEL, N, score_best_by_level(measured, levels, clusters)[0]))
    rows = []
    for method, N, accuracy in scored:
        equal = find_equal_number(numbers, curve.mean(axis=0), accuracy.mean())
        drawn = [find_equal_number(numbers, each @ curve, each @ accuracy) for each in weights]
        rows.append((method, N, equal, *np.quantile(drawn, (0.025, 0.975))))
    return pd.DataFrame(rows, columns=list(SAVINGS_COLUMNS))


def find_equal_number(numbers: Floats, curve: Floats, accuracy: float) -> float:
    """Return the N at which a curve first reaches an accuracy, interpolated in log N; its ends beyond what it has.

    >>> round(find_equal_number(np.array([1, 4, 16]), np.array([0.2, 0.4, 0.5]), 0.3), 3)
    2.0
    """
    best = np.maximum.accumulate(curve)
    if accuracy <= best[0]:
        return float(numbers[0])
    at = int(np.searchsorted(best, accuracy))
    if at == len(best):
        return float(numbers[-1])
    share = (accuracy - best[at - 1]) / (best[at] - best[at - 1])
    return float(numbers[at - 1] * (numbers[at] / numbers[at - 1]) ** share)
