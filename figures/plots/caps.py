"""The caps figure: self-consistency under limits on the length of solutions, at equal compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from isocompute.figures.colours import GREY, list_ordered_styles
from isocompute.figures.style import draw_two_panels, finish_axes, prepare_axes, remove_legend
from isocompute.figures.tables import check_table
from isocompute.planner.caps import compare_caps
from isocompute.planner.profile import Profile

CAPS_COLUMNS = (
    "budget", "limit", "cut", "tokens", "S", "accuracy", "low", "high", "gain", "gain_low", "gain_high", "problems"
)  # fmt: skip
LIMIT_LABEL = "limit T on the length of a solution (completion tokens)"
LEAST_TICK_GAP = 0.12
"""The least distance of two numbers below the axis, as a share of its length."""
MOST_BUDGETS = 4
"""The most budgets, which are lines, of the figure."""


def build_caps_table(profile: Profile) -> pd.DataFrame:
    """Return the accuracy of self-consistency under each limit on length, within a few budgets.

    Args:
        profile: the measurements.

    Returns:
        A row for each budget and limit, from `planner.caps.compare_caps`; no rows if the profile holds no caps, holds
        means only, or has one independent problem. ``budget``: compute per problem, in x. ``limit``: T, the last of a
        budget the length of the longest solution, which changes nothing. ``cut``: share of the solutions that are cut.
        ``tokens``: mean completion tokens of a solution. ``S``: number of solutions that the budget pays for.
        ``accuracy``: mean over problems, 0 … 1, and ``low``, ``high``: its 95 % interval. ``gain``: accuracy minus that
        of the last limit, paired over problems, and ``gain_low``, ``gain_high``: its interval; 0 for the last limit.
        ``problems``: number of problems.
    """
    if profile.caps is None or profile.independent_problems < 2:
        return pd.DataFrame(columns=list(CAPS_COLUMNS))
    rows = []
    for budget in list_cap_budgets(profile.caps.solutions[-1]):
        for option in compare_caps(profile, budget).options:
            gain_low, gain_high = option.gain_interval or (0.0, 0.0)
            rows.append(
                (budget, option.limit, option.cut, option.tokens, option.solutions, option.accuracy)
                + (option.interval or (np.nan, np.nan))
                + (option.gain or 0.0, gain_low, gain_high)
            )
    return pd.DataFrame(rows, columns=list(CAPS_COLUMNS[:-1])).assign(problems=profile.problems)


def list_cap_budgets(most: int) -> list[float]:
    """List the budgets of the figure: powers of four from one solution to half of what was measured, at most four.

    With half of it, a limit that halves the cost of a solution is still compared at equal compute.

    >>> list_cap_budgets(256), list_cap_budgets(16), list_cap_budgets(1)
    ([1.0, 4.0, 16.0, 64.0], [1.0, 4.0], [1.0])
    """
    budgets = [4.0**power for power in range(20) if power == 0 or 4.0**power <= most / 2]
    return budgets[-MOST_BUDGETS:]


def draw_caps(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw the caps: (a) `draw_capped_accuracies` and (b) `draw_capped_gains`.

    Args:
        table: table from `build_caps_table`.
        ax: two Axes; None for a new figure with a title.

    Returns:
        The two Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not two Axes.
    """
    check_table(table, CAPS_COLUMNS, "caps")
    title = (
        f"{table['problems'].iloc[0]} problems, SC with solutions cut at T tokens; bands: 95 %, for the largest budget"
    )
    axes = draw_two_panels(table, ax, (draw_capped_accuracies, draw_capped_gains), title)
    remove_legend(axes[1])  # the first panel has the same lines
    return axes


def draw_capped_accuracies(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw accuracy against the limit, a line for each budget, in one Axes."""
    return draw_budget_lines(table, ("accuracy", "low", "high"), "SC at equal compute", "problems solved (%)", ax)


def draw_capped_gains(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the lead over the run's own limit against the limit, a line for each budget, in one Axes."""
    with prepare_axes(ax) as (axes,):
        axes.axhline(0, color=GREY, lw=0.8)
        return draw_budget_lines(
            table, ("gain", "gain_low", "gain_high"), "ahead of the run's own limit", "points", axes
        )


def draw_budget_lines(table: pd.DataFrame, columns: tuple[str, str, str], title: str, label: str, ax: Any) -> Axes:
    """Draw a column against the limit, a line for each budget, with a band for the largest budget.

    Args:
        table: table from `build_caps_table`.
        columns: the value, and the ends of its interval.
        title: title of the panel.
        label: label of the y axis.
        ax: the Axes; None for a new figure.
    """
    check_table(table, CAPS_COLUMNS, "caps")
    value, low, high = columns
    budgets = sorted(set(table["budget"].tolist()))
    with prepare_axes(ax) as (axes,):
        for budget, (shade, style) in zip(budgets, list_ordered_styles(len(budgets)), strict=True):
            line = table[table["budget"] == budget].sort_values("limit")
            axes.plot(line["limit"], 100 * line[value], style, color=shade, label=f"{budget:g}x")
            if budget == budgets[-1]:
                axes.fill_between(line["limit"], 100 * line[low], 100 * line[high], color=shade, alpha=0.15, lw=0)
        finish_axes(axes, title, LIMIT_LABEL)
        axes.xaxis.set_major_locator(FixedLocator(pick_tick_limits(table["limit"].tolist())))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(label)
        axes.legend(title="budget")
    return axes


def pick_tick_limits(limits: Sequence[float]) -> list[float]:
    """Return the limits to write below an axis: from the largest downwards, all that leave room for their numbers.

    >>> pick_tick_limits([290, 360, 440, 490, 640, 768, 290])
    [290, 360, 490, 640, 768]
    """
    low, high = min(limits), max(limits)
    kept: list[float] = []
    for limit in sorted(set(limits), reverse=True):
        if not kept or np.log(kept[-1] / limit) > LEAST_TICK_GAP * np.log(high / low):
            kept.append(limit)
    return kept[::-1]
