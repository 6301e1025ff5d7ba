"""Fuzz targets, one for each parser of foreign text: whatever is read, an error of the family or a value.

Each runs for a moment in `make test`, and for ``ISOCOMPUTE_FUZZ_SECONDS`` (60 unless set) in `make soak`. What was
found is kept in `CORPUS`, and tried first.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from isocompute.errors import IsocomputeError
from isocompute.planner.budget import Budget
from isocompute.planner.costs.prices import parse_prices, read_prices
from isocompute.planner.estimate.profile_from_grid import read_grid_profile
from isocompute.planner.policies.policy_file import read_policy_file
from isocompute.planner.profile import read_profile
from isocompute.runners.config.sweep_reading import read_sweep
from isocompute.runners.documents import parse_json, parse_json_document, parse_yaml
from isocompute.runners.grading.extraction import extract_boxed_answer, extract_final_answer
from isocompute.runners.grading.numeric import extract_number, parse_number
from isocompute.runners.imports.plain_yaml import parse_plain_yaml
from isocompute.runners.parsing.steps import split_steps
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.parsing.verdicts import find_verdict
from isocompute.runners.storage.parquet_pages import ThriftReader
from isocompute.runners.storage.provenance import extract_model_sizes, extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.tasks.files import read_file_problems
from isocompute.terminal import LONGEST_MESSAGE, make_printable, shorten_message
from tests.hostile.material import make_grid, make_profile, make_sweep

FUZZ_SECONDS = float(os.environ.get("ISOCOMPUTE_FUZZ_SECONDS", "60"))

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 10**9, 10**30, 2**63, 1e308, -1e308, float("inf"), float("nan"), "", "x", "1", "yes"])
    | st.floats()
    | st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MARKUP = st.text(st.sampled_from("{}[]:,&*!|>%@'\"\\#-? \n\t0123456789.eabx<~=_")) | st.text()


def list_places(document: Any) -> list[tuple[str | int, ...]]:
    """Return the paths of a document's values, those of long lists up to the third."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document[:3]))
    return [(key, *rest) for key, value in items for rest in [(), *list_places(value)]]


@st.composite
def change_document(draw: st.DrawFn, document: Any, places: list[tuple[str | int, ...]]) -> Any:
    """Draw a document with other values, other keys, or without some."""
    changed = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from(places))
        at = changed
        try:
            for step in path:
                at = at[step]
            if draw(st.integers(0, 9)) == 0:
                del at[key]
            elif isinstance(at, dict) and draw(st.integers(0, 9)) == 0:
                at[draw(st.text(max_size=8))] = draw(VALUES)
            else:
                at[key] = draw(VALUES)
        except (KeyError, IndexError, TypeError):  # an earlier change took the place away
            continue
    return changed


def cut_profile() -> dict[str, Any]:
    """Return a small profile: three problems, and the parts that have rows for each."""
    whole = make_profile()
    whole["per_problem"], whole["problems"] = whole["per_problem"][:3], 3
    for part in [*whole["strategies"].values(), whole["coverage"]]:
        part["accuracy"] = part["accuracy"][:3]
    for name in ("policies", "extrapolations", "settled", "caps", "timings"):
        whole.pop(name, None)
    return whole


MANIFEST = {
    "config": make_sweep(),
    "format": 2,
    "grader": "boxed-number/1",
    "parameters": {"solver": 1e6},
    "prompts": {"solver": "0" * 64},
}
IMPORT = {"imported": {"format": "table", "task": "t", "rows": {"solutions": 2}}, "format": 2}
PRICES = {"m": {"input": 1.0, "output": 4.0, "cached_read": 0.1}, "n": {"input": 2, "output": 3}}
POLICY = {"format": 1, "rule": "beta", "threshold": 0.95, "solutions": 8, "learnt_on": {"run": "r", "problems": 3}}


