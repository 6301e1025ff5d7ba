"""Searches by N: the table against the profile and against choosing by hand, and the lines against the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocompute.errors import DataError
from isocompute.figures.plots.search_by_n import (
    BEST_BY_LEVEL,
    SEARCH_BY_N_COLUMNS,
    build_search_by_n_table,
    draw_search_by_n,
    score_best_by_level,
)
from isocompute.figures.style import get_figure
from isocompute.fits import compute_mean_interval, split_folds


@pytest.fixture(scope="module")
def table(lab_search):
    return build_search_by_n_table(lab_search)


def test_the_table_holds_what_fit_measured(lab_search, table):
    assert tuple(table.columns) == SEARCH_BY_N_COLUMNS
    levels = np.array(lab_search.strata)
    for (method, level), rows in table[table["method"] != BEST_BY_LEVEL].groupby(["method", "level"], dropna=False):
        part = lab_search.strategies[method]
        sizes = part.numbers["N"] if method in lab_search.searches else part.solutions
        inside = levels > 0 if pd.isna(level) else levels == level
        for row in rows.itertuples():
            accuracy = part.array[inside, sizes.index(row.N)]
            assert row.accuracy == pytest.approx(accuracy.mean())
            low, high = compute_mean_interval(accuracy, levels if inside.all() else None)
            assert (row.low, row.high, row.problems) == (pytest.approx(low), pytest.approx(high), inside.sum())
    whole = table[table["level"].isna()].set_index(["method", "N"])
    rho = lab_search.rhos["completion"]
    assert whole.loc[("sc", 16), "compute"] == 16
    assert whole.loc[("bon", 16), "compute"] == pytest.approx(16 * (1 + rho))
    beam = lab_search.searches["beam+weighted"]
    assert whole.loc[("beam+weighted", 16), "compute"] == beam.cost["completion"][beam.numbers["N"].index(16)]


def test_the_best_is_chosen_on_other_problems_at_sizes_that_all_have(lab_search, table):
    best = table[table["method"] == BEST_BY_LEVEL]
    assert sorted(set(best["N"])) == [4, 16, 64]
    levels, measured = np.array(lab_search.strata), {}
    for name, part in lab_search.strategies.items():
        sizes = part.numbers["N"] if name in lab_search.searches else part.solutions
        measured[name] = part.array[:, sizes.index(16)]
    at_N = table[(table["N"] == 16) & table["level"].isna() & table["compute"].notna()]
    measured = {name: measured[name] for name in at_N.sort_values("compute", kind="stable")["method"]}
    names, columns = list(measured), np.stack(list(measured.values()), axis=1)
    folds, total, times = split_folds(len(levels)), np.zeros(len(levels)), np.zeros(len(levels))
    for train, test in zip(folds.train, folds.test, strict=True):
        for level in np.unique(levels):
            taken = columns[train & (levels == level)].mean(axis=0).argmax()
            total[test & (levels == level)] += columns[test & (levels == level), taken]
            times[test & (levels == level)] += 1
    at_16 = best[best["N"] == 16].set_index("level")["accuracy"]
    for level in np.unique(levels):
        assert at_16[level] == pytest.approx((total / times)[levels == level].mean())
    in_sample = columns[levels == 5].mean(axis=0)
    assert best.set_index(["N", "level"]).loc[(16, 5), "chosen"] == names[in_sample.argmax()]
    assert at_16[5] <= in_sample.max() + 1e-9
    _, chosen = score_best_by_level(measured, np.ones(len(levels), dtype=int), None)
    assert chosen == {1: names[columns.mean(axis=0).argmax()]}


def test_of_equally_accurate_methods_the_cheapest_is_best(lab_search):
    part = lab_search.searches["beam+weighted"]
    content = part.model_dump() | {"accuracy": np.ones_like(part.array).tolist()}
    cheaper = {way: [0.5 * cost for cost in costs] for way, costs in part.cost.items()}
    searches = {
        "beam+weighted": type(part)(**content),
        "dvts+weighted": type(part)(**content | {"cost": cheaper}),
    }
    table = build_search_by_n_table(lab_search.model_copy(update={"strategies": {**lab_search.strategies, **searches}}))
    best = table[(table["method"] == BEST_BY_LEVEL) & (table["level"] == 5)]
    assert set(best["chosen"]) == {"dvts+weighted"}


def test_a_search_of_several_widths_is_several_methods(lab_search):
    beam = lab_search.searches["beam+weighted"]
    content = beam.model_dump() | {"numbers": {"N": [16, 16, 64], "M": [2, 4, 4]}}
    other = lab_search.model_copy(
        update={"strategies": {**lab_search.strategies, "beam+weighted": type(beam)(**content)}}
    )
    methods = set(build_search_by_n_table(other)["method"])
    assert {"beam+weighted M=2", "beam+weighted M=4", "dvts+weighted"} <= methods


def test_without_searches_or_levels_there_is_less(lab, lab_search):
    empty = build_search_by_n_table(lab)
    assert (tuple(empty.columns), len(empty)) == (SEARCH_BY_N_COLUMNS, 0)
    records = [record.model_copy(update={"level": None}) for record in lab_search.per_problem]
    found = build_search_by_n_table(lab_search.model_copy(update={"per_problem": records}))
    assert found["level"].isna().all()
    assert BEST_BY_LEVEL in set(found["method"])
    (axes,) = draw_search_by_n(found)
    assert axes.lines


def test_the_lines_are_the_table(table):
    panels = draw_search_by_n(table)
    assert [axes.get_title() for axes in panels] == ["all problems", *(f"level {level}" for level in range(1, 6))]
    for level, axes in enumerate(panels):
        part = table[table["level"].isna() if level == 0 else table["level"] == level]
        for line in axes.lines:
            own = part[part["method"] == line.get_label()].sort_values("N")
            assert line.get_xdata().tolist() == own["N"].tolist()
            np.testing.assert_allclose(line.get_ydata(), 100 * own["accuracy"])
        assert len(axes.lines) == part["method"].nunique()
    assert get_figure(panels[0]).get_suptitle().startswith("100 problems, accuracy of searches at equal N, not at")


def test_against_compute_the_best_is_left_out(table):
    panels = draw_search_by_n(table.sample(frac=1, random_state=1), against="compute")
    labels = {line.get_label() for line in panels[0].lines}
    assert labels == set(table["method"]) - {BEST_BY_LEVEL}
    for line in panels[0].lines:
        assert sorted(line.get_xdata()) == line.get_xdata().tolist()
    with pytest.raises(DataError, match=r"^The table of search_by_n with a known compute has no rows"):
        draw_search_by_n(table.assign(compute=np.nan), against="compute")
