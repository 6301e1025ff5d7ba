"""Logs of other tools, from which something is taken, doubled, blown up, or replaced by a value of another kind."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.hostile.cases import HostileInput, Maker, link_to, make_fifo, make_folder
from tests.hostile.kinds.numbers import LONG_INTEGER, LONG_MARK, draw_leaves, name_path
from tests.hostile.kinds.packed import make_archive
from tests.hostile.material import ROOT, change_value, make_sweep

GOLDEN = ROOT / "tests" / "golden" / "imports"
LOGS: dict[str, tuple[str, str, str]] = {
    "lm-eval": ("lm-eval", "lm-eval/samples_gsm8k_cot_2025-01-31T10-20-30.123456.jsonl", "samples_t_2025.jsonl"),
    "lm-eval-options": (
        "lm-eval", "lm-eval/samples_arc_easy_2025-01-31T10-20-30.123456.jsonl", "samples_a_2025.jsonl",
    ),
    "inspect-ai": ("inspect-ai", "inspect-ai/sums.json", "log.json"),
    "livecodebench": (
        "livecodebench", "livecodebench/Scenario.codegeneration_2_0.2_eval_all.json", "Scenario_eval_all.json",
    ),
    "evalplus": (
        "evalplus",
        "evalplus/mistralai--Mistral-7B-Instruct-v0.2_vllm_temp_0.0-sanitized_eval_results.json",
        "m_eval_results.json",
    ),
    "search-and-learn": (
        "search-and-learn", "search-and-learn/beam_search_completions.jsonl", "beam_search_completions.jsonl",
    ),
    "best-of-n": ("search-and-learn", "search-and-learn/best_of_n_completions.jsonl", "best_of_n_completions.jsonl"),
    "monkeys": ("large-language-monkeys", "large-language-monkeys/monkeys.jsonl", "m.jsonl"),
    "monkeys-code": ("large-language-monkeys", "large-language-monkeys/code.jsonl", "c.jsonl"),
}  # fmt: skip
"""Of each log the format, the file, and the name under which it is imported."""

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "negative": -7,
    "large": 10**18,
    "long-integer": LONG_MARK,
    "float": 1e308,
    "nan": float("nan"),
    "infinite": float("-inf"),
    "empty-text": "",
    "blank": " \t\n",
    "escape": "\x1b]0;pwn\x07\x1b[2J",
    "nul": "a\0b",
    "half": "\ud83d",
    "direction": "\u202eabc\u2066",
    "long-text": "word " * 200_000,
    "one-word": "w" * 2_000_000,
    "braces": "\\boxed{" * 20_000,
    "fractions": "\\frac{" * 3000 + "1" + "}{2}" * 3000,
    "tower": "\\boxed{9^{9^{9^{9}}}}",
    "digits-text": "9" * 100_000,
    "path": "../../../../etc/passwd",
    "empty-list": [],
    "list": [1, "x", None, {"a": []}],
    "long-list": [0] * 300_000,
    "texts": ["x"] * 50_000,
    "nested": None,  # made below: deeper than a reader may follow
    "empty-block": {},
    "block": {"a": {"b": {"c": 1}}},
    "many-keys": {f"k{i}": i for i in range(100_000)},
    "odd-keys": {"": 1, "\x1b[31m": 2, "a.b": 3, "\ud800": 4},
}


def nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


VALUES["nested"] = nest(300)


@cache
def read_log(file: str) -> list[Any]:
    """Return the documents of a log: its lines, or one."""
    text = (GOLDEN / file).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if file.endswith(".jsonl") else [json.loads(text)]


def write_long(start: str, length: int, end: str) -> Maker:
    """Return a function that writes a file with a long text in it, piece by piece: this process stays small."""

    def make(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            file.write(start)
            for at in range(0, length, 2**20):
                file.write("x" * min(2**20, length - at))
            file.write(end)

    return make


def write_log(documents: list[Any]) -> str:
    text = "\n".join(json.dumps(document) for document in documents) + "\n"
    return text.replace(str(LONG_MARK), LONG_INTEGER)


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    for log, (kind, file, name) in LOGS.items():
        documents = read_log(file)
        command = ("import", kind, name, "-o", "out/r")
        for path in draw_leaves(rng, documents, 14):
            value = rng.choice(sorted(VALUES))
            content = write_log(change_value(documents, path, VALUES[value]))
            yield HostileInput(f"logs-{log}-{name_path(path)}-{value}", command, {name: content})
        for path in draw_leaves(rng, documents, 4):
            *outer, key = path
            at: Any = json.loads(json.dumps(documents))
            changed = at
            for step in outer:
                at = at[step]
            del at[key]
            yield HostileInput(f"logs-{log}-without-{name_path(path)}", command, {name: write_log(changed)})
        for change, content in change_whole(rng, documents, name).items():
            yield HostileInput(f"logs-{log}-whole-{change}", command, {name: content})
    yield from generate_folders()
    yield from generate_csv(rng)
    yield from generate_archives(rng)
    yield from generate_options()
    yield from generate_wide_texts()


def generate_wide_texts() -> Iterator[HostileInput]:
    """Yield long texts of which some letters take four bytes each in memory, and make all others do so."""
    start = '{"problem_id": "a", "gold": "5", "question": "q", "solution": "'
    for letter, name in (("😀", "four"), ("好", "two"), ("\\ud83d\\ude00", "escaped"), ("", "one")):
        for size in (5_000_000, 60_000_000, 200_000_000):
            content = {"t.jsonl": write_long(start + letter, size, '"}\n')}
            slow = size > 10**8
            yield HostileInput(
                f"logs-wide-{name}-{size}", ("import", "table", "t.jsonl", "-o", "out/r"), content, slow=slow
            )
            sweep = make_sweep() | {"task": {"path": "t.jsonl", "question": "solution", "answer": "gold"}}
            yield HostileInput(
                f"logs-wide-task-{name}-{size}",
                ("sweep", "s.yaml", "--dry-run"),
                content | {"s.yaml": json.dumps(sweep)},
                slow=slow,
            )


def change_whole(rng: random.Random, documents: list[Any], name: str) -> dict[str, str | bytes | Maker]:
    """Return contents of a log that are wrong as a whole; some of them, at random."""
    good = write_log(documents)
    changes: dict[str, str | bytes | Maker] = {
        "twice": good + good,
        "cut": good[: len(good) // 2],
        "empty": "",
        "blank": "\n" * 100_000,
        "list": json.dumps(documents),
        "nested-list": json.dumps([[documents]]),
        "text": json.dumps(good),
        "null": "null\n",
        "mark": b"\xef\xbb\xbf" + good.encode(),
        "utf-16": good.encode("utf-16"),
        "latin": good.encode() + b"\xff\xfe\n",
        "returns": good.replace("\n", "\r"),
        "nul": good.encode() + b"\0" * 1000,
        "binary": bytes(range(256)) * 100,
        "gzip": gzip.compress(good.encode()),
        "pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
        "html": "<!doctype html><script>alert(1)</script>",
        "long-line": write_long('{"a": "', 20_000_000, '"}\n'),
        "many-lines": "{}\n" * 300_000,
        "pipe": make_fifo,
        "folder": make_folder,
        "link": link_to(name),
        "other": '{"doc_id": 1, "completions": [], "samples": [], "eval": {}}\n',
    }
    return {change: changes[change] for change in sorted(rng.sample(list(changes), 6))}


def generate_folders() -> Iterator[HostileInput]:
    """Yield folders of trees of YAML, with files that are none, too many, too deep, or not of one kind."""
    tree: dict[str, str | bytes | Maker] = {
        path.relative_to(GOLDEN / "sc-genrm-scaling").as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((GOLDEN / "sc-genrm-scaling").rglob("*.yaml"))
    }
    first = sorted(tree)[0]
    changes: dict[str, dict[str, str | bytes | Maker]] = {
        "empty-file": {first: ""},
        "alias": {first: "a: &a [*a]\n"},
        "tag": {first: "!!python/object/apply:os.system ['touch pwned']\n"},
        "deep": {first: "- " * 5000},
        "deep-flow": {first: "[" * 100_000},
        "binary": {first: "x: !!binary aGk=\n"},
        "large": {first: write_long("x: '", 20_000_000, "'\n")},
        "keys": {first: "".join(f"k{i}: 1\n" for i in range(100_000))},
        "digits": {first: f"samples: [{LONG_INTEGER}]\n"},
        "values": {first: "samples:\n" + "- x\n" * 3_000_000},
        "lists": {first: "samples: [" + "[]," * 9_000_000 + "]\n"},
        "wide": {first: write_long("samples: ['😀", 60_000_000, "']\n")},
        "pipe": {"solutions/9.yaml": make_fifo},
        "device": {"solutions/9.yaml": link_to("/dev/zero")},
        "circle": {"solutions/9": link_to(".")},
        "name-escape": {"solutions/\x1b[31m.yaml": tree[first]},
        "name-number": {f"solutions/{'9' * 200}.yaml": tree[first]},
        "name-bytes": {"solutions/\udcff.yaml": tree[first]},
        "many": {f"solutions/{i}.yaml": "" for i in range(100, 2100)},
        "folder-as-file": {"solutions/9.yaml": make_folder},
        "notes": {"solutions/README.md": "x", "solutions/.hidden.yaml": "[["},
    }
    for name, change in changes.items():
        files = {f"t/{path}": content for path, content in (tree | change).items()}
        yield HostileInput(f"logs-tree-{name}", ("import", "sc-genrm-scaling", "t", "-o", "out/r"), files)
    for kind in ("lm-eval", "table", "inspect-ai", "search-and-learn", "large-language-monkeys", "counts", "evalplus"):
        folder: dict[str, str | bytes | Maker] = {
            "f/pipe.jsonl": make_fifo, "f/x.json": link_to("/dev/zero"), "f/loop": link_to("."), "f/y.csv": make_folder,
        }  # fmt: skip
        yield HostileInput(f"logs-folder-{kind}", ("import", kind, "f", "-o", "out/r"), folder)
        yield HostileInput(f"logs-folder-empty-{kind}", ("import", kind, "f", "-o", "out/r"), {"f": make_folder})


def write_rows(rows: list[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def generate_csv(rng: random.Random) -> Iterator[HostileInput]:
    """Yield tables in CSV."""
    head = ["problem_id", "gold", "solution"]
    row = ["a", "5", "\\boxed{5}"]
    tables: dict[str, str | bytes | Maker] = {
        "header-only": write_rows([head]),
        "no-header": write_rows([row, row]),
        "columns": write_rows([head + [f"c{i}" for i in range(20_000)], row + ["x"] * 20_000]),
        "same-names": write_rows([head + ["x"] * 5000, row + ["1"] * 5000]),
        "blank-names": write_rows([head + [""] * 5000, row + ["1"] * 5000]),
        "short": write_rows([head, ["a"]]),
        "long": write_rows([head, row + ["x"] * 1000]),
        "quote": 'problem_id,gold,solution\na,5,"never ends\n' + "x" * 1_000_000,
        "quotes": 'problem_id,gold,solution\na,5,"' + '""' * 500_000 + '"\n',
        "nul": b"problem_id,gold,solution\na,\0,x\n",
        "tabs": "problem_id\tgold\tsolution\na\t5\tx\n",
        "pipes": "problem_id|gold|solution\na|5|x\n",
        "returns": "problem_id,gold,solution\ra,5,x\r",
        "mark-twice": b"\xef\xbb\xbf\xef\xbb\xbfproblem_id,gold,solution\na,5,x\n",
        "utf-16": write_rows([head, row]).encode("utf-16"),
        "latin": b"problem_id,gold,solution\na,5,\xe4\n",
        "field": write_long("problem_id,gold,solution\na,5,", 30_000_000, "\n"),
        "formula": write_rows([head, ["=cmd|' /C calc'!A0", "5", "x"]]),
        "dates": write_rows([head, ["a", "2024-01-01", "x"]]),
        "many": write_rows([head, *([row] * 30_000)]),
        "ids": write_rows([head, *([f"{i}", "5", "x"] for i in range(20_000))]),
        "verdicts": write_rows([[*head, "verdict"], [*row, "1e999"], [*row, "nan"]]),
        "scores": write_rows([[*head, "score"], [*row, "١٢"], [*row, "0x1p3"]]),
        "tokens": write_rows([[*head, "completion_tokens"], [*row, "9" * 400], [*row, "-1"]]),
        "index": write_rows([[*head, "solution_id"], [*row, "9" * 30], [*row, "-5"]]),
        "level": write_rows([[*head, "level"], [*row, "1e400"], [*row, "two"]]),
        "seconds": write_rows([[*head, "seconds"], [*row, "-inf"]]),
        "correct": write_rows([[*head, "correct"], [*row, "maybe"]]),
    }
    for name, content in tables.items():
        yield HostileInput(f"logs-csv-{name}", ("import", "table", "t.csv", "-o", "out/r"), {"t.csv": content})
    counts = ("1e3", "0x4", "4.0", "-1", "nan", "9" * 400, "", " ", "٤", "4\0")
    for i, number in enumerate(rng.sample(counts, 6)):
        yield HostileInput(
            f"logs-counts-{i}",
            ("import", "counts", "c.csv", "-o", "out/r"),
            {"c.csv": f"problem,n,right\na,{number},2\nb,4,{number}\n"},
        )


def zip_log(members: dict[str, bytes], change: Callable[[bytearray], object] = lambda content: None) -> bytes:
    """Return an archive, with some of its bytes changed."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    content = bytearray(written.getvalue())
    change(content)
    return bytes(content)