def dump(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def dump_yaml(value: Any) -> str:
    return value if isinstance(value, str) else yaml.safe_dump(value, allow_unicode=True)


def mutate(document: Any) -> st.SearchStrategy[Any]:
    """Return texts without form, and documents that are changed in some places."""
    return MARKUP | VALUES | change_document(document, list_places(document))


def read_manifest(path: Path, text: str) -> None:
    run = path.with_suffix("")
    run.mkdir(exist_ok=True)
    (run / "manifest.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    manifest = Run(run).read_manifest()
    extract_model_sizes(manifest, "r")
    extract_origin(manifest, "r")


def read_texts(text: str) -> None:
    find_verdict(text)
    extract_final_answer(text)
    extract_boxed_answer(text)
    parse_number(text)
    extract_number(text)
    split_steps(text, "\n\n")
    cut_thinking(text, "</think>", True)


def print_text(text: str) -> None:
    said = str(IsocomputeError(text))
    assert len(said) <= LONGEST_MESSAGE
    assert all(line.isprintable() for line in said.split("\n"))
    assert make_printable(shorten_message(text), keep="").isprintable()


def write_first(read: Callable[[str], Any]) -> Callable[[Path, Any], None]:
    """Return a target that reads a file with the text."""

    def run(path: Path, value: Any) -> None:
        path.write_text(dump(value), encoding="utf-8", errors="surrogatepass")
        read(str(path))

    return run


def write_tasks() -> bytes:
    """Return a small Parquet file of problems."""
    written = io.BytesIO()
    table = {"question": [f"{i}+{i}?" for i in range(40)], "answer": [str(2 * i) for i in range(40)]}
    pq.write_table(pa.table(table), written, compression="zstd")
    return written.getvalue()


TASKS = write_tasks()
BYTE_CHANGES = st.lists(st.tuples(st.integers(0, len(TASKS) - 1), st.integers(0, 255)), min_size=1, max_size=6)


def read_changed_tasks(path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(TASKS)
    for place, value in changes:
        content[place] = value
    path.write_bytes(bytes(content))
    read_file_problems(str(path))


def read_header_bytes(content: bytes) -> None:
    try:
        ThriftReader(content).read_struct()
    except (IndexError, ValueError, RecursionError):  # which its caller turns into an error of the family
        return


def sweep_file(path: Path, value: Any) -> None:
    path.write_text(dump_yaml(value), encoding="utf-8", errors="surrogatepass")
    read_sweep(str(path))


def parse_texts(path: Path, value: Any) -> None:
    for parse in (parse_json, parse_json_document, parse_yaml):
        for text in (dump(value), dump_yaml(value)):
            try:
                parse(text, "F")
            except IsocomputeError:
                continue
    try:
        parse_plain_yaml(dump_yaml(value), "F")
    except (yaml.YAMLError, ValueError):  # which its caller turns into an error of the family
        return


CELLS = st.text(st.sampled_from('a1,"\r\n;\0\ufeff') | st.characters(), max_size=40)
TARGETS: dict[str, tuple[str, Callable[[Path, Any], Any], st.SearchStrategy[Any]]] = {
    "documents": ("x.txt", parse_texts, mutate(make_sweep())),
    "sweep": ("s.yaml", sweep_file, mutate(make_sweep())),
    "profile": ("p.json", write_first(read_profile), mutate(cut_profile())),
    "grid": ("g.json", write_first(lambda path: read_grid_profile(path, None, None)), mutate(make_grid())),
    "prices": ("prices.json", write_first(read_prices), mutate(PRICES)),
    "price table": ("x", lambda _, value: parse_prices(value, "F"), VALUES | mutate(PRICES)),
    "policy": ("policy.json", write_first(read_policy_file), mutate(POLICY)),
    "manifest": ("m.json", lambda path, value: read_manifest(path, dump(value)), mutate(MANIFEST) | mutate(IMPORT)),
    "tasks as lines": ("t.jsonl", write_first(read_file_problems), mutate({"question": "1+1?", "answer": "2"})),
    "tasks as a table": (
        "t.csv",
        write_first(read_file_problems),
        st.builds(lambda rest: f"question,answer\n{rest}", CELLS) | CELLS,
    ),
    "tasks as Parquet": ("t.parquet", read_changed_tasks, BYTE_CHANGES),
    "headers of pages": ("x", lambda _, value: read_header_bytes(value), st.binary(max_size=200)),
    "verdicts and answers": ("x", lambda _, value: read_texts(value), MARKUP),
    "budget": ("x", lambda _, value: Budget.parse(value), MARKUP),
    "messages": ("x", lambda _, value: print_text(value), st.text(max_size=2000) | MARKUP),
}
CORPUS: dict[str, list[Any]] = {
    "documents": [
        "a: &a [*a]",
        "&a {? *a : 1}",
        "[" * 5000,
        "? " * 500,
        '"\\ud800"',
        "9" * 5000,
        "!!binary x",
        "<<: 1",
    ],
    "sweep": ["a: &a [*a]", "run: !!set {a}", "? [a]\n: 1"],
    "profile": ['{"format": 2, "strategies": {"sc": 1}}', '{"format": 2, "strategies": {"sc": "\\ud800"}}'],
    "manifest": ["[]", '{"config": []}', '{"imported": 1}', '{"config": {"run": "\\ud800"}}'],
    "tasks as a table": ["question,answer\n\0", '"', "question,question\n"],
    "headers of pages": [b"", b"\x0c" * 5000, b"\x1c" * 5000, b"\x19\xfc\xff\xff\xff\x0f", b"\xff" * 20],
    "verdicts and answers": ["\\boxed{" * 500, "{" * 1000, "9" * 5000, "1/0", "\ud800"],
}


def run_target(name: str, folder: Path, examples: int, number: int) -> None:
    file, target, strategy = TARGETS[name]

    @seed(number)
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(strategy)
    def try_value(value: Any) -> None:
        try_one(target, folder / file, value)

    try_value()


def try_one(target: Callable[[Path, Any], Any], path: Path, value: Any) -> None:
    try:
        target(path, value)
    except IsocomputeError as error:
        said = str(error)
        assert said.isprintable(), said
        assert len(said) <= LONGEST_MESSAGE


@pytest.mark.parametrize("name", CORPUS)
def test_what_was_found_stays_fixed(name, tmp_path):
    file, target, _ = TARGETS[name]
    for value in CORPUS[name]:
        try_one(target, tmp_path / file, value)


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_returns_or_refuses(name, tmp_path):
    run_target(name, tmp_path, 15, 0)


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_returns_or_refuses_for_long(name, tmp_path):
    end, number = time.monotonic() + FUZZ_SECONDS, 1
    while time.monotonic() < end:
        run_target(name, tmp_path, 200, number)
        number += 1
