"""Names that exist and no text can hold, and hosts that no network can ask for."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.hostile.cases import HostileInput
from tests.hostile.material import change_value, copy_run, dump_json, make_grid, make_grid_profile, make_sweep

BYTES = {"two": "\udcff\udcfe", "latin": "caf\udce9", "half": "a\udced\udca0\udc80", "cut": "\udce5\udca5"}
"""File names with bytes that are not UTF-8, as Python writes them."""
TABLE = "problem_id,gold,solution\na,5,\\boxed{5}\n"
COMMANDS: dict[str, tuple[str, ...]] = {
    "import": ("import", "table", "NAME.csv", "-o", "out/r"),
    "import-counts": ("import", "counts", "NAME.csv", "-o", "out/r"),
    "import-out": ("import", "table", "t.csv", "-o", "out/NAME"),
    "fit": ("fit", "NAME", "-o", "out/p.json"),
    "fit-out": ("fit", "g.json", "-o", "out/NAME.json"),
    "plan": ("plan", "-b", "8x", "-p", "NAME.json"),
    "plan-json": ("plan", "-b", "8x", "-p", "NAME.json", "--json"),
    "emit": ("plan", "-b", "8x", "-p", "p.json", "--emit", "out/NAME.yaml"),
    "prices": ("plan", "-b", "$1", "-p", "lab", "--prices", "NAME.yaml"),
    "report": ("report", "NAME.json", "-o", "out/r.html"),
    "report-out": ("report", "p.json", "-o", "out/NAME.html"),
    "figures": ("figures", "NAME.json", "-o", "out", "--only", "frontiers", "--format", "svg"),
    "check": ("check", "NAME"),
    "runs": ("runs", "NAME"),
    "runs-above": ("runs", "."),
    "compact": ("compact", "NAME"),
    "grade": ("grade", "NAME"),
    "upgrade": ("upgrade", "NAME.json", "-o", "out/new.json"),
    "tree": ("tree", "NAME", "x"),
    "sweep": ("sweep", "NAME.yaml", "--dry-run"),
    "question": ("solve", "NAME", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "questions": ("solve", "NAME.csv", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "solve-out": ("solve", "q", "-o", "out/NAME", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "serve": ("serve", "-p", "NAME.json", "--url", "solver=http://127.0.0.1:9/v1", "--dry-run"),
    "notebooks": ("notebooks", "out/NAME"),
    "task": ("import", "table", "t.csv", "-o", "out/r", "--task", "NAME", "--model", "NAME"),
}
HOSTS = {
    "punycode": "xn--",
    "punycode-odd": "xn--a",
    "punycode-long": "xn--" + "a" * 70,
    "empty-part": "ß..ß",
    "dots": "....",
    "fullwidth": "％41",
    "percent": "a%41b",
    "direction": "\u202e.com",
    "joiner": "a\u200db.com",
    "long-part": "é" * 70 + ".com",
    "long": ".".join(["a" * 60] * 10),
    "blank": "a b",
    "star": "*.com",
    "dot": ".",
    "dash": "-a-.com",
    "digits": "1.2.3.4.5",
    "octal": "0177.1",
    "zone": "[::1%eth0]",
    "brackets": "[::1",
    "vnext": "[v1.x]",
    "script": "а\u0430pple.com",
    "digit-letters": "١٢٧.0.0.1",
    "user": "a:b@127.0.0.1:9",
    "port-letters": "127.0.0.1:९",
    "port-large": "127.0.0.1:99999",
    "port-zero": "127.0.0.1:0",
}
QUESTIONS = "question\n1+1?\n"


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    for name, text in BYTES.items():
        for place, command in COMMANDS.items():
            if rng.random() < 0.5:
                continue
            files = {
                f"{text}.csv": TABLE if place != "questions" else QUESTIONS,
                f"{text}.json": dump_json(make_grid_profile()),
                f"{text}.yaml": dump_json(make_sweep()),
                text: copy_run(),
                "g.json": dump_json(make_grid()),
                "p.json": dump_json(make_grid_profile()),
                "s.yaml": dump_json(make_sweep()),
                "t.csv": TABLE,
            }
            words = tuple(word.replace("NAME", text) for word in command)
            yield HostileInput(f"names-{place}-{name}", words, files, writes_rows=True)
    for name, host in HOSTS.items():
        url = f"http://{host}/v1"
        sweep = change_value(make_sweep(), ("solver", "options", "urls"), url)
        batch = sweep | {"engine": "openai-batch"}
        solve = ("solve", "q.csv", "-o", "out/r", "-p", "lab", "-b", "2x")
        commands: dict[str, tuple[str, ...]] = {
            "solve": (*solve, "--config", "ok.yaml", "--url", url),
            "config": (*solve, "--config", "s.yaml"),
            "serve": ("serve", "--dry-run", "-p", "lab", "--url", f"solver={url}", "--url", f"verifier={url}"),
            "sweep": ("sweep", "s.yaml"),
            "batch": ("sweep", "b.yaml"),
        }
        files = {
            "q.csv": QUESTIONS,
            "s.yaml": dump_json(sweep),
            "b.yaml": dump_json(batch),
            "ok.yaml": dump_json(make_sweep()),
        }
        for place in sorted(rng.sample(list(commands), 3)):
            yield HostileInput(f"names-host-{place}-{name}", commands[place], files, writes_rows=True)
