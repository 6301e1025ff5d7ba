"""The allocation law figure: the best S and V of each budget, and the three laws that are fitted to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.markers import CARETDOWNBASE, CARETUPBASE
from numpy.typing import NDArray

from isocompute.figures.colours import GREY, list_line_styles
from isocompute.figures.plots.frontiers import BUDGET_LABEL
from isocompute.figures.scales import scale_doublings
from isocompute.figures.style import draw_two_panels, finish_axes, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.fits.laws.allocation import LAW_FITS, AllocationLaw
from isocompute.planner.findings import fit_strategy_laws, list_law_strategies
from isocompute.planner.profile import Profile, Surface

ALLOCATION_LAW_COLUMNS = (
    "strategy", "fit", "quantity", "budget", "optimum", "bound", "fitted", "low", "high", "exponent", "exponent_low",
    "exponent_high", "smallest", "largest", "problems",
)  # fmt: skip
EXPONENTS = {"S": "a", "V": "b"}
FIT_OPTIMA = {"grid": "best cell", "smooth": "best on the smoothed surface"}
"""Name of the optima that a fit is fitted to; the censored fit has those of the smoothed surface."""
BOUND_MARKERS: dict[str, Any] = {"at least": CARETUPBASE, "at most": CARETDOWNBASE}
"""An arrow to where the true optimum may lie."""


def build_allocation_law_table(profile: Profile) -> pd.DataFrame:
    """Return the best S and V of each budget, and the laws S_opt ∝ C^a and V_opt ∝ C^b fitted in three ways.

    Args:
        profile: the measurements.

    Returns:
        A row for each strategy with verifications, fit, quantity and budget, from
        `planner.findings.fit_strategy_laws`; no rows if λ is unknown, or with fewer than three budgets. ``fit``:
        ``grid`` (a line through the best cells), ``smooth`` (a line through the optima of the smoothed surface) or
        ``censored`` (the same with optima at an edge as bounds; missing if fewer than three are inside).
        ``quantity``: S or V. ``budget``: C, in x. ``optimum``: the best S or V. ``bound``: ``at least`` or ``at most``
        where it lies at an edge of the measured grid, so that the true one may lie outside; empty inside. ``fitted``:
        the law at this budget, and ``low``, ``high``: its 95 % bootstrap interval. ``exponent``: a or b, and
        ``exponent_low``, ``exponent_high``: its interval. The law is NaN where fewer than three optima lie inside the
        grid, and intervals are NaN without per-problem values, or if all replicates are equal. ``smallest``,
        ``largest``: the S or V that were measured. ``problems``: number of problems.
    """
    parts = []
    for strategy in list_law_strategies(profile):
        laws = fit_strategy_laws(profile, strategy, profile.lam)
        if laws is None:
            continue
        part = profile.strategies[strategy]
        assert isinstance(part, Surface), "only strategies with S and V are listed"
        _, S, V = part.select_doublings()
        for law in laws:
            for quantity, knots in (("S", S), ("V", V)):
                lines = _build_law_rows(law, quantity, laws.budgets)
                parts.append(lines.assign(strategy=strategy, smallest=knots[0], largest=knots[-1]))
    if not parts:
        return pd.DataFrame(columns=list(ALLOCATION_LAW_COLUMNS))
    return pd.concat(parts, ignore_index=True).assign(problems=profile.problems)[list(ALLOCATION_LAW_COLUMNS)]


def _build_law_rows(law: AllocationLaw, quantity: str, budgets: NDArray[np.float64]) -> pd.DataFrame:
    """Return a row for each budget of one fit and quantity."""
    line, optima = (law.solutions, law.S_opt) if quantity == "S" else (law.verifications, law.V_opt)
    nan = np.full(len(budgets), np.nan)
    low, high = (line.enclose_optimum(budgets) if law.is_known else None) or (nan, nan)
    ends = (line.interval if law.is_known else None) or (np.nan, np.nan)
    return pd.DataFrame(
        {
            "fit": law.way,
            "quantity": quantity,
            "budget": budgets,
            "optimum": optima,
            "bound": [name_bound(edge, quantity) for edge in law.edges],
            "fitted": [line.predict_optimum(budget) for budget in budgets] if law.is_known else nan,
            "low": low,
            "high": high,
            "exponent": line.exponent if law.is_known else np.nan,
            "exponent_low": ends[0],
            "exponent_high": ends[1],
        }
    )


def name_bound(edge: str, quantity: str) -> str:
    """Return on which side of an optimum at an edge of the grid the true S or V may lie; empty inside.

    The budget ties S and V: where V is the largest measured, the true V is at least that, and the true S at most its
    optimum.

    >>> name_bound("V upper", "V"), name_bound("V upper", "S"), name_bound("", "S")
    ('at least', 'at most', '')
    """
    if not edge:
        return ""
    if quantity in edge:
        return "at least" if f"{quantity} upper" in edge else "at most"
    return "at most" if "upper" in edge else "at least"


def draw_allocation_law(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw the laws of the first strategy of the table: (a) of S and (b) of V, see `draw_law`.

    Args:
        table: table from `build_allocation_law_table`.
        ax: two Axes; None for a new figure with a title.

    Returns:
        The two Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not two Axes.
    """
    check_table(table, ALLOCATION_LAW_COLUMNS, "allocation_law")
    strategy, problems = table["strategy"].iloc[0], table["problems"].iloc[0]
    own = table[table["strategy"] == strategy]
    bands = "bands: 95 % of each law" if own["low"].notna().any() else "without intervals"
    if own["fitted"].isna().all():
        bands = "no law, as fewer than 3 lie inside the grid"
    title = f"{problems} problems, best S and V of {strategy} by budget (hollow: bounds), {bands}"
    return draw_two_panels(table, ax, (draw_solutions_law, draw_verifications_law), title)


