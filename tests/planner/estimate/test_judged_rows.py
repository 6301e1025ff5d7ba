from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from isocompute.fits.verdict_codes import VerdictTallies, decode_verdicts
from isocompute.planner.estimate.judged_rows import JUDGED_COLUMNS, JudgedRows
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.records import average_problem_tokens, average_problem_verifications
from isocompute.planner.estimate.run_rows import read_swept_verifications
from isocompute.runners.parsing.kinds import count_verification_kinds
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.provenance import extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import VERIFICATIONS_TABLE

NO_FAILURES = pd.DataFrame({"problem_id": [], "solution_id": []})


@pytest.fixture(params=["lab", "lab-both-small", "qwen-gsm-symbolic"])
def shipped(request, monkeypatch):
    """A shipped run's verifications, added up in batches of 97 rows, and as a frame."""
    monkeypatch.setattr("isocompute.runners.storage.scan.SCAN_ROWS", 97)
    run = Run(f"data/runs/{request.param}")
    frame = run.read_frame(VERIFICATIONS_TABLE)
    expected = ExpectedRows(extract_origin(run.read_manifest(), run.path), sorted(set(frame["problem_id"])))
    return read_swept_verifications(run, expected, NO_FAILURES), frame


def test_sums_are_those_of_the_rows(shipped):
    rows, frame = shipped
    assert average_problem_verifications(rows) == average_problem_tokens(frame, VERIFICATIONS_TABLE)
    assert rows.count_kinds(rows.problems) == count_verification_kinds(frame)
    assert (rows.rows, rows.cut) == (len(frame), int(frame["finish_reason"].eq("length").sum()))
    for way, column in (("completion", frame["completion_tokens"]), ("prompts", frame["prompt_tokens"])):
        mean = column.mean() + (frame["completion_tokens"].mean() if way == "prompts" else 0)
        assert rows.average_tokens(1.0)[way].tolist() == [pytest.approx(mean, rel=1e-15)]


def test_a_mean_of_more_times_than_are_kept_is_exact(shipped):
    rows, frame = shipped
    kept = rows.average_seconds()
    rows.timed = rows.timed[:1]
    exact = [math.fsum(each) / len(each) for _, each in frame["seconds"].groupby(frame["problem_id"])]
    if frame["seconds"].notna().all():
        np.testing.assert_allclose(rows.average_seconds(), exact, rtol=1e-15)
        np.testing.assert_allclose(kept, exact, rtol=1e-13)


def test_verdicts_are_those_of_the_rows_in_the_order_of_their_keys(shipped):
    rows, frame = shipped
    solutions, each = rows.sizes
    verdicts = rows.take_verdicts(rows.problems, np.tile(np.arange(solutions), (len(rows.problems), 1)))
    np.testing.assert_array_equal(decode_verdicts(verdicts).ravel(), frame["verdict"].to_numpy(float))
    assert (rows.count_verdicts(rows.problems, solutions + 1) == [*[each] * solutions, 0]).all()


def test_times_are_those_of_the_rows(shipped):
    rows, frame = shipped
    columns = ["problem_id", "seconds", "completion_tokens"]
    found = rows.read_times(rows.problems)[columns].astype({"problem_id": str})
    pd.testing.assert_frame_equal(found.astype({"completion_tokens": float}), frame[columns], check_dtype=False)


def test_many_verdicts_of_their_own_stay_what_they_are():
    values = (np.arange(700) / 700).astype(np.float32)
    judged = JudgedRows(["a"], (1, 700))
    frame = pd.DataFrame({"problem_id": "a", "solution_id": 0, "verification_id": range(700), "verdict": values})
    frame = frame.assign(status="ok", **dict.fromkeys(set(JUDGED_COLUMNS) - {*frame, "status"}))
    content = pa.Table.from_pandas(frame, VERIFICATIONS_TABLE.select_schema(JUDGED_COLUMNS), preserve_index=False)
    assert judged.add_batches(content.slice(at, 50) for at in range(0, 700, 50)) == 700
    np.testing.assert_array_equal(judged.take_verdicts(["a"], np.array([[0]]))[0, 0], values.astype(float))


def test_yes_and_no_stay_bytes_also_where_some_are_missing():
    judged = JudgedRows(["a", "b"], (2, 3))
    judged.verdicts.values = [np.nan, 1.0, np.nan, 0.0]
    judged.verdicts.cells[0] = [[0, 1, 2], [3, 0, 1]]
    verdicts = judged.take_verdicts(["b", "a"], np.array([[0, 1], [1, 0]]))
    assert verdicts.dtype == np.int8
    np.testing.assert_array_equal(verdicts, [[[-1, -1], [-1, -1]], [[0, 1], [1, -1]]])


@pytest.mark.parametrize("name", ["lab", "qwen-gsm-symbolic"])
def test_verdicts_that_are_only_counted_are_those_that_are_listed(name):
    run = Run(f"data/runs/{name}")
    listed, counted = (read_pool(run, is_tallied=is_tallied) for is_tallied in (False, True))
    assert isinstance(counted.pool.held_verdicts, VerdictTallies)
    assert not isinstance(listed.pool.held_verdicts, VerdictTallies)
    np.testing.assert_array_equal(counted.pool.judged, listed.pool.judged)
    np.testing.assert_array_equal(counted.pool.tallies.yes, listed.pool.tallies.yes)
    np.testing.assert_array_equal(counted.pool.tallies.no, listed.pool.tallies.no)


def test_verdicts_that_are_probabilities_stay_what_they_are(written_run, rewrite):
    rewrite(written_run, VERIFICATIONS_TABLE, lambda rows: rows.assign(verdict=0.25))
    pool = read_pool(Run(written_run), is_tallied=True).pool
    assert pool.has_probabilities
    assert (pool.verdicts == 0.25).all()
