"""The surface figure: accuracy over S and V, with lines of equal compute and the best S and V along them."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from isocompute.figures.scales import scale_doublings
from isocompute.figures.style import finish_axes, get_figure, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.fits.cost import compute_allocation_cost
from isocompute.fits.laws.allocation import AllocationLaws
from isocompute.fits.mean_intervals import compute_mean_interval
from isocompute.planner.findings import fit_strategy_laws, list_law_strategies
from isocompute.planner.profile import Profile, Surface

SURFACE_COLUMNS = (
    "strategy", "kind", "S", "V", "compute", "accuracy", "low", "high", "edge", "lam", "problems"
)  # fmt: skip
CONTOURS = 8
"""About how many steps of accuracy are told apart."""
FINE = 200
"""Points along each axis between which colours and lines are drawn."""
LABEL_ROOM = 4.0
"""Least distance between two labels of contours, across or upwards, in sizes of their text."""
MARGINS = 0.12, 0.15
"""Room below and above the measured numbers, as a share of their range in logarithms."""
SURFACE_COLOUR_MAP = "viridis"
ON_SURFACE = 0.99
"""Opacity of what stands on the colours, and so needs contrast with them rather than with the background."""
OUTLINE = [withStroke(linewidth=2, foreground="#00000066")]


def build_surface_table(profile: Profile) -> pd.DataFrame:
    """Return the accuracy of each S and V of the strategies that have both, and the best S and V of each budget.

    Args:
        profile: the measurements.

    Returns:
        No rows without a strategy that was measured at two S and two V or more. The strategies are in the order of the
        registry, ``genrm`` first. ``strategy``: its name. ``kind``: ``cell``, a measured S and V; or ``optimum``, the
        real S and V that spend a budget best on the smoothed surface, on which the scaling laws are fitted; without λ,
        or with fewer than three budgets, there are none. ``S``: number of solutions. ``V``: verifications of each.
        ``compute``: S(1 + λV), in x, which for an optimum is its budget; NaN if λ is unknown. ``accuracy``: mean over
        problems of a cell, 0 … 1, and that of the smoothed surface at an optimum. ``low``, ``high``: its 95 % interval;
        NaN of an optimum and if the profile holds means only. ``edge``: the edge of the measured grid on which an
        optimum lies, such as ``S upper``, so that it is only a bound; empty inside. ``lam``: λ. ``problems``: number of
        problems.
    """
    parts = []
    for strategy in list_law_strategies(profile):
        part = profile.strategies[strategy]
        assert isinstance(part, Surface), "only strategies with S and V are listed"
        if min(part.array.shape[1:]) < 2:
            continue
        parts.append(_build_cells(profile, strategy, part))
        laws = fit_strategy_laws(profile, strategy, profile.lam)
        if laws is not None:
            parts.append(_build_optima(strategy, part, laws))
    if not parts:
        return pd.DataFrame(columns=list(SURFACE_COLUMNS))
    lam = np.nan if profile.lam is None else profile.lam
    return pd.concat(parts, ignore_index=True).assign(lam=lam, problems=profile.problems)[list(SURFACE_COLUMNS)]


def _build_cells(profile: Profile, strategy: str, part: Surface) -> pd.DataFrame:
    """Return a row for each measured S and V of a strategy."""
    S, V = (grid.ravel() for grid in np.meshgrid(part.solutions, part.verifications, indexing="ij"))
    values = part.array.reshape(len(part.array), -1)
    low = high = np.full(len(S), np.nan)
    if profile.per_problem:
        low, high = compute_mean_interval(values, profile.strata, profile.clusters)
    cost = np.nan if profile.lam is None else compute_allocation_cost(S, V, profile.lam)
    return pd.DataFrame({"strategy": strategy, "kind": "cell", "S": S.astype(float), "V": V.astype(float),
                         "compute": cost, "accuracy": values.mean(axis=0), "low": low, "high": high,
                         "edge": ""})  # fmt: skip


def _build_optima(strategy: str, part: Surface, laws: AllocationLaws) -> pd.DataFrame:
    """Return a row for the best S and V of each budget on the smoothed surface."""
    best = laws.smooth
    grid, _, _ = part.select_doublings()
    accuracy = laws.surface.predict_accuracy(grid.mean(axis=0), best.S_opt, best.V_opt)
    return pd.DataFrame({"strategy": strategy, "kind": "optimum", "S": best.S_opt, "V": best.V_opt,
                         "compute": laws.budgets, "accuracy": accuracy, "low": np.nan, "high": np.nan,
                         "edge": best.edges})  # fmt: skip


def draw_surface(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the surface of the first strategy of the table, with the best S and V along lines of equal compute.

    Colours and labelled contours are accuracies between the measured cells, linear in log S and log V. What lies
    outside the dashed frame was not measured.

    Args:
        table: table from `build_surface_table`.
        ax: the Axes; None for a new figure with a title.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not one Axes.
    """
    check_table(table, SURFACE_COLUMNS, "surface")
    strategy = str(table["strategy"].iloc[0])
    own = table[table["strategy"] == strategy]
    cells, optima = own[own["kind"] == "cell"], own[own["kind"] == "optimum"].sort_values("compute")
    with prepare_axes(ax) as (axes,):
        axes.set_xscale("log", base=2)  # before the contours, whose labels follow their slope on the page
        axes.set_xlim(*widen_range(cells["S"]))
        scale_doublings(axes, *widen_range(cells["V"]))
        _draw_heights(axes, cells, optima)
        _draw_frame(axes, cells)
        lam = float(own["lam"].iloc[0])
        if np.isfinite(lam):
            _draw_equal_compute(axes, cells, lam)
        if len(optima):
            _draw_path(axes, optima)
        finish_axes(axes, _describe_surface(own), "solutions S per problem")
        axes.grid(visible=False)
        scale_doublings(axes, *widen_range(cells["V"]))
        axes.set_ylabel("verifications V of each solution")
        axes.legend()
        if ax is None:
            title = f"{own['problems'].iloc[0]} problems, accuracy (%) of {strategy} over S and V"
            get_figure(axes).suptitle(title)
    return axes


