"""Points with their intervals as bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes


def draw_intervals(
    axes: Axes, x: Any, rows: pd.DataFrame, style: str, colour: str, label: str, scale: float = 1
) -> None:
    """Draw values as a line or as points, with their intervals as bars; a value whose interval is unknown has none.

    Args:
        axes: the Axes.
        x: (n,) the places of the points.
        rows: n rows with value, low and high.
        style: matplotlib's format string of the line.
        colour: its colour.
        label: its label in the legend.
        scale: a factor on the values, such as 100 for percent.
    """
    value, low, high = (scale * rows[name].to_numpy(float) for name in ("value", "low", "high"))
    reach = np.maximum(np.nan_to_num([value - low, high - value]), 0)  # below 0 by a rounding error
    axes.errorbar(
        np.asarray(x, dtype=float),
        value,
        yerr=reach,
        fmt=style,
        color=colour,
        ecolor=colour,
        label=label,
        elinewidth=0.8,
    )
