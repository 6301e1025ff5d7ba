"""Texts that a terminal obeys, in every place that a command may print: control characters, escapes, markup."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator

from tests.hostile.cases import HostileInput
from tests.hostile.material import (
    SEARCH_RUN,
    change_value,
    copy_run,
    dump_json,
    make_grid,
    make_grid_profile,
    make_profile,
    make_sweep,
)

TEXTS = {
    "title": "x\x1b]0;pwn\x1b\\y",
    "title-bell": "x\x1b]2;pwn\x07y",
    "colour": "\x1b[31;1mred\x1b[0m",
    "clear": "a\x1b[2J\x1b[Hb",
    "clipboard": "\x1b]52;c;cHduZWQ=\x07",
    "link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "device": "\x1bP$q\x1b\\\x1b[c\x1b[6n",
    "c1": "\x9b31mred\x9b0m\x9d0;pwn\x9c",
    "back": "good\x08\x08\x08\x08bad",
    "return": "good\rbad ",
    "feeds": "a\x0bb\x0cc\x85d\u2028e\u2029f",
    "bell": "\x07\x07",
    "delete": "a\x7f\x7fb",
    "bidi": "a\u202egpj.exe\u2066b",
    "hidden": "a\u200b\u200d\ufeff\u00adb\U000e0041",
    "tab": "a\tb",
    "lines": "a\nerror: all is well\nb",
    "markup-close": "a [/red] b",
    "markup-open": "[bold red]a[/] [link=http://x]b[/link]",
    "markup-odd": "[/] [[ [@click=x] [red][/bold] \\[x] \\",
    "emoji": ":skull: :warning: a:b:c",
    "braces": "{0} {name!r} %s %(x)s ${HOME}",
    "surrogate": "a\ud800b",
    "private": "a\ue000\U0010ffffb",
    "long": "l" * 300_000,
    "long-words": "many words " * 20_000,
    "combining": "e" + "\u0301" * 5000,
    "fillers": "a\u3164\u2800\ufe0f\U000e0101\u115f\uffa0\u034fb",
    "bytes": "a\udcff\udcfeb",
    "marks": "a" + "\u0324\u0489\u0301" * 60,
}
ARGUMENT_TEXTS = [name for name in TEXTS if name not in {"surrogate", "long-words", "combining", "private"}]
MOST_ARGUMENT = 100_000
"""Characters of an argument; the system takes 128 KiB."""

PROFILE_PLACES: dict[str, tuple[str | int, ...]] = {
    "name": ("name",),
    "description": ("description",),
    "lambda_source": ("lambda_source",),
    "model": ("models", "solver", "name"),
    "prompt": ("models", "solver", "settings", "prompt"),
    "warning": ("warnings", 0),
    "problem": ("per_problem", 0, "id"),
    "role": ("models", "TEXT"),
    "strategy": ("strategies", "TEXT"),
    "policy": ("policies", "TEXT"),
    "unknown": ("TEXT",),
    "parameter": ("policies", "certain", "parameter"),
    "sampling": ("sampling", "solver", "model"),
    "method": ("extrapolations", "sc", "method"),
}
PROFILE_COMMANDS = {
    "plan": ("plan", "-b", "8x", "-p", "p.json"),
    "plan-json": ("plan", "-b", "8x", "-p", "p.json", "--json"),
    "plan-two": ("plan", "-b", "8x", "-p", "p.json", "-p", "lab"),
    "difficulty": ("difficulty", "p.json"),
    "upgrade": ("upgrade", "p.json", "-o", "out/new.json"),
    "policies": ("plan", "-b", "8x", "-p", "p.json", "--emit", "out/policy.json"),
}
MANIFEST_PLACES: dict[str, tuple[str | int, ...]] = {
    "model": ("config", "solver", "model"),
    "task": ("config", "task", "name"),
    "run": ("config", "run"),
    "grader": ("grader",),
    "engine": ("config", "engine"),
    "prompt": ("config", "solver", "prompt"),
    "unknown": ("TEXT",),
    "unknown-key": ("config", "TEXT"),
    "stop": ("config", "solver", "stop"),
}
RUN_COMMANDS = {
    "runs": ("runs", "r"),
    "check": ("check", "r"),
    "runs-json": ("runs", "r", "--json"),
    "check-json": ("check", "r", "--json"),
    "fit": ("fit", "r", "-o", "out/p.json"),
    "grade": ("grade", "r", "--against", "exact"),
    "upgrade": ("upgrade", "r", "-o", "out/new"),
    "compact": ("compact", "r"),
}
SWEEP_PLACES: dict[str, tuple[str | int, ...]] = {
    "run": ("run",),
    "task": ("task", "name"),
    "task-path": ("task", "path"),
    "engine": ("engine",),
    "model": ("solver", "model"),
    "prompt": ("solver", "prompt"),
    "url": ("solver", "options", "urls"),
    "option": ("solver", "options", "TEXT"),
    "unknown": ("TEXT",),
    "unknown-inner": ("solver", "TEXT"),
    "solutions": ("solutions",),
    "source": ("solutions_from",),
    "stop": ("solver", "stop"),
    "step": ("step",),
}
ARGUMENT_COMMANDS: dict[str, tuple[str, ...]] = {
    "budget": ("plan", "-b", "TEXT"),
    "cost": ("plan", "-b", "8x", "--cost", "TEXT"),
    "device": ("plan", "-b", "2 gpu-hours", "--device", "TEXT"),
    "prices": ("plan", "-b", "$1", "--prices", "TEXT"),
    "lambda": ("plan", "-b", "8x", "--lambda", "TEXT"),
    "target": ("plan", "--target", "TEXT"),
    "latency": ("plan", "--latency", "TEXT"),
    "emit": ("plan", "-b", "8x", "--emit", "out/TEXT.yaml"),
    "batch": ("plan", "-b", "8x", "--batch", "TEXT"),
    "profile": ("plan", "-b", "8x", "-p", "TEXT"),
    "bins": ("difficulty", "lab", "--bins", "TEXT"),
    "source": ("difficulty", "TEXT"),
    "unknown-command": ("TEXT",),
    "unknown-option": ("plan", "--TEXT"),
    "extra": ("check", "lab", "TEXT"),
    "format": ("import", "TEXT", "x.csv", "-o", "out/r"),
    "import-path": ("import", "table", "TEXT", "-o", "out/r"),
    "import-grader": ("import", "table", "t.csv", "-o", "out/r", "--grader", "TEXT"),
    "import-column": ("import", "table", "t.csv", "-o", "out/r", "--columns", "TEXT=gold"),
    "import-model": ("import", "table", "t.csv", "-o", "out/r", "--model", "TEXT", "--task", "TEXT"),
    "import-out": ("import", "table", "t.csv", "-o", "out/TEXT"),
    "check": ("check", "TEXT"),
    "runs": ("runs", "TEXT"),
    "compact": ("compact", "TEXT"),
    "grade": ("grade", "TEXT"),
    "fit": ("fit", "TEXT", "-o", "out/p.json"),
    "fit-out": ("fit", "g.json", "-o", "out/TEXT.json"),
    "entry": ("fit", "g.json", "-o", "out/p.json", "--entry", "TEXT"),
    "tree-problem": ("tree", "r", "TEXT"),
    "tree-run": ("tree", "TEXT", "x"),
    "figures-source": ("figures", "TEXT", "-o", "out"),
    "figures-only": ("figures", "g.json", "-o", "out", "--only", "TEXT"),
    "figures-format": ("figures", "lab", "-o", "out", "--format", "TEXT"),
    "figures-style": ("figures", "lab", "-o", "out", "--style", "TEXT"),
    "figures-width": ("figures", "lab", "-o", "out", "--width", "TEXT"),
    "report": ("report", "TEXT", "-o", "out/r.html"),
    "evaluate": ("evaluate", "TEXT"),
    "next": ("next", "TEXT"),
    "policies": ("policies", "TEXT"),
    "pilot-profile": ("pilot", "--budget", "100x", "-p", "TEXT"),
    "upgrade": ("upgrade", "TEXT", "-o", "out/new"),
    "sweep": ("sweep", "TEXT"),
    "shard": ("sweep", "s.yaml", "--shard", "TEXT"),
    "until": ("sweep", "s.yaml", "--until", "TEXT"),
    "on": ("sweep", "s.yaml", "--on", "TEXT"),
    "solve-question": ("solve", "TEXT", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "solve-url": ("solve", "q", "-o", "out/r", "-p", "lab", "-b", "2x", "--url", "TEXT"),
    "solve-policy": ("solve", "q", "-o", "out/r", "-p", "lab", "-b", "2x", "--policy", "TEXT"),
    "solve-config": ("solve", "q", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "TEXT"),
    "serve-url": ("serve", "--dry-run", "--url", "TEXT"),
    "serve-policy": ("serve", "--dry-run", "--url", "solver=http://127.0.0.1:9/v1", "--policy", "TEXT"),
    "notebooks": ("notebooks", "TEXT"),
}
TABLE = [{"problem_id": f"p{i // 2}", "gold": "5", "solution": r"\boxed{5}"} for i in range(4)]


def write_table(rows: list[dict[str, str]]) -> bytes:
    """Return rows as CSV, with half of a surrogate pair as it would be in UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


