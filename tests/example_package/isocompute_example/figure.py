"""A figure: how many problems any of S solutions solves."""

import pandas as pd

from isocompute.figures.registry import FigureEntry
from isocompute.figures.style import finish, panels
from isocompute.fits import interval, resample
from isocompute.planner.findings import replicates


def coverage_table(profile):
    curve = profile.coverage
    if curve is None or not profile.per_problem:
        return pd.DataFrame()
    low, high = interval(resample(curve.array, replicates(profile)))
    accuracy = curve.array.mean(axis=0)
    return pd.DataFrame({"S": curve.solutions, "accuracy": accuracy, "low": low, "high": high})


def draw_coverage(table, ax=None):
    with panels(ax) as (axes,):
        axes.plot(table["S"], 100 * table["accuracy"], "o-")
        axes.fill_between(table["S"], 100 * table["low"], 100 * table["high"], alpha=0.13)
        finish(axes, "solved by any of S solutions", "solutions S per problem")
        axes.set_ylabel("problems solved (%)")
    return axes


COVERAGE = FigureEntry(
    name="coverage",
    description="problems that any of S solutions solves",
    needs="profile",
    table="isocompute_example.figure:coverage_table",
    draw="isocompute_example.figure:draw_coverage",
)