def draw_solutions_law(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the best S against the budget with its laws, in one Axes."""
    return draw_law(table, "S", "solutions S", ax)


def draw_verifications_law(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the best V against the budget with its laws, in one Axes."""
    return draw_law(table, "V", "verifications V of each", ax)


def draw_law(table: pd.DataFrame, quantity: str, label: str, ax: Any) -> Axes:
    """Draw the optima of the first strategy of the table, and the laws that are known, with their bands.

    An optimum at an edge of the grid is hollow, and an arrow points to where the true one may lie.

    Args:
        table: table from `build_allocation_law_table`.
        quantity: S or V.
        label: label of the y axis.
        ax: the Axes; None for a new figure.
    """
    check_table(table, ALLOCATION_LAW_COLUMNS, "allocation_law")
    own = table[(table["strategy"] == table["strategy"].iloc[0]) & (table["quantity"] == quantity)]
    smallest, largest = own["smallest"].iloc[0], own["largest"].iloc[0]
    with prepare_axes(ax) as (axes,):
        for edge in (smallest, largest):
            axes.axhline(edge, color=GREY, lw=0.8, ls=(0, (1, 3)))
        for fit, line in own.groupby("fit", sort=False):
            _draw_fit(axes, str(fit), line.sort_values("budget"))
        finish_axes(axes, f"best {quantity}; dotted: what was measured", BUDGET_LABEL)
        scale_doublings(axes, smallest / 1.5, largest * 2)
        axes.set_ylabel(label)
        axes.legend()
    return axes


def _draw_fit(axes: Axes, fit: str, line: pd.DataFrame) -> None:
    """Draw a law with its band, if it is known, and the optima that it is fitted to."""
    colour, format_ = list_line_styles(len(LAW_FITS))[list(LAW_FITS).index(fit)]
    marker, dashes = format_[0], format_[1:]
    if line["fitted"].notna().all():
        axes.plot(line["budget"], line["fitted"], dashes, color=colour, label=_describe_fit(line))
        axes.fill_between(line["budget"], line["low"], line["high"], color=colour, alpha=0.1, lw=0)
    name = FIT_OPTIMA.get(fit)
    for bound, points in line.groupby("bound") if name else ():
        at = points["budget"], points["optimum"]
        size = rcParams["lines.markersize"] * (1.5 if fit == "grid" else 1.0)  # it shows behind the other
        axes.plot(*at, marker, color=colour, mfc="none" if bound else colour, ms=size, label=name)
        name = None  # one entry of the legend, of those inside if there are any
        if bound:
            axes.plot(*at, ls="", marker=BOUND_MARKERS[str(bound)], color=colour, ms=2 * rcParams["lines.markersize"])


def _describe_fit(line: pd.DataFrame) -> str:
    """Return the name of a fit with its exponent."""
    first = line.iloc[0]
    ends = "" if np.isnan(first["exponent_low"]) else f" [{first['exponent_low']:.2f}, {first['exponent_high']:.2f}]"
    return f"{LAW_FITS[first['fit']]}: {EXPONENTS[first['quantity']]} = {first['exponent']:.2f}{ends}"
