"""Every option of every command with every hostile number, in a command that is valid without it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import typer

from benchmarks.synthetic_runs import write_synthetic_run
from isocompute.cli.main import app
from tests.hostile.cases import HostileInput, Maker, copy_folder
from tests.hostile.kinds.numbers import TEXT_NUMBERS, make_full_sweep, write_json
from tests.hostile.material import RUN, SEARCH_RUN, SERVER, dump_json, make_grid

VALID: dict[str, tuple[str, ...]] = {
    "sweep": ("s.yaml", "--dry-run"),
    "import": ("counts", "c.csv", "-o", "out/r"),
    "grade": ("r",),
    "upgrade": ("r", "-o", "out/new"),
    "tree": (str(SEARCH_RUN), "lab-1-1-0"),
    "fit": ("g.json", "-o", "out/p.json"),
    "plan": ("-b", "64x", "-p", "lab-search"),
    "pilot": ("-b", "1000x", "--problems", "8"),
    "next": (str(RUN), "-b", "64x"),
    "difficulty": ("lab-search",),
    "evaluate": (str(RUN), "--splits", "2"),
    "policies": ("small", "-b", "4x"),
    "figures": ("g.json", "-o", "out/f", "--only", "frontiers", "--format", "svg"),
    "report": ("g.json", "-o", "out/r.html"),
    "serve": ("-p", "lab", "--url", f"solver={SERVER}", "--url", f"verifier={SERVER}", "--dry-run"),
    "solve": ("1+1?", "-o", "out/r", "-p", "lab", "-b", "4x", "--url", SERVER),
}
"""The arguments of the commands that have options with values."""
FOLDERS: dict[str, Maker] = {
    "r": copy_folder(RUN),
    "small": lambda path: write_synthetic_run(str(path), 12, 8, 4),
}


def list_value_options() -> dict[str, list[str]]:
    """Return the options that take a value, by command."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {
        name: [each.opts[-1] for each in command.params if each.param_type_name == "option" and not each.is_flag]
        for name, command in commands.items()
    }
    return {name: found for name, found in options.items() if found}


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    counts = "problem,n,right\na,4,2\nb,4,1\n"
    files = {"s.yaml": write_json(make_full_sweep()), "c.csv": counts, "g.json": dump_json(make_grid())}
    for command, options in list_value_options().items():
        for option in options:
            for name, number in TEXT_NUMBERS.items():
                yield HostileInput(
                    f"options-{command}{option}-{name}",
                    (command, *VALID[command], option, number),
                    files | {folder: make for folder, make in FOLDERS.items() if folder in VALID[command]},
                    writes_rows=True,
                )
