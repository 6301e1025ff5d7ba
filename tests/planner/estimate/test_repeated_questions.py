"""Boundaries and repeated questions: all right, none right, and the same twelve problems once and five times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.runners.storage.doubts import find_problem_clusters

REPEATED = "60 problems, of which 48 repeat another's question: intervals count 12."


def make_rows(copies=1, right=None, problems=12, seed=0):
    """Rows of problems with 6 solutions and 2 verdicts each, each problem as often as asked for."""
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(problems):
        ease = rng.beta(0.5, 0.5) if right is None else right
        solutions = [(i, 7 if rng.random() < ease else 10 + rng.integers(2)) for i in range(6)]
        verdicts = [(i, a, float(rng.random() < (0.8 if a == 7 else 0.3))) for i, a in solutions for _ in range(2)]
        for copy in range(copies):
            rows += [(f"p{p:02d}d{copy}", f"question {p}", "7", i, str(a), a == 7, v) for i, a, v in verdicts]
    columns = ["problem_id", "question", "gold", "solution_id", "answer", "correct", "verdict"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def fitted(tmp_path):
    def fit(name, frame):
        frame.assign(completion_tokens=100, verification_completion_tokens=100).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
        run = iso.import_run("table", tmp_path / f"{name}.csv", tmp_path / name)
        return run, iso.fit(run)

    return fit


def test_the_same_problems_five_times_have_the_intervals_of_once(fitted):
    (once, first), (five, second) = fitted("once", make_rows()), fitted("five", make_rows(5))
    assert REPEATED in second.warnings
    assert not any("repeat" in warning for warning in first.warnings)
    assert (second.problems, second._profile.independent_problems) == (60, 12)
    for strategy in ("sc", "genrm", "genrm+vote"):
        ends = [iso.curve(run, strategy)[["accuracy", "low", "high"]].to_numpy(float) for run in (once, five)]
        np.testing.assert_allclose(*ends, atol=1e-9)
    assert first._profile.verifier.true_positive == pytest.approx(second._profile.verifier.true_positive, abs=2e-5)
    assert first._profile.verifier.auroc == pytest.approx(second._profile.verifier.auroc, abs=2e-5)


@pytest.mark.parametrize(("right", "accuracy"), [(1.0, 1.0), (0.0, 0.0)])
def test_all_right_and_none_right_have_intervals(fitted, right, accuracy):
    run, profile = fitted("edge", make_rows(right=right, problems=40))
    curve = iso.curve(run, "sc")
    assert curve["accuracy"].eq(accuracy).all()
    far = curve["low"] if right else 1 - curve["high"]
    near = curve["high"] if right else curve["low"]
    np.testing.assert_allclose(far, 0.950, atol=5e-4)
    assert near.eq(accuracy).all()
    rate = profile._profile.verifier.true_positive if right else profile._profile.verifier.false_positive
    assert 0 < rate[1] < rate[0] < rate[2] < 1


def test_clusters_join_where_they_share_a_question():
    columns = {
        "problem_id": list("abcdef"),
        "question": ["q1", "q1", "q2", "q2", "q3", None],
        "gold": ["1", "1", "2", "3", "5", None],
        "cluster": ["x", "y", "y", None, None, "z"],
    }
    clusters, repeats = find_problem_clusters(pd.DataFrame(columns))
    assert repeats == 1  # c and d ask the same of different things: their answers differ
    assert clusters == {"a": "x", "b": "x", "c": "x", "f": "z"}
    same = pd.DataFrame(columns).assign(question="the log has none", gold="1", cluster=None)
    assert find_problem_clusters(same) == ({}, 0)
