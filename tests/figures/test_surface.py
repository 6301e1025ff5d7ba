"""The surface: its table against the profile and the plan, and its drawing against its table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isocompute.figures.plots.surface import SURFACE_COLUMNS, build_surface_table, draw_surface
from isocompute.figures.style import get_figure


@pytest.fixture(scope="module")
def table(lab):
    return build_surface_table(lab)


def test_the_cells_are_what_was_measured(lab, table):
    assert tuple(table.columns) == SURFACE_COLUMNS
    assert list(dict.fromkeys(table["strategy"])) == ["genrm", "genrm+vote", "weighted", "fused"]
    cells = table[(table["kind"] == "cell") & (table["strategy"] == "genrm")]
    grid = cells.pivot(index="S", columns="V", values="accuracy")
    assert (grid.index.tolist(), grid.columns.tolist()) == (lab.genrm.solutions, lab.genrm.verifications)
    np.testing.assert_allclose(grid, lab.genrm.array.mean(axis=0))
    np.testing.assert_allclose(cells["compute"], cells["S"] * (1 + lab.lam * cells["V"]))
    assert ((cells["low"] < cells["accuracy"]) & (cells["accuracy"] < cells["high"])).all()


def test_the_optima_are_those_of_the_plan(command, table):
    laws = json.loads(command("plan", "--budget", "128x", "--profile", "lab", "--json").out)
    optima = table[(table["kind"] == "optimum") & (table["strategy"] == "genrm")]
    assert optima["compute"].tolist() == laws["laws"]["budgets"]
    for name in ("S", "V"):
        np.testing.assert_allclose(optima[name], laws["laws"]["smooth"][f"{name}_opt"])
    assert optima["edge"].tolist() == laws["laws_by_strategy"]["genrm"]["edges"]
    np.testing.assert_allclose(optima["S"] * (1 + optima["lam"] * optima["V"]), optima["compute"])


def test_the_drawing_is_the_table_of_the_first_strategy(table):
    axes = draw_surface(table)
    lines = {line.get_label(): line for line in axes.lines}
    optima = table[(table["kind"] == "optimum") & (table["strategy"] == "genrm")]
    inside = optima[optima["edge"] == ""]
    for label, points in (("best S and V of C", inside), ("at an edge: a bound", optima.drop(inside.index))):
        assert lines[label].get_xdata().tolist() == points["S"].tolist()
        assert lines[label].get_ydata().tolist() == points["V"].tolist()
    frame = lines["edge of what was measured"]
    assert (min(frame.get_xdata()), max(frame.get_xdata()), max(frame.get_ydata())) == (1, 64, 32)
    equal = lines["S(1 + λV) = C"]
    np.testing.assert_allclose(equal.get_xdata() * (1 + table["lam"].iloc[0] * equal.get_ydata()), 4)
    assert get_figure(axes).get_suptitle() == "100 problems, accuracy (%) of genrm over S and V"
    other = draw_surface(table[table["strategy"] == "fused"])
    assert "of fused over" in get_figure(other).get_suptitle()


def test_what_is_unknown_is_said_or_left_out(lab, means, lab_search):
    assert build_surface_table(lab_search).empty
    free = build_surface_table(lab.model_copy(update={"lam": None}))
    assert free["compute"].isna().all()
    assert set(free["kind"]) == {"cell"}
    assert draw_surface(free).get_title().endswith("; λ unknown, so without compute")
    published = build_surface_table(means)
    assert published[["low", "high"]].isna().all(axis=None)
    assert draw_surface(published).get_title() == "means, without intervals"