def set_sizes(size: int) -> Callable[[bytearray], object]:
    """Return a function that makes an archive claim another unpacked size of every member."""

    def change(content: bytearray) -> None:
        at = -1
        while (at := content.find(b"PK\x01\x02", at + 1)) >= 0:
            content[at + 24 : at + 28] = size.to_bytes(4, "little")

    return change


def generate_archives(rng: random.Random) -> Iterator[HostileInput]:
    """Yield archives of inspect_ai that are written wrongly, or hold what they should not."""
    (log,) = read_log("inspect-ai/sums.json")
    samples = {f"samples/{each['id']}_epoch_{each['epoch']}.json": each for each in log["samples"]}
    header = {key: value for key, value in log.items() if key != "samples"}
    whole = {name: json.dumps(each).encode() for name, each in {"header.json": header, **samples}.items()}
    sample, content = next(iter(samples.items()))
    archives: dict[str, bytes] = {
        "claims-none": zip_log(whole, set_sizes(0)),
        "claims-much": zip_log(whole, set_sizes(2**32 - 2)),
        "no-header": zip_log({name: text for name, text in whole.items() if name != "header.json"}),
        "only-header": zip_log({"header.json": whole["header.json"]}),
        "many-members": zip_log(whole | {f"samples/{i}_epoch_1.json": b"{}" for i in range(20_000)}),
        "many-others": zip_log(whole | {f"x/{i}": b"" for i in range(60_000)}),
        "encrypted": zip_log(whole, lambda raw: raw.__setitem__(slice(6, 8), b"\x01\x00")),
        "method": zip_log(whole, lambda raw: raw.__setitem__(slice(8, 10), b"\x63\x00")),
        "zip-in-zip": zip_log(whole | {sample: zip_log(whole)}),
        "comment": zip_log(whole) + b"x" * 70_000,
        "before": b"x" * 100_000 + zip_log(whole),
        "deep": zip_log(whole | {sample: b'{"id":' * 50_000 + b"1" + b"}" * 50_000}),
    }
    for path in draw_leaves(rng, content, 18):
        value = rng.choice(sorted(VALUES))
        changed = write_log([change_value(content, path, VALUES[value])]).encode()
        archives[f"{name_path(path)}-{value}"] = zip_log(whole | {sample: changed})
    command = ("import", "inspect-ai", "l.eval", "-o", "out/r")
    large = make_archive(whole, sample, lambda: whole[sample] + b" " * (200 << 20))
    yield HostileInput("logs-eval-spaces", command, {"l.eval": large}, slow=True)
    for name, archive_bytes in archives.items():
        yield HostileInput(
            f"logs-eval-{name}", ("import", "inspect-ai", "l.eval", "-o", "out/r"), {"l.eval": archive_bytes}
        )


