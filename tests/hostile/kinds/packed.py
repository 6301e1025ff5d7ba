"""Parquet files, archives and arrays: damaged, of wrong types, not UTF-8, and small ones that unpack to gigabytes."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.cases import HostileInput, Maker, copy_folder
from tests.hostile.material import RUN, SEARCH_RUN, dump_json, make_sweep

ROWS = 6
TABLE = {
    "problem_id": pa.array([f"p{i // 2}" for i in range(ROWS)]),
    "gold": pa.array(["5"] * ROWS),
    "solution": pa.array([r"\boxed{5}"] * ROWS),
}
BAD_TEXT = pa.Array.from_buffers(
    pa.string(),
    ROWS,
    [None, pa.array(range(ROWS + 1), pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe\xc3\x80\xed\xa0")],
)

COLUMNS: dict[str, Any] = {
    "not-utf8": BAD_TEXT,
    "timestamp": pa.array([0] * ROWS, pa.timestamp("ns", tz="UTC")),
    "zone-unknown": pa.array([0] * ROWS, pa.timestamp("us", tz="Nowhere/City")),
    "zone-escape": pa.array([0] * ROWS, pa.timestamp("us", tz="\x1b[31m" + "x" * 5000)),
    "zone-in-list": pa.array([[0]] * ROWS, pa.list_(pa.timestamp("ns", tz="../../etc/passwd"))),
    "zone-in-block": pa.array([{"a": 0}] * ROWS, pa.struct([("a", pa.timestamp("s", tz="+99:99"))])),
    "late": pa.array([2**63 - 1] * ROWS, pa.timestamp("us")),
    "duration": pa.array([-1] * ROWS, pa.duration("ns")),
    "decimal": pa.array([0] * ROWS, pa.decimal128(38, 10)),
    "binary": pa.array([b"\x00\xff"] * ROWS),
    "list": pa.array([[["a"]]] * ROWS),
    "struct": pa.array([{"a": 1}] * ROWS),
    "map": pa.array([[("a", 1)]] * ROWS, pa.map_(pa.string(), pa.int32())),
    "null": pa.nulls(ROWS),
    "nan": pa.array([float("nan")] * ROWS),
    "infinite": pa.array([float("inf")] * ROWS),
    "uint64": pa.array([2**64 - 1] * ROWS, pa.uint64()),
    "boolean": pa.array([True] * ROWS),
    "dictionary": pa.array(["a"] * ROWS).dictionary_encode(),
    "large-string": pa.array(["a"] * ROWS, pa.large_string()),
}


def write_parquet(columns: dict[str, Any], **settings: Any) -> bytes:
    """Return a table as a Parquet file."""
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, **settings)
    return written.getvalue()


def replace_part(table: str, change: Callable[[bytes], bytes], source: Path = RUN) -> Maker:
    """Return a function that copies a run, with another content of a part."""

    def apply(copied: Path) -> None:
        part = sorted((copied / table).glob("*.parquet"))[0]
        part.write_bytes(change(part.read_bytes()))

    return copy_folder(source, apply)


def replace_column(name: str, make: Callable[[int], Any], copies: int = 1) -> Callable[[bytes], bytes]:
    """Return a function that replaces a column of a Parquet file."""

    def change(content: bytes) -> bytes:
        table = pq.read_table(io.BytesIO(content))
        table = pa.concat_tables([table] * copies) if copies > 1 else table
        written = io.BytesIO()
        column = make(table.num_rows)
        pq.write_table(table.set_column(table.schema.get_field_index(name), name, column), written)
        return written.getvalue()

    return change


def make_null_rows(count: int) -> Callable[[bytes], bytes]:
    """Return a function that makes a part of very many rows, of which each column holds one value."""

    def change(content: bytes) -> bytes:
        schema = pq.read_table(io.BytesIO(content)).schema
        written = io.BytesIO()
        with pq.ParquetWriter(written, pa.schema([field.with_nullable(True) for field in schema])) as writer:
            block = pa.table([pa.nulls(10**6, field.type) for field in schema], names=schema.names)
            for _ in range(count // 10**6):
                writer.write_table(block.cast(pa.schema([field.with_nullable(True) for field in schema])))
        return written.getvalue()

    return change


def cut(rng: random.Random) -> Callable[[bytes], bytes]:
    share = rng.random()
    return lambda content: content[: int(len(content) * share)]


def flip(rng: random.Random) -> Callable[[bytes], bytes]:
    """Return a function that changes some bytes, of the footer as often as before it."""
    places = [(rng.random(), rng.randrange(256)) for _ in range(8)]
    in_footer = rng.random() < 0.5

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        start = max(0, len(content) - 2000) if in_footer else 0
        for share, value in places:
            changed[start + int(share * (len(content) - start))] = value
        return bytes(changed)

    return change


def zip_members(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


def write_header(header: str) -> bytes:
    """Return an array with a header of its own making."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text + bytes(96)