def widen_range(values: pd.Series) -> tuple[float, float]:
    """Return the range of an axis in logarithms, with room beyond the measured numbers for what stands there.

    >>> [round(end, 2) for end in widen_range(pd.Series([1.0, 4.0, 16.0]))]
    [0.72, 24.25]
    """
    low, high = float(values.min()), float(values.max())
    return low * (low / high) ** MARGINS[0], high * (high / low) ** MARGINS[1]


def _draw_heights(axes: Axes, cells: pd.DataFrame, optima: pd.DataFrame) -> None:
    """Draw the accuracies in percent as steps of colour, with a labelled contour between them.

    The labels keep away from each other and from the optima.
    """
    grid = 100 * cells.pivot(index="V", columns="S", values="accuracy")
    S, V = (np.geomspace(cells[name].min(), cells[name].max(), FINE) for name in ("S", "V"))
    # Linear in the logarithms; matplotlib's own contours would be linear in S and V.
    along = np.stack([np.interp(np.log(S), np.log(grid.columns), row) for row in grid.to_numpy()])
    heights = np.stack([np.interp(np.log(V), np.log(grid.index), column) for column in along.T], axis=1)
    steps = MaxNLocator(CONTOURS, steps=[1, 2, 2.5, 5, 10]).tick_values(heights.min(), heights.max())
    axes.contourf(S, V, heights, steps, cmap=SURFACE_COLOUR_MAP)
    lines = axes.contour(S, V, heights, steps, colors="white", linewidths=0.7, alpha=ON_SURFACE)
    longest = [max(parts, key=len, default=np.empty((0, 2))) for parts in lines.allsegs]
    places = choose_label_places(axes, longest, optima[["S", "V"]].to_numpy())
    for text in axes.clabel(lines, fmt="%g", fontsize=mpl.rcParams["legend.fontsize"], manual=places):
        text.set(color=mpl.rcParams["text.color"])
        text.set_path_effects([withStroke(linewidth=2, foreground=mpl.rcParams["axes.facecolor"])])


