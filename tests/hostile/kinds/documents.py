"""YAML and JSON that grows, refers to itself, repeats keys, reads numbers as others do, or holds no valid text."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from tests.hostile.cases import HostileInput
from tests.hostile.material import (
    SERVER,
    change_value,
    copy_run_with_manifest,
    dump_json,
    make_grid,
    make_profile,
    make_sweep,
)

SWEEP = f"""\
run: out/run
task: {{name: lab, problems: 2, seed: 1}}
engine: openai
solver:
  model: m
  prompt: lab-solve
  max_tokens: 40
  parameters: 1000000
  temperature: 0.7
  options: {{urls: "{SERVER}", concurrency: 2, retries: 0, timeout: 2, patience: 0.2, backoff: 0.1}}
solutions: 2
seed: 0
checkpoint_seconds: 5
boxed_ends: false
"""
LINES: dict[str, str] = {
    "solutions": "solutions: VALUE",
    "seed": "seed: VALUE",
    "seconds": "checkpoint_seconds: VALUE",
    "temperature": "  temperature: VALUE",
    "tokens": "  max_tokens: VALUE",
    "parameters": "  parameters: VALUE",
    "extra": '  options: {urls: "http://127.0.0.1:9/v1", extra: {a: VALUE}, retries: 0, timeout: 2, patience: 0.2}',
    "levels": "task: {name: lab, problems: 2, levels: [VALUE], seed: 1}",
    "ends": "boxed_ends: VALUE",
    "options": '  options: {urls: "http://127.0.0.1:9/v1", concurrency: VALUE, retries: 0}',
    "problems": "task: {name: lab, problems: VALUE, seed: 1}",
    "model": "  model: VALUE",
    "run": "run: VALUE",
    "task": "task: {name: VALUE}",
}
"""A line of the sweep for each place of a value."""
VALUES: dict[str, str] = {
    "sexagesimal": "1:20",
    "sexagesimal-float": "1:20.5",
    "octal": "010",
    "hexadecimal": "0x10",
    "binary-number": "0b11",
    "underscores": "1_000",
    "yes": "yes",
    "on": "on",
    "true": "true",
    "tilde": "~",
    "null": "null",
    "date": "2024-01-01",
    "time": "2024-01-01T00:00:00Z",
    "bad-date": "2024-13-45",
    "infinity": ".inf",
    "minus-infinity": "-.inf",
    "nan": ".nan",
    "exponent": "1e3",
    "big-exponent": "1e999",
    "digits": "9" * 5000,
    "negative": "-1",
    "float": "2.5",
    "quoted": '"2"',
    "list": "[2]",
    "block": "{a: 2}",
    "set": "!!set {a, b}",
    "pairs": "!!pairs [a: 1]",
    "binary": "!!binary aGVsbG8=",
    "bad-binary": "!!binary '***'",
    "python": "!!python/object/apply:os.system ['touch out/pwned']",
    "python-name": "!!python/name:os.system",
    "tag": "!custom 2",
    "int-tag": "!!int 'x'",
    "float-tag": "!!float 'x'",
    "bool-tag": "!!bool maybe",
    "yes-tag": "!!bool yes",
    "empty-float-tag": "!!float ''",
    "empty-int-tag": "!!int ''",
    "minus-int-tag": "!!int '-'",
    "old-int-tag": "!!int '1:20'",
    "null-tag": "!!null x",
    "long-hexadecimal": "0x" + "f" * 5000,
    "long-hexadecimal-list": "[0x" + "f" * 5000 + "]",
    "point-underscore": ".5_0",
    "json-exponent": "8e9",
    "small-exponent": "1e-320",
    "new-octal": "0o17",
    "equals": "=",
    "merge": "<<",
    "plus": "+2",
    "comma": "1,000",
    "surrogate": '"\\ud800"',
    "nul": '"\\0"',
    "long-list": "[" + "1," * 200_000 + "1]",
    "long-text": "x" * 1_000_000,
    "deep-list": "[" * 60 + "]" * 60,
    "deeper-list": "[" * 3000 + "]" * 3000,
    "deep-block": "{a: " * 60 + "1" + "}" * 60,
    "unknown-alias": "*nowhere",
    "self": "&a [*a]",
    "self-block": "&a {b: *a}",
    "self-key": "&a {? *a : 1}",
    "list-key": "{[1, 2]: 3}",
    "merge-text": "{<<: x}",
    "merge-list": "{<<: [1, 2]}",
    "merge-self": "&a {<<: *a}",
    "complex": "? [a]\n: b",
}


def replace_line(line: str, value: str) -> str:
    """Return the sweep with another value in one line."""
    key = line.split(":")[0]
    changed = line.replace("VALUE", value)
    return "\n".join(changed if each.split(":")[0] == key else each for each in SWEEP.splitlines()) + "\n"


def make_bomb(levels: int, width: int, leaf: str = "x") -> str:
    """Return lines of anchors, each of which holds the one before many times."""
    lines = [f"z0: &z0 [{', '.join([leaf] * width)}]"]
    lines += [f"z{i}: &z{i} [{', '.join([f'*z{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines) + "\n"


def make_block_bomb(levels: int, width: int) -> str:
    """Return anchors of blocks that are merged or held many times."""
    lines = ["z0: &z0 {a: x}"]
    for i in range(1, levels):
        lines.append(f"z{i}: &z{i} {{{', '.join(f'k{j}: *z{i - 1}' for j in range(width))}}}")
    return "\n".join(lines) + "\n"


def make_merge_bomb(levels: int, width: int) -> str:
    """Return blocks that merge others, each many times."""
    lines = ["z0: &z0 {a: x}"]
    for i in range(1, levels):
        lines.append(f"z{i}: &z{i} {{<<: [{', '.join([f'*z{i - 1}'] * width)}], b{i}: 1}}")
    return "\n".join(lines) + "\n"


DOCUMENTS: dict[str, str | bytes] = {
    "bomb": make_bomb(9, 10) + SWEEP,
    "bomb-run": make_bomb(9, 10) + SWEEP.replace("run: out/run", "run: *z8"),
    "bomb-solutions": make_bomb(9, 10) + SWEEP.replace("solutions: 2", "solutions: *z8"),
    "bomb-options": make_bomb(9, 10) + SWEEP.replace("concurrency: 2", "concurrency: *z8"),
    "bomb-task": make_bomb(9, 10) + SWEEP.replace("name: lab", "name: *z8"),
    "bomb-small": make_bomb(4, 10) + SWEEP.replace("concurrency: 2", "concurrency: *z3"),
    "bomb-wide": make_bomb(3, 1000) + SWEEP.replace("solutions: 2", "solutions: *z2"),
    "bomb-deep": make_bomb(40, 2) + SWEEP.replace("solutions: 2", "solutions: *z39"),
    "bomb-text": make_bomb(7, 10, "l" * 10_000) + SWEEP.replace("run: out/run", "run: *z6"),
    "bomb-blocks": make_block_bomb(9, 10) + SWEEP.replace("task: {name: lab", "task: {<<: *z8, name: lab"),
    "bomb-block-options": make_block_bomb(9, 10) + SWEEP.replace("concurrency: 2", "concurrency: *z8"),
    "bomb-merge": make_merge_bomb(9, 10) + SWEEP,
    "bomb-merge-deep": make_merge_bomb(25, 2) + SWEEP,
    "bomb-key": make_bomb(9, 10) + "? *z8\n: 1\n" + SWEEP,
    "bomb-top": make_bomb(9, 10).replace("z0: &z0", "- &z0").replace("\nz", "\n- &z"),
    "twice": SWEEP + "solutions: 3\n",
    "twice-inner": SWEEP.replace("  model: m\n", "  model: m\n  model: n\n"),
    "twice-flow": SWEEP.replace("problems: 2", "problems: 2, problems: 3"),
    "twice-options": SWEEP.replace("concurrency: 2", "concurrency: 2, concurrency: 3"),
    "twice-yes": SWEEP + "yes: 1\ntrue: 2\n",
    "twice-number": SWEEP + "1: 1\n0x1: 2\n1.0: 3\n",
    "two-documents": SWEEP + "---\n" + SWEEP,
    "no-document": "",
    "comment": "# nothing\n",
    "only-dashes": "---\n...\n",
    "text": "just words\n",
    "list": "- a\n- b\n",
    "number": "7\n",
    "tabs": "run:\tout/run\n\tsolutions: 2\n",
    "nul": SWEEP.encode() + b"\0",
    "latin": SWEEP.encode() + "# ä\n".encode("latin-1"),
    "utf16": SWEEP.encode("utf-16"),
    "mark": b"\xef\xbb\xbf" + SWEEP.encode(),
    "escape": SWEEP + '"\\e[31m": 1\n',
    "percent": "%YAML 9.9\n---\n" + SWEEP,
    "directive": "%TAG ! tag:evil,2000:\n---\n" + SWEEP,
    "open-quote": SWEEP + 'x: "never ends',
    "open-list": SWEEP + "x: [1, 2",
    "indent": SWEEP + "  x: 1\n",
    "anchors": "\n".join(f"a{i}: &a{i} 1" for i in range(20_000)) + "\n" + SWEEP,
    "keys": "\n".join(f"a{i}: 1" for i in range(50_000)) + "\n" + SWEEP,
    "deep": "".join("  " * i + f"a{i}:\n" for i in range(500)),
    "deep-flow": "a: " + "[" * 100_000,
    "deep-blocks": "a: " + "{a: " * 20_000,
    "deep-dashes": "- " * 5000 + "x",
    "deep-questions": "? " * 5000 + "x",
    "large": ("# " + "x" * 98 + "\n") * 400_000 + SWEEP,
    "json": dump_json(make_sweep()),
    "json-cut": dump_json(make_sweep())[:-20],
}

PROFILE_VALUES: dict[str, object] = {
    "infinity": float("inf"),
    "nan": float("nan"),
    "negative": -1,
    "huge": 1e308,
    "text": "x",
    "list": [1] * 100_000,
    "null": None,
    "true": True,
    "block": {"a": {"b": 1}},
    "surrogate": "\ud800",
    "empty": "",
    "digits": 10**4000,
}
PROFILE_PLACES: dict[str, tuple[str | int, ...]] = {
    "format": ("format",),
    "name": ("name",),
    "description": ("description",),
    "problems": ("problems",),
    "models": ("models",),
    "parameters": ("models", "solver", "parameters"),
    "lambda": ("lambda",),
    "lambdas": ("lambdas",),
    "counting": ("counting",),
    "strategies": ("strategies",),
    "sc": ("strategies", "sc"),
    "solutions": ("strategies", "sc", "solutions"),
    "solution": ("strategies", "sc", "solutions", 1),
    "accuracy": ("strategies", "sc", "accuracy"),
    "row": ("strategies", "sc", "accuracy", 0),
    "cell": ("strategies", "sc", "accuracy", 0, 0),
    "policies": ("policies",),
    "thresholds": ("policies", "certain", "thresholds"),
    "coverage": ("coverage",),
    "per_problem": ("per_problem",),
    "problem": ("per_problem", 0),
    "tokens": ("per_problem", 0, "tokens"),
    "prompt": ("per_problem", 0, "tokens", "solver", "prompt"),
    "warnings": ("warnings",),
    "timings": ("timings", "verifier", "ratios"),
    "caps": ("caps", "limits"),
    "settled": ("settled", "settled"),
    "extrapolations": ("extrapolations", "sc", "accuracy"),
}
PLAN = ("plan", "-b", "8x", "-p", "p.json")
GRID_PLACES: dict[str, tuple[str | int, ...]] = {
    "entry": ("llama-3.1-8b-math",),
    "lambda": ("llama-3.1-8b-math", "lambda_"),
    "sc": ("llama-3.1-8b-math", "self_consistency"),
    "cells": ("llama-3.1-8b-math", "best_of_n"),
    "S": ("llama-3.1-8b-math", "best_of_n", 0, "S"),
    "success": ("llama-3.1-8b-math", "best_of_n", 0, "success"),
    "problems": ("llama-3.1-8b-math", "n_problems"),
    "source": ("llama-3.1-8b-math", "source"),
}
JSON_TEXTS: dict[str, str | bytes] = {
    "empty": "",
    "cut": '{"format": 2, "name": "x',
    "deep-list": "[" * 100_000 + "]" * 100_000,
    "deep-block": '{"a":' * 100_000,
    "deep-some": '{"format": 2, "strategies": ' + "[" * 60 + "]" * 60 + "}",
    "deep-900": '{"format": 2, "strategies": ' + '{"a":' * 900 + "1" + "}" * 900 + "}",
    "digits": '{"format": ' + "9" * 5000 + ', "strategies": {}}',
    "long-list": '{"format": 2, "strategies": {}, "name": [' + "1," * 300_000 + "1]}",
    "nan": '{"format": NaN, "strategies": {}}',
    "twice": '{"format": 2, "format": 1, "strategies": {}}',
    "twice-long": '{"' + "k" * 100_000 + '": 1, "' + "k" * 100_000 + '": 2}',
    "utf16": '{"format": 2}'.encode("utf-16"),
    "latin": '{"name": "ä"}'.encode("latin-1"),
    "surrogate-bytes": b'{"name": "\xed\xa0\x80", "format": 2, "strategies": {}}',
    "nul": b"\0" * 100,
    "mark": b'\xef\xbb\xbf{"format": 2}',
    "lines": '{"a": 1}\n{"a": 2}\n',
    "comment": '{"format": 2 /* x */}',
    "words": "x" * 500_000,
    "spaces": " " * 5_000_000,
}
JSON_COMMANDS: dict[str, tuple[str, ...]] = {
    "plan": PLAN,
    "fit": ("fit", "p.json", "-o", "out/p.json"),
    "difficulty": ("difficulty", "p.json"),
    "prices": ("plan", "-b", "$1", "-p", "lab", "--prices", "p.json"),
    "upgrade": ("upgrade", "p.json", "-o", "out/new.json"),
    "policy": ("solve", "q", "-o", "out/r", "-p", "lab", "-b", "2x", "--policy", "p.json", "--config", "s.yaml"),
    "import-inspect": ("import", "inspect-ai", "p.json", "-o", "out/r"),
    "import-table": ("import", "table", "p.json", "-o", "out/r"),
    "import-lm": ("import", "lm-eval", "p.json", "-o", "out/r"),
    "import-counts": ("import", "counts", "p.json", "-o", "out/r"),
    "figures": ("figures", "p.json", "-o", "out/f", "--format", "svg"),
}


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    for name, content in DOCUMENTS.items():
        yield HostileInput(f"documents-yaml-{name}", ("sweep", "s.yaml", "--dry-run"), {"s.yaml": content})
    for name in rng.sample(sorted(DOCUMENTS), 12):
        command = ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml")
        yield HostileInput(f"documents-config-{name}", command, {"s.yaml": DOCUMENTS[name]}, writes_rows=True)
    for name, value in VALUES.items():
        for place in sorted(rng.sample(list(LINES), 3)):
            content = replace_line(LINES[place], value)
            yield HostileInput(f"documents-value-{place}-{name}", ("sweep", "s.yaml", "--dry-run"), {"s.yaml": content})
    yield from generate_profiles(rng)
    yield from generate_json(rng)


def generate_profiles(rng: random.Random) -> Iterator[HostileInput]:
    """Yield profiles and grids with a wrong value, or a cell twice."""
    for place, path in PROFILE_PLACES.items():
        for name in sorted(rng.sample(list(PROFILE_VALUES), 3)):
            content = dump_json(change_value(make_profile(), path, PROFILE_VALUES[name]))
            command = rng.choice([PLAN, (*PLAN, "--json"), ("difficulty", "p.json"), (*PLAN, "--cost", "kv")])
            yield HostileInput(f"documents-profile-{place}-{name}", command, {"p.json": content})
    for place, path in GRID_PLACES.items():
        for name in sorted(rng.sample(list(PROFILE_VALUES), 3)):
            content = dump_json(change_value(make_grid(), path, PROFILE_VALUES[name]))
            yield HostileInput(
                f"documents-grid-{place}-{name}", ("fit", "g.json", "-o", "out/p.json"), {"g.json": content}
            )
    grid = make_grid()
    cells = grid["llama-3.1-8b-math"]["best_of_n"]
    for name, extra in {"same": cells[0], "other": {**cells[0], "success": 0.9}}.items():
        content = dump_json(change_value(grid, ("llama-3.1-8b-math", "best_of_n"), [*cells, extra]))
        yield HostileInput(
            f"documents-grid-cell-twice-{name}", ("fit", "g.json", "-o", "out/p.json"), {"g.json": content}
        )
    solver = make_profile()["per_problem"][0]["tokens"]["solver"]
    changes: dict[str, tuple[tuple[str | int, ...], object]] = {
        "cached": (("per_problem", 0, "tokens", "solver"), {**solver, "cached": 1e6}),
        "active": (("models", "solver", "active_parameters"), 1e15),
        "sizes-twice": (("strategies", "sc", "solutions", 1), 1),
        "problem-twice": (("per_problem", 1), make_profile()["per_problem"][0]),
    }
    for name, (path, value) in changes.items():
        yield HostileInput(
            f"documents-profile-{name}", PLAN, {"p.json": dump_json(change_value(make_profile(), path, value))}
        )


def generate_json(rng: random.Random) -> Iterator[HostileInput]:
    """Yield texts that are no JSON, or JSON of the wrong size or form."""
    for name, content in JSON_TEXTS.items():
        for command in sorted(rng.sample(list(JSON_COMMANDS), 4)):
            yield HostileInput(
                f"documents-json-{command}-{name}",
                JSON_COMMANDS[command],
                {"p.json": content, "s.yaml": SWEEP},
                writes_rows=True,
            )
        if rng.random() < 0.5:
            command = rng.choice([("runs", "."), ("check", "r"), ("fit", "r", "-o", "out/p.json")])
            yield HostileInput(
                f"documents-manifest-{command[0]}-{name}", command, {"r": copy_run_with_manifest(content)}
            )
    row = {"question": "1+1?", "answer": "2"}
    lines: dict[str, str] = {
        "twice": '{"question": "a", "question": "b", "answer": "2"}',
        "surrogate": json.dumps({**row, "question": "\ud800"}),
        "deep": '{"question": ' + "[" * 5000 + "]" * 5000 + "}",
        "list": "[]",
        "long-key": json.dumps({**row, "k" * 300_000: 1}),
        "number": json.dumps({**row, "answer": 10**300}),
        "nan": '{"question": "a", "answer": NaN}',
        "null": '{"question": null, "answer": null}',
        "block": json.dumps({**row, "question": {"a": 1}}),
        "empty": "",
        "blank": "\n\n\n",
        "long": json.dumps({**row, "question": "q" * 2_000_000}),
    }
    for name, line in lines.items():
        sweep = {**make_sweep(), "task": {"path": "t.jsonl", "grader": "numeric"}}
        yield HostileInput(
            f"documents-task-{name}",
            ("sweep", "s.yaml", "--dry-run"),
            {"t.jsonl": line + "\n", "s.yaml": dump_json(sweep)},
        )
