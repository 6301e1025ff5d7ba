from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocompute.errors import DataError, RunError
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE


@pytest.fixture
def frames(written_run):
    run = Run(written_run)
    return run.read_frame(SOLUTIONS_TABLE), run.read_frame(VERIFICATIONS_TABLE)


def test_a_run_becomes_a_pool_row_by_row(written_run, frames):
    found = read_pool(Run(written_run))
    solutions, verifications = frames
    assert found.problem_ids == sorted(set(solutions["problem_id"]))
    assert found.excluded_problems == {}
    assert found.pool.correct.ravel().tolist() == solutions["correct"].tolist()
    np.testing.assert_array_equal(found.pool.verdicts.ravel(), verifications["verdict"])
    assert np.isnan(found.pool.verdicts).any()
    costs = measure_costs(found)
    assert costs.solution_tokens == solutions["completion_tokens"].mean()
    assert costs.verification_tokens == verifications["completion_tokens"].mean()


def test_unparsed_answers_are_unparsed_and_equal_answers_are_equal(written_run, frames):
    codes = read_pool(Run(written_run)).pool.answers.ravel()
    answers = frames[0]["answer"]
    assert answers.isna().any()
    assert ((codes == -1) == answers.isna()).all()
    for _, rows in frames[0].groupby("problem_id"):
        said = answers[rows.index].dropna()
        assert len(set(said)) == len(set(codes[said.index]))
        assert all((said[i] == said[j]) == (codes[i] == codes[j]) for i in said.index for j in said.index)


def test_a_run_that_grew_is_read_in_the_order_of_its_keys(small, scripted, tmp_path):
    run_sweep(small(solutions=3, task={"name": "lab", "problems": 2}), load=scripted())
    run_sweep(small(), load=scripted())
    run_sweep(small(run=str(tmp_path / "whole")), load=scripted())
    grown, whole = read_pool(Run(tmp_path / "run")), read_pool(Run(tmp_path / "whole"))
    assert grown.problem_ids == whole.problem_ids
    np.testing.assert_array_equal(grown.pool.answers, whole.pool.answers)
    np.testing.assert_array_equal(grown.pool.verdicts, whole.pool.verdicts)


def test_the_first_solutions_are_the_verified_ones(small, scripted):
    pool = read_pool(Run(run_sweep(small(verified=2), load=scripted()).run)).pool
    assert (pool.solutions, pool.verified_solutions, pool.verifications) == (6, 2, 3)


def test_a_run_without_verifications_has_no_verdicts(small, scripted):
    found = read_pool(Run(run_sweep(small(verifications=0), load=scripted()).run))
    assert found.pool.verdicts is None
    assert measure_costs(found).verification_tokens is None


def test_an_object_store_serves_as_well_as_a_folder(small, scripted, written_run):
    config = small(run=f"memory:/{written_run}")
    run_sweep(config, load=scripted())
    np.testing.assert_array_equal(read_pool(Run(config.run)).pool.verdicts, read_pool(Run(written_run)).pool.verdicts)


def test_what_is_left_of_a_problem_with_failed_rows_is_kept(written_run, rewrite):
    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: f.assign(status=["too long"] + ["ok"] * 71))
    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: f.assign(verdict=[None, *f["verdict"][1:]]))
    lost = {"text": None, "answer": None, "correct": None, "status": "cut off"}
    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: f[(f["problem_id"] != "lab-0-4-0") | (f["solution_id"] != 5)])
    rewrite(written_run, SOLUTIONS_TABLE, lambda f: pd.concat([f[:-1].astype(object), f[-1:].assign(**lost)]))
    found = read_pool(Run(written_run))
    assert found.excluded_problems == {}
    assert found.pool.verdicts.shape == (4, 6, 3)
    assert found.pool.judged.tolist() == [[2, 3, 3, 3, 3, 3], *[[3] * 6] * 3]
    np.testing.assert_array_equal(found.pool.answers[3, 5], found.pool.answers[3, 0])
    np.testing.assert_array_equal(found.pool.verdicts[3, 5], found.pool.verdicts[3, 0])
    assert (len(found.failed.solutions), len(found.failed.verifications)) == (1, 1)
    assert any(note.startswith("1 of 24 solutions are missing, in 1 of 4 problems") for note in found.notes)


def test_a_problem_with_less_than_half_of_its_rows_is_left_out(written_run, rewrite):
    lost = {"text": None, "answer": None, "correct": None, "status": "cut off"}

    def fail(frame):
        is_lost = (frame["problem_id"] == "lab-0-4-0") & (frame["solution_id"] > 1)
        return pd.concat([frame[~is_lost].astype(object), frame[is_lost].astype(object).assign(**lost)])

    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: f[(f["problem_id"] != "lab-0-4-0") | (f["solution_id"] < 2)])
    rewrite(written_run, SOLUTIONS_TABLE, fail)
    found = read_pool(Run(written_run))
    assert found.excluded_problems == {"lab-0-4-0": "2 of 6 solutions (cut off)"}
    assert found.pool.verdicts.shape == (3, 6, 3)


def test_a_profile_holds_what_the_estimators_say_of_the_pool(written_run):
    found = read_pool(Run(written_run))
    profile = estimate_run_profile(str(written_run), "mine")
    np.testing.assert_allclose(profile.self_consistency.array[:, 0], found.pool.correct.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(profile.coverage.array[:, -1], found.pool.correct.any(axis=1))
    assert profile.genrm.solutions == [1, 2, 3, 4, 6]
    assert profile.genrm.verifications == [1, 2, 3]
    np.testing.assert_allclose(profile.genrm.array[:, 0, 0], found.pool.correct.mean(axis=1), atol=1e-5)
    costs = measure_costs(found)
    assert profile.lam == costs.verification_tokens / costs.solution_tokens
    assert [record.id for record in profile.per_problem] == found.problem_ids


def test_missing_rows_and_impossible_verdicts_are_refused(written_run, rewrite):
    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: f.assign(verdict=-0.5))
    with pytest.raises(DataError, match=r"72 rows with a verdict outside 0 … 1; the first: \('lab-0-1-0', 0, 0\)"):
        read_pool(Run(written_run))
    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: f.iloc[1:].assign(verdict=1.0))
    with pytest.raises(RunError, match="it has 71 of 72 verifications; run its sweep again to complete it"):
        read_pool(Run(written_run))
