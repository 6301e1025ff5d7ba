"""Commands whose options are nonsense, stand twice, contradict each other, or are very many."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.hostile.cases import HostileInput, Maker
from tests.hostile.material import (
    RUN,
    SEARCH_RUN,
    SERVER,
    change_value,
    copy_run,
    dump_json,
    make_grid,
    make_profile,
    make_sweep,
)

WORDS = {
    "empty": "",
    "blank": "  ",
    "dash": "-",
    "escape": "\x1b[2J\x1b]0;x\x07",
    "markup": "[bold]x[/red]",
    "long": "z" * 90_000,
    "bytes": "\udcff\udcfe",
    "digits": "9" * 4000,
    "unicode-digits": "١٢٣",
    "roman": "Ⅷ",
    "infinity": "-inf",
    "power": "1e309",
    "fraction": "1/3",
    "comma": "1,000",
    "braces": "{0.__class__}",
    "percent": "%s%n%x",
    "null": "null",
    "list": "[1, 2]",
    "negative": "-1",
    "half-line": "a\r\nb",
    "direction": "\u202e8x",
    "spaces": "8 x",
    "glob": "*",
    "home": "~/x",
    "variable": "$HOME",
}
"""Values of an option."""

BUDGETS = (
    "8", "x", "8xx", "8 x x", "0x", "-8x", "1e400x", "nanx", "8x-", "8x-plateau-plateau", "8X", "٨x", "0.0000000001x",
    "$", "$-1", "$1e308", "$ 0.0", "1 $", "tokens", "-5 tokens", "5e300 tokens", "3.2.1M tokens", "1 gpu-hours gpu",
    "2e15", "2e15 flops", "1e308 FLOPs", "20 seconds", "0 s", "1e-300 s", "9" * 300 + "x", "8x\x1b[31m", "8x,16x",
    "1_000x", "0x10", "½x", "∞x", "8 ×", "1e5x", "8x--json", "$1 per problem", "100%", "8kx", "8Mx", "1 h", "1 min",
)  # fmt: skip
COMMANDS: dict[str, tuple[str, ...]] = {
    "sweep-until": ("sweep", "s.yaml", "--until", "WORD"),
    "sweep-on": ("sweep", "s.yaml", "--on", "WORD"),
    "sweep-shard": ("sweep", "s.yaml", "--shard", "WORD"),
    "sweep-speed": ("sweep", "s.yaml", "--dry-run", "--tokens-per-second", "WORD"),
    "sweep-sample": ("sweep", "s.yaml", "--dry-run", "--sample", "WORD"),
    "sweep-parameters": ("sweep", "s.yaml", "--dry-run", "--parameters", "WORD", "--parameters", "WORD"),
    "grade-grader": ("grade", "r", "--grader", "WORD"),
    "grade-against": ("grade", "r", "--against", "WORD"),
    "tree-strategy": ("tree", "SEARCHES", "lab-1-1-0", "--strategy", "WORD"),
    "tree-width": ("tree", "SEARCHES", "lab-1-1-0", "--width", "WORD", "--lookahead", "WORD"),
    "tree-output": ("tree", "SEARCHES", "lab-1-1-0", "-o", "out/WORD"),
    "fit-entry": ("fit", "g.json", "-o", "out/p.json", "--entry", "WORD"),
    "fit-read": ("fit", "RUN", "-o", "out/p.json", "--read", "WORD"),
    "plan-cost": ("plan", "-b", "8x", "--cost", "WORD"),
    "plan-device": ("plan", "-b", "1 gpu-hours", "--device", "WORD", "--batch", "8"),
    "plan-target": ("plan", "--target", "WORD"),
    "plan-latency": ("plan", "-b", "8x", "-p", "lab", "--latency", "WORD"),
    "plan-emit": ("plan", "-b", "8x", "-p", "p.json", "--emit", "out/WORD"),
    "pilot-regret": ("pilot", "--regret", "WORD"),
    "pilot-gap": ("pilot", "--gap", "WORD", "--at", "WORD"),
    "pilot-at": ("pilot", "--budget", "1000x", "--at", "WORD"),
    "next-lambda": ("next", "RUN", "--lambda", "WORD"),
    "difficulty-bins": ("difficulty", "lab", "--bins", "WORD"),
    "evaluate-counts": ("evaluate", "RUN", "--problems", "WORD", "--solutions", "WORD", "--verified", "WORD"),
    "policies-rule": ("policies", "RUN", "-b", "4x", "--rule", "WORD", "-o", "out/p.json"),
    "policies-same": ("policies", "RUN", "-b", "4x", "--same-answer", "WORD"),
    "figures-only": ("figures", "p.json", "-o", "out/f", "--only", "WORD"),
    "figures-format": ("figures", "p.json", "-o", "out/f", "--format", "WORD"),
    "figures-style": ("figures", "p.json", "-o", "out/f", "--only", "frontiers", "--style", "WORD"),
    "figures-published": ("figures", "p.json", "-o", "out/f", "--only", "frontiers", "--published", "WORD"),
    "serve-url": ("serve", "--dry-run", "--url", "WORD=http://127.0.0.1:9/v1"),
    "serve-host": ("serve", "--url", f"solver={SERVER}", "--host", "WORD"),
    "serve-port": ("serve", "--dry-run", "--url", f"solver={SERVER}", "--port", "WORD"),
    "serve-model": ("serve", "--dry-run", "--url", f"solver={SERVER}", "--model", "WORD"),
    "serve-policy": ("serve", "--dry-run", "--url", f"solver={SERVER}", "--policy", "WORD", "--threshold", "WORD"),
    "serve-grader": ("serve", "--dry-run", "--url", f"solver={SERVER}", "--grader", "WORD"),
    "solve-columns": ("solve", "q.csv", "-o", "out/r", "-p", "lab", "-b", "2x", "--columns", "WORD=question"),
    "solve-engine": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "2x", "--engine", "WORD"),
    "solve-seed": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "2x", "--seed", "WORD", "--width", "WORD"),
    "solve-answers": ("solve", "q.csv", "-o", "out/r", "-p", "lab", "-b", "2x", "--answers", "WORD"),
    "solve-question": ("solve", "WORD", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "report-device": ("report", "g.json", "-o", "out/r.html", "--device", "WORD"),
    "upgrade": ("upgrade", "WORD", "-o", "WORD"),
    "runs-many": ("runs", "WORD", "WORD", "r"),
    "top": ("WORD",),
    "top-option": ("--WORD",),
    "top-value": ("--version=WORD",),
}  # fmt: skip
TOGETHER: dict[str, tuple[str, ...]] = {
    "budget-and-target": ("plan", "-b", "8x", "--target", "0.9"),
    "two-budgets": ("plan", "-b", "8x", "-b", "16x"),
    "profiles-twice": ("plan", "-b", "8x", "-p", "lab", "-p", "lab"),
    "profiles-other": ("plan", "-b", "8x", "-p", "lab", "-p", "llama-3.1-8b-math"),
    "profiles-many": ("plan", "-b", "8x", *(["-p", "lab"] * 200)),
    "plan-nothing": ("plan",),
    "plan-problems": ("plan", "-b", "$1", "--problems", "0", "--prices", "g.json"),
    "plan-cost-other": ("plan", "-b", "20 s", "--cost", "dollars"),
    "plan-cap-mean": ("plan", "-b", "8x", "-p", "llama-3.1-8b-math", "--cap"),
    "plan-emit-two": ("plan", "-b", "8x", "--emit", "out/a.yaml", "--emit", "out/b.json"),
    "plan-emit-kind": ("plan", "-b", "8x", "--emit", "out/a.txt"),
    "plan-lambda-way": ("plan", "-b", "8x", "-p", "llama-3.1-8b-math", "--lambda", "cached"),
    "plan-arguments": ("plan", *(["x"] * 5000)),
    "plan-json-emit": ("plan", "-b", "8x", "--json", "--emit", "/dev/stdout"),
    "fit-itself": ("fit", "r", "-o", "r"),
    "fit-into-run": ("fit", "r", "-o", "r/manifest.json"),
    "fit-into-part": ("fit", "r", "-o", "r/solutions/part-00000.parquet"),
    "fit-over": ("fit", "g.json", "-o", "g.json"),
    "fit-problems": ("fit", "r", "-o", "out/p.json", "--problems-with", "1000000"),
    "fit-parameters-many": ("fit", "r", "-o", "out/p.json", *(["--parameters", "1e9"] * 500)),
    "sweep-shard-until": ("sweep", "s.yaml", "--shard", "1/2", "--until", "regret < 1"),
    "sweep-shard-order": ("sweep", "s.yaml", "--shard", "3/2"),
    "sweep-shard-many": ("sweep", "s.yaml", "--shard", "1/999999999"),
    "sweep-on-nowhere": ("sweep", "s.yaml", "--on", "ray://127.0.0.1:9"),
    "sweep-on-many": ("sweep", "s.yaml", "--on", "local:999999"),
    "sweep-sample-many": ("sweep", "s.yaml", "--dry-run", "--sample", "999999999"),
    "sweep-json": ("sweep", "s.yaml", "--json"),
    "sweep-prices": ("sweep", "s.yaml", "--dry-run", "--price-in", "1", "--price-hour", "2"),
    "check-two": ("check", "r", "r"),
    "check-profile": ("check", "p.json"),
    "grade-search": ("grade", "SEARCHES", "--grader", "letter"),
    "grade-same": ("grade", "r", "--grader", "exact", "--against", "exact"),
    "runs-many": ("runs", *(["r"] * 2000)),
    "runs-none": ("runs", "nowhere"),
    "tree-none": ("tree", "r", "lab-1-1-0"),
    "tree-profile": ("tree", "p.json", "x"),
    "figures-none": ("figures", "-o", "out/f"),
    "figures-many": ("figures", *(["g.json"] * 300), "-o", "out/f", "--only", "frontiers", "--format", "svg"),
    "figures-onto-file": ("figures", "g.json", "-o", "g.json", "--only", "frontiers"),
    "figures-width": ("figures", "g.json", "-o", "out/f", "--only", "frontiers", "--width", "1e9", "--format", "png"),
    "figures-formats": ("figures", "g.json", "-o", "out/f", "--only", "frontiers", "--format", "svg,svg,,png"),
    "report-onto-run": ("report", "p.json", "-o", "r/manifest.json"),
    "notebooks-file": ("notebooks", "g.json"),
    "notebooks-run": ("notebooks", "r"),
    "policies-none": ("policies", "SEARCHES"),
    "policies-output": ("policies", "RUN", "-b", "4x", "-o", "r/manifest.json"),
    "pilot-three": ("pilot", "--budget", "100x", "--regret", "1", "--gap", "3"),
    "pilot-two": ("pilot", "--budget", "100x", "-p", "lab", "--run", "r"),
    "pilot-huge": ("pilot", "--budget", "1e15x", "--problems", "100000000"),
    "evaluate-large": ("evaluate", "RUN", "--splits", "100000000"),
    "evaluate-more": ("evaluate", "RUN", "--problems", "1000000", "--solutions", "1000000"),
    "next-mean": ("next", "p.json"),
    "upgrade-onto": ("upgrade", "r", "-o", "r"),
    "upgrade-inside": ("upgrade", "r", "-o", "r/new"),
    "compact-profile": ("compact", "p.json"),
    "import-onto-run": ("import", "table", "q.csv", "-o", "r"),
    "import-run": ("import", "table", "r", "-o", "out/r"),
    "solve-onto-run": ("solve", "1+1?", "-o", "r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "solve-policy-budget": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "--policy", "beta", "--config", "s.yaml"),
    "solve-huge": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "1000000000x", "--config", "s.yaml"),
    "solve-urls": (
        "solve",
        "1+1?",
        "-o",
        "out/r",
        "-p",
        "lab",
        "-b",
        "2x",
        "--config",
        "s.yaml",
        *(["--url", SERVER] * 300),
    ),
    "solve-file-url": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "2x", "--url", "file:///etc/passwd"),
    "serve-nothing": ("serve",),
    "serve-no-url": ("serve", "-p", "lab"),
    "serve-public": ("serve", "-p", "lab", "--url", f"solver={SERVER}", "--host", "0.0.0.0"),
    "serve-host-name": ("serve", "-p", "lab", "--url", f"solver={SERVER}", "--host", "no.such.host.invalid"),
    "serve-port-used": ("serve", "-p", "lab", "--url", f"solver={SERVER}", "--port", "0", "--dry-run"),
    "serve-roles": ("serve", "--dry-run", *(["--url", f"solver={SERVER}"] * 300)),
    "tasks-extra": ("tasks", "gsm8k"),
    "response-file": ("@s.yaml",),
    "help-many": (*(["--help"] * 3000),),
    "version-plan": ("--version", "plan", "-b", "8x"),
    "double-dash": ("--", "plan", "-b", "8x"),
    "options-many": ("plan", "-b", "8x", *(["--json"] * 5000)),
}


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    files: dict[str, bytes | str | Maker] = {
        "r": copy_run(),
        "g.json": dump_json(make_grid()),
        "p.json": dump_json(make_profile()),
        "s.yaml": dump_json(make_sweep()),
        "q.csv": "question,answer\n1+1?,2\n",
    }
    places = {"RUN": str(RUN), "SEARCHES": str(SEARCH_RUN)}
    for place, command in COMMANDS.items():
        for name in sorted(rng.sample(sorted(WORDS), 6)):
            words = tuple(places.get(word, word.replace("WORD", WORDS[name])) for word in command)
            yield HostileInput(f"commands-{place}-{name}", words, files, writes_rows=True)
    for i, budget in enumerate(BUDGETS):
        profile = rng.choice(("lab", "lab-both-small", "p.json", "lab-search"))
        command = rng.choice(("plan", "plan", "solve", "serve"))
        last: tuple[str, ...] = ("-p", profile)
        if command == "solve":
            last = ("1+1?", "-o", "out/r", "-p", "lab", "--config", "s.yaml")
        elif command == "serve":
            last = ("-p", "lab", "--url", f"solver={SERVER}", "--dry-run")
        yield HostileInput(f"commands-budget-{i}", (command, "-b", budget, *last), files, writes_rows=True)
    for name, command in TOGETHER.items():
        words = tuple(places.get(word, word) for word in command)
        yield HostileInput(f"commands-together-{name}", words, files, writes_rows=True)
    yield from generate_questions(rng)


def generate_questions(rng: random.Random) -> Iterator[HostileInput]:
    """Yield files of questions, policies and prices that are wrong in one way."""
    questions: dict[str, str | bytes] = {
        "columns": "x,y\n1,2\n",
        "twice": "question,question\na,b\n",
        "ids": "question,id\na,1\nb,1\n",
        "blank": "question\n\n\n",
        "escape": "question\n\x1b]0;pwn\x07\n",
        "long": "question\n" + "q" * 3_000_000 + "\n",
        "many": "question\n" + "1+1?\n" * 20_000,
        "nul": b"question\na\0b\n",
        "latin": b"question\n\xe4\n",
        "quote": 'question\n"never',
    }
    for name, content in questions.items():
        command = ("solve", "q.csv", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml")
        files: dict[str, bytes | str | Maker] = {"q.csv": content, "s.yaml": dump_json(make_sweep())}
        yield HostileInput(f"commands-questions-{name}", command, files, writes_rows=True)
    prices: dict[str, str | bytes] = {
        "list": "- 1\n",
        "negative": "m: {prompt: -1, completion: 2}\n",
        "missing": "m: {prompt: 1}\n",
        "extra": "m: {prompt: 1, completion: 2, \x1b: 3}\n".replace("\x1b", '"\\e[31m"'),
        "text": "m: {prompt: cheap, completion: 2}\n",
        "sexagesimal": "m: {prompt: 1:20, completion: 2}\n",
        "nan": "m: {prompt: .nan, completion: 2}\n",
        "huge": "m: {prompt: 1e300, completion: 1e300}\n",
        "zero": "m: {prompt: 0, completion: 0}\n",
        "twice": "m: {prompt: 1, completion: 2}\nm: {prompt: 1, completion: 2}\n",
        "csv": "model,prompt,completion\nm,1,2\n",
        "many": "".join(f"m{i}: {{prompt: 1, completion: 2}}\n" for i in range(5000)),
        "empty": "",
        "name": '"[/red]\\e]0;x\\a": {prompt: 1, completion: 2}\n',
        "deep": "m: {prompt: " + "[" * 500 + "1" + "]" * 500 + ", completion: 2}\n",
    }
    for name, content in prices.items():
        command = rng.choice(
            [
                ("plan", "-b", "$1", "-p", "lab", "--prices", "prices.yaml"),
                ("policies", str(RUN), "-b", "$1", "--prices", "prices.yaml"),
                ("report", "p.json", "-o", "out/r.html", "--prices", "prices.yaml"),
            ]
        )
        files = {"prices.yaml": content, "p.json": dump_json(make_profile())}
        yield HostileInput(f"commands-prices-{name}", command, files, slow=command[0] == "report")
    records = make_profile()["per_problem"]
    for name, changed in {
        "names": [{**record, "id": records[0]["id"]} for record in records],
        "one": records[:1],
    }.items():
        content = dump_json(change_value(make_profile(), ("per_problem",), changed))
        yield HostileInput(f"commands-problems-{name}", ("plan", "-b", "8x", "-p", "p.json"), {"p.json": content})
