"""Runs from data frames: whatever columns, cells and numbers of rows they have."""

from __future__ import annotations

import copy
import gc
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import DataError, IsocomputeError

SHARED = Path(os.environ.get("ISOCOMPUTE_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SAMPLES = SHARED.parent / "cases" / "samples.csv"


@pytest.fixture
def long():
    """A row a verification: two problems, solutions and verdicts of different numbers."""
    rows = [
        ("p", "a", 7, 7, "yes", 10, 5), ("p", "a", 7, 7, "no", 10, 6), ("p", "b", "7.0", 7, True, 12, 5),
        ("p", "c", None, 7, np.nan, 9, 4), ("q", "a", "x", "y", 0.25, 3, 5), ("q", "b", "y", "y", 1, 4, 5),
    ]  # fmt: skip
    names = ["problem", "id", "said", "gold", "verdict", "tokens", "spent"]
    return pd.DataFrame(rows, columns=names)


ROLES = {"problem": "problem", "solution": "id", "answer": "said", "gold": "gold", "verdict": "verdict"}


def test_a_row_a_verification(long):
    run = iso.from_frame(long, **ROLES, tokens="tokens", verification_tokens="spent")
    solutions = run.solutions
    assert solutions["answer"].tolist()[:2] == ["7", "7"]
    assert pd.isna(solutions["answer"].tolist()[2])
    assert solutions["correct"].tolist() == [True, True, False, False, True]
    assert solutions["completion_tokens"].tolist() == [10, 12, 9, 3, 4]
    verdicts = run.verifications["verdict"].tolist()
    assert verdicts[:3] == [1, 0, 1]
    assert np.isnan(verdicts[3])
    assert verdicts[4:] == [0.25, 1]
    assert run.verifications["completion_tokens"].tolist() == [5, 6, 5, 4, 5, 5]


@pytest.mark.parametrize("cell", [lambda v: v, str, tuple, np.array])
def test_verdicts_as_lists_are_the_same_run_as_rows(long, cell):
    rows = long.assign(verdict=long["verdict"].replace({"yes": 1.0, "no": 0.0, True: 1.0}).astype(float)).dropna(
        subset="verdict"
    )
    wide = rows.groupby(["problem", "id"], sort=False).agg({"said": "first", "gold": "first", "verdict": list})
    wide = wide.reset_index().assign(verdict=lambda f: f["verdict"].map(cell))
    one, other = iso.from_frame(rows, **ROLES), iso.from_frame(wide, **ROLES)
    assert one.solutions.equals(other.solutions)
    assert one.verifications.equals(other.verifications)


def test_level_cluster_and_score_reach_the_profile():
    frame = pd.DataFrame(
        {"id": ["a", "a", "b", "b"], "ok": [True, False, True, True], "level": [1, 1, 2, 2], "of": ["x", "x", "x", "x"],
         "score": [0.9, 0.1, 0.5, 0.4]}
    )  # fmt: skip
    run = iso.from_frame(frame, problem="id", correct="ok", score="score", level="level", cluster="of")
    profile = iso.fit(run)
    assert "bon" in profile.strategies
    assert [(p.level, p.cluster) for p in profile._profile.per_problem] == [(1, "x"), (2, "x")]
    assert iso.curve(run, "bon", S=[2])["accuracy"].tolist() == [1.0]


def test_a_run_in_memory_is_saved_and_reads_back(long, tmp_path):
    run = iso.from_frame(long, **ROLES)
    saved = run.save(tmp_path / "kept")
    assert saved.path == str(tmp_path / "kept")
    again = iso.open_run(tmp_path / "kept")
    assert again.solutions.equals(run.solutions)
    assert again.problems.equals(run.problems)
    with pytest.raises(IsocomputeError, match="exists already"):
        run.save(tmp_path / "kept")


def test_a_run_in_memory_goes_with_its_object(long):
    run = iso.from_frame(long, **ROLES)
    fs, root = run._run.fs, run._run.root
    assert fs.exists(root)
    del run
    gc.collect()
    assert not fs.exists(root)


@pytest.mark.parametrize(
    ("change", "roles", "said"),
    [
        (lambda f: f, {"answer": "nowhere"}, "answer='nowhere' must name one column of the frame"),
        (lambda f: f, {"gold": None}, "from_frame needs correct=, or answer= and gold="),
        (lambda f: f.head(0), {}, "The frame has no rows"),
        (lambda f: f.assign(verdict="perhaps"), {}, "row 0: 'verdict' must be yes, no, or a number from 0 to 1"),
        (lambda f: f.assign(problem=None), {}, "row 0: the problem has no name"),
        (lambda f: f.assign(said=range(6)), {}, "row 1: the solution 'a' of 'p' differs from an earlier row"),
        (lambda f: f.assign(gold=range(6)), {}, "row 1: the problem 'p' has another gold"),
        (
            lambda f: f.assign(tokens=-1),
            {"tokens": "tokens"},
            "row 0: 'tokens' must be a whole number from 0 to 2,147,483,647",
        ),
        (lambda f: f, {"verdict": None}, "row 1: the solution 'a' of 'p' appears twice, without verdicts"),
    ],
)
def test_what_a_frame_does_not_hold_is_a_sentence(long, change, roles, said):
    with pytest.raises(DataError, match=f"^{said}"):
        iso.from_frame(change(long), **{k: v for k, v in (ROLES | roles).items() if v is not None})


def test_what_is_no_frame_is_a_sentence():
    with pytest.raises(DataError, match="takes a pandas DataFrame; it got dict"):
        iso.from_frame({}, problem="p")


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared cases are not here")
def test_the_samples_in_one_call():
    roles = {"answer": "answer", "gold": "gold", "verdict": "verdicts", "score": "score", "level": "level"}
    frame = pd.read_csv(SAMPLES)
    run = iso.from_frame(frame, problem="problem_id", **roles, tokens="completion_tokens")
    assert (len(run.problems), len(run.solutions), len(run.verifications)) == (60, 1920, 7680)
    assert run.solutions["correct"].tolist() == frame["correct"].tolist()
    assert iso.plan(iso.fit(run), "16x", lam=1.0).to_frame()["strategy"].tolist()


def test_the_order_of_rows_makes_no_difference():
    rng = np.random.default_rng(3)
    rows = [
        (f"p{p}", f"s{i}", rng.choice(["1", "2"]), "1", float(rng.random() < 0.6))
        for p in range(5)
        for i in range(3 + p)
    ]
    frame = pd.DataFrame(rows, columns=["problem", "id", "said", "gold", "verdict"])
    one, other = iso.from_frame(frame, **ROLES), iso.from_frame(frame.sample(frac=1, random_state=1), **ROLES)
    assert one.solutions.equals(other.solutions)
    assert iso.fit(one, lam=1.0).to_dict() == iso.fit(other, lam=1.0).to_dict()


def small(**columns):
    return pd.DataFrame({"p": ["x", "x", "y"], "a": ["1", "2", "3"], "g": ["1", "1", "3"], **columns})


SMALL = {"problem": "p", "answer": "a", "gold": "g"}


@pytest.mark.parametrize("one", [1e-5, "0.00001", "1e-5", "1E-05", np.float64(1e-5)])
def test_numbers_of_one_value_are_one_answer_however_they_are_written(one):
    frame = pd.DataFrame({"p": ["x", "x"], "a": [one, "0.00001"], "g": [1e-5, 1e-5]}, dtype=object)
    run = iso.from_frame(frame, problem="p", answer="a", gold="g")
    assert run.solutions["correct"].tolist() == [True, True]
    assert run.solutions["answer"].nunique() == 1


def test_single_precision_and_nullable_columns_are_read_as_they_look():
    frame = small(a=np.array([0.1, 0.2, 0.3], dtype="float32"), g=[0.1, 0.1, 0.3], s=[0.5, None, 1.0], t=[3, None, 4])
    assert iso.from_frame(frame, **SMALL).solutions["correct"].tolist() == [True, False, True]
    run = iso.from_frame(frame.convert_dtypes(), **SMALL, score="s", tokens="t")
    assert run.solutions["completion_tokens"].fillna(-1).tolist() == [3, -1, 4]
    assert len(run.scores) == 2


def test_a_missing_score_is_said():
    profile = iso.fit(iso.from_frame(small(s=[None, 0.5, 0.5]), **SMALL, score="s"))
    assert "bon" in profile.strategies
    assert any("1 of 3 solutions have no score" in w for w in profile.warnings)
    profile = iso.fit(iso.from_frame(small(s=[0.5, 0.5, None]), **SMALL, score="s"))
    assert "bon" not in profile.strategies
    assert any("were scored; so bon and prm-weighted are not estimated" in w for w in profile.warnings)


def test_a_verifier_that_nobody_can_read_ranks_nothing():
    profile = iso.fit(iso.from_frame(small(v=[[None], [None], [None]]), **SMALL, verdict="v"), lam=None)
    assert profile.strategies == ["sc"]
    assert any(w.startswith("No verdict could be read") for w in profile.warnings)


def test_a_copy_outlives_the_object_and_a_run_that_has_gone_raises():
    run = iso.from_frame(small(), **SMALL)
    other = copy.copy(run)
    del run
    gc.collect()
    assert len(other.solutions) == 3
    path = other.path
    gone = iso.open_run(path)
    del other
    gc.collect()
    with pytest.raises(IsocomputeError, match="There is no run"):
        _ = gone.solutions


@pytest.mark.parametrize(
    ("frame", "roles", "said"),
    [
        (small(v=["[" * 100_000] * 3), {"verdict": "v"}, "starts like a list but is not JSON"),
        (small(v=[[[1]], [0], [1]]), {"verdict": "v"}, "it must hold single values"),
        (small(a=[10**5000, 1, 1]), {}, "more than 4,300 digits"),
        (small(), {"name": 5}, "name must be text; it is 5"),
    ],
)
def test_cells_that_hold_too_much_are_sentences(frame, roles, said):
    with pytest.raises(DataError, match=said) as caught:
        iso.from_frame(frame, **SMALL, **roles)
    assert len(str(caught.value)) < 300


def test_half_a_character_is_replaced():
    assert (
        iso.from_frame(small(a=pd.Series(["\ud800", "2", "3"], dtype=object)), **SMALL).solutions["answer"].tolist()[0]
        == "?"
    )


@pytest.mark.parametrize("path", [None, 5, b"/tmp/x", "a\0b", ""])
def test_what_is_no_path_is_a_sentence(path):
    with pytest.raises(IsocomputeError, match="path must be a path or a URL"):
        iso.from_frame(small(), **SMALL).save(path)


def test_of_one_problem_the_plan_says_that_nothing_was_held_out():
    frame = pd.DataFrame({"id": ["a"] * 4, "ok": [True, False, True, True]})
    plan = iso.plan(iso.fit(iso.from_frame(frame, problem="id", correct="ok")), "1x")
    assert any("nothing was held out" in warning for warning in plan.to_dict()["warnings"])
