from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from isocompute.errors import DataError
from isocompute.runners.storage.row_states import RowStates, read_row_states
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.scan import scan_last_rows, scan_table
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

SIZES = [3, 4]
COLUMNS = [*VERIFICATIONS_TABLE.key_names, "verdict", "status"]


def row(problem, solution, number, status="ok", verdict=1.0):
    keys = {"problem_id": problem, "solution_id": solution, "verification_id": number}
    return {**keys, "status": status, "verdict": verdict if status == "ok" else None}


@pytest.fixture
def retried(tmp_path):
    """A run in which rows fail up to three times before they are ok, or never are, over parts of five rows."""
    rng = np.random.default_rng(7)
    attempts = []
    for problem in "ab":
        for solution in range(3):
            for number in range(4):
                fails = int(rng.integers(0, 4))
                statuses = ["it failed"] * fails + (["ok"] if rng.random() < 0.8 or not fails else [])
                attempts += [(rng.random(), row(problem, solution, number, status)) for status in statuses]
    # Attempts of a key stay in their order, among those of other keys.
    order = sorted(range(len(attempts)), key=lambda i: attempts[i][0])
    by_key: dict[tuple, list[int]] = {}
    for i, (_, each) in enumerate(attempts):
        by_key.setdefault(tuple(each[name] for name in VERIFICATIONS_TABLE.key_names), []).append(i)
    rows = [attempts[by_key[tuple(attempts[i][1][n] for n in VERIFICATIONS_TABLE.key_names)].pop(0)][1] for i in order]
    run = Run(str(tmp_path / "run"))
    writer = run.open_writer(VERIFICATIONS_TABLE, 3600, 5)
    for each in rows:
        writer.add_rows([each])
    writer.flush()
    assert len(run.list_parts(VERIFICATIONS_TABLE)) > 5
    return run


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_a_scan_gives_the_rows_of_a_frame_whatever_its_batches(retried, monkeypatch, batch_rows):
    monkeypatch.setattr("isocompute.runners.storage.scan.SCAN_ROWS", batch_rows)
    found = pa.concat_tables(scan_last_rows(retried, VERIFICATIONS_TABLE, COLUMNS)).to_pandas()
    found = found.sort_values(VERIFICATIONS_TABLE.key_names, ignore_index=True)
    pd.testing.assert_frame_equal(found, retried.read_frame(VERIFICATIONS_TABLE, COLUMNS))
    assert (found["status"] != "ok").any()


def test_states_are_those_of_the_keys_of_a_frame(retried):
    states = read_row_states(retried, VERIFICATIONS_TABLE, ["a", "b"], SIZES)
    keys = retried.read_keys(VERIFICATIONS_TABLE)
    box = [(problem, i, j) for problem in "ab" for i in range(3) for j in range(4)]
    assert {key for key in box if key in states} == keys
    assert [key for problem in "ab" for key in states.find_missing(problem)] == [key for key in box if key not in keys]
    assert list(states.find_missing("b", 1)) == [key for key in box if key[:2] == ("b", 1) and key not in keys]
    assert (states.count_ok(), states.count_missing()) == (len(keys), len(box) - len(keys))
    first, last = states.find_gap_ends()
    gaps = {box[i] for a, b in zip(first, last, strict=True) for i in range(a, b + 1)}
    assert gaps == set(box) - keys
    assert ("b", 3, 0) not in states
    assert ("c", 0, 0) not in states
    assert list(states.find_missing("c")) == list(states.find_missing("a", 3)) == []


@pytest.mark.parametrize("second", ["ok", "it failed"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_row_after_one_that_is_ok_repeats_its_key(tmp_path, second, parts):
    run = Run(str(tmp_path))
    writer = run.open_writer(VERIFICATIONS_TABLE, 3600)
    for each in (row("a", 0, 1), row("a", 2, 3, second), row("a", 0, 1, second)):
        writer.add_rows([each])
        if parts == 2:
            writer.flush()
    writer.flush()
    with pytest.raises(DataError, match=r"holds the row \('a', 0, 1\) twice"):
        read_row_states(run, VERIFICATIONS_TABLE, ["a"], SIZES)


def test_the_marked_row_is_the_later_one_and_changes_nothing():
    states = RowStates(["a"], [2])
    ok = np.array([False, True, True, False, True])
    assert states.add_rows(np.array([0, 0, 0, 0, -1]), ok).tolist() == [False, False, True, True, False]
    assert (("a", 0) in states, ("a", 1) in states) == (True, False)


@pytest.mark.parametrize("sizes", [(3, 7), (41,), (5, 0)])
@pytest.mark.parametrize("read_bits", [8, 16, 2**20])
def test_bits_say_of_every_key_whether_its_row_is_there(monkeypatch, sizes, read_bits):
    monkeypatch.setattr("isocompute.runners.storage.row_states.READ_BITS", read_bits)
    rng, problems = np.random.default_rng(read_bits), ["a", "b", "c"]
    states, held = RowStates(problems, sizes), np.zeros((3, *sizes), dtype=bool)
    for _ in range(6):
        places, ok = rng.permutation(held.size)[: held.size // 5], rng.random(held.size // 5) < 0.9
        repeated = states.add_rows(places, ok)
        assert repeated.tolist() == held.flat[places].tolist()
        held.flat[places[ok]] = True
    assert (states.count_ok(), states.count_missing()) == (held.sum(), (~held).sum())
    assert states.mark_incomplete().tolist() == (~held).any(axis=tuple(range(2, held.ndim))).tolist()
    first, last = states.find_gap_ends()
    assert [i for a, b in zip(first, last, strict=True) for i in range(a, b + 1)] == np.flatnonzero(~held).tolist()
    assert (first[1:] > last[:-1] + 1).all()
    for p, name in enumerate(problems):
        assert list(states.find_missing(name)) == [(name, *at) for at in np.argwhere(~held[p]).tolist()]
        assert list(states.find_missing(name, 2)) == [(name, 2, *at) for at in np.argwhere(~held[p, 2]).tolist()]


def test_columns_that_a_part_lacks_are_unknown(tmp_path):
    run = Run(str(tmp_path))
    schema = pa.schema([field for field in SOLUTIONS_TABLE.schema if field.name not in ("started_at", "seconds")])
    rows = [{"problem_id": "a", "solution_id": i, "status": "ok"} for i in range(3)]
    run.write_part(SOLUTIONS_TABLE, "part-00000.parquet", pa.Table.from_pylist(rows, schema))
    for columns in (["solution_id", "seconds"], ["seconds"]):
        found = pa.concat_tables(scan_table(run, SOLUTIONS_TABLE, columns))
        assert found["seconds"].null_count == found.num_rows == 3
