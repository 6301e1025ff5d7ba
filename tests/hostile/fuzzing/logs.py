"""Fuzz targets: logs of other tools, of each format, and the parts of a run."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from isocompute.runners.imports.importing import import_logged_run
from isocompute.runners.imports.plain_yaml import parse_plain_yaml
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.parquet_footer import FOOTER_FIELDS
from isocompute.runners.storage.parquet_pages import PAGE_FIELDS
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import TABLES
from isocompute.runners.storage.thrift import ThriftReader
from tests.hostile.fuzzing.drawing import (
    MARKUP,
    VALUES,
    FuzzTarget,
    dump_lines,
    dump_yaml,
    mutate_bytes,
    mutate_lines,
    refuse_or_return,
    write_text,
)
from tests.hostile.kinds.logs import GOLDEN, LOGS, read_log, zip_log
from tests.hostile.kinds.packed import write_array, zip_members

TABLE = {
    "problem_id": ["a", "a", "b", "b"],
    "gold": ["5", "5", "7", "7"],
    "solution": [r"\boxed{5}", "6", r"\boxed{7}", None],
    "score": [0.5, 0.25, None, 1.0],
    "completion_tokens": [7, 9, None, 3],
}
FIRST_ROWS = "\n".join((GOLDEN / "table/verifications.csv").read_text(encoding="utf-8").splitlines()[:4])
COUNTS = "problem,n,right\na,4,1\nb,4,"


def import_log(kind: str, content: Callable[[Any], str | bytes]) -> Callable[[Path, Any], None]:
    """Return a target that writes a log at its path and imports it; what is imported must be a whole run."""

    def run(path: Path, value: Any) -> None:
        written = content(value)
        if isinstance(written, bytes):
            path.write_bytes(written)
        else:
            write_text(path, written)
        import_as_whole_run(kind, path)

    return run


def import_as_whole_run(kind: str, path: Path) -> None:
    """Import a log, and check the run that is made of it; nothing else may be left beside the log."""
    target = path.with_name("run")
    try:
        import_logged_run(kind, str(path), str(target))
        assert check_run(Run(target)).is_whole
    finally:
        left = [each.name for each in path.parent.iterdir() if each != path and each != target]
        whole = not target.exists() or (target / "manifest.json").exists()
        shutil.rmtree(target, ignore_errors=True)
    assert whole, "a run was left half written"
    assert not left, left


def import_tree(path: Path, value: tuple[str, Any]) -> None:
    """Write a tree of YAML of which one file has another content, and import it."""
    name, content = value
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(GOLDEN / "sc-genrm-scaling", path)
    write_text(path / name, dump_yaml(content))
    try:
        import_as_whole_run("sc-genrm-scaling", path)
    finally:
        shutil.rmtree(path)


@cache
def write_table() -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table(TABLE), written, compression="zstd", write_page_index=True)
    return written.getvalue()


@cache
def write_eval() -> bytes:
    """Return an archive of inspect_ai."""
    (log,) = read_log("inspect-ai/sums.json")
    samples = {f"samples/{each['id']}_epoch_{each['epoch']}.json": each for each in log["samples"]}
    header = {key: value for key, value in log.items() if key != "samples"}
    return zip_log({name: json.dumps(each).encode() for name, each in {"header.json": header, **samples}.items()})


@cache
def write_arrays() -> bytes:
    """Return an archive of arrays of answers, right answers and scores."""
    arrays = {"answers": np.zeros((2, 3), int), "gold": np.zeros(2, int), "scores": np.zeros((2, 3, 2))}
    return zip_members({f"{name}.npy": write_array(values) for name, values in arrays.items()}, method=0)


@st.composite
def draw_columns(draw: st.DrawFn) -> bytes:
    """Draw a Parquet file in which some columns hold values of another kind."""
    columns: dict[str, Any] = dict(TABLE)
    names = st.sampled_from([*TABLE, "verdict", "level", "seconds", "solution_id"])
    for name in draw(st.lists(names, max_size=3)):
        value = draw(VALUES)
        try:
            columns[name] = pa.array([value] * 4)
        except (pa.ArrowException, OverflowError, UnicodeError):
            columns[name] = pa.array([str(draw(st.integers()))] * 4).dictionary_encode()
    written = io.BytesIO()
    try:
        pq.write_table(pa.table(columns), written)
    except (pa.ArrowException, OverflowError):  # a block without keys cannot be written
        return write_table()
    return written.getvalue()


PARTS = ("problems", "solutions", "verifications", "grades")


@cache
def make_parts() -> dict[str, dict[str, bytes]]:
    """Return the files of a small run, and the first part of each table."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "run")
        import_logged_run("table", str(GOLDEN / "table/verifications.csv"), str(target))
        files = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    return {"files": files, "parts": {table: files[each] for table in PARTS if (each := find_part(files, table))}}


