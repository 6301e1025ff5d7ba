"""Choosing by difficulty: its table against the studies, and its lines and cells against its table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocompute.errors import DataError
from isocompute.figures.plots.difficulty import DIFFICULTY_COLUMNS, build_difficulty_table, draw_difficulty, draw_levels


def test_the_table_holds_the_studies(studies, tables):
    table = tables["difficulty"]
    assert tuple(table.columns) == DIFFICULTY_COLUMNS
    together = table[table["level"].isna()].groupby("choice", sort=False)
    assert list(together.groups) == ["one for all", "by agreement", "by oracle"]
    expected = [studies[0].policy.one_for_all, *(study.policy.by_difficulty for study in studies)]
    for (_, rows), reached in zip(together, expected, strict=True):
        assert rows["budget"].tolist() == studies[0].policy.budgets.tolist()
        for column in ("accuracy", "low", "high"):
            np.testing.assert_array_equal(rows[column], getattr(reached, column))
        assert rows["strategy"].isna().all()
        assert rows["problems"].eq(100).all()
    assert together["in_practice"].all().to_dict() == {"one for all": True, "by agreement": True, "by oracle": False}


def test_the_levels_are_those_of_the_first_study(studies, tables):
    levels = tables["difficulty"].dropna(subset="level")
    assert set(levels["choice"]) == {"by agreement"}
    for level, (number, rows) in zip(studies[0].policy.levels, levels.groupby("level"), strict=True):
        assert number == level.level
        assert [None if pd.isna(name) else name for name in rows["strategy"]] == level.strategies
        np.testing.assert_array_equal(rows["accuracy"], level.by_difficulty.accuracy)
        np.testing.assert_allclose(rows["problems"], level.problem_share * studies[0].problems)
    assert levels.groupby("level")["problems"].first().sum() == pytest.approx(100)


def test_without_studies_there_are_no_rows():
    table = build_difficulty_table([])
    assert (tuple(table.columns), len(table)) == (DIFFICULTY_COLUMNS, 0)


def test_the_lines_are_the_table(tables):
    table = tables["difficulty"]
    left, _ = draw_difficulty(table)
    labels = ["one for all", "by agreement", "by oracle (needs the right answers)"]
    assert [line.get_label() for line in left.lines] == labels
    assert len({line.get_linestyle() for line in left.lines}) == len({line.get_marker() for line in left.lines}) == 3
    for line in left.lines:
        own = table[table["level"].isna() & (table["choice"] == line.get_label().partition(" (")[0])]
        assert line.get_xdata().tolist() == own["budget"].tolist()
        np.testing.assert_allclose(line.get_ydata(), 100 * own["accuracy"])
    assert len({line.get_color() for line in left.lines}) == 3


def test_the_cells_are_the_table(tables):
    table = tables["difficulty"]
    _, right = draw_difficulty(table)
    (image,) = right.images
    codes = np.ma.filled(image.get_array().astype(float), np.nan)
    names = [text.get_text() for text in right.get_legend().get_texts()]
    levels = table.dropna(subset="level")
    drawn = {
        (int(level.get_text()), float(budget.get_text())): None if np.isnan(code) else names[int(code)]
        for level, row in zip(right.get_yticklabels(), codes, strict=True)
        for budget, code in zip(right.get_xticklabels(), row, strict=True)
    }
    assert drawn == {
        (row.level, row.budget): None if pd.isna(row.strategy) else row.strategy for row in levels.itertuples()
    }
    assert right.get_title() == "(b) strategy on each level, by agreement"


def test_a_cell_without_a_strategy_stays_empty(tables):
    table = tables["difficulty"].copy()
    table.loc[table["budget"] == 1, "strategy"] = None
    image = draw_levels(table).images[0]
    assert np.ma.getmaskarray(image.get_array())[:, 0].all()
    table["strategy"] = None
    assert np.ma.getmaskarray(draw_levels(table).images[0].get_array()).all()


def test_the_order_of_the_rows_changes_neither_lines_nor_cells(tables):
    table = tables["difficulty"]
    shuffled = pd.concat([table[table["level"].isna()].iloc[::-1], table[table["level"].notna()].iloc[::-1]])
    left, right = draw_difficulty(shuffled)
    assert all(sorted(line.get_xdata()) == line.get_xdata().tolist() for line in left.lines)
    first, second = (axes.images[0].get_array().tolist() for axes in (right, draw_levels(table)))
    assert first == second


def test_levels_that_are_not_in_the_table_are_a_sentence(tables):
    table = tables["difficulty"]
    with pytest.raises(DataError, match=r"^The table of levels of difficulty has no rows, so there is nothing to draw"):
        draw_levels(table[table["level"].isna()])
