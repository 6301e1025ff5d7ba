from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.errors import DataError, RunError
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

HOLD = """
import sys
from isocompute.runners.storage.run import Run
with Run(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def solution(i, problem="p", status="ok", answer="7"):
    return {
        "problem_id": problem,
        "solution_id": i,
        "text": "…",
        "answer": answer if status == "ok" else None,
        "correct": True if status == "ok" else None,
        "completion_tokens": 3,
        "status": status,
    }


def write(run, *rows):
    """Write rows as one part."""
    writer = run.open_writer(SOLUTIONS_TABLE)
    writer.add_rows(rows)
    writer.flush()


@pytest.fixture(params=["local", "memory"])
def run(request, tmp_path):
    if request.param == "local":
        return Run(tmp_path / "run")
    return Run(f"memory:/{tmp_path}/run")


@pytest.fixture
def local(tmp_path):
    run = Run(tmp_path / "run")
    write(run, solution(0))
    return run


def test_rows_come_back_in_the_order_of_their_keys(run):
    write(run, solution(2), solution(0, "q"))
    write(run, solution(0), solution(1))
    keys = [("p", 0), ("p", 1), ("p", 2), ("q", 0)]
    frame = run.read_frame(SOLUTIONS_TABLE)
    assert list(frame[["problem_id", "solution_id"]].itertuples(index=False, name=None)) == keys
    assert run.read_keys(SOLUTIONS_TABLE) == set(keys)
    assert list(run.read_frame(SOLUTIONS_TABLE, ["answer"]).columns) == ["answer"]


def test_a_manifest_comes_back_and_is_the_same_bytes(run):
    run.write_manifest({"config": {"b": 1, "a": "é"}})
    first = run.fs.cat_file(f"{run.root}/manifest.json")
    run.write_manifest({"config": {"a": "é", "b": 1}})
    assert run.fs.cat_file(f"{run.root}/manifest.json") == first
    assert run.exists
    assert run.read_manifest() == {"config": {"a": "é", "b": 1}}


def test_a_table_without_parts_is_empty(run):
    frame = run.read_frame(SOLUTIONS_TABLE)
    assert frame.empty
    assert list(frame.columns) == [column.name for column in SOLUTIONS_TABLE.columns]
    assert run.read_keys(SOLUTIONS_TABLE) == set()


def names(run):
    return [path.rpartition("/")[2] for path in run.list_parts(SOLUTIONS_TABLE)]


def test_parts_are_numbered_on_and_never_rewritten(run):
    write(run, solution(0))
    first = run.fs.cat_file(run.list_parts(SOLUTIONS_TABLE)[0])
    write(Run(run.path), solution(1))
    own = "" if run.local else "-[0-9a-f]{8}"
    for number, name in enumerate(names(run)):
        assert re.fullmatch(rf"part-0000{number}{own}\.parquet", name)
    assert len(names(run)) == 2
    assert run.fs.cat_file(run.list_parts(SOLUTIONS_TABLE)[0]) == first


def test_a_writer_writes_what_is_old_or_large_enough(run):
    patient = run.open_writer(SOLUTIONS_TABLE, seconds=3600, rows=3)
    patient.add_rows([solution(0), solution(1)])
    assert run.list_parts(SOLUTIONS_TABLE) == []
    patient.add_rows([solution(2)])
    assert len(run.list_parts(SOLUTIONS_TABLE)) == 1
    hasty = run.open_writer(SOLUTIONS_TABLE, seconds=0)
    hasty.add_rows([solution(3)])
    assert len(run.list_parts(SOLUTIONS_TABLE)) == 2


def test_nothing_waiting_writes_no_part(run):
    run.open_writer(SOLUTIONS_TABLE).flush()
    assert run.list_parts(SOLUTIONS_TABLE) == []


def test_rows_reach_the_disk_within_seconds_though_no_more_rows_come(run):
    run.open_writer(SOLUTIONS_TABLE, seconds=0.2).add_rows([solution(0), solution(1)])
    assert run.list_parts(SOLUTIONS_TABLE) == []
    until = time.monotonic() + 20
    while not run.list_parts(SOLUTIONS_TABLE) and time.monotonic() < until:
        time.sleep(0.02)
    assert run.read_keys(SOLUTIONS_TABLE) == {("p", 0), ("p", 1)}


def test_a_late_write_that_fails_is_told_to_whoever_writes_next(local, monkeypatch):
    tried = threading.Event()

    def full(*_):
        tried.set()
        raise OSError(28, "No space left on device")

    writer = local.open_writer(SOLUTIONS_TABLE, seconds=0.05)
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        writer.add_rows([solution(1)])
        assert tried.wait(20)
        with pytest.raises(RunError, match="No space left on device"):
            writer.flush()
    writer.flush()
    assert local.read_keys(SOLUTIONS_TABLE) == {("p", 0), ("p", 1)}


def test_an_interrupt_after_a_part_was_written_writes_no_row_twice(run, monkeypatch):
    put = Run._put_file

    def interrupted(*arguments):
        put(*arguments)
        raise KeyboardInterrupt

    writer = run.open_writer(SOLUTIONS_TABLE, seconds=3600)
    writer.add_rows([solution(0), solution(1)])
    with monkeypatch.context() as signals:
        signals.setattr(Run, "_put_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.flush()
    writer.add_rows([solution(2)])
    writer.flush()
    assert [row["solution_id"] for row in run.read_table(SOLUTIONS_TABLE).to_pylist()] == [0, 1, 2]


def test_the_order_of_parts_is_that_of_their_numbers_and_no_part_is_written_over(run):
    for number in (99_999, 100_000):
        write(run, solution(number))
        run.fs.mv(run.list_parts(SOLUTIONS_TABLE)[-1], f"{run.root}/solutions/part-{number}.parquet")
    write(run, solution(100_001))
    assert names(run)[:2] == ["part-99999.parquet", "part-100000.parquet"]
    assert names(run)[2].startswith("part-100001")
    assert run.read_table(SOLUTIONS_TABLE)["solution_id"].to_pylist() == [99_999, 100_000, 100_001]


def test_a_file_that_only_looks_like_a_part_is_left_alone(local):
    for name in ("part-00000 (copy).parquet", "part-x.parquet", "part-00000.parquet.damaged"):
        local.fs.copy(local.list_parts(SOLUTIONS_TABLE)[0], f"{local.root}/solutions/{name}")
    write(local, solution(1))
    assert local.read_keys(SOLUTIONS_TABLE) == {("p", 0), ("p", 1)}


def test_a_folder_may_have_any_name(tmp_path):
    run = Run(tmp_path / "qwen[7b] *?")
    write(run, solution(0))
    write(Run(run.path), solution(1))
    with run.lock():
        assert Run(run.path).read_keys(SOLUTIONS_TABLE) == {("p", 0), ("p", 1)}


def test_what_utf_8_cannot_hold_is_a_question_mark(run):
    write(run, {**solution(0), "text": "a \ud800 b \udfff", "answer": "\ud83d"}, solution(1))
    rows = run.read_table(SOLUTIONS_TABLE).to_pylist()
    assert [(row["text"], row["answer"]) for row in rows] == [("a ? b ?", "?"), ("…", "7")]


def test_a_row_without_what_every_row_has_is_refused(run):
    write(run, solution(0))
    loose = pa.schema([field.with_nullable(True) for field in SOLUTIONS_TABLE.schema])
    rows = pa.Table.from_pylist([solution(1), {**solution(2), "status": None}], schema=loose)
    with run.fs.open(run.list_parts(SOLUTIONS_TABLE)[0], "wb") as file:
        pq.write_table(rows, file)
    with pytest.raises(DataError, match=r"part-00000.*\.parquet: 'status' is null in 1 rows; `isocompute check "):
        run.read_frame(SOLUTIONS_TABLE)


def test_a_part_is_set_aside_under_a_name_of_its_own_and_what_is_kept_stands_in_its_place(run):
    write(run, solution(0), solution(1))
    part = run.list_parts(SOLUTIONS_TABLE)[0]
    whole = run.fs.cat_file(part)
    first = run.set_aside_part(part, run.read_table(SOLUTIONS_TABLE).slice(1))
    assert (first, run.fs.cat_file(first)) == (f"{part}.damaged", whole)
    assert run.list_parts(SOLUTIONS_TABLE) == [part]
    assert run.read_keys(SOLUTIONS_TABLE) == {("p", 1)}
    assert run.set_aside_part(part, run.read_table(SOLUTIONS_TABLE).slice(1)) == f"{part}.damaged-1"
    assert run.list_parts(SOLUTIONS_TABLE) == []
    assert run.fs.cat_file(first) == whole


def test_a_part_appears_whole_or_not_at_all(local, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write(local, solution(1))
    assert local.read_keys(SOLUTIONS_TABLE) == {("p", 0)}


def test_what_a_killed_writer_left_is_ignored_and_then_removed(local, tmp_path):
    leftover = tmp_path / "run" / "solutions" / "part-00001.parquet.123.tmp"
    leftover.write_bytes(b"half a pa")
    assert local.read_keys(SOLUTIONS_TABLE) == {("p", 0)}
    with local.lock():
        assert not leftover.exists()


def test_a_full_disk_is_a_sentence(local, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError) as caught:
        write(local, solution(1))
    assert str(caught.value) == (
        f"{local.path}/solutions/part-00001.parquet could not be written: No space left on device. What was written "
        "before is intact; run the same command again to continue."
    )
    assert os.listdir(f"{local.path}/solutions") == ["part-00000.parquet"]  # half a file would keep it full


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    run = Run(tmp_path / "file" / "run")
    with pytest.raises(RunError, match=r"run/\.lock could not be written: Not a directory\. "), run.lock():
        pass
    with pytest.raises(RunError, match=r"manifest\.json could not be written: Not a directory\. "):
        run.write_manifest({"config": {}})


def test_a_key_stands_once(run):
    write(run, solution(0), solution(1))
    write(run, solution(1))
    with pytest.raises(DataError) as caught:
        run.read_frame(SOLUTIONS_TABLE)
    assert str(caught.value) == (
        f"{run.path}/solutions holds the row ('p', 1) twice, but keys must be unique; `isocompute check {run.path}` "
        "says what would be lost."
    )


def test_a_retried_failure_gives_way_to_its_retry(run):
    write(run, solution(0, status="engine stopped"), solution(1, status="first"), solution(2))
    assert run.read_keys(SOLUTIONS_TABLE) == {("p", 2)}
    write(run, solution(0), solution(1, status="second"))
    assert run.read_frame(SOLUTIONS_TABLE)["status"].tolist() == ["ok", "second", "ok"]
    assert run.read_keys(SOLUTIONS_TABLE) == {("p", 0), ("p", 2)}


PLACE = SOLUTIONS_TABLE.schema.get_field_index


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (
            SOLUTIONS_TABLE.schema.remove(PLACE("answer")),
            "the column 'answer' is missing; solutions has problem_id, solution_id, text, answer, correct, "
            "prompt_tokens, cached_tokens, completion_tokens, finish_reason, status, started_at, seconds, "
            "logged_answer, logged_correct.",
        ),
        (
            SOLUTIONS_TABLE.schema.append(pa.field("score", pa.float32())),
            "the column 'score' does not belong to solutions.",
        ),
        (
            SOLUTIONS_TABLE.schema.set(PLACE("completion_tokens"), pa.field("completion_tokens", pa.float64())),
            "the column 'completion_tokens' is double; it must be int32.",
        ),
    ],
)
def test_a_part_with_other_columns_is_refused(run, schema, sentence):
    write(run, solution(0))
    part = run.list_parts(SOLUTIONS_TABLE)[0]
    with run.fs.open(part, "wb") as file:
        pq.write_table(schema.empty_table(), file)
    with pytest.raises(DataError) as caught:
        run.read_table(SOLUTIONS_TABLE)
    assert str(caught.value) == f"{part}: {sentence}"


@pytest.mark.parametrize("damage", [lambda part: part[: len(part) // 2], lambda part: b"", lambda part: b"PAR1" * 9])
def test_a_damaged_part_is_refused(run, damage):
    write(run, solution(0))
    part = run.list_parts(SOLUTIONS_TABLE)[0]
    run.fs.pipe_file(part, damage(run.fs.cat_file(part)))
    with pytest.raises(DataError, match=r"part-00000.*\.parquet cannot be read as Parquet: "):
        run.read_frame(SOLUTIONS_TABLE)


def test_a_flipped_bit_is_found_wherever_the_rows_are(local):
    write(local, *(solution(i, answer=str(i * i)) for i in range(1, 40)))
    part = local.list_parts(SOLUTIONS_TABLE)[1]
    with open(part, "rb") as file:
        whole = file.read()
    before = local.read_table(SOLUTIONS_TABLE)
    rows = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")  # what follows is the footer
    found = 0
    for place in range(4, rows, 5):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        with open(part, "wb") as file:
            file.write(changed)
        try:
            assert local.read_table(SOLUTIONS_TABLE).equals(before)
        except DataError:
            found += 1
    assert found > rows / 5 / 2  # the other bits are in the statistics of pages, which nothing reads


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_not_json_is_refused(run, content):
    run.write_manifest({"config": {}})
    run.fs.pipe_file(f"{run.root}/manifest.json", content)
    with pytest.raises(DataError, match=r"manifest.json is not JSON\.$"):
        run.read_manifest()


def test_a_manifest_without_a_config_is_refused(run):
    run.write_manifest({"format": 1})
    with pytest.raises(DataError, match=r"manifest.json has no 'config'; it is not the manifest of a run\.$"):
        run.read_manifest()


def test_a_run_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(RunError) as caught:
        Run(tmp_path / "none").read_manifest()
    assert str(caught.value) == f"There is no run at '{tmp_path}/none': the folder does not exist."
    with pytest.raises(RunError) as caught:
        Run(tmp_path).read_manifest()
    assert str(caught.value) == f"There is no run at '{tmp_path}': the folder has no manifest.json."


def test_a_store_that_is_unknown_is_a_sentence():
    with pytest.raises(RunError) as caught:
        Run("nowhere://run")
    assert str(caught.value).startswith("The run 'nowhere://run' cannot be reached: runs and files are on a disk or in")


def test_a_run_has_one_writer_and_is_free_again_when_it_is_killed(local):
    command = [sys.executable, "-c", HOLD, local.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError) as caught, local.lock():
            pass
        other.kill()
    sentence = f"Another process is writing the run at '{local.path}'; wait for it, or stop it."
    assert str(caught.value) == sentence
    with local.lock():
        pass
