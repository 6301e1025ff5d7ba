"""The crossover figure: the budget from which each strategy stays ahead of self-consistency, also by level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.markers import CARETRIGHTBASE
from numpy.typing import NDArray

from isocompute.figures.colours import GREY
from isocompute.figures.plots.frontiers import BUDGET_LABEL
from isocompute.figures.style import draw_two_panels, finish_axes, get_figure, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.planner.findings import derive_findings
from isocompute.planner.profile import Profile
from isocompute.planner.profile.subset import select_problems
from isocompute.planner.strategies.registry import get_strategy_colour

CROSSOVER_COLUMNS = (
    "level", "strategy", "crossover", "low", "high", "plateau_multiple", "probability", "first", "last", "plateau",
    "plateau_low", "plateau_high", "problems",
)  # fmt: skip
ALL_LEVELS = "all"
PLATEAU_KEY = "SC flattens"
NEVER_SHIFT = 1.5
"""Factor beyond the measured range at which a strategy that never overtakes is drawn."""


def build_crossover_table(profile: Profile) -> pd.DataFrame:
    """Return the budget from which each strategy overtakes self-consistency for good, on all problems and by level.

    Args:
        profile: the measurements.

    Returns:
        A row for each level and strategy, from `planner.findings.derive_findings` on the problems of the level; no rows
        if votes were not counted, or if no other strategy has a known cost. ``level``: ``all``, or the difficulty level
        of the problems, where all levels are known and two differ. ``strategy``: its name. ``crossover``: the budget
        from which its accuracy is never below that of self-consistency, each at its best allocation, in x, where a
        solution costs what it costs on average over all problems; inf if there is none within the measured range.
        ``low``, ``high``: its 95 % interval, in which inf means never; NaN for means and for a single problem.
        ``plateau_multiple``: the crossover over ``plateau``.
        ``probability``: that it crosses within the range; NaN likewise. ``first``, ``last``: the measured range, in x.
        ``plateau``: compute at which self-consistency flattens, in x, and ``plateau_low``, ``plateau_high``: its
        interval. ``problems``: number of problems of the level.
    """
    rows = []
    for level, part in list_level_profiles(profile):
        found = derive_findings(part, part.lam)
        plateau = (found.plateau, *(found.plateau_interval or (np.nan, np.nan)))
        for strategy, crossed in found.crossovers.items():
            low, high = crossed.interval or (np.nan, np.nan)
            probability = np.nan if crossed.probability is None else crossed.probability
            measured = float(crossed.budgets[0]), float(crossed.budgets[-1])
            rows.append(
                (level, strategy, crossed.budget, low, high, np.nan, probability, *measured, *plateau, part.problems)
            )
    table = pd.DataFrame(rows, columns=list(CROSSOVER_COLUMNS))
    return table.assign(plateau_multiple=table["crossover"] / table["plateau"])


def list_level_profiles(profile: Profile) -> Iterator[tuple[str, Profile]]:
    """Iterate over the whole profile, and over that of each level where all levels are known and two differ."""
    yield ALL_LEVELS, profile
    levels = profile.strata or []
    for level in sorted(set(levels)):
        yield str(level), select_problems(profile, [at for at, each in enumerate(levels) if each == level])


def draw_crossover(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_] | Axes:
    """Draw the crossovers: (a) `draw_strategy_crossovers`, and (b) `draw_level_crossovers` where levels are known.

    Args:
        table: table from `build_crossover_table`.
        ax: two Axes, or one where levels are unknown; None for a new figure with a title.

    Returns:
        The Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not as many Axes.
    """
    check_table(table, CROSSOVER_COLUMNS, "crossover")
    problems = table.loc[table["level"] == ALL_LEVELS, "problems"].iloc[0]
    known = "bars: 95 %, arrows: or never" if table["low"].notna().any() else "without intervals"
    title = f"{problems} problems, budget from which a strategy stays ahead of SC; {known}"
    if (table["level"] != ALL_LEVELS).any():
        return draw_two_panels(table, ax, (draw_strategy_crossovers, draw_level_crossovers), title)
    with prepare_axes(ax) as (axes,):
        draw_strategy_crossovers(table, axes)
        if ax is None:
            get_figure(axes).suptitle(title)
    return axes


def draw_strategy_crossovers(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the crossover of each strategy on all problems, with the plateau of self-consistency, in one Axes."""
    check_table(table, CROSSOVER_COLUMNS, "crossover")
    own = table[table["level"] == ALL_LEVELS].reset_index(drop=True)
    with prepare_axes(ax) as (axes,):
        first = own.iloc[0]
        if not np.isnan(first["plateau_low"]):
            axes.axvspan(first["plateau_low"], first["plateau_high"], color=GREY, alpha=0.12, lw=0)
        axes.axvline(first["plateau"], color=GREY, ls="--", lw=1, label=PLATEAU_KEY)
        title = f"all problems; SC flattens at {first['plateau']:.3g}x"
        _draw_rows(axes, own, [str(name) for name in own["strategy"]], title)
    return axes


def draw_level_crossovers(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the crossover of one strategy on the problems of each level, in one Axes: of GenRM, or else of the first."""
    check_table(table, CROSSOVER_COLUMNS, "crossover")
    names = table["strategy"].tolist()
    main = "genrm" if "genrm" in names else names[0]
    own = table[(table["strategy"] == main) & (table["level"] != ALL_LEVELS)].reset_index(drop=True)
    with prepare_axes(ax) as (axes,):
        labels = [f"{level} ({count})" for level, count in zip(own["level"], own["problems"], strict=True)]
        places = -np.arange(len(own)) + 0.28
        axes.hlines(places, own["plateau_low"], own["plateau_high"], color=GREY, lw=0.8)
        axes.plot(own["plateau"], places, "|", color=GREY, ms=7, label=PLATEAU_KEY)
        _draw_rows(axes, own, labels, f"{main}, by level")
        axes.set_ylabel("level (problems)")
    return axes


def _draw_rows(axes: Axes, rows: pd.DataFrame, labels: list[str], title: str) -> None:
    """Draw a line for each row: a dot at its crossover, or a hollow one beyond the end of the range if never.

    The measured range is a thin line. An interval that reaches to never ends in an arrow at the end of the range.
    """
    for at, row in enumerate(rows.to_dict("records")):
        y, colour = -at, get_strategy_colour(row["strategy"])
        axes.plot([row["first"], row["last"]], [y, y], color=GREY, lw=0.5, alpha=0.6)
        if row["low"] < row["last"]:
            axes.plot([row["low"], min(row["high"], row["last"])], [y, y], color=colour, lw=2.2, solid_capstyle="butt")
        if np.isinf(row["high"]):
            axes.plot(row["last"], y, ls="", marker=CARETRIGHTBASE, color=colour)
        if np.isinf(row["crossover"]):
            axes.plot(row["last"] * NEVER_SHIFT, y, "o", color=colour, mfc="none")
        else:
            axes.plot(row["crossover"], y, "o", color=colour)
    axes.plot([], [], "o", color=GREY, label="ahead from here on")  # the same key for both panels
    axes.plot([], [], "o", color=GREY, mfc="none", label="never in the measured range")
    axes.set_xlim(min(rows["first"].min(), 1.0) / 1.2, rows["last"].max() * NEVER_SHIFT * 1.2)
    finish_axes(axes, title, BUDGET_LABEL)
    axes.set_yticks(-np.arange(len(rows)), labels)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.legend()
