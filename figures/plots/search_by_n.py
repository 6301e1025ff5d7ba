"""The figure of searches: accuracy against N by method, for all problems and for each level of difficulty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from isocompute.figures.colours import COLOURS
from isocompute.figures.style import finish_axes, get_figure, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.fits import build_listed_options, compute_mean_interval, score_held_out, score_in_sample, split_folds
from isocompute.fits.arrays import Floats, Ints
from isocompute.planner.profile import Curve, Profile, Searches
from isocompute.planner.strategies.options import get_rho
from isocompute.planner.strategies.registry import STRATEGIES, get_line_style, get_strategy_colour

SEARCH_BY_N_COLUMNS = (
    "method", "strategy", "level", "N", "compute", "accuracy", "low", "high", "chosen", "problems"
)  # fmt: skip
BEST_BY_LEVEL = "best for each level"
BEST_COLOUR = COLOURS[3]


def build_search_by_n_table(profile: Profile) -> pd.DataFrame:
    """Return the accuracy of each method at each N, for all problems and for each level of difficulty.

    Args:
        profile: the measurements.

    Returns:
        No rows without a search whose name is known, or with one independent problem. Else a row for each method, level
        and N. ``method``: a strategy without verifications at powers of two and at the sizes of the searches; a search,
        with its other numbers if it was run with several; or "best for each level", the most accurate method of each
        level at an N at which all methods were measured, the cheapest if several are. ``strategy``: that of the method;
        missing for the best. ``level``: as the dataset gives it, 1 the easiest; missing for all problems together.
        ``N``: number of solutions, or of the candidates that a search holds. ``compute``: in x; NaN if it is unknown,
        and for the best. ``accuracy``: mean over problems, 0 … 1, and ``low``, ``high``: its 95 % interval; for the
        best each problem is scored under the best method on other problems of its level. ``chosen``: the best method of
        the level on all its problems; missing otherwise. ``problems``: number of problems.
    """
    if not profile.searches or profile.independent_problems < 2:
        return pd.DataFrame(columns=list(SEARCH_BY_N_COLUMNS))
    points = list(list_method_points(profile))
    levels = np.ones(profile.problems, dtype=np.int64) if profile.strata is None else np.array(profile.strata)
    clusters = None if profile.clusters is None else np.array(profile.clusters)
    rows: list[tuple[Any, ...]] = []
    for method, strategy, N, compute, accuracy in points:
        rows += summarise_by_level((method, strategy, N, compute), accuracy, {}, levels, clusters)
    methods = dict.fromkeys(point[0] for point in points)
    for N in sorted({point[2] for point in points}):
        by_cost = sorted(points, key=lambda point: np.nan_to_num(point[3], nan=np.inf))
        measured = {point[0]: point[4] for point in by_cost if point[2] == N}
        if len(measured) == len(methods) > 1:
            accuracy, chosen = score_best_by_level(measured, levels, clusters)
            rows += summarise_by_level((BEST_BY_LEVEL, None, N, np.nan), accuracy, chosen, levels, clusters)
    return pd.DataFrame(rows, columns=list(SEARCH_BY_N_COLUMNS)).astype({"level": "Int64", "compute": float})


def list_method_points(profile: Profile) -> Iterator[tuple[str, str, int, float, Floats]]:
    """Yield method, strategy, N, compute in x and accuracy of each problem, for every method at every N."""
    sizes = {N for part in profile.searches.values() for N in part.numbers["N"]}
    rho = get_rho(profile)
    for name, strategy in STRATEGIES.items():
        part = profile.strategies.get(name)
        if isinstance(part, Curve) and len(part.solutions) > 1:
            cost = 1.0 if strategy.needs == "solutions" else np.nan if rho is None else 1 + rho
            for at, S in enumerate(part.solutions):
                if S & (S - 1) == 0 or S in sizes:
                    yield name, name, S, S * cost, part.array[:, at]
    for name, search in profile.searches.items():
        costs = search.get_costs(profile.counting) or [np.nan] * len(search.seeds)
        for at, N in enumerate(search.numbers["N"]):
            yield name_method(name, search, at), name, N, costs[at], search.array[:, at]


def name_method(name: str, search: Searches, at: int) -> str:
    """Return the name of a search with those of its numbers, beside N, that it was run with several of."""
    several = {
        label: numbers[at] for label, numbers in search.numbers.items() if label != "N" and len(set(numbers)) > 1
    }
    return " ".join([name, *(f"{label}={number}" for label, number in several.items())])


def score_best_by_level(
    measured: dict[str, Floats], levels: Ints, clusters: Ints | None
) -> tuple[Floats, dict[int, str]]:
    """Score each problem under the method that is best on other problems of its level.

    Args:
        measured: (P,) accuracies of each method at one N, the cheapest method first, as of equals the first is taken.
        levels: (P,) level of each problem.
        clusters: (P,) cluster of each problem; None if each is its own.

    Returns:
        (P,) accuracies, and the best method of each level on all its problems.
    """
    options = [build_listed_options(each[:, None], [1.0], {"N": [1]}, method) for method, each in measured.items()]
    folds = split_folds(len(levels), clusters=clusters).split_by_level(levels)
    held_out = score_held_out(options, [1.0], folds).accuracy[-1][:, 0]
    best = score_in_sample(options, [1.0], levels).choices.strategy_index[:, 0]
    return held_out, {int(level): options[at].strategy for level, at in zip(np.unique(levels), best, strict=True)}


def summarise_by_level(
    point: tuple[str, str | None, int, float],
    accuracy: Floats,
    chosen: dict[int, str],
    levels: Ints,
    clusters: Ints | None,
) -> Iterator[tuple[Any, ...]]:
    """Yield rows of the table for one method and N: for all problems, and for each level if there are several."""
    found = np.unique(levels)
    parts: list[tuple[int | None, NDArray[np.bool_]]] = [(None, np.ones(len(levels), dtype=bool))]
    parts += [(int(level), levels == level) for level in found] if len(found) > 1 else []
    for level, inside in parts:
        own_clusters = None if clusters is None else clusters[inside]
        low, high = compute_mean_interval(accuracy[inside], levels if level is None else None, own_clusters)
        best = None if level is None else chosen.get(level)
        interval = float(low), float(high)
        yield (*point[:2], level, *point[2:], accuracy[inside].mean(), *interval, best, int(inside.sum()))


def draw_search_by_n(
    table: pd.DataFrame, ax: Any = None, against: Literal["N", "compute"] = "N"
) -> NDArray[np.object_]:
    """Draw accuracy against N for all problems, and for each level in a panel of its own.

    Bands are 95 % intervals of self-consistency and of the best for each level; those of all would hide each other.

    Args:
        table: table from `build_search_by_n_table`.
        ax: an Axes for each panel, or one to divide; None for a new figure with a title.
        against: what stands along x: ``N``, or ``compute``, without the best for each level.

    Returns:
        The Axes, that of all problems first.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` does not fit.
    """
    check_table(table, SEARCH_BY_N_COLUMNS, "search_by_n")
    if against == "compute":
        table = table[table["compute"].notna()]
        check_table(table, SEARCH_BY_N_COLUMNS, "search_by_n with a known compute")
    levels = sorted(table["level"].dropna().unique())
    parts = [table[table["level"].isna()], *(table[table["level"] == level] for level in levels)]
    names = ["all problems" if levels else "", *(f"level {level}" for level in levels)]
    with prepare_axes(ax, len(parts), columns=min(len(parts), 3), sharex=True) as panels:
        for axes, part, name in zip(panels, parts, names, strict=True):
            draw_methods(part, axes, against)
            label = "N, solutions or candidates" if against == "N" else "compute per problem, in solutions' worth (x)"
            finish_axes(axes, name, label)
            axes.xaxis.set_major_locator(LogLocator(base=4, numticks=20))  # small panels have no room for every power
            axes.set_ylabel("problems solved (%)")
            axes.legend()
        if ax is None:
            problems = table["problems"].max()
            title = "at equal N, not at equal compute" if against == "N" else "at equal compute"
            get_figure(panels[0]).suptitle(f"{problems} problems, accuracy of searches {title}; bands: 95 %")
    return np.array(panels)


def draw_methods(part: pd.DataFrame, axes: Axes, against: str) -> None:
    """Draw the lines of all methods on one set of problems."""
    for method, rows in part.groupby("method", sort=False):
        line = rows.sort_values(against)
        strategy = line["strategy"].iloc[0]
        x, y, low, high = (line[against], *(100 * line[name] for name in ("accuracy", "low", "high")))
        if method == BEST_BY_LEVEL:
            axes.plot(x, y, "*-", color=BEST_COLOUR, label=method, zorder=1)
        else:
            axes.plot(x, y, get_line_style(strategy), color=get_strategy_colour(strategy), label=method)
        if method in (BEST_BY_LEVEL, "sc"):
            shade = BEST_COLOUR if method == BEST_BY_LEVEL else get_strategy_colour(strategy)
            axes.fill_between(x, low, high, color=shade, alpha=0.15, lw=0)
