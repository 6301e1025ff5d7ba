"""The figure of step scores: their distribution by step, and how often a reward model finds the first error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from isocompute.figures.colours import GREY, list_line_styles
from isocompute.figures.intervals import draw_intervals
from isocompute.figures.source import FigureSource
from isocompute.figures.style import get_figure, label_panels, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.fits.estimators.step_errors import measure_first_errors
from isocompute.fits.share_interval import compute_share_of_sums
from isocompute.planner.estimate.step_scores import StepScores, read_scored_steps

QUANTILES = {"q10": 0.1, "q25": 0.25, "median": 0.5, "q75": 0.75, "q90": 0.9}
STEP_SCORES_COLUMNS = (
    "panel", "solutions", "step", "value", "low", "high", *QUANTILES, "threshold", "count", "problems"
)  # fmt: skip
ERROR_THRESHOLD = 0.5
"""A step is seen as wrong if its score is below."""
StepRow = tuple[Any, ...]


def build_step_scores_table(source: FigureSource) -> pd.DataFrame:
    """Return the distribution of step scores by step, and how often the first error is found.

    Args:
        source: a run with step scores.

    Returns:
        No rows without step scores; a profile has none. ``panel`` and ``solutions`` say what a row is about:

        - "scores": the scores of the step with number ``step``, from 1, of the solutions with a "right" and with a
          "wrong" answer. ``value``: their mean. ``q10``, ``q25``, ``median``, ``q75``, ``q90``: their quantiles.
        - "first error": how often the first step whose score is below ``threshold`` is the first wrong step. ``value``:
          the share of the solutions "with an error" of which it is, by the ``step`` of the error, which is missing for
          all of them; and the share of the solutions "without an error" that have no such step. There are no such rows
          where the truth of steps is unknown, see `planner.estimate.step_scores`.

        ``low``, ``high``: the 95 % interval of the value over problems, NaN if it is unknown. ``count``: number of
        solutions. ``problems``: number of problems that they are of.
    """
    scored = None if source.pool is None else read_scored_steps(source.pool)
    if scored is None or source.pool is None:
        return pd.DataFrame(columns=list(STEP_SCORES_COLUMNS))
    strata, clusters = source.pool.groups
    rows = [*list_distributions(scored, len(source.pool.problem_ids), strata, clusters)]
    rows += list_first_errors(scored, len(source.pool.problem_ids), strata, clusters)
    table = pd.DataFrame(rows, columns=list(STEP_SCORES_COLUMNS))
    numbers = ("value", "low", "high", *QUANTILES, "threshold")
    return table.astype({"step": "Int64", **dict.fromkeys(numbers, float)})


def list_distributions(
    scored: StepScores, problems: int, strata: list[int] | None, clusters: list[int] | None
) -> Iterator[StepRow]:
    """Yield the mean and the quantiles of the scores of each step, for right and for wrong solutions."""
    known = scored.scores[~np.isnan(scored.scores)]
    is_share = bool(((known >= 0) & (known <= 1)).all())
    for name, right in (("right", True), ("wrong", False)):
        for at in range(scored.scores.shape[1]):
            own = (scored.right == right) & ~np.isnan(scored.scores[:, at])
            if not own.any():
                continue
            values, rows = scored.scores[own, at], scored.problem[own]
            counts = np.bincount(rows, minlength=problems)
            ends = np.nan, np.nan  # of scores that are no shares
            if is_share:
                ends = compute_share_of_sums(np.bincount(rows, values, problems), counts, strata, clusters)[1:]
            quantiles = np.quantile(values, list(QUANTILES.values()))
            yield (
                "scores", name, at + 1, values.mean(), *ends, *quantiles, np.nan, len(values), int((counts > 0).sum())
            )  # fmt: skip


def list_first_errors(
    scored: StepScores, problems: int, strata: list[int] | None, clusters: list[int] | None
) -> Iterator[StepRow]:
    """Yield how often the first error is found, of the solutions whose steps can be graded."""
    graded = ~np.isnan(scored.truth).all(axis=1)
    if not graded.any():
        return
    rows, has_error = scored.problem[graded], (scored.truth[graded] == 0).any(axis=1)
    found = measure_first_errors(
        scored.scores[graded], scored.truth[graded] != 0, rows, problems, ERROR_THRESHOLD, strata, clusters
    )
    first = np.where(has_error, (scored.truth[graded] == 0).argmax(axis=1) + 1, 0)
    parts: list[tuple[str, int | None, Any, int, NDArray[np.bool_]]]
    parts = [("with an error", None, found.with_error, found.error_count, first > 0)]
    parts += [
        ("with an error", step, share, count, first == step)
        for step, share, count in zip(found.steps, found.found, found.counts, strict=True)
    ]
    parts.append(("without an error", None, found.without_error, found.clean_count, first == 0))
    for name, step, share, count, of in parts:
        if count:
            unknown = [np.nan] * len(QUANTILES)
            yield ("first error", name, step, *share, *unknown, ERROR_THRESHOLD, count, len(np.unique(rows[of])))


def draw_step_scores(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw the scores of steps: `draw_score_quantiles` and, where the truth of steps is known, `draw_first_errors`.

    Args:
        table: table from `build_step_scores_table`.
        ax: an Axes for each panel, or one to divide; None for a new figure with a title.

    Returns:
        The Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` does not fit.
    """
    check_table(table, STEP_SCORES_COLUMNS, "step_scores")
    draws = [draw_score_quantiles]
    draws += [draw_first_errors] if (table["panel"] == "first error").any() else []
    with prepare_axes(ax, len(draws)) as grid:
        for draw, axes in zip(draws, grid, strict=True):
            draw(table, axes)
        label_panels(grid)
        if ax is None:
            solutions = table.loc[(table["panel"] == "scores") & (table["step"] == 1), "count"].sum()
            get_figure(grid[0]).suptitle(
                f"{solutions:,} solutions, what a reward model's step scores say, with 95 % intervals"
            )
    return np.array(grid)


