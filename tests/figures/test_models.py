"""The models: their table against a plan over the same profiles, and their lines against their table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isocompute.figures.plots.models import MODELS_COLUMNS, build_models_table, draw_models
from isocompute.planner.profile import read_profile

BOTH = ("lab-both-small", "lab-both-large")


@pytest.fixture(scope="module")
def table():
    return build_models_table([read_profile(name) for name in BOTH])


@pytest.mark.parametrize("budget", [1, 8, 64])
def test_the_points_are_the_best_rows_of_a_plan(command, table, budget):
    profiles = [each for name in BOTH for each in ("--profile", name)]
    plan = json.loads(command("plan", "--budget", f"{budget}x", *profiles, "--json").out)
    rows = table[np.isclose(table["budget"], plan["budget"])]
    assert tuple(table.columns) == MODELS_COLUMNS
    planned = [plan["recommendation"], *plan["alternatives"]]
    assert set(rows["model"]) == {each["model"] for each in planned}
    for row in rows.itertuples():
        own = [each for each in planned if each["model"] == row.model and each["is_informative"]]
        best = max(own, key=lambda each: each["accuracy"])
        assert (row.strategy, row.settings, row.unit) == (best["strategy"], best["settings"], plan["unit"])
        np.testing.assert_allclose([row.cost, row.accuracy], [best["cost"], best["accuracy"]])
        np.testing.assert_allclose([row.low, row.high], best["interval"])


def test_leads_are_over_the_cheapest_model_and_paired(table):
    assert table["cheapest"].eq("solver").all()
    base = table[table["model"] == "solver"].set_index("budget")["accuracy"]
    np.testing.assert_allclose(table["lead"], table["accuracy"] - table["budget"].map(base))
    assert ((table["lead_low"] <= table["lead"]) & (table["lead"] <= table["lead_high"])).all()
    assert table.loc[table["model"] == "solver", ["lead", "lead_low", "lead_high"]].eq(0).all(axis=None)
    assert (table["cost"] <= table["budget"] * (1 + 1e-9)).all()


def test_the_lines_are_the_table(table):
    for axes, column in zip(draw_models(table.sample(frac=1, random_state=4)), ("accuracy", "lead"), strict=True):
        lines = {line.get_label(): line for line in axes.lines}
        assert set(lines) == set(table["model"])
        for name, line in lines.items():
            own = table[table["model"] == name]
            assert line.get_xdata().tolist() == own["budget"].tolist()
            np.testing.assert_allclose(line.get_ydata(), 100 * own[column])
        assert axes.get_xlabel() == "budget per problem (FLOPs)"


def test_profiles_that_cannot_be_compared_have_no_rows(lab, means, lab_search):
    for profiles in ([lab], [lab, lab_search], [lab, means]):
        empty = build_models_table(profiles)
        assert (tuple(empty.columns), len(empty)) == (MODELS_COLUMNS, 0)
