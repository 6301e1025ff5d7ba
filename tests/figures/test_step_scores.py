"""Step scores: the table against the run's own rows and the truth of the lab, and the points against the table."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.figures.plots.step_scores import STEP_SCORES_COLUMNS, build_step_scores_table, draw_step_scores
from isocompute.figures.source import FigureSource
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.step_scores import read_scored_steps
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SCORES_TABLE, SOLUTIONS_TABLE
from isocompute.runners.tasks.lab_generator import derive_expected_lines, parse_lab_question


@pytest.fixture(scope="module")
def source(lab_search):
    run = Run("data/runs/lab-search")
    return FigureSource(lab_search, run, read_pool(run))


@pytest.fixture(scope="module")
def table(source):
    return build_step_scores_table(source)


def test_the_distributions_are_those_of_the_rows(source, table):
    assert tuple(table.columns) == STEP_SCORES_COLUMNS
    keys = SOLUTIONS_TABLE.key_names
    rows = source.run.read_frame(SCORES_TABLE, [*keys, "step_scores"])
    rows = rows.merge(source.run.read_frame(SOLUTIONS_TABLE, [*keys, "correct"]), on=keys)
    for name, right in (("right", True), ("wrong", False)):
        own = rows.loc[rows["correct"] == right, "step_scores"]
        for step in (1, 4, 9):
            values = [scores[step - 1] for scores in own if len(scores) >= step]
            is_own = (table["panel"] == "scores") & (table["solutions"] == name) & (table["step"] == step)
            found = table[is_own].iloc[0]
            assert found["value"] == pytest.approx(np.mean(values))
            assert found["median"] == pytest.approx(np.median(values))
            assert found["low"] <= found["value"] <= found["high"]
            assert found["count"] == len(values)


def test_the_first_error_is_that_of_the_lab(source, table):
    keys = SOLUTIONS_TABLE.key_names
    rows = source.run.read_frame(SCORES_TABLE, [*keys, "step_scores"])
    rows = rows.merge(source.run.read_frame(SOLUTIONS_TABLE, [*keys, "text"]), on=keys)
    rows = rows.merge(source.run.read_frame(PROBLEMS_TABLE, ["problem_id", "question"]), on="problem_id")
    hits = []
    for row in rows.itertuples():
        expected = derive_expected_lines(parse_lab_question(row.question), row.text)
        wrong = [line != right or not right for line, right in zip(row.text.split("\n"), expected, strict=True)]
        if any(wrong):
            seen = row.step_scores < 0.5
            hits.append(seen.any() and seen.argmax() == wrong.index(True))
    found = table.query("panel == 'first error' and solutions == 'with an error' and step.isna()").iloc[0]
    assert (found["value"], found["count"]) == (pytest.approx(np.mean(hits)), len(hits))
    by_step = table.query("panel == 'first error' and step.notna()")
    assert by_step["count"].sum() == len(hits)


def test_a_profile_and_a_run_without_scores_have_none(lab_search, written_run):
    for source in (FigureSource(lab_search), FigureSource(lab_search, pool=read_pool(Run(written_run)))):
        found = build_step_scores_table(source)
        assert (tuple(found.columns), len(found)) == (STEP_SCORES_COLUMNS, 0)


def test_where_the_truth_of_steps_is_unknown_there_is_one_panel(source, table, monkeypatch):
    monkeypatch.setattr("isocompute.planner.estimate.step_scores.find_step_graders", lambda run: {})
    scored = read_scored_steps(source.pool)
    assert np.isnan(scored.truth).all()
    (axes,) = draw_step_scores(table[table["panel"] == "scores"])
    assert axes.get_title().startswith("(a) score by step")


def test_the_points_are_the_table(table):
    scores, errors = draw_step_scores(table)
    own = table.query("panel == 'scores' and solutions == 'right'")
    np.testing.assert_allclose(scores.containers[0].lines[0].get_ydata(), own["value"])
    own = table.query("panel == 'first error' and step.notna()")
    np.testing.assert_allclose(errors.containers[0].lines[0].get_ydata(), 100 * own["value"])
    assert "0.5" in errors.get_title()