def find_part(files: dict[str, bytes], table: str) -> str | None:
    return next((name for name in sorted(files) if name.startswith(f"{table}/") and name.endswith(".parquet")), None)


def read_changed_run(path: Path, value: tuple[str, bytes]) -> None:
    """Write a run with another content of a part; check it, and read its tables."""
    table, content = value
    files = make_parts()["files"]
    for name, kept in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content if name == find_part(files, table) else kept)
    run = Run(path)
    refuse_or_return(check_run, run)
    for each in TABLES.values():
        refuse_or_return(run.read_table, each)


def draw_parts() -> st.SearchStrategy[tuple[str, bytes]]:
    """Return tables with the content of their part, changed."""
    return st.one_of(
        st.tuples(st.just(table), mutate_bytes(content)) for table, content in make_parts()["parts"].items()
    )


def read_header_bytes(_: Path, content: bytes) -> None:
    for layout in (PAGE_FIELDS, FOOTER_FIELDS):
        try:
            ThriftReader(content).read_struct(layout)
        except (IndexError, ValueError):  # which its caller turns into an error of the family
            continue


def draw_tree() -> st.SearchStrategy[tuple[str, Any]]:
    """Return a file of a tree of YAML, with its content changed."""
    folder = GOLDEN / "sc-genrm-scaling"
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.yaml"))]
    contents = [parse_plain_yaml((folder / name).read_text(encoding="utf-8"), name) for name in names]
    return st.one_of(
        st.tuples(st.just(name), mutate_lines(content)) for name, content in zip(names, contents, strict=True)
    )


TARGETS = {
    **{
        f"log {log}": FuzzTarget(import_log(kind, dump_lines), mutate_lines(read_log(file)), name)
        for log, (kind, file, name) in LOGS.items()
    },
    "log as a tree": FuzzTarget(import_tree, draw_tree(), "t"),
    "log as an archive": FuzzTarget(import_log("inspect-ai", lambda raw: raw), mutate_bytes(write_eval()), "l.eval"),
    "log as arrays": FuzzTarget(import_log("sc-genrm-scaling", lambda raw: raw), mutate_bytes(write_arrays()), "a.npz"),
    "log as Parquet": FuzzTarget(
        import_log("table", lambda raw: raw), mutate_bytes(write_table()) | draw_columns(), "t.parquet"
    ),
    "log as CSV": FuzzTarget(
        import_log("table", lambda text: f"{FIRST_ROWS}\n{text}"), MARKUP | st.text("ab0,1\"'\n\r\0."), "t.csv"
    ),
    "counts": FuzzTarget(
        import_log("counts", lambda text: COUNTS + text), MARKUP | st.text("ab0,1\"'\n\r\0.-e"), "c.csv"
    ),
    "parts of a run": FuzzTarget(read_changed_run, draw_parts(), "r"),
    "headers of pages and footers": FuzzTarget(
        read_header_bytes,
        st.binary(max_size=200),
        found=[b"", b"\x0c" * 5000, b"\x1c" * 5000, b"\x19\xfc\xff\xff\xff\x0f", b"\xff" * 20],
    ),
}
