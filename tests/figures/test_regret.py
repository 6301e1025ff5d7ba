"""The regret: its table against an evaluation of the same run, and its lines against its table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isocompute.figures.plots import regret
from isocompute.figures.plots.regret import REGRET_COLUMNS, build_regret_table, draw_regret
from isocompute.figures.source import open_figure_source
from isocompute.figures.style import get_figure
from isocompute.planner.profile.subset import select_problems

RUN = Path(__file__).resolve().parents[2] / "data" / "runs" / "qwen-gsm-symbolic"


@pytest.fixture(scope="module")
def table():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regret, "REGRET_PILOTS", 4)
        return build_regret_table(open_figure_source(str(RUN)).profile)


def test_the_largest_pilots_and_the_rules_are_those_of_evaluate(command, table):
    whole = ("--problems", 24, "--solutions", 16, "--verified", 16, "--verifications", 4, "--splits", 4)
    evaluated = json.loads(command("evaluate", RUN, *whole, "--json").out)
    assert tuple(table.columns) == REGRET_COLUMNS
    rules = {row["rule"]: row for row in evaluated["rules"]}
    budgets = [each["x"] for each in rules["advice"]["budgets"]]
    assert (table["first_budget"].iloc[0], table["last_budget"].iloc[0]) == (budgets[0], budgets[-1])
    assert f"best fixed: {evaluated['best_fixed_rule']}" in set(table["rule"])
    largest = table[table["pilot"].isna() | (table["pilot"] == 24)]
    for row in largest.itertuples():
        found = rules[row.rule.removeprefix("best fixed: ")]
        assert row.regret == pytest.approx(found["regret"], abs=1e-5)
        assert row.percentile_90 == pytest.approx(found["percentile_90"], abs=1e-5)


def test_the_interval_is_over_pilots_and_the_sizes_double(table):
    advice = table[table["rule"] == "advice"]
    assert advice["pilot"].tolist() == [5, 10, 20, 24]
    assert ((table["low"] <= table["regret"]) & (table["regret"] <= table["high"])).all()
    assert (table["S"].iloc[0], table["V"].iloc[0], table["scored"].iloc[0], table["problems"].iloc[0]) == (
        16,
        4,
        16,
        40,
    )


def test_the_lines_are_the_table(table):
    axes = draw_regret(table.sample(frac=1, random_state=2))
    lines = {line.get_label(): line for line in axes.lines}
    advice = table[table["rule"] == "advice"]
    assert lines["advice from the pilot"].get_xdata().tolist() == advice["pilot"].tolist()
    np.testing.assert_allclose(lines["advice from the pilot"].get_ydata(), 100 * advice["regret"])
    for row in table[table["rule"] != "advice"].itertuples():
        assert set(lines[row.rule].get_ydata()) == {100 * row.regret}
    assert " ".join(axes.get_xlabel().split()).endswith("each with all that was measured (S ≤ 16, V ≤ 4)")
    assert "scored on 16" in get_figure(axes).get_suptitle()


def test_means_and_too_few_problems_have_no_regret(means, lab):
    for profile in (means, select_problems(lab, [0, 1, 2])):
        empty = build_regret_table(profile)
        assert (tuple(empty.columns), len(empty)) == (REGRET_COLUMNS, 0)
