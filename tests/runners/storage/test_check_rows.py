"""Which rows of a run are believed, against a reading of the same rows one by one."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocompute.errors import DataError
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run, repair_run
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.examined_parts import REPAIR, RESWEEP
from isocompute.runners.storage.parts import encode_parquet
from isocompute.runners.storage.progress import measure_run_progress
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.row_values import RESULT_COLUMNS
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, TABLES, VERIFICATIONS_TABLE


@pytest.mark.parametrize(
    ("table", "cells", "what"),
    [
        (
            VERIFICATIONS_TABLE,
            {"verdict": (4, 1.5)},
            "1 row with a verdict outside 0 … 1; the first: ('lab-0-1-0', 1, 1)",
        ),
        (VERIFICATIONS_TABLE, {"verdict": (4, math.nan)}, "1 row with a verdict outside 0 … 1; the first: "),
        (
            VERIFICATIONS_TABLE,
            {"p_yes": (71, -0.1)},
            "1 row with a p_yes outside 0 … 1; the first: ('lab-0-4-0', 5, 2)",
        ),
        (VERIFICATIONS_TABLE, {"completion_tokens": (0, -1)}, "1 row with completion_tokens below 0; "),
        (SOLUTIONS_TABLE, {"prompt_tokens": (0, -1)}, "1 row with prompt_tokens below 0; "),
        (SOLUTIONS_TABLE, {"cached_tokens": (0, -1)}, "1 row with cached_tokens below 0; "),
        (SOLUTIONS_TABLE, {"cached_tokens": (0, 999)}, "1 row with more cached_tokens than prompt_tokens; "),
        (SOLUTIONS_TABLE, {"status": (0, None)}, "1 row without status; "),
        (SOLUTIONS_TABLE, {"answer": (0, None), "correct": (0, True)}, "1 row with correct = true and no answer; "),
        (
            SOLUTIONS_TABLE,
            {"status": (0, "cut"), "answer": (0, "7")},
            "1 row with 'answer' and a status that is not ok; ",
        ),
        (
            SOLUTIONS_TABLE,
            {"status": (0, "cut"), "answer": (0, None), "correct": (0, False)},
            "1 row with 'correct' and a status ",
        ),
        (
            VERIFICATIONS_TABLE,
            {"status": (0, "cut"), "verdict": (0, 0.0)},
            "1 row with 'verdict' and a status that is not ok; ",
        ),
        (
            VERIFICATIONS_TABLE,
            {"status": (0, "cut"), "verdict": (0, None), "p_yes": (0, 0.5)},
            "1 row with 'p_yes' and a ",
        ),
        (SOLUTIONS_TABLE, {"solution_id": (0, 6)}, "1 row with a solution_id outside the 6 requested; the first: "),
        (SOLUTIONS_TABLE, {"solution_id": (0, -1)}, "1 row with a solution_id outside the 6 requested; the first: "),
        (
            VERIFICATIONS_TABLE,
            {"solution_id": (0, 6)},
            "1 row with a solution_id outside the 6 requested; the first: ",
        ),
        (VERIFICATIONS_TABLE, {"verification_id": (0, 3)}, "1 row with a verification_id outside the 3 requested; "),
        (
            VERIFICATIONS_TABLE,
            {"problem_id": (0, "?")},
            "1 row of a solution that does not exist or failed; the first: ",
        ),
        (VERIFICATIONS_TABLE, {"verification_id": (1, 0)}, "1 row with a key that appeared before; the first: "),
    ],
)
def test_a_row_that_cannot_be_believed_is_found_lost_and_asked_for_again(run, table, cells, what, change, asked_again):
    first = run.read_table(table, table.key_names).to_pylist()[next(iter(cells.values()))[0]]
    change(run, table, **cells)
    report = check_run(run)
    damage = report.damage[0]
    assert (damage.path, damage.rows, damage.remedy) == (run.list_parts(table)[0], 1, REPAIR)
    assert damage.what.startswith(what)
    assert sum(gap.rows for gap in report.missing[table.name]) == 1

    assert repair_run(run) == report
    after = check_run(run)
    assert after.is_whole
    assert after.missing == report.missing
    asked = asked_again()
    assert (table.name, *first.values()) in asked
    assert len(asked) == sum(gap.rows for gaps in report.missing.values() for gap in gaps)
    assert check_run(run).missing == {"solutions": [], "verifications": []}
    assert read_pool(run).pool.verdicts.shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("table", "cells", "what"),
    [
        (SOLUTIONS_TABLE, {"correct": (0, None)}, "1 row with status ok and no correct; "),
        (SOLUTIONS_TABLE, {"text": (0, None)}, "1 row with status ok and no text; "),
        (VERIFICATIONS_TABLE, {"text": (0, None)}, "1 row with status ok and no text; "),
        (VERIFICATIONS_TABLE, {"verdict": (0, math.inf)}, "1 row with a verdict outside 0 … 1; "),
        (
            VERIFICATIONS_TABLE,
            {"solution_digest": (0, "0" * 32)},
            "1 row of a text that differs from its solution's; ",
        ),
    ],
)
def test_every_command_refuses_what_check_calls_damaged(run, scripted, small, table, cells, what, change, files):
    change(run, table, **cells)
    assert check_run(run).damage[0].what.startswith(what)
    sentence = (
        rf"{table.name}/part-00000\.parquet: {re.escape(what)}the first: .*; `isocompute check .*` says what would"
    )
    engine = scripted()
    readers = {
        "fit": lambda: read_pool(run),
        "runs": lambda: measure_run_progress(run),
        "grade": lambda: regrade_run(run, load_grader_by_name("boxed-number")),
        "sweep": lambda: run_sweep(small(solutions=7), load=engine),
    }
    if "digest" in str(cells):  # a sweep sets it aside and asks again
        run_sweep(small(), load=engine)
        assert len(engine.asked) == 1
        assert check_run(run).is_whole
        return
    before = files(run)
    for read in readers.values():
        with pytest.raises(DataError, match=sentence):
            read()
    assert engine.asked == []
    assert files(run) == {**before, f"{run.path}/.lock": b""}


def test_step_scores_of_another_tool_may_have_a_range_of_their_own(run):
    (path,) = run.list_parts(SOLUTIONS_TABLE)
    part = pq.read_table(path)
    steps = pa.array([[-1.0, 7.5]] * part.num_rows, pa.list_(pa.float32()))
    Path(path).write_bytes(encode_parquet(part.append_column("step_scores", steps)))
    assert check_run(run).is_whole


@pytest.mark.parametrize("seconds", [-1e-9, math.nan, math.inf])
@pytest.mark.parametrize("table", [SOLUTIONS_TABLE, VERIFICATIONS_TABLE])
def test_a_duration_that_cannot_be_is_damage(run, change, table, seconds):
    change(run, table, seconds=(3, seconds))
    damage, *_ = check_run(run).damage  # a solution's verifications are lost with it
    assert damage.what.startswith("1 row with seconds that are negative or not finite; the first: ")


def test_a_repaired_run_of_format_1_says_that_parts_of_today_are_in_it(run, change, as_format_1):
    change(run, VERIFICATIONS_TABLE, verdict=(0, 7.0))
    as_format_1(run.path)
    before = run.read_manifest()
    repair_run(run)
    assert run.read_manifest() == {**before, "format": 2}
    assert check_run(run).is_whole


def test_each_damage_is_told_in_its_part_and_a_row_is_lost_once(run, add):
    add(run, VERIFICATIONS_TABLE, {"problem_id": "?"}, {"problem_id": "?", "verdict": 7.0}, {"verification_id": 9})
    add(run, VERIFICATIONS_TABLE, {}, part=12)
    found = [(Path(damage.path).name, damage.what.partition(";")[0], damage.rows) for damage in check_run(run).damage]
    assert found == [
        ("part-00001.parquet", "1 row with a verdict outside 0 … 1", 1),
        ("part-00001.parquet", "1 row with a verification_id outside the 3 requested", 1),
        ("part-00001.parquet", "1 row of a solution that does not exist or failed", 1),
        ("part-00012.parquet", "1 row with a key that appeared before", 1),
    ]
    whole = Path(run.list_parts(VERIFICATIONS_TABLE)[0]).read_bytes()
    repair_run(run)
    assert check_run(run).is_whole
    assert [Path(part).name for part in run.list_parts(VERIFICATIONS_TABLE)] == ["part-00000.parquet"]
    assert Path(run.list_parts(VERIFICATIONS_TABLE)[0]).read_bytes() == whole


def test_retries_of_a_failed_row_are_no_damage_and_a_row_after_a_good_one_is(run, put, add):
    lost = {"status": "cut", "text": None, "answer": None, "correct": None}
    rows = run.read_table(SOLUTIONS_TABLE).to_pylist()
    put(run, SOLUTIONS_TABLE, [{**rows[0], **lost}, *rows[1:]])
    for part, row in enumerate([lost, lost, {}], start=1):
        add(run, SOLUTIONS_TABLE, row, part=part)
        put(run, SOLUTIONS_TABLE, [{**rows[0], **row}], part)
    assert check_run(run).is_whole
    put(run, SOLUTIONS_TABLE, [{**rows[0], **lost}], 4)
    assert [(Path(d.path).name, d.rows) for d in check_run(run).damage] == [("part-00004.parquet", 1)]
    repair_run(run)
    assert run.read_frame(SOLUTIONS_TABLE)["status"].tolist() == ["ok"] * 24


def test_verifications_of_solutions_that_are_lost_are_lost_with_them(run, put, asked_again):
    """A solution sampled anew may read differently, and the old verdicts would be about another text."""
    rows = run.read_table(SOLUTIONS_TABLE).to_pylist()
    put(run, SOLUTIONS_TABLE, rows[:20])
    put(run, SOLUTIONS_TABLE, rows[20:], part=1)
    part = Path(run.list_parts(SOLUTIONS_TABLE)[1])
    content = bytearray(part.read_bytes())
    content[60:90] = bytes(30)
    part.write_bytes(content)
    report = check_run(run)
    assert [(damage.rows, damage.remedy) for damage in report.damage] == [(4, REPAIR), (12, REPAIR)]
    repair_run(run)
    asked = asked_again()
    assert [key[0] for key in asked].count("solutions") == 4
    assert [key[0] for key in asked].count("verifications") == 12
    assert read_pool(run).pool.verdicts.shape == (4, 6, 3)


def believed_one_by_one(run, S, K, M):
    """The sound rows of each table, read as slowly as can be."""
    problems, solved, sound = set(), {}, {}
    for table in (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        seen, kept = set(), []
        for row in run.read_table(table).to_pylist():
            key = tuple(row[name] for name in table.key_names)
            ok = row.get("status", "ok") == "ok"
            good = key not in seen
            good &= all(0 <= row[name] <= 1 for name in ("verdict", "p_yes") if row.get(name) is not None)
            good &= all(row[name] >= 0 for name in row if name.endswith("_tokens") and row[name] is not None)
            good &= None in (row.get("cached_tokens"), row.get("prompt_tokens")) or (
                row["cached_tokens"] <= row["prompt_tokens"]
            )
            good &= ok or all(row.get(name) is None for name in ("answer", "correct", "verdict", "p_yes"))
            good &= not (row.get("correct") and row["answer"] is None)
            good &= table is not SOLUTIONS_TABLE or not ok or None not in (row["correct"], row["text"])
            if table is SOLUTIONS_TABLE:
                good &= 0 <= key[1] < S
            if table is VERIFICATIONS_TABLE:
                good &= 0 <= key[1] < K and 0 <= key[2] < M and row["solution_digest"] == solved.get(key[:2])
            if not good:
                continue
            kept.append(row)
            if ok:
                seen.add(key)
        if table is SOLUTIONS_TABLE:
            solved = {
                (row["problem_id"], row["solution_id"]): digest_text(row["text"])
                for row in kept
                if row["status"] == "ok"
            }
        problems = seen if table is PROBLEMS_TABLE else problems
        sound[table.name] = (kept, seen)
    return sound, {name for (name,) in problems}


VALUES = {
    "problem_id": ["lab-0-1-0", "lab-0-2-0", "?"],
    "solution_id": [-1, 0, 1, 2, 5, 6, 2**31 - 1],
    "verification_id": [-(2**31), 0, 1, 2, 3],
    "verdict": [None, 0.0, 0.5, 1.0, 1.5, math.nan],
    "p_yes": [None, 0.0, -1.0],
    "prompt_tokens": [None, 0, 7, -7],
    "cached_tokens": [None, 0, 7, 8],
    "answer": [None, "7"],
    "correct": [None, True, False],
    "status": ["ok", "cut"],
}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_rows_that_are_believed_are_those_that_a_slow_reading_believes(run, data, put):
    before = {table: run.read_table(table) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)}
    try:
        for table, whole in before.items():
            rows = whole.to_pylist()
            for _ in range(data.draw(st.integers(0, 10))):
                row = dict(rows[data.draw(st.integers(0, len(rows) - 1))])
                for name in data.draw(st.lists(st.sampled_from(sorted(set(VALUES) & set(row))), max_size=3)):
                    row[name] = data.draw(st.sampled_from(VALUES[name]))
                if data.draw(st.booleans()):
                    row |= {"status": "cut"} | {name: None for name in RESULT_COLUMNS if name in row}
                rows.insert(data.draw(st.integers(0, len(rows))), row)
            cut = data.draw(st.integers(1, len(rows)))
            put(run, table, rows[:cut])
            put(run, table, rows[cut:], part=1)
        sound, problems = believed_one_by_one(run, 6, 6, 3)
        report = check_run(run)
        assert report.rows == {name: len(kept) for name, (kept, _) in sound.items()}
        assert sum(damage.rows for damage in report.damage) == sum(
            run.read_table(TABLES[name]).num_rows - len(kept) for name, (kept, _) in sound.items()
        )
        for name, total in (("solutions", 24), ("verifications", 72)):
            there = {key for key in sound[name][1] if key[0] in problems}
            assert sum(gap.rows for gap in report.missing[name]) == total - len(there)
        repair_run(run)
        for name, (kept, _) in sound.items():
            assert run.read_table(TABLES[name]).to_pylist() == kept
        assert {damage.remedy for damage in check_run(run).damage} <= {RESWEEP}
    finally:
        for path in Path(run.path).rglob("*.parquet*"):
            if path.parent.name != "problems":
                path.unlink()
        for table, whole in before.items():
            put(run, table, whole.to_pylist())
