"""What `check_run` says of parts that cannot be read, and how they come back."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.errors import DataError, RunError
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run, repair_run
from isocompute.runners.storage.examined_parts import REPAIR, RESWEEP
from isocompute.runners.storage.files import open_regular_file
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE


class Refusing(io.FileIO):
    """A file on a disk that fails while it is read."""

    def readinto(self, *_):
        raise OSError(errno.EIO, "Input/output error")

    read = readinto


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "Permission denied"), Refusing])
@pytest.mark.parametrize("call", [check_run, repair_run])
def test_a_part_that_the_disk_does_not_give_is_no_damage_and_stays(run, monkeypatch, error, call, files):
    """What cannot be read now may be whole: the disk comes back, or its owner lets us in."""
    part, opened = run.list_parts(VERIFICATIONS_TABLE)[0], open_regular_file

    def fails(path):
        if path != part:
            return opened(path)
        if isinstance(error, OSError):
            raise error
        return error(path)

    before = files(run)
    monkeypatch.setattr("isocompute.runners.storage.run.open_regular_file", fails)
    said = "Permission denied" if isinstance(error, OSError) else "Input/output error"
    with pytest.raises(RunError, match=rf"part-00000\.parquet cannot be read: {said}; its content may be intact"):
        call(run)
    monkeypatch.undo()
    assert {name for name in files(run) if not name.endswith(".lock")} == {n for n in before if not n.endswith(".lock")}
    assert check_run(run).is_whole


def test_a_folder_in_the_place_of_a_part_is_no_damage(run):
    (Path(run.path) / "solutions" / "part-00007.parquet").mkdir()
    with pytest.raises(RunError, match=r"part-00007\.parquet cannot be read: Is a directory"):
        repair_run(run)


@pytest.mark.parametrize("damage", [lambda part: part[: len(part) // 2], lambda part: b"", lambda part: b"PAR1" * 9])
def test_a_part_that_cannot_be_read_is_lost_and_its_rows_are_asked_for_again(run, scripted, small, damage, asked_again):
    part = Path(run.list_parts(VERIFICATIONS_TABLE)[0])
    part.write_bytes(damaged := damage(part.read_bytes()))
    report = check_run(run)
    assert [(d.path, d.rows, d.remedy) for d in report.damage] == [(str(part), None, REPAIR)]
    assert report.damage[0].what.startswith("cannot be read as Parquet: ")
    with pytest.raises(DataError, match=f"`isocompute check {run.path}` says what would be lost"):
        run_sweep(small(), load=scripted())
    repair_run(run)
    assert Path(f"{part}.damaged").read_bytes() == damaged
    assert len(asked_again()) == sum(gap.rows for gap in report.missing["verifications"]) == 72
    assert check_run(run).notes[:1] == [f"1 file set aside earlier; delete what you no longer need: {part}.damaged"]


def test_a_part_with_other_columns_is_set_aside_whole(run):
    part = run.list_parts(VERIFICATIONS_TABLE)[0]
    pq.write_table(run.read_table(VERIFICATIONS_TABLE).drop_columns(["verdict"]), part)
    report = check_run(run)
    assert report.damage[0].what.startswith("the column 'verdict' is missing; verifications has problem_id, ")
    assert report.damage[0].rows == 72
    repair_run(run)
    assert check_run(run).is_whole


def test_texts_that_are_not_utf_8_are_found(run):
    rows = run.read_table(SOLUTIONS_TABLE)
    bad = pa.array([b"\xff\xfe"] * 24).cast(pa.string(), safe=False)
    place = rows.schema.get_field_index("text")
    pq.write_table(rows.set_column(place, rows.schema.field("text"), bad), run.list_parts(SOLUTIONS_TABLE)[0])
    assert "UTF8" in check_run(run).damage[0].what


def test_problems_that_are_lost_come_back_with_a_sweep_and_their_rows_stay(run, files, asked_again):
    Path(run.list_parts(PROBLEMS_TABLE)[0]).unlink()
    report = check_run(run)
    assert {(damage.rows, damage.remedy) for damage in report.damage} == {(0, RESWEEP)}
    before = files(run)
    repair_run(run)
    assert files(run) == {**before, f"{run.path}/.lock": b""}
    assert asked_again() == []
    assert check_run(run).is_whole
