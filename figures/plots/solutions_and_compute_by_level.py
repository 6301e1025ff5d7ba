"""Success at equal compute on each level of difficulty: one panel a level, as Figure 1b of Singhi et al. for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from isocompute.figures.layout import StyledFigure
from isocompute.figures.plots.solutions_and_compute import (
    COMPUTE_LABEL,
    SOLUTIONS_AND_COMPUTE_COLUMNS,
    build_lines_table,
    draw_lines,
)
from isocompute.figures.style import get_figure, prepare_axes, remove_legend
from isocompute.figures.tables import check_table
from isocompute.planner.profile import Profile

SOLUTIONS_AND_COMPUTE_BY_LEVEL_COLUMNS = ("level", *SOLUTIONS_AND_COMPUTE_COLUMNS)
MOST_COLUMNS = 3
"""The most panels side by side."""


def build_solutions_and_compute_by_level_table(profile: Profile) -> pd.DataFrame:
    """Return the points of self-consistency and of a generative verifier on the problems of each level.

    Args:
        profile: the measurements.

    Returns:
        The rows of `build_solutions_and_compute_table` for each ``level``, 1 the easiest. No rows if a level is unknown
        or all are the same, or if there are no verifications or their cost is unknown.
    """
    if profile.strata is None or profile.genrm is None or profile.lam is None:
        return pd.DataFrame(columns=list(SOLUTIONS_AND_COMPUTE_BY_LEVEL_COLUMNS))
    levels = np.array(profile.strata)
    parts = [build_lines_table(profile, levels == level).assign(level=level) for level in np.unique(levels)]
    return pd.concat(parts, ignore_index=True)[list(SOLUTIONS_AND_COMPUTE_BY_LEVEL_COLUMNS)]


def draw_solutions_and_compute_by_level(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw success against compute on each level, with bands for SC and the V that is best on the level.

    Args:
        table: table from `build_solutions_and_compute_by_level_table`.
        ax: an Axes for each level; None for a new figure with a title.

    Returns:
        The Axes, one for each level.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` has another number of Axes.
    """
    check_table(table, SOLUTIONS_AND_COMPUTE_BY_LEVEL_COLUMNS, "solutions_and_compute_by_level")
    levels = sorted(set(table["level"].tolist()))
    with prepare_axes(ax, len(levels), columns=min(len(levels), MOST_COLUMNS)) as axes:
        for each, level in zip(axes, levels, strict=True):
            own = table[table["level"] == level]
            title = f"level {level}, {own['problems'].iloc[0]} problems"
            draw_lines(own, "compute", title, COMPUTE_LABEL, each)
        if ax is None:
            figure = get_figure(axes[0])
            keep_outer_labels(axes, figure.columns if isinstance(figure, StyledFigure) else len(axes))
            figure.suptitle("level 1 the easiest; bands: 95 % over problems, for SC and the level's best V")
        else:
            for each in axes[:-1]:  # the last panel has the same lines
                remove_legend(each)
    return np.array(axes)


def keep_outer_labels(axes: list[Axes], columns: int) -> None:
    """Keep the x labels of the lowest panel of each column, and the y labels of the first of each row."""
    for place, each in enumerate(axes):
        if place + columns < len(axes):
            each.set_xlabel("")
        if place % columns:
            each.set_ylabel("")