def write_array(values: Any, shape: str | None = None) -> bytes:
    """Return an array as a member of an .npz file, with another shape in its header if one is given."""
    written = io.BytesIO()
    np.save(written, np.asarray(values))
    content = written.getvalue()
    if shape is None:
        return content
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content[-8:]


EVAL_HEADER = {"version": 2, "status": "success", "eval": {"task": "t", "model": "m", "dataset": {}, "config": {}}}
BOMBS: dict[str, Callable[[], bytes]] = {
    "spaces": lambda: b" " * (300 << 20),
    "lists": lambda: b"[" + b"[]," * (20 << 20) + b"[]]",
    "objects": lambda: b"[" + b"{}," * (20 << 20) + b"{}]",
    "numbers": lambda: b"[" + b"1," * (40 << 20) + b"1]",
    "depth": lambda: b"[" * 1_000_000,
}


def make_archive(members: dict[str, bytes], name: str, content: Callable[[], bytes]) -> Maker:
    """Return a function that makes an archive with a member that is large once it is unpacked."""
    return lambda path: path.write_bytes(zip_members(members | {name: content()})) and None


def make_gzip(content: Callable[[], bytes]) -> Maker:
    """Return a function that makes a compressed file."""
    return lambda path: path.write_bytes(gzip.compress(content(), 1)) and None


def repeat_block(block: bytes, times: int) -> Maker:
    """Return a function that makes a compressed file of one block, many times."""

    def make(path: Path) -> None:
        with gzip.open(path, "wb", 1) as file:
            for _ in range(times):
                file.write(block)

    return make


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    for column in TABLE:
        for name, values in COLUMNS.items():
            yield HostileInput(
                f"packed-table-{column}-{name}",
                ("import", "table", "t.parquet", "-o", "out/r"),
                {"t.parquet": write_parquet(TABLE | {column: values})},
            )
    for name, values in COLUMNS.items():
        task = {"path": "t.parquet", "question": "problem_id", "answer": "gold"}
        yield HostileInput(
            f"packed-task-{name}",
            ("sweep", "s.yaml", "--dry-run"),
            {
                "t.parquet": write_parquet(TABLE | {"problem_id": values}),
                "s.yaml": dump_json(make_sweep() | {"task": task}),
            },
        )
    yield from generate_parts(rng)
    yield from generate_archives(rng)


