"""The frontiers: their table against the planner's comparison, and their lines against their table."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.figures.plots.frontiers import FRONTIERS_COLUMNS, MOST_SHIFT, build_frontiers_table, draw_frontiers
from isocompute.figures.style import get_figure
from isocompute.planner.compare import compute_frontier
from isocompute.planner.strategies.registry import get_strategy_colour


def test_the_table_holds_what_the_planner_compares(lab_search, tables):
    table = tables["frontiers"]
    assert tuple(table.columns) == FRONTIERS_COLUMNS
    compared = {
        (o.strategy, budget): o for budget, comparison in compute_frontier(lab_search) for o in comparison.options
    }
    found = table.set_index(["strategy", "budget"])
    assert set(found.index) == set(compared)
    for key, row in found.iterrows():
        assert row["accuracy"] == pytest.approx(compared[key].accuracy)
        assert row["low"] < row["accuracy"] < row["high"]
        assert row["lead"] == pytest.approx(row["accuracy"] - compared["sc", key[1]].accuracy)
        assert row["lead_low"] <= row["lead"] <= row["lead_high"]
    assert found.loc["sc", ["lead", "lead_low", "lead_high"]].eq(0).all(axis=None)
    assert table["problems"].eq(lab_search.problems).all()


def test_means_and_a_strategy_alone_have_no_frontiers(means, lab):
    voted = lab.model_copy(update={"strategies": {"sc": lab.strategies["sc"]}})
    for profile in (means, voted):
        table = build_frontiers_table(profile)
        assert (tuple(table.columns), len(table)) == (FRONTIERS_COLUMNS, 0)


def test_without_votes_the_lead_over_self_consistency_is_unknown(lab):
    voted = lab.self_consistency
    once = type(voted)(**{**voted.model_dump(), "solutions": [1], "accuracy": [row[:1] for row in voted.accuracy]})
    table = build_frontiers_table(lab.model_copy(update={"strategies": {**lab.strategies, "sc": once}}))
    assert table.loc[table["strategy"] == "sc", "budget"].tolist() == [1]
    assert table.loc[table["budget"] >= 2, ["lead", "lead_low", "lead_high"]].isna().all(axis=None)
    get_figure(draw_frontiers(table)[1]).canvas.draw()


def test_the_lines_are_the_table(tables):
    table = tables["frontiers"]
    left, right = draw_frontiers(table)
    names = list(dict.fromkeys(table["strategy"]))
    assert [line.get_label() for line in left.lines] == names
    zero, *leads = right.lines
    assert set(zero.get_ydata()) == {0}
    assert [line.get_label() for line in leads] == names[1:]
    for lines, column in ((left.lines, "accuracy"), (leads, "lead")):
        for line in lines:
            own = table[table["strategy"] == line.get_label()]
            shift = np.log2(line.get_xdata() / own["budget"].to_numpy())
            np.testing.assert_allclose(shift, shift[0], atol=1e-9)
            assert abs(shift[0]) <= (MOST_SHIFT if column == "lead" else 0) + 1e-9
            np.testing.assert_allclose(line.get_ydata(), 100 * own[column])
            assert line.get_color() == get_strategy_colour(line.get_label())


def test_each_lead_has_its_paired_interval(tables):
    table = tables["frontiers"]
    _, right = draw_frontiers(table)
    _, *leads = right.lines
    assert len(right.collections) == len(leads) == len(set(table["strategy"])) - 1
    for line, bars in zip(leads, right.collections, strict=True):
        own = table[table["strategy"] == line.get_label()]
        ends = np.array(bars.get_segments())
        np.testing.assert_allclose(ends[:, :, 0], np.stack([line.get_xdata()] * 2, axis=1))
        np.testing.assert_allclose(ends[:, :, 1], 100 * own[["lead_low", "lead_high"]])
    assert right.get_title() == "(b) lead over SC, paired 95 % intervals"


def test_lines_go_from_left_to_right_whatever_the_order_of_the_rows(tables):
    left, right = draw_frontiers(tables["frontiers"].sample(frac=1, random_state=5))
    for line in (*left.lines, *right.lines[1:]):
        assert sorted(line.get_xdata()) == line.get_xdata().tolist()
    assert get_figure(left).get_suptitle().startswith("100 problems, expected accuracies on new ones")


def test_what_was_run_has_a_marker_and_an_interpolated_size_has_none(tables):
    table = tables["frontiers"]
    assert table["interpolated"].any()
    assert not table.loc[~table["strategy"].str.contains("+", regex=False), "interpolated"].any()
    left, right = draw_frontiers(table)
    for line in (*left.lines, *right.lines[1:]):
        own = table[table["strategy"] == line.get_label()].sort_values("budget")
        assert line.get_markevery() == np.flatnonzero(~own["interpolated"]).tolist()
    assert get_figure(left).get_suptitle().endswith("; without a marker: not run, interpolated")
    run = table[~table["interpolated"]]
    assert "interpolated" not in get_figure(draw_frontiers(run)[0]).get_suptitle()
