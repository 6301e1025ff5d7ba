"""Methods by difficulty: the table against what `difficulty` prints, and the bars against the table."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.api.difficulties import DifficultyResult
from isocompute.errors import DataError
from isocompute.figures.plots.difficulty_bars import (
    CHOSEN,
    DIFFICULTY_BARS_COLUMNS,
    MOST_STRATEGIES,
    build_difficulty_bars_table,
    draw_difficulty_bars,
)


@pytest.fixture(scope="module")
def table(studies):
    return build_difficulty_bars_table(studies)


def test_the_strategy_chosen_by_level_is_what_difficulty_prints(studies, table):
    assert tuple(table.columns) == DIFFICULTY_BARS_COLUMNS
    for study in studies:
        printed = DifficultyResult(study).to_frame().query("level != 'all'").dropna(subset="accuracy")
        own = table[(table["difficulty"] == study.kind) & (table["strategy"] == CHOSEN)]
        own = own.set_index(["budget", "level"])
        assert len(own) == len(printed)
        for row in printed.itertuples():
            found = own.loc[(row.budget, int(row.level))]
            for name in ("accuracy", "low", "high"):
                assert found[name] == getattr(row, name)
            assert found["problems"] == pytest.approx(100 * row.share)


def test_every_strategy_is_scored_on_other_problems_and_what_is_not_paid_is_left_out(studies, table):
    assert table["accuracy"].notna().all()
    cheapest = table[table["budget"] == 1]
    assert set(cheapest["strategy"]) == {"sc", CHOSEN}  # nothing that is scored costs 1x
    last = table[table["budget"] == table["budget"].max()]
    assert set(last["strategy"]) == {*studies[0].policy.levels[0].by_strategy, CHOSEN}
    for level in studies[0].policy.levels:
        for reached in level.by_strategy.values():
            assert (reached.accuracy <= reached.optimistic + 1e-9)[~np.isnan(reached.accuracy)].mean() > 0.5


def test_without_studies_there_are_no_rows():
    found = build_difficulty_bars_table([])
    assert (tuple(found.columns), len(found)) == (DIFFICULTY_BARS_COLUMNS, 0)


def test_the_bars_are_the_table(table):
    panels = draw_difficulty_bars(table, budgets=[16, 64])
    titles = [axes.get_title() for axes in panels]
    assert [title.replace("\n", " ") for title in titles] == [
        "by agreement, 16x", "by agreement, 64x",
        "by oracle (needs the right answers), 16x", "by oracle (needs the right answers), 64x",
    ]  # fmt: skip
    part = table[(table["difficulty"] == "oracle") & (table["budget"] == 64)].set_index(["strategy", "level"])
    names = [
        container.get_label() for container in panels[3].containers if container.get_label() in set(table["strategy"])
    ]
    assert "sc" in names
    assert len(names) == MOST_STRATEGIES
    levels = [int(label.get_text()) for label in panels[3].get_xticklabels()]
    for container in panels[3].containers:
        if container.get_label() in names:
            heights = [bar.get_height() for bar in container]
            expected = [100 * part.loc[(container.get_label(), level), "accuracy"] for level in levels]
            np.testing.assert_allclose(heights, expected)


def test_the_budgets_are_those_that_pay_for_every_kind(table):
    rows = table[~((table["difficulty"] == "agreement") & (table["budget"] > 32))]
    titles = [axes.get_title() for axes in draw_difficulty_bars(rows)]
    assert titles[0] == "by agreement, 4x"
    assert titles[1] == "by agreement, 32x"
    with pytest.raises(DataError, match=r"^The table of difficulty_bars at 3x has no rows"):
        draw_difficulty_bars(table, budgets=[3])
