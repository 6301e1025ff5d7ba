"""The difficulty figure: accuracy against budget when choosing by difficulty, and the strategy chosen per level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from isocompute.figures.colours import GREY, LineStyle, list_line_styles, raise_contrast
from isocompute.figures.look import BACKGROUNDS, get_look
from isocompute.figures.style import draw_two_panels, finish_axes, format_count_tick, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.fits.choice.compute_optimal import PolicyAccuracy
from isocompute.planner.difficulty_study import DifficultyStudy
from isocompute.planner.strategies.registry import get_line_style, get_strategy_colour

DIFFICULTY_COLUMNS = ("choice", "in_practice", "level", "budget", "strategy", "accuracy", "low", "high", "problems")
ONE_CHOICE_FOR_ALL = "one for all"
MOST_BUDGET_LABELS = 9
"""The most budgets that are written below the cells; of more, every second is."""


def build_difficulty_table(studies: Sequence[DifficultyStudy]) -> pd.DataFrame:
    """Return the accuracy of choosing by difficulty, and the strategy chosen for each level of the first study.

    Args:
        studies: studies of the same problems.

    Returns:
        A row for each way of choosing, level and budget; no rows without a study. ``choice``: "one for all", or "by "
        and the kind of difficulty. ``in_practice``: whether the level can be found without the gold answer. ``level``:
        1 the easiest; missing for all problems together. ``budget``: compute per problem, in x, including the cost of
        finding the level. ``strategy``: the strategy chosen for the level; missing for all problems together, and
        where nothing is affordable. ``accuracy``: mean over problems, 0 … 1, each scored under choices made on others,
        and ``low``, ``high``: its 95 % interval; NaN where nothing is affordable. ``problems``: number of problems;
        where levels are estimated, a mean over the draws.
    """
    if not studies:
        return pd.DataFrame(columns=list(DIFFICULTY_COLUMNS))
    first = studies[0]
    rows = [
        build_reached_rows(ONE_CHOICE_FOR_ALL, True, first.policy.budgets, first.policy.one_for_all, first.problems)
    ]
    for study in studies:
        by_difficulty = study.policy.by_difficulty
        rows.append(
            build_reached_rows(
                f"by {study.kind}", study.in_practice, study.policy.budgets, by_difficulty, study.problems
            )
        )
    for level in first.policy.levels:
        problems = level.problem_share * first.problems
        choice_rows = build_reached_rows(
            f"by {first.kind}", first.in_practice, first.policy.budgets, level.by_difficulty, problems
        )
        rows.append(choice_rows.assign(level=level.level, strategy=pd.Series(level.strategies, dtype=object)))
    table = pd.concat(rows, ignore_index=True).astype({"level": "Int64"})
    return table[list(DIFFICULTY_COLUMNS)]


def build_reached_rows(
    choice: str, in_practice: bool, budgets: NDArray[np.float64], accuracies: PolicyAccuracy, problems: float
) -> pd.DataFrame:
    """Return the accuracy of one way of choosing on a set of problems, with a row for each budget."""
    return pd.DataFrame(
        {"choice": choice, "in_practice": in_practice, "level": pd.array([pd.NA] * len(budgets), dtype="Int64"),
         "budget": budgets, "strategy": pd.Series([None] * len(budgets), dtype=object), "accuracy": accuracies.accuracy,
         "low": accuracies.low, "high": accuracies.high, "problems": float(problems)}
    )  # fmt: skip


def draw_difficulty(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw the difficulty figure: (a) `draw_choices` and (b) `draw_levels`.

    Args:
        table: table from `build_difficulty_table`.
        ax: two Axes; None for a new figure with a title.

    Returns:
        The two Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not two Axes.
    """
    check_table(table, DIFFICULTY_COLUMNS, "difficulty")
    problems = round(table.loc[table["level"].isna(), "problems"].iloc[0])
    return draw_two_panels(
        table, ax, (draw_choices, draw_levels), f"{problems} problems, scored under choices made on other problems"
    )


def draw_choices(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the accuracy of each way of choosing against the budget, with a band for one choice for all, in one Axes."""
    check_table(table, DIFFICULTY_COLUMNS, "difficulty")
    overall = table[table["level"].isna()].sort_values("budget")
    choices = [choice for choice in dict.fromkeys(table["choice"]) if choice != ONE_CHOICE_FOR_ALL]
    styles = dict(zip(choices, list_line_styles(len(choices)), strict=True))
    with prepare_axes(ax) as (axes,):
        for choice in (ONE_CHOICE_FOR_ALL, *choices):
            line = overall[overall["choice"] == choice]
            shade, style = styles.get(choice, LineStyle(GREY, "v:"))
            label = choice if line["in_practice"].all() else f"{choice} (needs the right answers)"
            axes.plot(line["budget"], 100 * line["accuracy"], style, color=shade, label=label)
            if choice == ONE_CHOICE_FOR_ALL:
                axes.fill_between(line["budget"], 100 * line["low"], 100 * line["high"], color=shade, alpha=0.13, lw=0)
        axes.legend()
        axes.set_ylabel("problems solved (%)")
        finish_axes(axes, "choosing by difficulty", "budget C per problem, with the cost of the level (x)")
    return axes


def draw_levels(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the strategy chosen for each level at each budget, for the first choice that has levels, in one Axes."""
    check_table(table, DIFFICULTY_COLUMNS, "difficulty")
    rows = table[table["level"].notna()]
    check_table(rows, DIFFICULTY_COLUMNS, "levels of difficulty")
    choice = rows["choice"].iloc[0]
    cells = rows[rows["choice"] == choice].pivot(index="level", columns="budget", values="strategy")
    names = list(dict.fromkeys(name for name in cells.to_numpy().ravel() if not pd.isna(name)))
    codes = np.array([[np.nan if pd.isna(name) else names.index(name) for name in row] for row in cells.to_numpy()])
    background = BACKGROUNDS[get_look().style]
    shades = [raise_contrast(get_strategy_colour(name)) for name in names]
    colours = mpl.colors.ListedColormap(shades or ["white"])
    with prepare_axes(ax) as (axes,):
        axes.imshow(codes, cmap=colours, vmin=0, vmax=max(len(names) - 1, 1), aspect="auto")
        for code, name in enumerate(names):  # a marker too, as colours alone are not told apart by everybody
            rows_of, columns_of = np.nonzero(codes == code)
            axes.plot(columns_of, rows_of, get_line_style(name)[0], color=background)
        axes.set_yticks(range(len(cells.index)), [str(level) for level in cells.index])
        step = 1 if len(cells.columns) <= MOST_BUDGET_LABELS else 2
        labels = ["" if place % step else format_count_tick(x) for place, x in enumerate(cells.columns)]
        axes.set_xticks(range(len(cells.columns)), labels)
        axes.set_title(f"strategy on each level, {choice}")
        axes.set_xlabel("budget C per problem (x)")
        axes.set_ylabel("level, 1 the easiest")
        handles = [
            Line2D(
                [],
                [],
                ls="",
                marker=get_line_style(name)[0],
                ms=1.6 * mpl.rcParams["lines.markersize"],
                color=shade,
                label=name,
            )
            for name, shade in zip(names, shades, strict=True)
        ]
        axes.legend(handles=handles)
    return axes
