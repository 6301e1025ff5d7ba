"""Parquet files whose values repeat without end, whose pages are not as the footer says, and other odd tables."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.cases import HostileInput, Maker
from tests.hostile.kinds.packed import replace_column, replace_part
from tests.hostile.material import RUN, SEARCH_RUN, dump_json, make_sweep

ENCODED = {"compression": "zstd", "store_schema": False, "dictionary_pagesize_limit": 2**30}


def repeat_text(size: int, rows: int, kind: pa.DataType | None = None) -> pa.Array:
    """Return rows of one text, which is stored once."""
    texts = pa.array(["x" * size], kind or pa.string())
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), texts)


def write_table(gold: Callable[[], Any], **settings: Any) -> Maker:
    """Return a function that writes a table to import, with a column of its own making."""

    def make(path: Path) -> None:
        column = gold()
        rows = len(column)
        table = {"problem_id": ["p"] * rows, "gold": column, "solution": ["y"] * rows}
        pq.write_table(pa.table(table), path, **(ENCODED | settings))

    return make


def share_beginnings(size: int, rows: int) -> pa.Array:
    """Return texts of which each begins as the one before."""
    return pa.array(["x" * size + str(row) for row in range(rows)])


PLAIN: dict[str, Any] = {"use_dictionary": False}
SHARED: dict[str, Any] = {"use_dictionary": False, "column_encoding": {"gold": "DELTA_BYTE_ARRAY"}}
TABLES: dict[str, Maker] = {
    "text-large": write_table(lambda: repeat_text(20_000_000, 100_000)),
    "text-many": write_table(lambda: repeat_text(20_000, 5_000_000)),
    "text-some": write_table(lambda: repeat_text(2_000_000, 3000)),
    "text-wide": write_table(lambda: repeat_text(200_000_000, 40)),
    "text-one": write_table(lambda: repeat_text(400_000_000, 1)),
    "bytes": write_table(lambda: repeat_text(20_000_000, 100_000, pa.binary())),
    "beginnings": write_table(lambda: share_beginnings(200_000, 2000), **SHARED),
    "beginnings-long": write_table(lambda: share_beginnings(5_000_000, 60), **SHARED),
    "page": write_table(lambda: pa.array(["x" * 700_000_000]), **PLAIN),
    "pages": write_table(lambda: pa.array(["x" * 5_000_000] * 300), **PLAIN),
    "numbers": write_table(lambda: pa.array([0] * 100_000_000, pa.int8())),
    "nulls": write_table(lambda: pa.nulls(50_000_000, pa.string())),
    "list-long": write_table(lambda: pa.array([[0] * 20_000_000], pa.list_(pa.int8()))),
    "list-texts": write_table(lambda: pa.array([["x" * 1000] * 500_000], pa.list_(pa.string()))),
    "list-many": write_table(lambda: pa.array([[1] * 1000] * 20_000, pa.list_(pa.int64()))),
    "list-nested": write_table(lambda: pa.array([[[[["x"] * 10] * 10] * 10] * 10] * 10)),
    "struct": write_table(lambda: pa.array([{"a": {"b": {"c": "x" * 1000}}}] * 20_000)),
    "map": write_table(lambda: pa.array([[("k", "v" * 1000)] * 1000] * 20, pa.map_(pa.string(), pa.string()))),
    "kept-as-dictionary": write_table(lambda: repeat_text(5_000_000, 2000), store_schema=True),
    "view": write_table(lambda: pa.array(["x" * 100] * 6, pa.string_view()), store_schema=True),
}


def write_list(solutions: Callable[[], Any]) -> Maker:
    """Return a function that writes a problem with a list of solutions."""

    def make(path: Path) -> None:
        pq.write_table(pa.table({"problem_id": ["p"], "gold": ["5"], "solution": solutions()}), path)

    return make


def list_nulls(count: int) -> Any:
    """Return a list of so many nulls."""
    return pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), pa.nulls(count, pa.int8()))


def write_groups(count: int) -> Maker:
    """Return a function that writes a table of so many row groups."""

    def make(path: Path) -> None:
        table = pa.table({"problem_id": ["p"], "gold": ["5"], "solution": ["x"]})
        with pq.ParquetWriter(path, table.schema, compression="none") as writer:
            for _ in range(count):
                writer.write_table(table)

    return make


def write_columns(count: int) -> Maker:
    """Return a function that writes a table of so many columns."""
    columns = {"problem_id": ["p"], "gold": ["5"], "solution": ["x"]}
    return lambda path: pq.write_table(pa.table(columns | {f"c{i}": [1] for i in range(count)}), path) and None


LISTS: dict[str, Maker] = {
    "nulls": write_list(lambda: list_nulls(10**6)),
    "nulls-some": write_list(lambda: list_nulls(100_000)),
    "texts": write_list(lambda: pa.array([["x"] * 300_000])),
    "groups": write_groups(20_000),
    "groups-many": write_groups(70_000),
    "columns": write_columns(100_000),
}
"""Tables of one problem with very many solutions, and footers of very many columns."""


def garble_footer(seed: int) -> Maker:
    """Return a function that changes bytes of the footer of a table with an index of its pages."""

    def make(path: Path) -> None:
        written = io.BytesIO()
        table = {"problem_id": ["a", "b"] * 20, "gold": ["5"] * 40, "solution": ["x"] * 40, "score": [0.5] * 40}
        pq.write_table(pa.table(table), written, compression="zstd", write_page_index=True)
        content, drawn = bytearray(written.getvalue()), random.Random(seed)
        start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        for _ in range(drawn.choice((1, 1, 2))):
            content[drawn.randrange(start, len(content) - 8)] = drawn.choice((0, 1, 0x7F, 0xFF, drawn.randrange(256)))
        path.write_bytes(bytes(content))

    return make


def encrypt_footer(path: Path) -> None:
    """Write a table that says that its footer is encrypted."""
    write_list(lambda: pa.array([["x"]]))(path)
    path.write_bytes(path.read_bytes()[:-4] + b"PARE")


def patch_bytes(content: bytes, find: bytes, replace: bytes) -> bytes:
    """Return a file with other bytes in its footer."""
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return content[:start] + content[start:].replace(find, replace)


def encode_long(number: int, length: int = 0) -> bytes:
    """Return a positive number as Thrift writes it, in as many bytes as wanted."""
    value, written = number * 2, bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    while len(written) < length:
        written[-1] |= 0x80
        written.append(0)
    return bytes(written)


def write_small_table() -> tuple[bytes, Any]:
    """Return a table with a page that unpacks to much, and its metadata."""
    written = io.BytesIO()
    table = {"problem_id": ["p"], "gold": ["x" * 300_000_000], "solution": ["y"]}
    pq.write_table(pa.table(table), written, **(ENCODED | PLAIN))
    content = written.getvalue()
    return content, pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(1)


def lie_about_size(path: Path) -> None:
    """Write a table whose footer claims that a page is small."""
    content, chunk = write_small_table()
    true = encode_long(chunk.total_uncompressed_size)
    path.write_bytes(patch_bytes(content, true, encode_long(1000, len(true))))


def lie_about_packed_size(path: Path) -> None:
    """Write a table whose footer claims that a column takes another part of the file."""
    content, chunk = write_small_table()
    true = encode_long(chunk.total_compressed_size)
    path.write_bytes(patch_bytes(content, true, encode_long(1, len(true))))


def garble_headers(seed: int) -> Maker:
    """Return a function that changes bytes before the footer, where the headers of pages are."""

    def make(path: Path) -> None:
        written = io.BytesIO()
        table = {"problem_id": [f"p{i}" for i in range(50)], "gold": ["5"] * 50, "solution": ["\\boxed{5}"] * 50}
        pq.write_table(pa.table(table), written, **(ENCODED | {"write_page_checksum": False}))
        content, drawn = bytearray(written.getvalue()), random.Random(seed)
        end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        for _ in range(3):
            content[drawn.randrange(4, end)] = drawn.choice((0x00, 0x7F, 0x80, 0xFF, drawn.randrange(256)))
        path.write_bytes(bytes(content))

    return make


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    tables = TABLES | {"lies": lie_about_size, "lies-packed": lie_about_packed_size}
    tables |= {f"garbled-{seed}": garble_headers(seed) for seed in range(20)}
    tables |= {f"garbled-footer-{seed}": garble_footer(seed) for seed in range(60)}
    task = dump_json(make_sweep() | {"task": {"path": "t.parquet", "question": "gold", "answer": "solution"}})
    for name, make in tables.items():
        slow = not name.startswith(("garbled", "view", "lies"))
        command = ("import", "table", "t.parquet", "-o", "out/r")
        yield HostileInput(f"parquet-import-{name}", command, {"t.parquet": make}, slow=slow)
        if rng.random() < 0.6:
            files: dict[str, bytes | str | Maker] = {"t.parquet": make, "s.yaml": task}
            yield HostileInput(f"parquet-task-{name}", ("sweep", "s.yaml", "--dry-run"), files, slow=slow)
        if rng.random() < 0.3:
            command = ("solve", "t.parquet", "-o", "out/r", "-p", "lab", "-b", "2x", "--columns", "gold=question")
            yield HostileInput(f"parquet-solve-{name}", command, {"t.parquet": make}, writes_rows=True, slow=slow)
    for name, make in (LISTS | {"encrypted": encrypt_footer}).items():
        command = ("import", "table", "t.parquet", "-o", "out/r")
        yield HostileInput(f"parquet-many-{name}", command, {"t.parquet": make}, slow=name != "encrypted")
    yield from generate_parts(rng)


def generate_parts(rng: random.Random) -> Iterator[HostileInput]:
    """Yield runs with a column whose values repeat, or are of a type that no row has."""
    columns: dict[str, Callable[[int], Any]] = {
        "text-large": lambda rows: (
            repeat_text(20_000_000, rows).cast(pa.string()) if rows < 50 else repeat_text(2**21, rows)
        ),
        "text": lambda rows: repeat_text(3_000_000, rows),
        "large-text": lambda rows: pa.array(["x" * 1000] * rows, pa.large_string()),
        "dictionary": lambda rows: pa.array(["ok"] * rows).dictionary_encode(),
        "binary": lambda rows: pa.array([b"\xff"] * rows),
        "list": lambda rows: pa.array([["x"]] * rows),
        "time": lambda rows: pa.array([0] * rows, pa.timestamp("ns")),
        "escape": lambda rows: pa.array(["\x1b]0;pwn\x07[/red]"] * rows),
        "long": lambda rows: pa.array(["w" * 100_000] * min(rows, 5) + ["x"] * max(0, rows - 5)),
        "unsigned": lambda rows: pa.array([2**64 - 1] * rows, pa.uint64()),
    }
    places = [(RUN, "solutions", "text"), (RUN, "solutions", "answer"), (RUN, "problems", "question"),
              (RUN, "verifications", "text"), (RUN, "solutions", "problem_id"), (SEARCH_RUN, "nodes", "text"),
              (SEARCH_RUN, "nodes", "parent"), (RUN, "solutions", "status")]  # fmt: skip
    for source, table, column in places:
        for name in sorted(rng.sample(sorted(columns), 4)):
            command = rng.choice([("check", "r"), ("fit", "r", "-o", "out/p.json"), ("grade", "r"), ("runs", "r")])
            if source is SEARCH_RUN:
                command = rng.choice([("check", "r"), ("tree", "r", "lab-1-1-0"), ("fit", "r", "-o", "out/p.json")])
            yield HostileInput(
                f"parquet-part-{table}-{column}-{name}",
                command,
                {"r": replace_part(table, replace_column(column, columns[name]), source)},
                slow=name.startswith("text"),
            )