def choose_label_places(axes: Axes, lines: list[np.ndarray], points: np.ndarray) -> list[tuple[float, float]]:
    """Return where contours are labelled: as near their middles as points and earlier labels allow, or not at all.

    Args:
        axes: the Axes, with its final scales and limits.
        lines: the vertices of the longest part of each contour, in data units; shape (n, 2). One of few vertices is
            too short for a label.
        points: what no label may hide, in data units; shape (m, 2).
    """
    room = LABEL_ROOM * axes.figure.dpi / 72 * FontProperties(size=mpl.rcParams["legend.fontsize"]).get_size_in_points()
    taken = axes.transData.transform(points)
    places = []
    for line in lines:
        if len(line) <= FINE / 3:
            continue
        inside = line[len(line) // 6 : -len(line) // 6]
        inside = inside[np.argsort(abs(np.arange(len(inside)) - len(inside) / 2), kind="stable")]
        pixels = axes.transData.transform(inside)
        # Labels follow their lines, so their boxes may be as high as they are long.
        is_free = (abs(pixels[:, None] - taken).max(axis=2) >= room).all(axis=1)
        if is_free.any():
            best = int(is_free.argmax())
            taken = np.vstack([taken, pixels[best]])
            places.append((float(inside[best, 0]), float(inside[best, 1])))
    return places


def _draw_frame(axes: Axes, cells: pd.DataFrame) -> None:
    """Mark the edge of the measured grid."""
    (left, right), (bottom, top) = ((cells[name].min(), cells[name].max()) for name in ("S", "V"))
    corners = [left, right, right, left, left], [bottom, bottom, top, top, bottom]
    axes.plot(*corners, "--", color=mpl.rcParams["axes.edgecolor"], label="edge of what was measured")


def _draw_equal_compute(axes: Axes, cells: pd.DataFrame, lam: float) -> None:
    """Draw S(1 + λV) = C for powers of four within the measured grid, and name C where a line leaves it."""
    (left, right), (bottom, top) = ((cells[name].min(), cells[name].max()) for name in ("S", "V"))
    label = "S(1 + λV) = C"
    for budget in 4.0 ** np.arange(1, 21):
        S = np.geomspace(max(left, budget / (1 + lam * top)), min(right, budget / (1 + lam * bottom)), FINE)
        if S[0] >= S[-1]:
            continue
        V = (budget / S - 1) / lam
        axes.plot(S, V, ":", color="white", alpha=ON_SURFACE, path_effects=OUTLINE, label=label)
        label = ""
        is_right = V[-1] > bottom * 1.001
        shift, places = ((5, 0), ("left", "center")) if is_right else ((0, -2), ("center", "top"))
        axes.annotate(f"{budget:g}x", (S[-1], V[-1]), shift, textcoords="offset points", ha=places[0], va=places[1],
                      fontsize=mpl.rcParams["legend.fontsize"])  # fmt: skip


def _draw_path(axes: Axes, optima: pd.DataFrame) -> None:
    """Draw the path of the best S and V over budgets, hollow where they lie at an edge and are bounds."""
    is_bound = (optima["edge"] != "").to_numpy(dtype=bool)
    line: dict[str, Any] = {
        "color": "black",
        "alpha": ON_SURFACE,
        "path_effects": [withStroke(linewidth=3, foreground="white")],
    }
    axes.plot(optima["S"], optima["V"], "-", **line)
    for marked, face, label in ((~is_bound, "black", "best S and V of C"), (is_bound, "white", "at an edge: a bound")):
        if marked.any():
            axes.plot(optima["S"][marked], optima["V"][marked], "o", mfc=face, label=label, **line)


def _describe_surface(own: pd.DataFrame) -> str:
    """Return how uncertain the cells are, and what could not be drawn."""
    widths = 50 * (own["high"] - own["low"])
    text = "means, without intervals" if widths.isna().all() else f"95 %: up to ±{widths.max():.1f} points"
    if own["lam"].isna().any():
        return f"{text}; λ unknown, so without compute"
    return text if (own["kind"] == "optimum").any() else f"{text}; too few budgets for a path"
