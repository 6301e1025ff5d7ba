"""The policies figure: rules that stop early against the best fixed plans, at equal mean compute."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from isocompute.figures.colours import GREY, LineStyle, list_line_styles
from isocompute.figures.style import draw_two_panels, finish_axes, prepare_axes, remove_legend
from isocompute.figures.tables import check_table
from isocompute.fits import compute_difference_interval, compute_mean_interval
from isocompute.fits.arrays import Floats
from isocompute.planner.policies.fixed_plans import build_fixed_frontier
from isocompute.planner.policies.prices import build_profile_prices
from isocompute.planner.policies.profile_rules import list_priced_rules
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_strategy_options

POLICIES_COLUMNS = (
    "kind", "name", "threshold", "limit", "compute", "accuracy", "low", "high", "lead", "lead_low", "lead_high",
    "problems",
)  # fmt: skip
MEAN_COMPUTE_LABEL = "mean compute per problem, in solutions' worth (x)"


def build_policies_table(profile: Profile) -> pd.DataFrame:
    """Return what each rule that stops early reaches at its settings, beside the best fixed plans.

    Args:
        profile: the measurements.

    Returns:
        No rows if the profile holds no policies, or has one independent problem. ``kind``: ``policy``, a rule at one of
        its settings; ``fixed``, the most accurate fixed plan within a budget, chosen on other problems;
        ``hindsight``, who knows when to stop with the full budget's answer. ``name``: the rule, the plan, or the rules
        that hindsight is of. ``threshold``, ``limit``: the rule's, and its most solutions; NaN otherwise. ``compute``:
        mean compute, in x. ``accuracy``: mean over problems, 0 … 1, and ``low``, ``high``: its 95 % interval. ``lead``:
        accuracy minus that of the best fixed plan at equal mean compute, paired, and ``lead_low``, ``lead_high``: its
        interval; 0 for fixed plans. ``problems``: number of problems.
    """
    if not profile.measured_policies or profile.independent_problems < 2:
        return pd.DataFrame(columns=list(POLICIES_COLUMNS))
    clusters = None if profile.clusters is None else np.array(profile.clusters)
    strata = None if profile.strata is None else np.array(profile.strata)
    prices = build_profile_prices(profile)
    points: list[tuple[str, str, float, float, float, Floats]] = []
    known: dict[int, list[str]] = {}
    for rule in list_priced_rules(profile, prices):
        name, part, spent = rule.name, rule.part, rule.compute.mean(axis=0)
        points += [
            ("policy", name, threshold, limit, float(spent[t]), part.array[:, t])
            for t, (threshold, limit) in enumerate(zip(part.thresholds, part.list_limits(), strict=True))
        ]
        if part.hindsight is not None:
            known.setdefault(part.most_verifications, []).append(name)
    for verifications, names in known.items():
        part = profile.measured_policies[names[0]]
        spent = float((np.array(part.hindsight) * prices.price_solution(verifications)).mean())
        points.append(("hindsight", ", ".join(names), np.nan, np.nan, spent, part.array[:, -1]))
    options = list_strategy_options(profile, profile.lam)
    frontier = build_fixed_frontier(options, [point[4] for point in points], clusters, strata)
    for at, budget in enumerate(frontier.budgets):
        points.append(("fixed", frontier.plans[at], np.nan, np.nan, float(budget), frontier.accuracy[:, at]))
    accuracy = np.stack([point[5] for point in points], axis=1)
    leads = accuracy - frontier.accuracy[:, [frontier.find_plan(point[4]) for point in points]]
    low, high = compute_mean_interval(accuracy, strata, clusters)
    lead_low, lead_high = compute_difference_interval(leads, strata, clusters)
    table = pd.DataFrame([point[:5] for point in points], columns=list(POLICIES_COLUMNS[:5]))
    means = accuracy.mean(axis=0), low, high, leads.mean(axis=0), lead_low, lead_high
    table[list(POLICIES_COLUMNS[5:11])] = np.stack(means, axis=1)
    table.loc[table["kind"] == "fixed", ["lead", "lead_low", "lead_high"]] = 0.0
    return table.assign(problems=profile.problems)


def draw_policies(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw the policies: (a) `draw_policy_accuracies` and (b) `draw_policy_leads`.

    Args:
        table: table from `build_policies_table`.
        ax: two Axes; None for a new figure with a title.

    Returns:
        The two Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not two Axes.
    """
    check_table(table, POLICIES_COLUMNS, "policies")
    title = f"{table['problems'].iloc[0]} problems, rules that stop early at equal mean compute"
    axes = draw_two_panels(table, ax, (draw_policy_accuracies, draw_policy_leads), title)
    remove_legend(axes[1])  # the first panel has the same lines
    return axes


def draw_policy_accuracies(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw each rule's accuracy against its mean compute, with the best fixed plans and hindsight, in one Axes."""
    check_table(table, POLICIES_COLUMNS, "policies")
    with prepare_axes(ax) as (axes,):
        fixed = table[table["kind"] == "fixed"].sort_values("compute")
        axes.plot(fixed["compute"], 100 * fixed["accuracy"], color=GREY, lw=1.6, label="best fixed plan")
        axes.fill_between(fixed["compute"], 100 * fixed["low"], 100 * fixed["high"], color=GREY, alpha=0.12, lw=0)
        for (name, points), (colour, style) in list_styled_rules(table):
            axes.plot(points["compute"], 100 * points["accuracy"], style, color=colour, label=name)
        known = table[table["kind"] == "hindsight"]
        axes.plot(
            known["compute"],
            100 * known["accuracy"],
            "*",
            color="black",
            ms=2 * mpl.rcParams["lines.markersize"],
            ls="",
            label="hindsight",
        )
        finish_axes(axes, "accuracy; band: 95 %, fixed plans", MEAN_COMPUTE_LABEL)
        axes.set_ylabel("problems solved (%)")
        axes.legend()
    return axes


def draw_policy_leads(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw each rule's lead over the best fixed plan at equal mean compute, with paired intervals, in one Axes."""
    check_table(table, POLICIES_COLUMNS, "policies")
    with prepare_axes(ax) as (axes,):
        axes.axhline(0, color=GREY, lw=1.6)
        for (name, points), (colour, style) in list_styled_rules(table):
            axes.plot(points["compute"], 100 * points["lead"], style, color=colour, label=name)
            axes.vlines(points["compute"], 100 * points["lead_low"], 100 * points["lead_high"], color=colour, lw=0.9)
        finish_axes(axes, "lead over fixed plans, paired 95 % intervals", MEAN_COMPUTE_LABEL)
        axes.set_ylabel("points")
        axes.legend()
    return axes


def list_styled_rules(table: pd.DataFrame) -> list[tuple[tuple[str, pd.DataFrame], LineStyle]]:
    """Return the rules with their points, each with the style of its line."""
    rules = list_rules(table)
    return list(zip(rules, list_line_styles(len(rules)), strict=True))


def list_rules(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the rules in the order of the table, each with its points sorted by compute."""
    rules = table[table["kind"] == "policy"]
    return [(str(name), line.sort_values("compute")) for name, line in rules.groupby("name", sort=False)]
