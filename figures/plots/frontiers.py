"""The frontiers figure: each strategy's expected accuracy within each budget, and its lead over self-consistency."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from isocompute.figures.style import draw_two_panels, finish_axes, prepare_axes, remove_legend
from isocompute.figures.tables import check_table
from isocompute.planner.compare import compute_frontier
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_strategy_options
from isocompute.planner.strategies.registry import get_line_style, get_strategy_colour

FRONTIERS_COLUMNS = (
    "strategy",
    "budget",
    "accuracy",
    "low",
    "high",
    "lead",
    "lead_low",
    "lead_high",
    "interpolated",
    "problems",
)
BUDGET_LABEL = "budget C per problem, in solutions' worth (x)"
MOST_SHIFT = 0.2
"""The most by which a line is moved along x, in octaves."""


def build_frontiers_table(profile: Profile) -> pd.DataFrame:
    """Return the accuracy of each strategy within each budget, and its lead over self-consistency.

    Args:
        profile: the measurements.

    Returns:
        A row for each strategy and each budget that pays for it, from `planner.compare.compute_frontier`; no rows if
        fewer than two strategies have a known cost, if the profile holds means only, or if it has one independent
        problem. ``strategy``: its name. ``budget``: compute per problem, in x. ``accuracy``: expected on
        new problems, 0 … 1, and ``low``, ``high``: its 95 % interval. ``lead``: accuracy minus that of sc, and
        ``lead_low``, ``lead_high``: its interval; NaN where sc is unknown because votes were not counted.
        ``interpolated``: whether it is a size of a search that was not run. ``problems``: number of problems.
    """
    names = [options.strategy for options in list_strategy_options(profile, profile.lam)]
    if len(names) < 2 or profile.independent_problems < 2:
        return pd.DataFrame(columns=list(FRONTIERS_COLUMNS))
    rows = []
    for budget, comparison in compute_frontier(profile):
        for option in sorted(comparison.options, key=lambda option: names.index(option.strategy)):
            low, high = option.interval or (np.nan, np.nan)
            lead_low, lead_high = option.lead_interval or (np.nan, np.nan)
            lead = (option.lead, lead_low, lead_high)
            rows.append((option.strategy, budget, option.accuracy, low, high, *lead, option.interpolated))
    table = pd.DataFrame(rows, columns=list(FRONTIERS_COLUMNS[:-1])).assign(problems=profile.problems)
    table = table.sort_values("strategy", key=lambda column: column.map(names.index), kind="stable", ignore_index=True)
    if not profile.has_votes:  # self-consistency is unknown from two solutions on, and so is a lead over it
        table = table[(table["strategy"] != "sc") | (table["budget"] < 2)].reset_index(drop=True)
        table.loc[table["budget"] >= 2, ["lead", "lead_low", "lead_high"]] = np.nan
    return table


def draw_frontiers(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw the frontiers: (a) `draw_strategy_accuracies` and (b) `draw_lead`.

    Args:
        table: table from `build_frontiers_table`.
        ax: two Axes; None for a new figure with a title.

    Returns:
        The two Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not two Axes.
    """
    check_table(table, FRONTIERS_COLUMNS, "frontiers")
    title = f"{table['problems'].iloc[0]} problems, expected accuracies on new ones"
    title += "; without a marker: not run, interpolated" if table["interpolated"].any() else ""
    axes = draw_two_panels(table, ax, (draw_strategy_accuracies, draw_lead), title)
    remove_legend(axes[1])  # the first panel has the same lines
    return axes


def draw_strategy_accuracies(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw each strategy's accuracy against the budget, in one Axes; a size that was not run has no marker.

    It has no intervals: those of accuracies overlap even where a lead is settled, which `draw_lead` shows.
    """
    check_table(table, FRONTIERS_COLUMNS, "frontiers")
    with prepare_axes(ax) as (axes,):
        for strategy, points in group_points_by_strategy(table):
            draw_strategy_line(axes, strategy, points, "accuracy")
        finish_axes(axes, "each strategy at its best", BUDGET_LABEL)
        axes.set_ylabel("problems solved (%)")
        axes.legend()
    return axes


def draw_lead(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw each strategy's lead over self-consistency against the budget, with its paired interval, in one Axes.

    The strategies stand a little apart along x, so that their intervals do not hide each other. A size that was not run
    has no marker.
    """
    check_table(table, FRONTIERS_COLUMNS, "frontiers")
    ahead = [(name, points) for name, points in group_points_by_strategy(table) if name != "sc"]
    with prepare_axes(ax) as (axes,):
        axes.axhline(0, color=get_strategy_colour("sc"), lw=1.6)
        for (strategy, points), shift in zip(ahead, list_shifts(len(ahead)), strict=True):
            shifted = points.assign(budget=points["budget"] * shift)
            draw_strategy_line(axes, strategy, shifted, "lead")
            low, high = 100 * shifted["lead_low"], 100 * shifted["lead_high"]
            axes.vlines(shifted["budget"], low, high, color=get_strategy_colour(strategy), lw=0.9)
        leads = table.loc[table["strategy"] != "sc", "lead"]
        if len(leads) and leads.isna().all():
            axes.set_xlim(table["budget"].min() / 2, 2 * table["budget"].max())
            axes.text(0.5, 0.6, "unknown: votes were not counted", transform=axes.transAxes, ha="center")
        finish_axes(axes, "lead over SC, paired 95 % intervals", BUDGET_LABEL)
        axes.set_ylabel("points")
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    return axes


def draw_strategy_line(axes: Axes, strategy: str, points: pd.DataFrame, column: str) -> None:
    """Draw a column of a strategy's points, in points, against the budget."""
    axes.plot(
        points["budget"],
        100 * points[column],
        get_line_style(strategy),
        color=get_strategy_colour(strategy),
        label=strategy,
        markevery=list_run_points(points),
    )


def list_shifts(count: int) -> list[float]:
    """Return factors that move lines apart along a log2 axis, by at most a fifth of an octave to each side.

    >>> [round(shift, 2) for shift in list_shifts(3)]
    [0.87, 1.0, 1.15]
    """
    return (
        [float(2.0**octaves) for octaves in np.linspace(-MOST_SHIFT, MOST_SHIFT, count)] if count > 1 else [1.0] * count
    )


def list_run_points(points: pd.DataFrame) -> list[int]:
    """Return the places of the points that were run, or follow from sampled solutions, and so get a marker."""
    return [int(at) for at in np.flatnonzero(~points["interpolated"].to_numpy(dtype=bool))]


def group_points_by_strategy(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the strategies in the order of the table, each with its points sorted by budget."""
    return [(str(name), line.sort_values("budget")) for name, line in table.groupby("strategy", sort=False)]
