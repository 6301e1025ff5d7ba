"""The models figure: the best accuracy of several models within each budget, at equal cost, and their leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, LogLocator
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.figures.colours import list_line_styles
from isocompute.figures.style import draw_two_panels, finish_axes, prepare_axes, remove_legend
from isocompute.figures.tables import check_table
from isocompute.planner.models.frontier import compute_model_frontier
from isocompute.planner.profile import Profile

MODELS_COLUMNS = (
    "model", "budget", "strategy", "settings", "cost", "accuracy", "low", "high", "lead", "lead_low", "lead_high",
    "cheapest", "unit", "problems",
)  # fmt: skip


def build_models_table(profiles: Sequence[Profile]) -> pd.DataFrame:
    """Return the best accuracy of each model, and of each cascade of two, within each budget.

    Args:
        profiles: the profiles of the models, measured on the same problems.

    Returns:
        A row for each model or cascade and each budget that pays for it, from `planner.models.frontier`; no rows for
        fewer than two profiles, if they hold means only or share fewer than two problems, or if a cost is unknown.
        ``model``: its name. ``budget``: per problem, in the unit; doublings of the cheapest solution. ``strategy``,
        ``settings``: the allocation with the highest expected accuracy within the budget. ``cost``: its mean cost per
        problem, in the unit. ``accuracy``: expected on new problems, 0 … 1, and ``low``, ``high``: its 95 % interval.
        ``lead``: accuracy minus that of the cheapest model, and ``lead_low``, ``lead_high``: its paired interval; 0 for
        the cheapest itself. ``cheapest``: that model. ``unit``: FLOPs, or tokens for profiles of one model.
        ``problems``: number of shared problems.
    """
    empty = pd.DataFrame(columns=list(MODELS_COLUMNS))
    if len(profiles) < 2:
        return empty
    try:
        found = compute_model_frontier(profiles)
    except DataError:  # the models cannot be compared
        return empty
    rows = []
    for point in found.points:
        each = point.candidate
        lead = (point.lead or 0.0, *(point.lead_interval or (0.0, 0.0)))
        rows.append(
            (each.model, point.budget, each.strategy, each.settings, each.cost, each.accuracy, *point.interval, *lead)
        )
    table = pd.DataFrame(rows, columns=list(MODELS_COLUMNS[:11]))
    table = table.assign(cheapest=found.cheapest, unit=found.unit, problems=found.problems)
    order = [*found.models, *(name for name in dict.fromkeys(table["model"]) if name not in found.models)]
    return table.sort_values("model", key=lambda column: column.map(order.index), kind="stable", ignore_index=True)


def draw_models(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw the models: (a) `draw_model_accuracies` and (b) `draw_model_leads`.

    Args:
        table: table from `build_models_table`.
        ax: two Axes; None for a new figure with a title.

    Returns:
        The two Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not two Axes.
    """
    check_table(table, MODELS_COLUMNS, "models")
    title = f"{table['problems'].iloc[0]} shared problems, the best of each model within each budget, bands: 95 %"
    axes = draw_two_panels(table, ax, (draw_model_accuracies, draw_model_leads), title)
    remove_legend(axes[1])  # the first panel has the same lines
    return axes


def draw_model_accuracies(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw each model's expected accuracy against the budget, with its interval, in one Axes."""
    return _draw_lines(table, ("accuracy", "low", "high"), "expected on new problems", "problems solved (%)", ax)


def draw_model_leads(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw each model's lead over the cheapest one against the budget, with its paired interval, in one Axes."""
    check_table(table, MODELS_COLUMNS, "models")
    title = f"ahead of {table['cheapest'].iloc[0]}"
    return _draw_lines(table, ("lead", "lead_low", "lead_high"), title, "points", ax)


def _draw_lines(table: pd.DataFrame, columns: tuple[str, str, str], title: str, label: str, ax: Any) -> Axes:
    """Draw a column against the budget, a line with a band for each model."""
    check_table(table, MODELS_COLUMNS, "models")
    value, low, high = columns
    names = list(dict.fromkeys(table["model"]))
    with prepare_axes(ax) as (axes,):
        for name, style in zip(names, list_line_styles(len(names)), strict=True):
            line = table[table["model"] == name].sort_values("budget")
            axes.plot(line["budget"], 100 * line[value], style.format, color=style.colour, lw=1.2, label=name)
            axes.fill_between(line["budget"], 100 * line[low], 100 * line[high], color=style.colour, alpha=0.12, lw=0)
        finish_axes(axes, title, f"budget per problem ({table['unit'].iloc[0]})")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=8))
        axes.xaxis.set_major_formatter(LogFormatterSciNotation())
        axes.set_ylabel(label)
        axes.legend()
    return axes
