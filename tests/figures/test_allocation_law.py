"""The allocation laws: their table against what fit prints and plan gives, and their lines against their table."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rich.console import Console

from isocompute.cli.screens.laws import build_fits_table
from isocompute.figures.plots.allocation_law import (
    ALLOCATION_LAW_COLUMNS,
    build_allocation_law_table,
    draw_allocation_law,
    name_bound,
)
from isocompute.figures.style import get_figure
from isocompute.fits.laws.allocation import LAW_FITS
from isocompute.planner.findings import fit_strategy_laws
from isocompute.planner.profile import read_profile


@pytest.fixture(scope="module")
def table(lab):
    return build_allocation_law_table(lab)


def select_rows(table, fit, quantity):
    return table[(table["strategy"] == "genrm") & (table["fit"] == fit) & (table["quantity"] == quantity)]


def test_the_laws_are_those_of_the_plan(command, table):
    laws = json.loads(command("plan", "--budget", "128x", "--profile", "lab", "--json").out)["laws"]
    assert tuple(table.columns) == ALLOCATION_LAW_COLUMNS
    for fit in LAW_FITS:
        for quantity, exponent in (("S", "a"), ("V", "b")):
            rows, law = select_rows(table, fit, quantity), laws[fit]
            assert rows["budget"].tolist() == laws["budgets"]
            np.testing.assert_allclose(rows["optimum"], law[f"{quantity}_opt"])
            np.testing.assert_allclose(rows["exponent"], law[exponent])
            np.testing.assert_allclose(rows[["exponent_low", "exponent_high"]].iloc[0], law[f"{exponent}_interval"])
            np.testing.assert_allclose(rows["fitted"], law[f"{quantity}_prefactor"] * rows["budget"] ** law[exponent])
            assert rows.loc[rows["bound"] != "", "budget"].tolist() == law["edge_budgets"]
            # the best cells of most replicates are those of the estimate, which so may be an end of the band
            assert rows["fitted"].between(rows["low"] * (1 - 1e-9), rows["high"] * (1 + 1e-9)).all()


def test_the_exponents_of_the_legend_are_those_that_fit_prints(lab, table):
    console = Console(width=120)
    with console.capture() as printed:
        console.print(build_fits_table(fit_strategy_laws(lab, "genrm", lab.lam)))
    for axes in draw_allocation_law(table):
        labels = [text.get_text() for text in axes.get_legend().get_texts() if " = " in text.get_text()]
        assert len(labels) == 3
        for label in labels:
            name, _, exponent = label.partition(": ")
            row = next(line for line in printed.get().splitlines() if line.startswith(name))
            assert exponent.partition(" = ")[2] in row


def test_the_lines_and_the_bounds_are_the_table(table):
    shuffled = table[table["strategy"] == "genrm"].sample(frac=1, random_state=1)
    for axes, quantity in zip(draw_allocation_law(shuffled), "SV", strict=True):
        lines = {line.get_label().partition(":")[0]: line for line in axes.lines}
        for fit, name in LAW_FITS.items():
            rows = select_rows(table, fit, quantity)
            np.testing.assert_allclose(lines[name].get_xydata(), rows[["budget", "fitted"]])
        rows = select_rows(table, "smooth", quantity)
        inside = rows[rows["bound"] == ""]
        np.testing.assert_allclose(lines["best on the smoothed surface"].get_xydata(), inside[["budget", "optimum"]])
        hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
        drawn = {tuple(point) for line in hollow for point in line.get_xydata()}
        bounds = table[(table["strategy"] == "genrm") & (table["quantity"] == quantity) & (table["bound"] != "")]
        assert drawn == set(map(tuple, bounds[["budget", "optimum"]].to_numpy()))


def test_an_edge_bounds_both_numbers_as_the_budget_ties_them():
    assert (name_bound("V upper", "V"), name_bound("V upper", "S")) == ("at least", "at most")
    assert (name_bound("S lower", "S"), name_bound("S lower", "V")) == ("at most", "at least")
    assert (name_bound("S upper and V upper", "S"), name_bound("S upper and V upper", "V")) == ("at least", "at least")


def test_a_law_that_fit_calls_unknown_is_not_drawn():
    table = build_allocation_law_table(read_profile("lab-both-large"))
    own = table[table["strategy"] == "genrm"]
    assert set(own["fit"]) == {"grid", "smooth"}
    assert own[["fitted", "exponent"]].isna().all(axis=None)
    axes = draw_allocation_law(table)[0]
    assert "no law, as fewer than 3 lie inside the grid" in get_figure(axes).get_suptitle()


def test_means_have_laws_without_bands_and_what_has_no_law_has_no_rows(means, lab, lab_search):
    table = build_allocation_law_table(means)
    assert table["fitted"].notna().all()
    assert table[["low", "high", "exponent_low", "exponent_high"]].isna().all(axis=None)
    for profile in (lab_search, lab.model_copy(update={"lam": None})):
        empty = build_allocation_law_table(profile)
        assert (tuple(empty.columns), len(empty)) == (ALLOCATION_LAW_COLUMNS, 0)
