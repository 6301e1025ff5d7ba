"""Fuzz targets: the documents that isocompute defines, and the texts of models."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
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
from isocompute.runners.storage.provenance import extract_model_sizes, extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.tasks.files import read_file_problems
from isocompute.serving.questions import read_questions
from isocompute.terminal import LONGEST_MESSAGE, make_printable, shorten_message
from tests.hostile.fuzzing.drawing import (
    MARKUP,
    VALUES,
    FuzzTarget,
    dump,
    dump_yaml,
    mutate,
    mutate_bytes,
    refuse_or_return,
    write_text,
)
from tests.hostile.material import change_value, make_grid, make_profile, make_sweep


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


def read_manifest(path: Path, value: Any) -> None:
    run = path.with_suffix("")
    run.mkdir(exist_ok=True)
    write_text(run / "manifest.json", dump(value))
    manifest = Run(run).read_manifest()
    extract_model_sizes(manifest, "r")
    extract_origin(manifest, "r")


def read_texts(_: Path, text: str) -> None:
    find_verdict(text)
    extract_final_answer(text)
    extract_boxed_answer(text)
    parse_number(text)
    extract_number(text)
    split_steps(text, "\n\n")
    cut_thinking(text, "</think>", True)


def print_text(_: Path, text: str) -> None:
    said = str(IsocomputeError(text))
    assert len(said) <= LONGEST_MESSAGE
    assert all(line.isprintable() for line in said.split("\n"))
    assert make_printable(shorten_message(text), keep="").isprintable()


def write_first(read: Callable[[str], Any]) -> Callable[[Path, Any], None]:
    """Return a target that reads a file with the text or the bytes."""

    def run(path: Path, value: Any) -> None:
        if isinstance(value, bytes):
            path.write_bytes(value)
        else:
            write_text(path, dump(value))
        read(str(path))

    return run


def read_sweep_text(path: Path, value: Any) -> None:
    write_text(path, dump_yaml(value))
    read_sweep(str(path))


def parse_texts(_: Path, value: Any) -> None:
    for parse in (parse_json, parse_json_document, parse_yaml):
        for text in (dump(value), dump_yaml(value)):
            refuse_or_return(parse, text, "F")
    with suppress(yaml.YAMLError, ValueError):  # which its caller turns into an error of the family
        parse_plain_yaml(dump_yaml(value), "F")


def read_all_problems(path: str) -> None:
    """Read a file as a task and as questions, which choose their columns themselves."""
    refuse_or_return(read_questions, path)
    read_file_problems(path)


def write_tasks() -> bytes:
    """Return a small Parquet file of problems."""
    written = io.BytesIO()
    table = {"question": [f"{i}+{i}?" for i in range(40)], "answer": [str(2 * i) for i in range(40)]}
    pq.write_table(pa.table(table), written, compression="zstd")
    return written.getvalue()


CELLS = st.text(st.sampled_from('a1,"\r\n;\0\ufeff') | st.characters(), max_size=40)
CSV_TEXTS = st.builds(lambda rest: f"question,answer\n{rest}", CELLS) | CELLS
TASK_LINES = mutate({"question": "1+1?", "answer": "2"})

TARGETS = {
    "documents": FuzzTarget(
        parse_texts,
        mutate(make_sweep()),
        found=["a: &a [*a]", "&a {? *a : 1}", "[" * 5000, "? " * 500, '"\\ud800"', "9" * 5000, "!!binary x", "<<: 1"],
    ),
    "sweep": FuzzTarget(
        read_sweep_text, mutate(make_sweep()), "s.yaml", ["a: &a [*a]", "run: !!set {a}", "? [a]\n: 1"]
    ),
    "profile": FuzzTarget(
        write_first(read_profile),
        mutate(cut_profile()),
        "p.json",
        ['{"format": 2, "strategies": {"sc": 1}}', '{"format": 2, "strategies": {"sc": "\\ud800"}}'],
    ),
    "grid": FuzzTarget(
        write_first(lambda path: read_grid_profile(path, None, None)),
        mutate(make_grid()),
        "g.json",
        [change_value(make_grid(), [next(iter(make_grid())), "lambda_"], 1_000_001)],
    ),
    "prices": FuzzTarget(write_first(read_prices), mutate(PRICES), "prices.json"),
    "price table": FuzzTarget(lambda _, value: parse_prices(value, "F"), VALUES | mutate(PRICES)),
    "policy": FuzzTarget(write_first(read_policy_file), mutate(POLICY), "policy.json"),
    "manifest": FuzzTarget(
        read_manifest,
        mutate(MANIFEST) | mutate(IMPORT),
        "m.json",
        ["[]", '{"config": []}', '{"imported": 1}', '{"config": {"run": "\\ud800"}}'],
    ),
    "tasks as lines": FuzzTarget(write_first(read_all_problems), TASK_LINES, "t.jsonl"),
    "tasks as a table": FuzzTarget(
        write_first(read_all_problems), CSV_TEXTS, "t.csv", ["question,answer\n\0", '"', "question,question\n"]
    ),
    "tasks as Parquet": FuzzTarget(
        write_first(read_all_problems),
        mutate_bytes(write_tasks()),
        "t.parquet",
        [write_tasks().replace(b"answer", b"\x80nswer")],  # the name of a column
    ),
    "verdicts and answers": FuzzTarget(
        read_texts, MARKUP, found=["\\boxed{" * 500, "{" * 1000, "9" * 5000, "1/0", "\ud800"]
    ),
    "budget": FuzzTarget(lambda _, text: Budget.parse(text), MARKUP),
    "messages": FuzzTarget(print_text, st.text(max_size=2000) | MARKUP),
}
