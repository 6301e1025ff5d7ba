"""The published figure: headline results of three papers, and those of our own runs in the same frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from isocompute.figures.colours import LineStyle, list_line_styles
from isocompute.figures.literature import SEARCH_AND_LEARN, SECOND_HAND, SNELL, STUDY, PublishedResults
from isocompute.figures.literature_findings import (
    DIFFICULTY_PANEL,
    SEARCH_PANEL,
    VERIFY_PANEL,
    describe_findings,
)
from isocompute.figures.look import get_look
from isocompute.figures.plots.search_by_n import build_search_by_n_table
from isocompute.figures.savings import build_savings_table
from isocompute.figures.style import finish_axes, get_figure, label_panels, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.fits.laws.plateau import find_plateau
from isocompute.planner.compare import compute_frontier
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.registry import get_line_style, get_strategy_colour

PUBLISHED_TABLE_COLUMNS = (
    "panel", "source", "place", "model", "method", "budget", "unit", "quantity", "value", "low", "high", "mark",
    "finding",
)  # fmt: skip
QUANTITIES = {
    VERIFY_PANEL: "lead over SC (points)",
    SEARCH_PANEL: "accuracy (%)",
    DIFFICULTY_PANEL: "N of Best-of-N with the same accuracy",
}
"""The quantity along y of each panel, as the published numbers name it."""
DRAWN_METHODS = {
    "best-of-n, majority": "sc",
    "best-of-n, weighted": "prm-weighted",
    "beam, weighted": "beam+weighted",
    "dvts, weighted": "dvts+weighted",
}
"""The strategies that search-and-learn's methods are here."""
SLIDE_TEXT = {"font.size": 8.0, "legend.fontsize": 7.0, "legend.handlelength": 2.0}
"""The text sizes on a slide, in points: those of a slide would leave no room beside such long sentences and legends."""
LAB, LANGUAGE_MODEL = "the lab", "Qwen2.5-Coder-1.5B"
MEASURED, FROM_GRID = "measured here", "paper's figure, read off"


def build_published_table(results: PublishedResults) -> pd.DataFrame:
    """Return the published results and our own, by panel.

    Args:
        results: the published numbers and the profiles, see `read_published_results`.

    Returns:
        A row for each point; a published number that is unknown is left out. ``panel``: verify, search or difficulty.
        ``source``, ``model``, ``method``: whose result it is. ``place``: its place in the source, or how it was graded.
        ``budget`` in ``unit``: multiples of SC's plateau, which lies higher than measured where SC still rises at its
        largest S; or N. ``quantity``, ``value``: as the published numbers name it, and ``low``, ``high``: the 95 %
        interval over problems, NaN for published numbers, which have none. ``mark``: where it was read, or measured
        here. ``finding``: a sentence for each panel on what holds here, see `describe_findings`.
    """
    rows = [*list_lead_rows(results), *list_search_rows(results.searched), *list_savings_rows(results.searched)]
    own = pd.DataFrame(rows, columns=list(PUBLISHED_TABLE_COLUMNS[:-1]))
    table = pd.concat([collect_published_points(results), own], ignore_index=True)
    table = table.sort_values("panel", key=lambda column: column.map(list(QUANTITIES).index), kind="stable")
    return table.assign(finding=table["panel"].map(describe_findings(table))).reset_index(drop=True)


def collect_published_points(results: PublishedResults) -> pd.DataFrame:
    """Return the published numbers that a panel shows, with the panel of each; those that are unknown are left out."""
    shown = [(STUDY, VERIFY_PANEL), (SEARCH_AND_LEARN, SEARCH_PANEL), (SEARCH_AND_LEARN, DIFFICULTY_PANEL)]
    shown += [(SNELL, DIFFICULTY_PANEL)]
    parts = []
    for paper, panel in shown:
        numbers = results.papers[paper]
        known = numbers[(numbers["quantity"] == QUANTITIES[panel]) & numbers[["budget", "value"]].notna().all(axis=1)]
        if panel == SEARCH_PANEL:
            known = known[known["method"].isin(DRAWN_METHODS)].replace({"method": DRAWN_METHODS})
        parts.append(known.assign(panel=panel, low=np.nan, high=np.nan))
    return pd.concat(parts)[list(PUBLISHED_TABLE_COLUMNS[:-1])]


def list_lead_rows(results: PublishedResults) -> Iterator[tuple[Any, ...]]:
    """Yield the lead of GenRM over SC at equal compute, by compute in multiples of SC's plateau."""
    named = ((LAB, results.lab), (LANGUAGE_MODEL, results.language_model))
    study = "Llama-3.1-8B"
    for model, profile in ((study, results.study), *named):
        plateau = get_plateau(profile)
        source, mark = (results.papers[STUDY]["source"].iloc[0], FROM_GRID) if model == study else (model, MEASURED)
        for budget, comparison in compute_frontier(profile):
            for option in comparison.options:
                if option.strategy == "genrm":
                    low, high = option.lead_interval or (np.nan, np.nan)
                    lead = [100 * value for value in (option.lead, low, high)]
                    yield (VERIFY_PANEL, source, "", model, "genrm", budget / plateau, "SC plateaus",
                           QUANTITIES[VERIFY_PANEL], *lead, mark)  # fmt: skip


