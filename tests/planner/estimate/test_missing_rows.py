"""Failed rows: what is left is kept, and bounds hold what complete rows would have given."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from isocompute.planner.estimate.missing_rows import compute_problem_bounds
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE


def fail_rows(frame, is_lost):
    lost = dict.fromkeys({"text", "answer", "correct", "verdict", "p_yes"} & {*frame.columns})
    lost["status"] = "too long"
    return pd.concat([frame[~is_lost].astype(object), frame[is_lost].astype(object).assign(**lost)])


@pytest.fixture
def sampled(small, scripted):
    """A run of 12 problems with 9 solutions each, and no verifications."""
    task = {"name": "lab", "problems": 12}
    return run_sweep(small(task=task, solutions=9, verifier=None, verifications=0), load=scripted()).run


@pytest.mark.parametrize("seed", range(3))
def test_the_bounds_hold_the_truth_where_wrong_solutions_fail_more_often(sampled, rewrite, seed):
    truth = estimate_run_profile(sampled, "whole")
    assert truth.missing.single is truth.missing.voted is None
    rng = np.random.default_rng(seed)
    rewrite(sampled, SOLUTIONS_TABLE, lambda f: fail_rows(f, ~f["correct"] & (rng.random(len(f)) < 0.4)))
    found = estimate_run_profile(sampled, "p")
    assert found.problems + int(found.warnings[0].split()[0]) * ("left out" in found.warnings[0]) == 12
    at = truth.self_consistency.solutions.index(found.missing.voted_solutions)
    single, voted = truth.self_consistency.array[:, [0, at]].mean(axis=0)
    assert found.self_consistency.array[:, 0].mean() > single + 0.01  # as the issue found: failures flatter
    assert found.missing.single[0] <= single + 1e-5
    assert found.missing.single[1] >= single
    assert found.missing.voted[0] <= voted + 1e-5
    assert found.missing.voted[1] >= voted - 1e-5
    assert any("if all that failed or is left out were wrong or right: one solution" in w for w in found.warnings)


@pytest.mark.parametrize("answers", ["7789", "788", "abc", "7", "77", "88"])
def test_the_bounds_are_the_extremes_of_all_possible_outcomes(answers):
    """Each failed solution could be right (7), have any of the wrong answers, or one of its own."""
    rows = pd.DataFrame({"answer": list(answers), "correct": [answer == "7" for answer in answers]})
    for failed in (1, 2):
        outcomes = []
        for extra in product([*{*answers, "7"}, "x", "y"], repeat=failed):
            votes = pd.Series([*answers, *extra]).value_counts()
            top = votes.index[votes == votes.max()]
            outcomes.append(("7" in top) / len(top))
        low, high = compute_problem_bounds(rows, failed, True, len(answers) + failed)
        assert (low, high) == pytest.approx((min(outcomes), max(outcomes)))


def test_a_few_failed_verifications_lose_no_problem(written_run, rewrite):
    whole = estimate_run_profile(str(written_run), "p")
    failing = np.random.default_rng(0).random(72) < 0.1
    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: fail_rows(f, pd.Series(failing, index=f.index)))
    found = estimate_run_profile(str(written_run), "p")
    assert found.problems == 4
    assert found.missing.failed_verifications == pytest.approx(failing.mean(), abs=1e-5)
    assert found.missing.single is None
    assert found.self_consistency.accuracy == whole.self_consistency.accuracy
    share = f"{failing.sum()} of 72 verifications ({100 * failing.mean():.3g} %) failed."
    assert share in found.warnings


def test_a_solution_without_a_verdict_left_is_replaced_by_the_others_in_turn(written_run, rewrite):
    is_lost = lambda f: f["problem_id"].eq("lab-0-2-0") & f["solution_id"].isin([1, 4])  # noqa: E731
    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: fail_rows(f, is_lost(f)))
    found = estimate_run_profile(str(written_run), "p")
    assert (found.problems, found.genrm.solutions[-1], found.genrm.verifications[-1]) == (4, 6, 3)
    assert any(w.startswith("2 of 24 solutions are missing, in 1 of 4 problems") for w in found.warnings)
    assert Run(written_run).read_frame(VERIFICATIONS_TABLE)["status"].ne("ok").sum() == 6
