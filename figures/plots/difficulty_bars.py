"""The figure of methods by difficulty: their accuracies side by side on each level, by each way of telling it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from isocompute.figures.colours import GREY, raise_contrast
from isocompute.figures.intervals import draw_intervals
from isocompute.figures.look import get_look
from isocompute.figures.style import get_figure, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.planner.difficulty_study import DifficultyStudy
from isocompute.planner.strategies.registry import get_strategy_colour

DIFFICULTY_BARS_COLUMNS = (
    "difficulty", "in_practice", "level", "budget", "strategy", "accuracy", "low", "high", "problems"
)  # fmt: skip
CHOSEN = "chosen by level"
"""The name in place of a strategy where the best one of the level is taken."""
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")
"""Patterns of the bars, which tell strategies apart beside colours."""
MOST_STRATEGIES = len(HATCHES)
"""The most strategies whose bars are drawn side by side."""


def build_difficulty_bars_table(studies: Sequence[DifficultyStudy]) -> pd.DataFrame:
    """Return the accuracy of each strategy on each level of difficulty within each budget.

    As in Snell et al. 2024 (arXiv 2408.03314, figures 3 and 7), for each kind of difficulty that was studied.

    Args:
        studies: studies of the same problems.

    Returns:
        A row for each kind, level, budget and strategy that the budget pays for; no rows without a study.
        ``difficulty``: the kind, one of `planner.difficulty_study.DIFFICULTY_KINDS`. ``in_practice``: whether the level
        can be found without the gold answer. ``level``: 1 the easiest. ``budget``: compute per problem, in x, with the
        cost of finding the level. ``strategy``: its name; or "chosen by level", the strategy that is best on the level.
        ``accuracy``: mean over problems, 0 … 1, each scored under the allocation, or the strategy, that is best on
        other problems of the level; ``low``, ``high``: its 95 % interval. ``problems``: number of problems; where
        levels are estimated, a mean over the draws.
    """
    rows: list[tuple[Any, ...]] = []
    for study in studies:
        for level in study.policy.levels:
            problems = level.problem_share * study.problems
            for strategy, reached in {**level.by_strategy, CHOSEN: level.by_difficulty}.items():
                rows += [
                    (study.kind, study.in_practice, level.level, budget, strategy, *values, problems)
                    for budget, *values in zip(
                        study.policy.budgets, reached.accuracy, reached.low, reached.high, strict=True
                    )
                    if not np.isnan(values[0])
                ]
    return pd.DataFrame(rows, columns=list(DIFFICULTY_BARS_COLUMNS))


def draw_difficulty_bars(
    table: pd.DataFrame, ax: Any = None, budgets: Sequence[float] | None = None
) -> NDArray[np.object_]:
    """Draw the accuracies of strategies side by side on each level: a row of panels for each kind of difficulty.

    At most six strategies are drawn, self-consistency among them: those with the highest mean accuracy over the levels
    and budgets that are drawn. The line across the bars of a level is the strategy chosen by level.

    Args:
        table: table from `build_difficulty_bars_table`.
        ax: an Axes for each kind and budget, or one to divide; None for a new figure with a title.
        budgets: the budgets, a panel for each; the highest one and, at the width of a page, one in the middle.

    Returns:
        The Axes, kind by kind.

    Raises:
        DataError: a column is missing, there are no rows at these budgets, or ``ax`` does not fit.
    """
    check_table(table, DIFFICULTY_BARS_COLUMNS, "difficulty_bars")
    drawn = list_common_budgets(table) if budgets is None else list(budgets)
    table = table[table["budget"].isin(drawn)]
    check_table(table, DIFFICULTY_BARS_COLUMNS, f"difficulty_bars at {', '.join(f'{x:g}x' for x in drawn)}")
    strategies = select_strategies(table)
    panels = [(kind, budget) for kind in dict.fromkeys(table["difficulty"]) for budget in drawn]
    beside = len(drawn) if len(drawn) > 1 else 3 if get_look().is_slide else 2
    with prepare_axes(ax, len(panels), columns=min(beside, len(panels)), sharey=True) as grid:
        for axes, (kind, budget) in zip(grid, panels, strict=True):
            part = table[(table["difficulty"] == kind) & (table["budget"] == budget)]
            draw_level_bars(part, strategies, axes)
            bound = "" if part["in_practice"].all() else " (needs the right answers)"
            axes.set_title(f"by {kind}{bound}, {budget:g}x")
        if ax is None:
            total = table.loc[table["strategy"] != CHOSEN, "strategy"].nunique()
            shown = f"{len(strategies)} of {total} strategies" if total > len(strategies) else "strategies"
            problems = round(table.groupby(["difficulty", "budget", "strategy"])["problems"].sum().max())
            get_figure(grid[0]).suptitle(f"{problems} problems, {shown} by level of difficulty, with 95 % intervals")
    return np.array(grid)


def list_common_budgets(table: pd.DataFrame) -> list[float]:
    """Return the budgets to draw: of those that pay for every kind of difficulty, the highest and the middle one."""
    kinds = table["difficulty"].nunique()
    counts = table.groupby("budget")["difficulty"].nunique()
    common = sorted(counts.index[counts == kinds]) or sorted(counts.index)
    is_page = not (get_look().is_column or get_look().is_slide)
    return [common[(len(common) - 1) // 2], common[-1]] if is_page and len(common) > 1 else [common[-1]]


def select_strategies(table: pd.DataFrame) -> list[str]:
    """Return the strategies to draw, in the order of the table."""
    means = table[table["strategy"] != CHOSEN].groupby("strategy", sort=False)["accuracy"].mean()
    best = means.sort_values(ascending=False, kind="stable").index.tolist()
    kept = [name for name in ("sc",) if name in best]
    kept += [name for name in best if name not in kept][: MOST_STRATEGIES - len(kept)]
    return [str(name) for name in means.index if name in kept]


def draw_level_bars(part: pd.DataFrame, strategies: Sequence[str], axes: Axes) -> None:
    """Draw the bars of one kind of difficulty within one budget."""
    levels = sorted(part["level"].unique())
    width = 0.8 / len(strategies)
    for i, strategy in enumerate(strategies):
        rows = part[part["strategy"] == strategy].set_index("level").reindex(levels)
        x = np.arange(len(levels)) + (i - (len(strategies) - 1) / 2) * width
        colour = raise_contrast(get_strategy_colour(strategy))
        hatch = HATCHES[i % len(HATCHES)]
        axes.bar(
            x, 100 * rows["accuracy"], 0.9 * width, color=colour, alpha=0.75, edgecolor=axes.get_facecolor(), lw=0,
            hatch=hatch, label=strategy
        )  # fmt: skip
        draw_intervals(axes, x, rows.rename(columns={"accuracy": "value"}), "none", GREY, "", 100)
    chosen = part[part["strategy"] == CHOSEN].set_index("level").reindex(levels)
    place = np.arange(len(levels))
    axes.hlines(100 * chosen["accuracy"], place - 0.45, place + 0.45, color=GREY, ls="--", label=CHOSEN)
    axes.set_xticks(place, [str(level) for level in levels])
    axes.set_ylim(0, 100)
    axes.grid(axis="y", alpha=0.25, lw=0.5)
    axes.set_xlabel("level, 1 the easiest")
    axes.set_ylabel("problems solved (%)")
    axes.legend()