def generate_options() -> Iterator[HostileInput]:
    """Yield imports whose options do not fit each other or the file."""
    table = "problem_id,gold,solution\na,5,\\boxed{5}\n"
    options: dict[str, tuple[str, ...]] = {
        "columns-equals": ("--columns", "a=b=c"),
        "columns-empty": ("--columns", "="),
        "columns-twice": ("--columns", "gold=solution,gold=gold"),
        "columns-circle": ("--columns", "gold=solution,solution=gold"),
        "columns-many": ("--columns", ",".join(f"c{i}=gold" for i in range(5000))),
        "columns-unknown": ("--columns", "nowhere=gold"),
        "filter": ("--filter", "\x1b[31m"),
        "scorer": ("--scorer", "[/red]"),
        "filter-long": ("--filter", "f" * 50_000),
        "task-empty": ("--task", ""),
        "model-lines": ("--model", "a\nb"),
        "problems-with": ("--problems-with", "0"),
        "problems-with-text": ("--problems-with", "\x1b[2J"),
        "grader-empty": ("--grader", ""),
        "grader-path": ("--grader", "../../x:y"),
        "failed": ("--failed", "perhaps"),
        "deinterleave": ("--deinterleave",),
        "output-twice": ("-o", "out/r", "-o", "out/q"),
        "output-self": ("-o", "t.csv"),
        "output-inside": ("-o", "t.csv/r"),
        "extra": ("more.csv",),
        "json-twice": ("--json", "--json"),
    }
    for name, words in options.items():
        yield HostileInput(f"logs-option-{name}", ("import", "table", "t.csv", "-o", "out/r", *words), {"t.csv": table})
    for name in ("", " ", "TABLE", "table\n", "ta_ble", "t" * 50_000, "--", "lm-eval,table", "Table"):
        yield HostileInput(
            f"logs-format-{name[:9].encode('unicode_escape').decode()}",
            ("import", name, "t.csv", "-o", "out/r"),
            {"t.csv": table},
        )
