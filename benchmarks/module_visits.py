"""The number of times that a command returns to a module that it had left, counted from its calls.

    python benchmarks/module_visits.py
    python benchmarks/module_visits.py fit data/runs/lab -o /tmp/lab.json

Calls of isocompute's functions are followed in the main thread, each function at its first call only, as a reader of
the code would. A stay is an unbroken series of such calls in one module; a return is a stay in a module that had one
before. Code that runs at import is not counted. A command that is easy to follow has few returns. With PYTHONPATH set
to the src of another checkout, that one is measured; ENTRY names its command's entry point, if it is not
isocompute.cli.main:main.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

SHOWN = 8
"""The number of modules listed, those with the most returns."""


def follow_command(command: list[str]) -> tuple[int, Counter[str]]:
    """Run `isocompute COMMAND …` here; return the number of functions it calls, and the stays of each module."""
    now, seen = "", set[CodeType]()
    stays: Counter[str] = Counter()

    def record_call(frame: FrameType, event: str, _: Any) -> None:
        nonlocal now
        if event != "call" or frame.f_code.co_name == "<module>" or frame.f_code in seen:
            return
        module = frame.f_globals.get("__name__", "")
        if module.startswith("isocompute."):
            seen.add(frame.f_code)
            if module != now:
                stays[module] += 1
                now = module

    module, _, function = os.environ.get("ENTRY", "isocompute.cli.main:main").partition(":")
    begin = getattr(import_module(module), function)
    sys.argv = ["isocompute", *command]
    sys.setprofile(record_call)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            begin()
    except SystemExit as ended:
        sys.setprofile(None)
        if ended.code:
            sys.exit(f"isocompute {' '.join(command)} ended in {ended.code}: {output.getvalue()}")
    finally:
        sys.setprofile(None)
    return len(seen), stays


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        commands = [["fit", "data/runs/lab", "-o", str(Path(folder) / "lab.json")], ["plan", "--budget", "128x"]]
        console = Console(width=120)
        for command in [sys.argv[1:]] if len(sys.argv) > 1 else commands:
            functions, stays = follow_command(command)
            returns = sum(stays.values()) - len(stays)
            console.print(f"isocompute {' '.join(command)}: {functions:,} functions, {sum(stays.values()):,} stays in "
                          f"{len(stays)} modules, {returns:,} returns", highlight=False)  # fmt: skip
            table = Table(box=None, pad_edge=False)
            table.add_column("module")
            table.add_column("returns", justify="right")
            for module, count in stays.most_common(SHOWN):
                table.add_row(module.removeprefix("isocompute."), f"{count - 1:,}")
            console.print(table)


if __name__ == "__main__":
    main()
