"""What the footer of a Parquet file says of its columns, and footers that are damaged."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.errors import DataError
from isocompute.runners.storage import parquet_footer
from isocompute.runners.storage.parquet_footer import read_chunks
from isocompute.runners.storage.thrift import INT32, LIST, STRUCT, ThriftField, ThriftReader

ROOT = Path(__file__).resolve().parents[3]
COLUMNS = {"a": ["x", None, "y" * 500] * 300, "b": [1, 2, None] * 300, "c": [{"d": ["e"], "f": 1.5}] * 900}


def write(**settings) -> io.BytesIO:
    written = io.BytesIO()
    pq.write_table(pa.table(COLUMNS), written, **settings)
    return written


@pytest.mark.parametrize("settings", [{}, {"row_group_size": 100}, {"use_dictionary": False, "compression": "zstd"}])
def test_the_footer_says_what_pyarrow_reads_in_it(settings):
    source = write(**settings)
    file = pq.ParquetFile(source)
    chunks = read_chunks(file, source, ["a", "b", "c"], "F")
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    theirs = [(number, group, group.column(at)) for number, group in enumerate(groups) for at in range(4)]
    assert len(chunks) == len(theirs)
    for ours, (number, group, chunk) in zip(chunks, theirs, strict=True):
        assert (ours.group, ours.group_rows, ours.path) == (number, group.num_rows, chunk.path_in_schema)
        for name in ("num_values", "total_uncompressed_size", "total_compressed_size"):
            assert getattr(ours, name) == getattr(chunk, name)
        assert (ours.data_page_offset, ours.dictionary_page_offset) == (
            chunk.data_page_offset,
            chunk.dictionary_page_offset,
        )
        assert ours.has_texts == (chunk.physical_type == "BYTE_ARRAY")
        assert ours.in_lists == (ours.path == "c.d.list.element")
    assert {chunk.path for chunk in read_chunks(file, source, ["c"], "F")} == {"c.d.list.element", "c.f"}


def test_a_footer_longer_than_the_bytes_that_are_read_first(monkeypatch):
    monkeypatch.setattr(parquet_footer, "TAIL_BYTES", 32)
    source = write()
    assert len(read_chunks(pq.ParquetFile(source), source, ["a", "b"], "F")) == 2


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("MOST_CHUNKS", 7, "F has 2 row groups of 4 columns; the most that is read is 7 columns of all row groups"),
        ("LONGEST_FOOTER", 50, "F has a footer of [0-9,]+ bytes; the most that is read is 50"),
    ],
)
def test_a_footer_over_the_limits_is_refused(monkeypatch, limit, value, sentence):
    monkeypatch.setattr(parquet_footer, limit, value)
    source = write(row_group_size=500)
    with pytest.raises(DataError, match=sentence):
        read_chunks(pq.ParquetFile(source), source, ["a"], "F")


def test_no_damaged_file_ends_the_process():
    command = [sys.executable, "-m", "tests.hostile.flips", "400", "1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-3000:]


@pytest.mark.parametrize(
    "content",
    [
        bytes([0x15, 2, 0x05, 2, 2, 0]),  # field 1 twice
        bytes([0x15, *b"\xff\xff\xff\xff\x7f", 0]),  # more than 32 bits
        bytes([0x29, 0x16, 2, 0]),  # a list of other numbers
        b"\x3c" + b"\x1c" * 100 + bytes(200),  # nested too deep
        b"\x1b\x00\x00",  # a type that Parquet does not have
    ],
)
def test_bytes_that_readers_take_differently_are_refused(content):
    layout = {1: ThriftField(INT32), 2: ThriftField(LIST, entries=INT32), 3: ThriftField(STRUCT, {})}
    with pytest.raises(ValueError, match=r"twice|too large|another type|too deep|does not have"):
        ThriftReader(content).read_struct(layout)


def test_a_field_of_another_type_is_passed_over():
    assert ThriftReader(bytes([0x16, 2, 0x15, 4, 0])).read_struct({1: ThriftField(INT32), 2: ThriftField(INT32)}) == {
        2: 2
    }
