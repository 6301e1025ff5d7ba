"""What difficulty is worth, drawn: accuracy against budget, and which strategy runs on which level."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from isocompute.figures.figure1 import finish
from isocompute.planner.difficulty import Study
from isocompute.planner.strategies.registry import colour_of

GREY = "#555555"
KINDS = ("#7b3294", "#1b7837")
"""Colours of the kinds of difficulty."""


def draw_difficulty(studies: list[Study]) -> Figure:
    """Draw studies of the same problems: their curves together, and the levels of the first."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}):
        figure = Figure(figsize=(8.2, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        curves(left, studies)
        levels(right, studies[0])
        first = studies[0]
        figure.suptitle(f"{first.name}: {first.problems} problems, scored under choices made on others", fontsize=9)
    return figure


def curves(axes: Axes, studies: list[Study]) -> None:
    """Draw accuracy against budget: one choice for all, and by each kind of difficulty."""
    common = studies[0].found
    axes.plot(common.budgets, 100 * common.one_for_all.accuracy, "o-", color=GREY, markersize=3, label="one for all")
    axes.fill_between(
        common.budgets, 100 * common.one_for_all.low, 100 * common.one_for_all.high, color=GREY, alpha=0.13, lw=0
    )
    for study, shade in zip(studies, KINDS, strict=False):
        label = f"by {study.kind}" + ("" if study.in_practice else " (not to be had in practice)")
        style = "o-" if study.in_practice else "o--"
        found = study.found
        axes.plot(found.budgets, 100 * found.by_difficulty.accuracy, style, color=shade, markersize=3, label=label)
    axes.legend(frameon=False, fontsize=8)
    axes.set_ylabel("problems solved (%)")
    finish(axes, "(a) choosing by difficulty", "budget C per problem, telling the level included (x)")


def levels(axes: Axes, study: Study) -> None:
    """Draw which strategy runs on which level at each budget."""
    found = study.found
    names = list(dict.fromkeys(name for level in found.levels for name in level.strategies if name is not None))
    cells = np.array(
        [[np.nan if name is None else names.index(name) for name in level.strategies] for level in found.levels]
    )
    shown = mpl.colors.ListedColormap([colour_of(name) for name in names] or ["white"])
    axes.imshow(cells, cmap=shown, vmin=0, vmax=max(len(names) - 1, 1), aspect="auto", alpha=0.8)
    axes.set_yticks(range(len(found.levels)), [str(level.level) for level in found.levels])
    axes.set_xticks(range(len(found.budgets)), [f"{x:g}" for x in found.budgets], rotation=60)
    axes.set_title(f"(b) what runs on each level, by {study.kind}", fontsize=9)
    axes.set_xlabel("budget C per problem (x)")
    axes.set_ylabel("level, 1 the easiest")
    handles = [Patch(color=colour_of(name), label=name) for name in names]
    axes.legend(handles=handles, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
