"""Every strategy at its best, drawn: held-out accuracy against budget, and what each is ahead of voting."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from isocompute.figures.figure1 import finish
from isocompute.fits.bootstrap import interval, resample
from isocompute.fits.choice.held_out import folds, held_out, in_sample
from isocompute.planner.findings import replicates
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import doublings, strategy_options
from isocompute.planner.strategies.registry import colour_of, is_search, line_style_of


def draw_frontiers(profile: Profile) -> Figure | None:
    """Draw each strategy's frontier and its lead over SC, banded for the best one; None if nothing can be compared.

    Allocations are chosen on other problems than they are scored on, so means over problems are not enough.
    """
    options = strategy_options(profile, profile.lam)
    if len(options) < 2 or not profile.per_problem or profile.problems < 2:
        return None
    budgets = np.array(doublings(profile))
    accuracy = held_out(options, budgets, folds(profile.problems)).accuracy
    flattering = in_sample(options, budgets).accuracy
    weights = replicates(profile)
    top = options[int(accuracy[: len(options), :, -1].mean(axis=1).argmax())]  # bands of all would hide each other
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}):
        figure = Figure(figsize=(8.2, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        right.axhline(0, color=colour_of("sc"), lw=1.6)
        for table, reached, taken in zip(options, accuracy, flattering, strict=False):
            there = ~np.isnan(reached[0])
            shade, style, at = colour_of(table.strategy), line_style_of(table.strategy), budgets[there]
            left.plot(at, 100 * reached[:, there].mean(axis=0), style, color=shade, ms=3, lw=1.2, label=table.strategy)
            if table is not options[0]:
                lead = 100 * (reached - accuracy[0])[:, there]
                right.plot(at, lead.mean(axis=0), style, color=shade, ms=3, lw=1.2)
                if table is top:
                    low, high = interval(resample(lead, weights))
                    if is_search(table.strategy):  # as in `compare.sure`
                        other_low, other_high = interval(resample(100 * (taken - flattering[0])[:, there], weights))
                        low, high = np.minimum(low, other_low), np.maximum(high, other_high)
                    right.fill_between(at, low, high, color=shade, alpha=0.15, lw=0)
        finish(left, "(a) each strategy at its best", "budget C per problem, in solutions' worth (x)")
        band = "" if top is options[0] else f", band: 95 %, paired, for {top.strategy}"
        finish(right, f"(b) ahead of SC{band}", "budget C per problem, in solutions' worth (x)")
        left.set_ylabel("problems solved (%)")
        right.set_ylabel("points")
        left.legend(frameon=False, fontsize=8)
        figure.suptitle(f"{profile.name}: {profile.problems} problems, scored under choices made on others", fontsize=9)
    return figure
