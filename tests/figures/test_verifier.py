"""A verifier: its table against what `fit` prints and against the estimators, and its points against its table."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.cli.screens.fit import describe_verifier_rates, format_measured_share
from isocompute.errors import DataError
from isocompute.figures.plots.verifier import (
    VERIFIER_COLUMNS,
    build_verifier_table,
    draw_agreement,
    draw_calibration,
    draw_verifier,
)
from isocompute.figures.source import FigureSource
from isocompute.fits import measure_verifier
from isocompute.fits.estimators.verdict_agreement import measure_verdict_agreement
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import measure_verifier_rates
from isocompute.planner.profile import read_profile
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import VERIFICATIONS_TABLE


@pytest.fixture(scope="module")
def fresh():
    """A run of the lab with verdicts, with the rates that its fit has."""
    run = Run("data/runs/lab-both-small")
    return FigureSource(read_profile("lab-both-small"), run, read_pool(run))


@pytest.fixture(scope="module")
def table(fresh):
    return build_verifier_table(fresh)


def test_the_rates_of_all_problems_are_what_fit_prints(fresh, table):
    assert tuple(table.columns) == VERIFIER_COLUMNS
    assert fresh.profile.verifier == measure_verifier_rates(fresh.pool.pool, *fresh.pool.groups)
    rates = table[(table["panel"] == "rates") & table["level"].isna()].set_index("measure")
    printed = describe_verifier_rates(fresh.profile.verifier)
    for measure in ("true positive", "false positive"):
        assert format_measured_share(tuple(rates.loc[measure, ["value", "low", "high"]])) in printed


def test_the_rates_of_a_level_are_those_of_its_problems(fresh, table):
    levels = np.array(fresh.pool.levels)
    rates = table[table["panel"] == "rates"].set_index(["measure", "level"])
    for level in range(1, 6):
        found = measure_verifier(fresh.pool.pool.select_problems(np.flatnonzero(levels == level)))
        assert tuple(rates.loc[("true positive", level), ["value", "low", "high"]]) == found.true_positive
        assert rates.loc[("false positive", level), "problems"] == (levels == level).sum()


def test_calibration_counts_every_solution_with_a_verdict(fresh, table):
    bins = table[table["panel"] == "calibration"]
    pool = fresh.pool.pool
    mean = np.nanmean(pool.verdicts, axis=2)
    assert set(bins["measure"]) == {"mean verdict"}
    assert bins["count"].sum() == (~np.isnan(mean)).sum()
    assert len(bins) == 9  # 0 to 8 times yes
    top = bins.iloc[-1]
    assert (top["x"], top["count"]) == (1, (mean == 1).sum())
    assert top["value"] == pytest.approx(pool.correct[:, : pool.verified_solutions][mean == 1].mean())


def test_agreement_is_what_is_estimated(fresh, table):
    found = measure_verdict_agreement(fresh.pool.pool, False, [2, 4, 8], *fresh.pool.groups)
    rows = table[(table["panel"] == "agreement") & (table["measure"] == "wrong solutions")]
    assert rows["x"].tolist() == [2, 4, 8]
    assert [tuple(row) for row in rows[["value", "low", "high"]].to_numpy()] == list(found.unanimous)
    (shared,) = table[(table["panel"] == "correlation") & (table["measure"] == "wrong solutions")].itertuples()
    assert (shared.value, shared.low, shared.high) == found.correlation


def test_selection_is_genrm_of_the_profile_and_coverage_its_ceiling(fresh, table):
    rows = table[table["panel"] == "selection"].set_index(["measure", "x"])
    genrm, coverage = fresh.profile.genrm, fresh.profile.coverage
    S, V = genrm.solutions.index(16), genrm.verifications.index(8)
    assert rows.loc[("mean of 8 verdicts", 16), "value"] == pytest.approx(genrm.array[:, S, V].mean())
    assert rows.loc[("single verdict", 16), "value"] == pytest.approx(genrm.array[:, S, 0].mean())
    ceiling = rows.loc[("coverage", 16)]
    assert ceiling["value"] == pytest.approx(coverage.array[:, coverage.solutions.index(16)].mean())
    assert ceiling["low"] < ceiling["value"] < ceiling["high"]


def test_p_yes_is_calibrated_where_the_run_has_it():
    run = Run("data/runs/qwen-gsm-symbolic")
    pool = read_pool(run)
    rates = measure_verifier_rates(pool.pool, *pool.groups)
    profile = read_profile("qwen2.5-coder-1.5b-gsm-symbolic").model_copy(update={"verifier": rates})
    bins = build_verifier_table(FigureSource(profile, run, pool)).query("panel == 'calibration'")
    stated = run.read_frame(VERIFICATIONS_TABLE, ["p_yes"])["p_yes"].dropna()
    assert set(bins["measure"]) == {"p(yes)"}
    assert bins["count"].sum() == len(stated)
    assert (bins["x"] * bins["count"]).sum() == pytest.approx(stated.sum())
    assert (
        draw_calibration(build_verifier_table(FigureSource(profile, run, pool))).get_title() == "calibration of p(yes)"
    )


def test_a_profile_alone_gives_what_it_holds(lab, lab_search):
    found = build_verifier_table(FigureSource(lab))
    assert list(dict.fromkeys(found["panel"])) == ["rates", "selection"]
    assert [axes.get_title()[:3] for axes in draw_verifier(found)] == ["(a)", "(b)"]
    empty = build_verifier_table(FigureSource(lab_search))
    assert (tuple(empty.columns), len(empty)) == (VERIFIER_COLUMNS, 0)
    with pytest.raises(DataError, match=r"^The table of verifier, panel agreement, has no rows"):
        draw_agreement(found)


def test_the_points_are_the_table(table):
    rates, calibration, agreement, selection = draw_verifier(table)
    points = rates.containers[0].lines[0]
    own = table[(table["panel"] == "rates") & (table["measure"] == "true positive")]
    np.testing.assert_allclose(points.get_ydata(), 100 * own["value"])
    own = table[table["panel"] == "calibration"]
    np.testing.assert_allclose(calibration.containers[0].lines[0].get_xydata(), 100 * own[["x", "value"]].astype(float))
    assert all("correlation 0." in label for label in agreement.get_legend_handles_labels()[1])
    drawn = {line.get_label(): line for line in selection.lines}
    own = table[(table["panel"] == "selection") & (table["measure"] == "coverage")]
    np.testing.assert_allclose(drawn["coverage"].get_ydata(), 100 * own["value"])
    assert {"single verdict", "8 verdicts"} <= set(drawn)