FILES: dict[str, bytes | str] = {
    "t.csv": write_table(TABLE),
    "g.json": dump_json(make_grid()),
    "s.yaml": dump_json(make_sweep()),
}


def put_text(document: object, path: tuple[str | int, ...], text: str) -> object:
    """Return a document with a text as the value at a path, or as the key where the path says so."""
    if path[-1] == "TEXT":
        return change_value(document, (*path[:-1], text), text)
    return change_value(document, path, text)


def pick(rng: random.Random, names: list[str], count: int) -> list[str]:
    return sorted(rng.sample(names, count))


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    names = list(TEXTS)
    for place, path in PROFILE_PLACES.items():
        for command in pick(rng, list(PROFILE_COMMANDS), 3):
            for name in pick(rng, names, 2):
                content = dump_json(put_text(make_profile(), path, TEXTS[name]))
                yield HostileInput(
                    f"terminal-profile-{place}-{command}-{name}", PROFILE_COMMANDS[command], {"p.json": content}
                )
    for place, path in MANIFEST_PLACES.items():
        for command in pick(rng, list(RUN_COMMANDS), 3):
            for name in pick(rng, names, 2):
                text = TEXTS[name]
                key = (*path[:-1], text) if path[-1] == "TEXT" else path
                yield HostileInput(
                    f"terminal-manifest-{place}-{command}-{name}",
                    RUN_COMMANDS[command],
                    {"r": copy_run(key, text)},
                    slow=command == "fit",
                )
    for place, path in SWEEP_PLACES.items():
        for name in pick(rng, names, 4):
            content = dump_json(put_text(make_sweep(), path, TEXTS[name]))
            dry = ("--dry-run",) if rng.random() < 0.7 else ()
            yield HostileInput(
                f"terminal-sweep-{place}-{name}", ("sweep", "s.yaml", *dry), {"s.yaml": content}, writes_rows=True
            )
    for place, command in ARGUMENT_COMMANDS.items():
        for name in pick(rng, ARGUMENT_TEXTS, 3):
            text = TEXTS[name].replace("\0", "")[:MOST_ARGUMENT]
            words = tuple(word.replace("TEXT", text) for word in command)
            files = FILES | ({"r": copy_run(source=SEARCH_RUN)} if "r" in command else {})
            yield HostileInput(f"terminal-argument-{place}-{name}", words, files, writes_rows=True)
    yield from generate_logs(rng)
    yield from generate_names(rng)


