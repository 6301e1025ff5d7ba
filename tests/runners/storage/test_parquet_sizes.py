"""Parquet files whose values take more memory than their bytes say: refused before they are written out."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.errors import DataError
from isocompute.runners.storage import parquet_sizes
from isocompute.runners.storage.parquet_footer import read_chunks
from isocompute.runners.storage.parquet_pages import read_pages
from isocompute.runners.storage.parquet_sizes import read_parquet_batches, read_whole_parquet
from tests.hostile.kinds.parquet import encode_long, patch_bytes, repeat_text, share_beginnings


def write(columns: dict, **settings) -> io.BytesIO:
    written = io.BytesIO()
    settings = {"store_schema": False, "dictionary_pagesize_limit": 2**30} | settings
    pq.write_table(pa.table(columns), written, compression="zstd", **settings)
    return written


def read(source: io.BytesIO, rows: int = 1000) -> list[pa.RecordBatch]:
    file = pq.ParquetFile(source)
    return list(read_parquet_batches(file, source, file.schema_arrow.names, "F", rows, usual=1.0))


def test_a_text_that_repeats_is_counted_before_it_is_written_out():
    with pytest.raises(DataError, match=r"F, once its repeated values are written out, would take 1[89][.\d]* GiB"):
        read(write({"a": repeat_text(2_000_000, 10_000)}))


def test_a_text_in_a_list_that_repeats_is_counted_too():
    with pytest.raises(DataError, match=r"F, once its repeated values are written out, would take 1[89][.\d]* GiB"):
        read(write({"a": pa.ListArray.from_arrays(range(0, 20_001, 20), repeat_text(1_000_000, 20_000))}))


@pytest.mark.parametrize(
    ("column", "settings"),
    [
        (repeat_text(10_000, 2000), {}),
        (share_beginnings(3000, 4000), {"use_dictionary": False, "column_encoding": {"a": "DELTA_BYTE_ARRAY"}}),
        (pa.array(["x" * 10_000] * 2000), {"use_dictionary": False}),
    ],
    ids=["repeated", "beginnings", "plain"],
)
def test_long_values_come_a_few_at_a_time(monkeypatch, column, settings):
    monkeypatch.setattr(parquet_sizes, "BATCH_BYTES", 2**21)
    batches = read(write({"a": column}, **settings))
    assert max(batch.nbytes for batch in batches) <= 1.1 * parquet_sizes.BATCH_BYTES
    assert sum(batch.num_rows for batch in batches) == len(column)
    assert batches[-1]["a"][-1].as_py() == column[len(column) - 1].as_py()


def test_what_fits_is_read_at_once_and_as_it_is(monkeypatch):
    monkeypatch.setattr(parquet_sizes, "measure_dictionary", None)
    columns = {"a": ["x", None, "y" * 1000] * 300, "b": [1, 2, None] * 300, "c": [["a"], [], None] * 300}
    source = write(columns)
    file = pq.ParquetFile(source)
    read_table = read_whole_parquet(file, source, ["a", "b", "c"], "F")
    assert read_table.equals(file.read())
    assert len(read(source, 10_000)) == 1
    assert read_whole_parquet(file, source, [], "F").num_columns == 0


def test_pages_larger_than_the_footer_says_are_refused():
    content = write({"a": ["x" * 1_000_000]}, use_dictionary=False).getvalue()
    size = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0).total_uncompressed_size
    true = encode_long(size)
    with pytest.raises(DataError, match="its pages are larger than its footer says"):
        read(io.BytesIO(patch_bytes(content, true, encode_long(1000, len(true)))))


def test_a_page_is_unpacked_only_if_it_fits(monkeypatch):
    monkeypatch.setattr(parquet_sizes, "PAGE_GIB", 1e-4)
    with pytest.raises(DataError, match=r"F, a page of 'a' in it, would take .* the limit is 0\.0001 GiB"):
        read(write({"a": ["x" * 1_000_000]}, use_dictionary=False))


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_hold_all_values_in_the_bytes_of_the_footer(version):
    source = write({"a": [f"{i % 700}" for i in range(50_000)]}, data_page_version=version, data_page_size=4096)
    [chunk] = read_chunks(pq.ParquetFile(source), source, ["a"], "F")
    pages = list(read_pages(source, chunk, "F"))
    assert len(pages) > 5
    assert [page.is_dictionary for page in pages] == [True] + [False] * (len(pages) - 1)
    assert sum(page.values for page in pages if not page.is_dictionary) == chunk.num_values == 50_000
    assert 0 < sum(page.size for page in pages) <= chunk.total_uncompressed_size
