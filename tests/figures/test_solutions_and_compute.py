"""Figure 1: its table against the profile, and its lines against its table."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.figures.plots.solutions_and_compute import (
    SOLUTIONS_AND_COMPUTE_COLUMNS,
    build_solutions_and_compute_table,
    draw_solutions_and_compute,
)
from isocompute.figures.style import get_figure, render_figure
from isocompute.fits import compute_mean_interval
from isocompute.planner.strategies.registry import get_strategy_colour


def test_the_table_holds_the_profile_at_powers_of_two(lab, tables):
    table = tables["solutions_and_compute"]
    assert tuple(table.columns) == SOLUTIONS_AND_COMPUTE_COLUMNS
    assert set(table["strategy"]) == {"sc", "genrm"}
    assert table["problems"].eq(lab.problems).all()
    np.testing.assert_allclose(table["compute"], table["S"] * (1 + lab.lam * table["V"]))
    for row in table.itertuples():
        part = lab.strategies[row.strategy]
        at = part.array[:, part.solutions.index(row.S)]
        own = at[:, part.verifications.index(row.V)] if row.V else at
        assert row.accuracy == pytest.approx(own.mean())
        assert row.low < row.accuracy < row.high
    for column in ("S", "V"):
        assert {n & (n - 1) for n in table[column] if n} == {0}


def test_the_intervals_are_those_of_means_over_problems(lab, tables):
    row = tables["solutions_and_compute"].query("strategy == 'sc' and S == 16").iloc[0]
    values = lab.self_consistency.array[:, lab.self_consistency.solutions.index(16)]
    assert (row["low"], row["high"]) == pytest.approx(compute_mean_interval(values, lab.strata, lab.clusters))


def test_means_have_no_intervals_and_the_title_says_so(means):
    table = build_solutions_and_compute_table(means)
    assert table[["low", "high"]].isna().all(axis=None)
    assert table["accuracy"].notna().all()
    assert (
        get_figure(draw_solutions_and_compute(table)[0]).get_suptitle()
        == f"{means.problems} problems, means as published"
    )


def test_without_a_price_genrm_has_no_compute_and_the_title_says_so(lab):
    table = build_solutions_and_compute_table(lab.model_copy(update={"lam": None}))
    assert table.loc[table["strategy"] == "genrm", "compute"].isna().all()
    sc = table[table["strategy"] == "sc"]
    assert sc["compute"].tolist() == sc["S"].tolist()
    assert (
        get_figure(draw_solutions_and_compute(table)[0]).get_suptitle().endswith("; λ unknown, so (b) is without GenRM")
    )


def test_the_lines_are_the_table(tables):
    table = tables["solutions_and_compute"]
    for axes, column in zip(draw_solutions_and_compute(table), ("S", "compute"), strict=True):
        drawn = {line.get_label(): line for line in axes.lines}
        assert list(drawn) == ["SC (majority vote)", *(f"GenRM, V = {2**i}" for i in range(6))]
        for (label, line), (_, rows) in zip(drawn.items(), table.groupby("V"), strict=True):
            assert line.get_xdata().tolist() == rows[column].tolist(), label
            np.testing.assert_allclose(line.get_ydata(), 100 * rows["accuracy"])


def test_bands_are_drawn_for_sc_and_for_the_best_number_of_verifications(tables):
    table = tables["solutions_and_compute"]
    best = table.loc[table[table["V"] > 0]["accuracy"].idxmax(), "V"]
    drawn = draw_solutions_and_compute(table)
    assert get_figure(drawn[0]).get_suptitle() == f"100 problems, bands: 95 % over problems, for SC and V = {best}"
    for axes in drawn:
        for band, V in zip(axes.collections, (0, best), strict=True):
            own = table[table["V"] == V]
            edges = band.get_paths()[0].vertices[:, 1]
            np.testing.assert_allclose([edges.min(), edges.max()], [100 * own["low"].min(), 100 * own["high"].max()])


def test_the_order_of_the_rows_does_not_matter(tables):
    table = tables["solutions_and_compute"]
    shuffled = table.sample(frac=1, random_state=3)
    assert shuffled.index.tolist() != table.index.tolist()
    first, second = (
        render_figure(get_figure(draw_solutions_and_compute(each)[0]), "png", dpi=40) for each in (table, shuffled)
    )
    assert first == second


def test_a_part_of_the_table_keeps_the_colour_of_sc(tables):
    drawn = draw_solutions_and_compute(tables["solutions_and_compute"].query("V in (0, 4)"))
    for axes in drawn:
        sc, verified = axes.lines
        assert sc.get_color() == get_strategy_colour("sc")
        assert (verified.get_label(), len(verified.get_xdata())) == ("GenRM, V = 4", 7)
