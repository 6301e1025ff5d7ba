"""Files that are something else than their name says are named; compressed text and indented JSON are read."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile

import pyarrow as pa
import pytest

from isocompute.errors import DataError
from isocompute.runners.imports import ImportOptions, import_logged_run, packed
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

ROWS = [{"problem_id": "a", "gold": "7", "answer": answer} for answer in ("7", "8", "7")]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
GZIPPED = gzip.compress(LINES, mtime=0)  # without a time, so that every process gives its tests the same names
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 829105\n"

ENDINGS = {
    "sc-genrm-scaling": ".npz",
    "search-and-learn": ".jsonl",
    "large-language-monkeys": ".yaml",
    "lm-eval": ".jsonl",
    "inspect-ai": ".eval",
    "table": ".parquet",
}


def pack_tar() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as file:
        file.addfile(tarfile.TarInfo("x.jsonl"))
    return held.getvalue()


def pack_zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("x.jsonl", LINES)
    return held.getvalue()


@pytest.fixture
def take(tmp_path):
    """Writes a file, imports it, and returns the answers."""

    def run(content: bytes, name: str = "x.jsonl", format: str = "table"):
        (tmp_path / name).write_bytes(content)
        target = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        import_logged_run(format, str(tmp_path / name), str(target), ImportOptions(grader="exact"))
        return Run(target).read_frame(SOLUTIONS_TABLE)["answer"].tolist()

    return run


@pytest.mark.parametrize("format", ENDINGS)
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (LFS, "is a Git LFS pointer, not the data; run `git lfs pull`"),
        (b"/annex/objects/SHA256E-s12--ab.jsonl\n", "is a git-annex pointer, not the data; run `git annex get`"),
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"\n<!DOCTYPE html>\n<html>", "is a web page, not the data; download the file itself"),
        (GZIPPED, "is compressed with gzip; only text is read so, from a name such as x.jsonl.gz"),
        (pa.compress(LINES, "zstd", asbytes=True), "is compressed with zstd; only text is read so, from"),
        (b"BZh91AY&SY", "is compressed with bzip2; unpack it"),
        (b"\xfd7zXZ\0\0", "is compressed with xz; unpack it"),
        (pack_tar(), "is a tar archive; unpack it"),
        (b"\x80\x04K\x01.", "is a pickle, which may run code when it is read"),
        ("{}".encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
    ],
)  # fmt: skip
def test_every_format_says_what_a_file_is_that_it_cannot_read(take, format, content, sentence):
    with pytest.raises(DataError) as found:
        take(content, f"x{ENDINGS[format]}", format)
    assert f"x{ENDINGS[format]}' {sentence}" in str(found.value)


def test_a_file_with_another_ending_is_said_to_be_what_it_is(take):
    with pytest.raises(DataError, match=r"x.zip' is a zip archive; unpack it; it is not a .csv or .*, which this form"):
        take(pack_zip(), "x.zip")
    with pytest.raises(DataError, match=r"x.jsonl' is a zip archive; unpack it\.$"):
        take(pack_zip())
    with pytest.raises(DataError, match=r"x.parquet.gz' is compressed with gzip; only text is read so"):
        take(GZIPPED, "x.parquet.gz")
    with pytest.raises(DataError, match=r"x.md' is not a .csv or .parquet or .jsonl or .json file"):
        take(b"# x", "x.md")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl.gz", GZIPPED),
        ("x.jsonl.gz", gzip.compress(LINES[:20], mtime=0) + gzip.compress(LINES[20:], mtime=0)),
        ("x.json.gz", gzip.compress(json.dumps(ROWS, indent=2).encode(), mtime=0)),
        ("x.csv.gz", gzip.compress(b"problem_id,gold,answer\na,7,7\na,7,8\na,7,7\n", mtime=0)),
        ("x.jsonl.zst", pa.compress(LINES, "zstd", asbytes=True)),
        ("x.jsonl", json.dumps(ROWS).encode()),
        ("x.jsonl", json.dumps(ROWS, indent=2).encode()),
        ("x.jsonl", b"\xef\xbb\xbf" + LINES),
        ("x.json", json.dumps(ROWS, indent=4).encode()),
        ("x.json", LINES),
    ],
)
def test_text_is_read_compressed_indented_or_as_a_list(take, name, content):
    assert take(content, name) == ["7", "8", "7"]


def test_an_indented_object_is_a_row(take):
    assert take(json.dumps(ROWS[1], indent=2).encode()) == ["8"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.jsonl.gz", GZIPPED[:-12], r"x.jsonl.gz' is not a whole gzip file: "),
        ("x.jsonl.gz", LINES, r"x.jsonl.gz' is not compressed with gzip, as its name says\.$"),
        ("x.csv.zst", pa.compress(LINES * 99, "zstd", asbytes=True)[:-9], r"x.csv.zst' is not a whole zstd file: "),
        ("x.jsonl", b"\n".join(json.dumps(row, indent=1).encode() for row in ROWS),
         r"is not JSON, but several objects over several lines each; write one a line, as `jq -c .` does\.$"),
        ("x.jsonl", json.dumps(ROWS, indent=1).encode()[:-9],
         r"is not JSON: it breaks off or is damaged in line 15\.$"),
    ],
)  # fmt: skip
def test_text_that_is_not_whole_is_refused(take, name, content, sentence):
    with pytest.raises(DataError, match=sentence):
        take(content, name)


@pytest.mark.parametrize(("limit", "growth"), [("MAX_UNPACKED_BYTES", 10**6), ("FREE_BYTES", 1)])
def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(take, monkeypatch, limit, growth):
    monkeypatch.setattr(packed, limit, 10**6)
    monkeypatch.setattr(packed, "MOST_UNPACKED_GROWTH", growth)
    sentence = r"x.jsonl.gz' unpacks to more than 1,000,000 bytes, the most that is read of a file of its size\.$"
    with pytest.raises(DataError, match=sentence):
        take(gzip.compress(b"\n" * 10**7), "x.jsonl.gz")


def test_a_folder_names_the_folders_below_that_hold_its_files(tmp_path):
    for name in ("2", "10"):
        folder = tmp_path / "results" / "model" / name
        folder.mkdir(parents=True)
        (folder / "samples_gsm8k_2025-01-31T10-20-30.1.jsonl.gz").write_bytes(GZIPPED)
    for start, below in (
        ("results/model", "folders in it have: '{0}/2', '{0}/10'; name one"),
        ("results", "folders in it have: '{0}/model/2', '{0}/model/10'; name one"),
    ):
        place = tmp_path / start
        with pytest.raises(DataError) as found:
            import_logged_run("lm-eval", str(place), str(tmp_path / "run"))
        assert str(found.value) == (f"'{place}' has no .jsonl file, which this format needs; {below.format(place)}.")
    with pytest.raises(DataError, match=r"has no .eval or .json file, which this format needs\.$"):
        import_logged_run("inspect-ai", str(tmp_path), str(tmp_path / "run"))


def test_the_given_pointer(shared_data, tmp_path):
    path = shared_data.parent / "cases" / "imports" / "git_lfs_pointer.jsonl"
    if not path.is_file():
        pytest.skip(f"no cases at {path.parent}")
    for format in ("table", "lm-eval", "search-and-learn", "large-language-monkeys"):
        with pytest.raises(DataError, match="is a Git LFS pointer, not the data; run `git lfs pull`"):
            import_logged_run(format, str(path), str(tmp_path / "run"))
