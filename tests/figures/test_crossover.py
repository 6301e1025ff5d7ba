"""The crossovers: their table against the plan and the findings of a level, and their drawing against it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isocompute.figures.plots.crossover import CROSSOVER_COLUMNS, NEVER_SHIFT, build_crossover_table, draw_crossover
from isocompute.planner.findings import derive_findings
from isocompute.planner.profile import read_profile
from isocompute.planner.profile.subset import select_problems


@pytest.fixture(scope="module")
def table(lab):
    return build_crossover_table(lab)


def test_the_crossovers_are_those_of_the_plan(command, table):
    planned = json.loads(command("plan", "--budget", "128x", "--profile", "lab", "--json").out)["crossovers"]
    assert tuple(table.columns) == CROSSOVER_COLUMNS
    whole = table[table["level"] == "all"].set_index("strategy")
    assert list(whole.index) == list(planned)
    for strategy, row in whole.iterrows():
        plan = planned[strategy]
        low, high = (np.inf if end in (None, "never") else end for end in plan["interval"])
        assert (row["crossover"], row["low"], row["high"]) == pytest.approx((plan["x"], low, high))
        assert row["plateau_multiple"] == pytest.approx(plan["plateau_multiple"])
        assert (row["probability"], row["last"]) == pytest.approx((plan["probability"], plan["measured_to"]))


def test_a_level_is_its_problems_alone(lab, table):
    assert list(dict.fromkeys(table["level"])) == ["all", "1", "2", "3", "4", "5"]
    places = [at for at, record in enumerate(lab.per_problem) if record.level == 4]
    found = derive_findings(select_problems(lab, places), lab.lam)
    rows = table[table["level"] == "4"].set_index("strategy")
    assert rows["problems"].eq(20).all()
    assert rows["plateau"].eq(found.plateau).all()
    for strategy, crossed in found.crossovers.items():
        assert tuple(rows.loc[strategy, ["crossover", "low", "high"]]) == (crossed.budget, *crossed.interval)


def test_the_dots_are_the_table_and_never_is_hollow_beyond_the_range(table):
    left, right = draw_crossover(table)
    whole = table[table["level"] == "all"]
    assert [text.get_text() for text in left.get_yticklabels()] == whole["strategy"].tolist()
    levels = table[(table["level"] != "all") & (table["strategy"] == "genrm")]
    assert np.isinf(levels["crossover"]).any()
    for axes, rows in ((left, whole), (right, levels)):
        dots = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
        assert len(dots) == len(rows)
        for dot, (_, row) in zip(dots, rows.iterrows(), strict=True):
            never = np.isinf(row["crossover"])
            assert dot.get_xdata()[0] == (NEVER_SHIFT * row["last"] if never else row["crossover"])
            assert (dot.get_markerfacecolor() == "none") == never


def test_without_levels_there_is_one_panel_and_without_votes_nothing(means, lab, lab_search):
    assert len(np.ravel(draw_crossover(build_crossover_table(means)))) == 1
    assert build_crossover_table(means)["low"].isna().all()
    voted = lab.self_consistency
    once = type(voted)(**{**voted.model_dump(), "solutions": [1], "accuracy": [row[:1] for row in voted.accuracy]})
    empty = build_crossover_table(lab.model_copy(update={"strategies": {**lab.strategies, "sc": once}}))
    assert (tuple(empty.columns), len(empty)) == (CROSSOVER_COLUMNS, 0)
    assert "beam+weighted" in set(build_crossover_table(lab_search)["strategy"])
    assert np.isinf(build_crossover_table(read_profile("qwen2.5-coder-1.5b-gsm-symbolic"))["crossover"]).all()
