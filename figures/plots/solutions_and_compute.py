"""Figure 1 of Singhi et al. 2025 (arXiv 2504.01005): success at equal numbers of solutions, and at equal compute.

It shows self-consistency, and a generative verifier with each number of verifications, for any profile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from isocompute.figures.colours import LineStyle, list_ordered_styles
from isocompute.figures.style import finish_axes, get_figure, label_panels, prepare_axes, remove_legend
from isocompute.figures.tables import check_table
from isocompute.fits.cost import compute_allocation_cost
from isocompute.fits.mean_intervals import compute_mean_interval
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.registry import get_line_style, get_strategy_colour

SOLUTIONS_AND_COMPUTE_COLUMNS = ("strategy", "S", "V", "compute", "accuracy", "low", "high", "problems")
COMPUTE_LABEL = "compute C = S(1 + λV), in solutions' worth (x)"


def build_solutions_and_compute_table(profile: Profile) -> pd.DataFrame:
    """Return the points of Figure 1.

    Args:
        profile: the measurements.

    Returns:
        A row for each S and V that are powers of two. ``strategy``: sc or genrm. ``S``: number of solutions. ``V``:
        verifications of each, 0 for sc. ``compute``: S(1 + λV), in x; NaN for genrm if λ is unknown. ``accuracy``: mean
        over problems, 0 … 1, and ``low``, ``high``: its 95 % interval over problems, NaN if the profile holds means
        only. ``problems``: number of problems.

    Example:
        >>> from isocompute.planner.profile import read_profile
        >>> table = build_solutions_and_compute_table(read_profile("llama-3.1-8b-math"))
        >>> table.query("S == 4 and V < 2")[["strategy", "V", "compute", "accuracy"]].values.tolist()
        [['sc', 0, 4.0, 0.414], ['genrm', 1, 12.0, 0.409]]
    """
    table = build_lines_table(profile, np.ones(len(profile.self_consistency.array), dtype=bool))
    if not profile.per_problem:
        table[["low", "high"]] = np.nan
    return table


def build_lines_table(profile: Profile, chosen: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the points of all lines over some of the problems, see `build_solutions_and_compute_table`.

    Args:
        profile: the measurements.
        chosen: (P,) which of the problems.
    """
    sc, genrm = profile.self_consistency, profile.genrm
    kept = [i for i, S in enumerate(sc.solutions) if S & (S - 1) == 0]
    lines = [("sc", [sc.solutions[i] for i in kept], 0, sc.array[:, kept])]
    if genrm is not None:
        grid, S, verifications = genrm.select_doublings()
        lines += [("genrm", S, V, grid[:, :, j]) for j, V in enumerate(verifications)]
    strata, clusters = (None if of is None else np.array(of)[chosen] for of in (profile.strata, profile.clusters))
    tables = []
    for strategy, numbers, V, values in lines:
        low, high = compute_mean_interval(values[chosen], strata, clusters)
        cost = [compute_line_cost(s, V, profile.lam) for s in numbers]
        accuracy = values[chosen].mean(axis=0)
        tables.append(pd.DataFrame({"strategy": strategy, "S": numbers, "V": V, "compute": cost, "accuracy": accuracy,
                                    "low": low, "high": high}))  # fmt: skip
    return pd.concat(tables, ignore_index=True).assign(
        problems=int(chosen.sum()) if profile.per_problem else profile.problems
    )


def compute_line_cost(S: int, V: int, lam: float | None) -> float:
    """Return S(1 + λV) in x, NaN if verifications have no known cost."""
    if not V:
        return float(S)
    return np.nan if lam is None else float(compute_allocation_cost(S, V, lam))


def draw_solutions_and_compute(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw Figure 1: (a) `draw_by_solutions` and (b) `draw_by_compute`.

    Args:
        table: table from `build_solutions_and_compute_table`.
        ax: two Axes; None for a new figure, whose title describes the bands.

    Returns:
        The two Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not two Axes.
    """
    with prepare_axes(ax, 2, sharey=True) as axes:
        left, right = axes
        draw_by_solutions(table, left)
        draw_by_compute(table, right)
        label_panels(axes)
        if ax is None:
            get_figure(left).suptitle(describe_bands(table))
        else:
            remove_legend(left)  # the second panel has the same lines
    return np.array(axes)


def draw_by_solutions(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw success against solutions, the first panel of `draw_solutions_and_compute`, in one Axes."""
    return draw_lines(table, "S", "at equal numbers of solutions", "solutions S per problem", ax)


def draw_by_compute(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw success against compute, the second panel of `draw_solutions_and_compute`, in one Axes."""
    return draw_lines(table, "compute", "at equal compute", COMPUTE_LABEL, ax)


def draw_lines(table: pd.DataFrame, column: str, title: str, label: str, ax: Any) -> Axes:
    """Draw a line for each V against a column.

    Only SC and the best V get bands, as the bands of all would hide each other. Each line follows the order of S,
    whatever the order of the rows.
    """
    check_table(table, SOLUTIONS_AND_COMPUTE_COLUMNS, "solutions_and_compute")
    banded = find_best_verifications(table)
    numbers = sorted(set(table["V"].tolist()))
    verified = [V for V in numbers if V]
    styles = {0: LineStyle(get_strategy_colour("sc"), get_line_style("sc"))}
    styles |= dict(zip(verified, list_ordered_styles(len(verified)), strict=True))
    with prepare_axes(ax) as (axes,):
        for V in numbers:
            line, (shade, style) = table[table["V"] == V].sort_values("S"), styles[V]
            axes.plot(
                line[column],
                100 * line["accuracy"],
                style,
                color=shade,
                linewidth=1.1 if V else 1.6,
                label=f"GenRM, V = {V}" if V else "SC (majority vote)",
                zorder=2 if V else 3,
            )
            if V in (0, banded):
                axes.fill_between(line[column], 100 * line["low"], 100 * line["high"], color=shade, alpha=0.13, lw=0)
        finish_axes(axes, title, label)
        axes.set_ylabel("problems solved (%)")
        axes.legend()
    return axes


def find_best_verifications(table: pd.DataFrame) -> int:
    """Return the number of verifications V whose line has the highest point; 0 without verifications."""
    verified = table[table["V"] > 0].sort_values(["V", "S"])
    return 0 if verified.empty else int(verified["V"].to_numpy()[verified["accuracy"].to_numpy().argmax()])


def describe_bands(table: pd.DataFrame) -> str:
    """Return a title with the number of problems, the meaning of the bands, and what could not be drawn."""
    best = find_best_verifications(table)
    bands = "means as published"
    if table["low"].notna().any():
        bands = "bands: 95 % over problems, for SC" + (f" and V = {best}" if best else "")
    unpriced = table.loc[table["V"] > 0, "compute"].isna().any()
    return f"{table['problems'].iloc[0]} problems, {bands}" + (
        "; λ unknown, so (b) is without GenRM" if unpriced else ""
    )