def draw_score_quantiles(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the mean score by step with its interval, and the quantiles as bands, of right and wrong solutions."""
    check_table(table, STEP_SCORES_COLUMNS, "step_scores")
    rows = table[table["panel"] == "scores"]
    check_table(rows, STEP_SCORES_COLUMNS, "step_scores, panel scores,")
    with prepare_axes(ax) as (axes,):
        groups = list(rows.groupby("solutions", sort=False))
        for (name, group), (colour, style) in zip(groups, list_line_styles(len(groups)), strict=True):
            line = group.sort_values("step")
            step = line["step"].to_numpy(float)
            axes.fill_between(step, line["q25"], line["q75"], color=colour, alpha=0.15, lw=0)
            draw_intervals(axes, step, line, style, colour, f"{name} answer, mean")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25, lw=0.5)
        axes.set_title("score by step, bands: the middle half")
        axes.set_xlabel("step")
        axes.set_ylabel("step score")
        axes.legend()
    return axes


def draw_first_errors(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw how often the first error is found by the step at which it is, in one Axes."""
    check_table(table, STEP_SCORES_COLUMNS, "step_scores")
    rows = table[table["panel"] == "first error"]
    check_table(rows, STEP_SCORES_COLUMNS, "step_scores, panel first error,")
    with prepare_axes(ax) as (axes,):
        line = rows[rows["step"].notna()].sort_values("step")
        colour, style = list_line_styles(1)[0]
        draw_intervals(axes, line["step"], line, style, colour, "with an error: found at its step", 100)
        clean = rows[rows["solutions"] == "without an error"]
        for _, row in clean.iterrows():
            axes.axhline(100 * row["value"], color=GREY, ls="--", label="without an error: none seen")
            if not np.isnan(row["low"]):
                axes.axhspan(100 * row["low"], 100 * row["high"], color=GREY, alpha=0.13, lw=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(0, 103)
        axes.grid(alpha=0.25, lw=0.5)
        axes.set_title(f"first score below {rows['threshold'].iloc[0]:g} against the first error")
        axes.set_xlabel("step of the first error")
        axes.set_ylabel("solutions (%)")
        axes.legend()
    return axes