def get_plateau(profile: Profile) -> float:
    """Return the compute at which SC flattens, in x: the paper's of a published profile, else the measured one."""
    if profile.published is not None:
        return profile.published.plateau
    sc = profile.self_consistency
    return float(find_plateau(sc.solutions, sc.array.mean(axis=0)))


def list_search_rows(profile: Profile) -> Iterator[tuple[Any, ...]]:
    """Yield the accuracy of SC, Best-of-N and searches at each N on all problems of the lab."""
    table = build_search_by_n_table(profile)
    for row in table[table["level"].isna()].to_dict("records"):
        if row["strategy"] in (*DRAWN_METHODS.values(), "bon"):
            accuracy = [100 * row[name] for name in ("accuracy", "low", "high")]
            yield (
                SEARCH_PANEL,
                LAB,
                "",
                LAB,
                row["strategy"],
                row["N"],
                "N",
                QUANTITIES[SEARCH_PANEL],
                *accuracy,
                MEASURED,
            )


def list_savings_rows(profile: Profile) -> Iterator[tuple[Any, ...]]:
    """Yield the N at which weighted Best-of-N is as accurate as searches, and as a choice by difficulty, on the lab."""
    for row in build_savings_table(profile).to_dict("records"):
        equal = (row["equal_N"], row["low"], row["high"])
        yield (
            DIFFICULTY_PANEL,
            LAB,
            "",
            LAB,
            row["method"],
            row["N"],
            "N",
            QUANTITIES[DIFFICULTY_PANEL],
            *equal,
            MEASURED,
        )


def draw_published(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw a panel for each of the three papers, with our own results; the title of each says what holds here.

    Published numbers have hollow markers, and no intervals because the papers print none.

    Args:
        table: table from `build_published_table`.
        ax: three Axes; None for a new figure with a title.

    Returns:
        The three Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not three Axes.
    """
    check_table(table, PUBLISHED_TABLE_COLUMNS, "published")
    is_slide = get_look().is_slide
    changes, columns = (SLIDE_TEXT, len(QUANTITIES)) if is_slide else (None, 1)
    with prepare_axes(ax, len(QUANTITIES), changes=changes, columns=columns) as axes:
        for panel, each in zip(QUANTITIES, axes, strict=True):
            points = table[table["panel"] == panel]
            draw_panel(points, each)
            label = "compute, in multiples of SC's plateau" if panel == VERIFY_PANEL else "N, solutions or candidates"
            finish_axes(each, points["finding"].iloc[0] if len(points) else "", label)
            each.set_ylabel(QUANTITIES[panel])
            if panel == VERIFY_PANEL:
                each.axhline(0, color=get_strategy_colour("sc"), lw=1.0)
            if panel == DIFFICULTY_PANEL:
                draw_equal_line(each, points)
            each.legend()
        label_panels(axes)
        if ax is None:
            get_figure(axes[0]).suptitle(
                "hollow, dotted: published, without intervals; filled: measured here, with 95 % intervals"
            )
    return np.array(axes)


def draw_panel(points: pd.DataFrame, axes: Axes) -> None:
    """Draw the points of a panel: a line for each method of each model that a source has."""
    groups = list(points.groupby(["source", "place", "model", "method", "mark"], sort=False))
    styles = list_line_styles(len(groups))
    for ((source, place, model, method, mark), line), style in zip(groups, styles, strict=True):
        by_strategy = points["panel"].iloc[0] == SEARCH_PANEL
        colour, format_ = LineStyle(get_strategy_colour(method), get_line_style(method)) if by_strategy else style
        ordered, own = line.sort_values("budget"), mark == MEASURED
        value, low, high = (ordered[name].to_numpy(float) for name in ("value", "low", "high"))
        axes.errorbar(
            ordered["budget"],
            value,
            yerr=np.maximum(np.nan_to_num([value - low, high - value]), 0) if own else None,
            fmt=format_[0] + ("-" if own else ":"),
            color=colour,
            markerfacecolor=colour if own else "none",
            elinewidth=0.8,
            label=label_line(source, place, model, method, mark),
        )


def label_line(source: str, place: str, model: str, method: str, mark: str) -> str:
    """Return the label of a line: its model, or else its source, its method, whether it is second-hand, and how graded.

    >>> label_line("Snell et al. 2024, arXiv 2408.03314", "", "", "revisions", "paper")
    'Snell et al. 2024: revisions'
    """
    notes = [mark] * (mark in (SECOND_HAND, FROM_GRID)) + [place] * place.startswith("grader")
    return f"{model or source.partition(',')[0]}: {method}" + (f" ({', '.join(notes)})" if notes else "")


def draw_equal_line(axes: Axes, points: pd.DataFrame) -> None:
    """Draw the line on which nothing is saved and the one on which four times as much is, on doublings along y."""
    ends = np.array([points["budget"].min(), points["budget"].max()])
    axes.plot(ends, ends, color="#555555", lw=0.8, label="no saving")
    axes.plot(ends, 4 * ends, color="#555555", lw=0.8, ls="--", label="4 times fewer")
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
