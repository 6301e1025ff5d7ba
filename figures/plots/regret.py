"""The regret figure: what the planner's advice loses, by the number of problems of the pilot that it is made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from isocompute.errors import DataError
from isocompute.figures.colours import list_line_styles
from isocompute.figures.style import finish_axes, get_figure, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.fits.arrays import Floats
from isocompute.fits.bootstrap import compute_t_interval
from isocompute.planner.evaluation.full_pilots import evaluate_full_pilots, measure_profile
from isocompute.planner.evaluation.regret import ADVICE, summarise_regret
from isocompute.planner.evaluation.rules import REFERENCE_RULES
from isocompute.planner.profile import Profile, Surface

REGRET_COLUMNS = (
    "rule", "pilot", "regret", "low", "high", "percentile_90", "first_budget", "last_budget", "S", "V", "pilots",
    "scored", "problems",
)  # fmt: skip
REGRET_PILOTS = 30
"""Pilots of each size; few, so that the figure takes seconds."""
BEST_FIXED = "best fixed: "


def build_regret_table(profile: Profile) -> pd.DataFrame:
    """Return the regret of the planner's advice by the size of its pilot, and that of rules that need no pilot.

    A pilot is a number of problems of the profile, drawn at random, each with all solutions and verifications that were
    measured of it. In each draw, pilots of all sizes are scored on the same other problems.

    Args:
        profile: the measurements.

    Returns:
        A row for ``advice`` at each size of the pilot, from `planner.evaluation.full_pilots`, and one for each rule
        without a pilot: always SC, the published law, and the best fixed allocation in hindsight. No rows if the
        profile holds means only, has fewer than four problems or too few clusters, or one allocation of known cost.
        ``rule``: its name. ``pilot``: problems of the pilot; NaN without one. ``regret``: accuracy of the best
        allocation in hindsight within the budget minus that of the rule, 0 … 1, mean over pilots and over budgets;
        ``low``, ``high``: its 95 % interval over pilots of the same problems, not over other problems.
        ``percentile_90``: the 90th percentile over pilots and budgets. ``first_budget``, ``last_budget``: the least and
        the largest budget, doublings, in x. ``S``, ``V``: the most solutions of a problem, and verifications of each;
        0 without verifications. ``pilots``: number of pilots of each size. ``scored``: problems that score the advice.
        ``problems``: number of problems.
    """
    try:
        found = evaluate_full_pilots(measure_profile(profile), REGRET_PILOTS)
    except DataError:  # there is nothing to draw pilots from
        return pd.DataFrame(columns=list(REGRET_COLUMNS))
    best = min(found.rules, key=lambda name: float(found.rules[name].mean()))
    rules = {name: found.rules[name] for name in REFERENCE_RULES if name in found.rules}
    rules[BEST_FIXED + best] = found.rules[best]
    rows = [(ADVICE, float(size), *_summarise(regret)) for size, regret in found.advice.items()]
    rows += [(name, np.nan, *_summarise(regret)) for name, regret in rules.items()]
    verified = [part for part in profile.strategies.values() if isinstance(part, Surface)]
    return pd.DataFrame(rows, columns=list(REGRET_COLUMNS[:6])).assign(
        first_budget=found.budgets[0],
        last_budget=found.budgets[-1],
        S=profile.self_consistency.solutions[-1],
        V=max((part.verifications[-1] for part in verified), default=0),
        pilots=REGRET_PILOTS,
        scored=found.scored,
        problems=profile.problems,
    )


def _summarise(regret: Floats) -> tuple[float, float, float, float]:
    """Return the mean of (splits, nC) regrets, its interval over splits, and the 90th percentile."""
    summary = summarise_regret(regret)
    low, high = compute_t_interval(regret.mean(axis=1))
    return summary.mean, float(low), float(high), summary.percentile_90


def draw_regret(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the regret of the advice against the size of its pilot, beside rules without a pilot.

    Args:
        table: table from `build_regret_table`.
        ax: the Axes; None for a new figure with a title.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not one Axes.
    """
    check_table(table, REGRET_COLUMNS, "regret")
    first, advice = table.iloc[0], table[table["rule"] == ADVICE].sort_values("pilot")
    ends = [advice["pilot"].min() / 1.15, advice["pilot"].max() * 1.15]
    rules = table[table["rule"] != ADVICE]
    own, *others = list_line_styles(1 + len(rules))
    with prepare_axes(ax) as (axes,):
        at: Any = advice["pilot"]
        line: dict[str, Any] = {"color": own.colour}
        axes.plot(at, 100 * advice["regret"], own.format, label="advice from the pilot", **line)
        axes.fill_between(at, 100 * advice["low"], 100 * advice["high"], alpha=0.2, lw=0, **line)
        axes.plot(at, 100 * advice["percentile_90"], "x:", label="advice, 90th percentile", **line)
        for row, style in zip(rules.to_dict("records"), others, strict=True):
            axes.plot(ends, [100 * row["regret"]] * 2, ls=style.format[1:], color=style.colour, label=row["rule"])
            axes.fill_between(ends, 100 * row["low"], 100 * row["high"], color=style.colour, alpha=0.12, lw=0)
        finish_axes(axes, f"{first['first_budget']:g}x to {first['last_budget']:g}x; bands: 95 % over "
                    f"{first['pilots']} pilots", _describe_pilot(first))  # fmt: skip
        axes.set_xticks(advice["pilot"].tolist())
        axes.set_ylim(bottom=min(0.0, 100 * table["low"].min()))
        axes.set_ylabel("regret (points)")
        axes.legend()
        if ax is None:
            title = f"{first['problems']} problems, what advice loses against hindsight, scored on {first['scored']}"
            get_figure(axes).suptitle(title)
    return axes


def _describe_pilot(first: pd.Series) -> str:
    """Return what a pilot is, as the label of the x axis."""
    verified = f", V ≤ {first['V']}" if first["V"] else ""
    return f"problems of the pilot, each with all that was measured (S ≤ {first['S']}{verified})"