def generate_logs(rng: random.Random) -> Iterator[HostileInput]:
    """Yield logs to import, and tasks."""
    for column in ("problem_id", "gold", "solution", "header"):
        for name in pick(rng, list(TEXTS), 5):
            text = TEXTS[name]
            rows = [{text if column == "header" else "x": "1", **row} for row in TABLE]
            if column != "header":
                rows = [{**row, column: f"{text} {row[column]}"} for row in rows]
            yield HostileInput(
                f"terminal-table-{column}-{name}",
                ("import", "table", "t.csv", "-o", "out/r"),
                {"t.csv": write_table(rows)},
            )
    for column in ("question", "answer", "id", "level", "header"):
        for name in pick(rng, list(TEXTS), 4):
            row = {"question": "1+1?", "answer": "2", "id": "a", "level": "1"}
            row = {**row, TEXTS[name]: "x"} if column == "header" else {**row, column: TEXTS[name]}
            sweep = {**make_sweep(), "task": {"path": "t.jsonl", "grader": "numeric", "id": "id"}}
            yield HostileInput(
                f"terminal-task-{column}-{name}",
                ("sweep", "s.yaml", "--dry-run"),
                {"t.jsonl": json.dumps(row) + "\n", "s.yaml": dump_json(sweep)},
            )


def generate_names(rng: random.Random) -> Iterator[HostileInput]:
    """Yield files and folders whose names are hostile."""
    allowed = [name for name in ARGUMENT_TEXTS if len(TEXTS[name]) < 100 and "/" not in TEXTS[name]]
    for name in allowed:
        text = TEXTS[name]
        yield HostileInput(f"terminal-file-{name}", ("plan", "-b", "8x", "-p", f"{text}.json"), {f"{text}.json": "{"})
        yield HostileInput(f"terminal-run-{name}", ("runs", "."), {f"{text}/r": copy_run()})
        yield HostileInput(f"terminal-damaged-{name}", ("check", text), {text: copy_run(("format",), 9)})
    for name in pick(rng, allowed, 4):
        text = TEXTS[name]
        yield HostileInput(
            f"terminal-figures-{name}",
            ("figures", f"{text}.json", "-o", f"out/{text}", "--only", "frontiers", "--format", "svg", "--tables"),
            {f"{text}.json": dump_json(make_profile())},
        )
        yield HostileInput(
            f"terminal-report-{name}",
            ("report", f"{text}.json", "-o", "out/r.html"),
            {f"{text}.json": dump_json(change_value(make_grid_profile(), ("name",), text))},
            slow=True,
        )
