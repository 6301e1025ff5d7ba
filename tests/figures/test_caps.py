"""The caps: their table against the planner's comparison, and their lines against their table."""

from __future__ import annotations

import numpy as np

from isocompute.figures.plots.caps import CAPS_COLUMNS, build_caps_table, draw_caps
from isocompute.figures.style import get_figure
from isocompute.planner.caps import compare_caps


def test_the_table_holds_what_the_planner_compares(capped):
    table = build_caps_table(capped)
    assert tuple(table.columns) == CAPS_COLUMNS
    assert sorted(set(table["budget"])) == [1, 4, 16, 64]
    for budget, rows in table.groupby("budget"):
        compared = compare_caps(capped, budget).options
        assert rows["limit"].tolist() == [option.limit for option in compared]
        for row, option in zip(rows.itertuples(), compared, strict=True):
            assert (row.cut, row.tokens, row.S) == (option.cut, option.tokens, option.solutions)
            assert (row.accuracy, row.low, row.high) == (option.accuracy, *option.interval)
            assert (row.gain, row.gain_low, row.gain_high) == (option.gain or 0, *(option.gain_interval or (0, 0)))
    assert table["problems"].eq(100).all()


def test_without_caps_and_of_means_there_is_nothing_to_draw(capped, means):
    alone = means.model_copy(update={"caps": capped.caps.model_copy(update={"accuracy": capped.caps.accuracy[:1]})})
    for profile in (capped.model_copy(update={"caps": None}), alone):
        table = build_caps_table(profile)
        assert (tuple(table.columns), len(table)) == (CAPS_COLUMNS, 0)


def test_the_lines_are_the_table(capped):
    table = build_caps_table(capped)
    left, right = draw_caps(table.sample(frac=1, random_state=3))
    zero, *gains = right.lines
    assert set(zero.get_ydata()) == {0}
    for lines, column in ((left.lines, "accuracy"), (gains, "gain")):
        assert [line.get_label() for line in lines] == ["1x", "4x", "16x", "64x"]
        for line in lines:
            own = table[table["budget"] == float(line.get_label()[:-1])]
            assert line.get_xdata().tolist() == own["limit"].tolist()
            np.testing.assert_allclose(line.get_ydata(), 100 * own[column])
    assert get_figure(left).get_suptitle().startswith("100 problems, SC with solutions cut at T tokens")


def test_the_band_is_that_of_the_largest_budget(capped):
    table = build_caps_table(capped)
    own = table[table["budget"] == 64]
    for axes, low, high in zip(draw_caps(table), ("low", "gain_low"), ("high", "gain_high"), strict=True):
        (band,) = axes.collections
        edges = band.get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([edges.min(), edges.max()], [100 * own[low].min(), 100 * own[high].max()])


def test_the_limits_stand_below_the_axis(capped):
    for axes in draw_caps(build_caps_table(capped)):
        get_figure(axes).canvas.draw()
        assert [text.get_text() for text in axes.get_xticklabels()] == ["65", "99", "130", "143"]