def generate_parts(rng: random.Random) -> Iterator[HostileInput]:
    """Yield runs with a hostile part."""
    commands = (("check", "r"), ("runs", "r"), ("fit", "r", "-o", "out/p.json"), ("compact", "r"))
    changes: dict[str, Callable[[bytes], bytes]] = {
        "empty": lambda content: b"",
        "zeros": lambda content: bytes(len(content)),
        "magic": lambda content: b"PAR1" + b"\xff" * 8 + b"PAR1",
        "footer": lambda content: content[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1",
        "id-null": replace_column("problem_id", lambda n: pa.nulls(n, pa.string())),
        "id-number": replace_column("problem_id", lambda n: pa.array(range(n))),
        "id-time": replace_column("problem_id", lambda n: pa.array([0] * n, pa.timestamp("us"))),
        "id-binary": replace_column("problem_id", lambda n: pa.array([b"\xff"] * n)),
        "number-text": replace_column("solution_id", lambda n: pa.array(["0"] * n)),
        "number-large": replace_column("solution_id", lambda n: pa.array([2**31 - 1] * n, pa.int32())),
        "number-null": replace_column("solution_id", lambda n: pa.nulls(n, pa.int32())),
        "status-control": replace_column("status", lambda n: pa.array(["\x1b]0;pwn\x07"] * n)),
        "tokens-negative": replace_column("completion_tokens", lambda n: pa.array([-(2**31)] * n, pa.int32())),
        "rows-200m": make_null_rows(200 * 10**6),
        **{f"cut-{i}": cut(rng) for i in range(3)},
        **{f"flip-{i}": flip(rng) for i in range(12)},
    }
    for name, change in changes.items():
        for command in rng.sample(commands, 2):
            yield HostileInput(f"packed-part-{name}-{command[0]}", command, {"r": replace_part("solutions", change)})
    for name in ("parent-itself", "node-zero"):
        parents = (lambda n: pa.array([1] * n, pa.int32())) if name == "parent-itself" else None
        column = "parent" if parents else "node_id"
        make = parents or (lambda n: pa.array([0] * n, pa.int32()))
        yield HostileInput(
            f"packed-tree-{name}",
            ("tree", "r", "lab-1-1-0"),
            {"r": replace_part("nodes", replace_column(column, make), SEARCH_RUN)},
        )


def generate_archives(rng: random.Random) -> Iterator[HostileInput]:
    """Yield archives and compressed files, damaged or small and huge once they are unpacked."""
    header = json.dumps(EVAL_HEADER).encode()
    for name, bomb in BOMBS.items():
        for ending in ("eval", "zip"):
            yield HostileInput(
                f"packed-{ending}-{name}",
                ("import", "inspect-ai", f"l.{ending}", "-o", "out/r"),
                {f"l.{ending}": make_archive({"header.json": header}, "samples/1_epoch_1.json", bomb)},
            )
        yield HostileInput(
            f"packed-gzip-{name}",
            ("import", "table", "t.jsonl.gz", "-o", "out/r"),
            {"t.jsonl.gz": make_gzip(bomb)},
        )
    good = zip_members({"header.json": header, "samples/1_epoch_1.json": b"{}"})
    for i in range(10):
        change = cut(rng) if i % 2 else flip(rng)
        yield HostileInput(
            f"packed-eval-damaged-{i}", ("import", "inspect-ai", "l.eval", "-o", "out/r"), {"l.eval": change(good)}
        )
    repeated: dict[str, tuple[str, bytes]] = {
        "newlines": ("t.jsonl", b"\n" * 2**16),
        "lines": ("t.jsonl", b'{"problem_id":1}\n' * 4096),
        "blocks": ("t.jsonl", b"{}\n" * 2**15),
        "csv-commas": ("t.csv", b"," * 2**16),
        "csv-newlines": ("t.csv", b"\n" * 2**16),
        "csv-quotes": ("t.csv", b'"a\n' * 2**14),
        "csv-rows": ("t.csv", b"a\n" * 2**15),
    }
    for name, (path, block) in repeated.items():
        yield HostileInput(
            f"packed-grows-{name}",
            ("import", "table", f"{path}.gz", "-o", "out/r"),
            {f"{path}.gz": repeat_block(block, 2**14)},
            slow=True,
        )
    names = ("../../out.json", "/etc/passwd", "samples/../../x_epoch_1.json", "a" * 60_000, "header.json\x00.png", " ")
    for i, name in enumerate(names):
        yield HostileInput(
            f"packed-eval-name-{i}",
            ("import", "inspect-ai", "l.eval", "-o", "out/r"),
            {"l.eval": zip_members({"header.json": header, name: b"{}"})},
        )
    arrays = {"answers": np.zeros((2, 3), int), "gold": np.zeros(2, int), "scores": np.zeros((2, 3, 2))}
    changed: dict[str, dict[str, bytes]] = {
        "claims": {"answers": write_array(0, "(1000000, 1000000)")},
        "endless": {"scores": write_array(0, "(2, 3, 9223372036854775807)")},
        "negative": {"answers": write_array(0, "(-2, 3)")},
        "letters": {"answers": write_array(np.array([["a"] * 3] * 2))},
        "times": {"gold": write_array(np.zeros(2, "datetime64[s]"))},
        "nan": {"scores": write_array(np.full((2, 3, 2), np.nan))},
        "objects": {"answers": write_array(np.array([[None] * 3] * 2, dtype=object))},
        "not-an-array": {"answers": b"x" * 100},
        "empty": {"answers": b""},
        "header-open": {"scores": write_header("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3, 2), ")},
        "header-quotes": {"scores": write_header("'''")},
        "header-slash": {"scores": write_header("\\")},
        "header-deep": {"scores": write_header("(" * 9000)},
        "header-minus": {"scores": write_header("-" * 9000)},
        "header-long": {"scores": write_header(" " * 60_000)},
    }
    for name, parts in changed.items():
        members = {f"{key}.npy": parts.get(key) or write_array(value) for key, value in arrays.items()}
        if name == "empty":
            members["answers.npy"] = b""
        yield HostileInput(
            f"packed-npz-{name}",
            ("import", "sc-genrm-scaling", "a.npz", "-o", "out/r"),
            {"a.npz": zip_members(members)},
        )
    for name, content in {"single": write_array(np.zeros((2, 3))), "magic": b"\x93NUMPY"}.items():
        yield HostileInput(
            f"packed-npz-{name}", ("import", "sc-genrm-scaling", "a.npz", "-o", "out/r"), {"a.npz": content}
        )
    whole = {f"{key}.npy": write_array(value) for key, value in arrays.items()}
    for name, make in {
        "large": lambda: write_array(np.zeros((1, 1), int)) + bytes(300 << 20),
        "zeros": lambda: write_array(np.zeros((2, 3, 20_000_000), np.int8)),
        "many": lambda: write_array(np.zeros((2, 3, 300_000_000), np.int8)),
    }.items():
        yield HostileInput(
            f"packed-npz-{name}",
            ("import", "sc-genrm-scaling", "a.npz", "-o", "out/r"),
            {"a.npz": make_archive(whole, "scores.npy", make)},
        )
