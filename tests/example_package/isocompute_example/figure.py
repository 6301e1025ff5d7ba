"""A figure: the share of problems that at least one of S solutions solves."""

import pandas as pd

from isocompute.figures.registry import FigureEntry
from isocompute.figures.style import finish_axes, prepare_axes
from isocompute.fits import compute_percentile_interval, resample_means
from isocompute.planner.findings import draw_profile_bootstrap


def coverage_table(profile):
    curve = profile.coverage
    if curve is None or not profile.per_problem:
        return pd.DataFrame()
    low, high = compute_percentile_interval(resample_means(curve.array, draw_profile_bootstrap(profile)))
    accuracy = curve.array.mean(axis=0)
    return pd.DataFrame({"S": curve.solutions, "accuracy": accuracy, "low": low, "high": high})


def draw_coverage(table, ax=None):
    with prepare_axes(ax) as (axes,):
        axes.plot(table["S"], 100 * table["accuracy"], "o-")
        axes.fill_between(table["S"], 100 * table["low"], 100 * table["high"], alpha=0.13)
        finish_axes(axes, "solved by at least one of S solutions", "solutions S per problem")
        axes.set_ylabel("problems solved (%)")
    return axes


COVERAGE = FigureEntry(
    name="coverage",
    description="problems that at least one of S solutions solves",
    needs="profile",
    table="isocompute_example.figure:coverage_table",
    draw="isocompute_example.figure:draw_coverage",
)
