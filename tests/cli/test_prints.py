"""Prints: what reaches a terminal goes through a console that prints text as text, and through printable messages."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from isocompute.cli.console import PrintableConsole, open_console
from isocompute.cli.screens.text import print_item, print_line, print_note
from isocompute.errors import ConfigError, DataError
from isocompute.terminal import make_printable, shorten_message

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "cli", "figures", "planner", "runners", "serving", "src/isocompute")
FOREIGN = "a\x1b]0;pwn\x1b\\b\x9b31m\u202e\u200b\x7f[/red][bold]c[/] :skull: {0}\ud800"

ALLOWED = {
    "cli/options.py": {
        "print": "the version, and JSON in which what is not printable is escaped",
    },
    "cli/console.py": {"PrintableConsole": "the one place where a console is made"},
    "cli/help.py": {"rich.markup": "help, in which the names of other packages' entries are not read as markup"},
    "cli/commands/figures.py": {"rich.markup": "help, in which the names of figures are not read as markup"},
    "figures/report/samples.py": {"markup=True": "a part of a page of HTML"},
    "runners/grading/comparison_process.py": {"stdout": "what the process that compares answers", "stderr": "the same"},
    "runners/grading/comparison_worker.py": {"print": "replies to the process that asks; nobody sees them"},
}
"""By file, what it may use that prints by another way, with the reason."""
PRINTING_CALLS = {"print", "pprint", "Console", "PrintableConsole", "echo", "secho", "from_markup", "render_markup"}
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}


def list_prints(path: Path) -> list[tuple[str, int]]:
    """Return what a file uses that prints without `open_console`, with its lines."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            is_method = isinstance(node.func, ast.Attribute) and name in ("print", "pprint")
            if name in PRINTING_CALLS and not is_method:
                found.append((name, node.lineno))
            if isinstance(node.func, ast.Attribute) and name in ("write", "writelines"):
                stream = getattr(node.func.value, "attr", "")
                found += [(stream, node.lineno)] if stream in STREAMS else []
            for keyword in node.keywords:
                if keyword.arg in ("markup", "emoji") and getattr(keyword.value, "value", True):
                    found.append((f"{keyword.arg}=True", node.lineno))
            given = ast.unparse(node.args[0]) if node.args else ""
            if name == "status" and not isinstance(node.args[0], ast.Constant | ast.IfExp):
                found.append(("status with a text that is read as markup", node.lineno))
            if name == "TextColumn" and "{" in given and not any(each.arg == "markup" for each in node.keywords):
                found.append(("TextColumn that reads markup", node.lineno))
        elif isinstance(node, ast.ImportFrom) and node.module == "rich.markup":
            found.append(("rich.markup", node.lineno))
        elif isinstance(node, ast.ImportFrom) and node.module == "rich" and node.names[0].name in ("print", "markup"):
            found.append((f"rich.{node.names[0].name}", node.lineno))
    return found


def test_every_print_goes_through_the_console():
    others = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            if file.startswith("src/isocompute/") and path.parent.name != "isocompute":
                continue
            others += [
                f"{file}:{line}: {name}" for name, line in list_prints(path) if name not in ALLOWED.get(file, {})
            ]
    assert not others, "print with cli.console.open_console, or say in ALLOWED why not"


def test_the_walk_finds_what_prints(tmp_path):
    path = tmp_path / "x.py"
    path.write_text(
        "from rich.markup import escape\nprint(1)\nConsole().print(2)\nsys.stderr.write('x')\n"
        "console.print(3, markup=True)\nText.from_markup(text)\nTextColumn('{task.x}')\nconsole.status(text)\n"
    )
    assert [line for _, line in sorted(list_prints(path), key=lambda each: each[1])] == [1, 2, 3, 4, 5, 6, 7, 8]


def is_plain(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@pytest.fixture
def screen():
    """A console that prints into a text."""
    console = open_console()
    console.file, console._width = io.StringIO(), 400
    return console


def test_no_text_is_obeyed_however_it_is_printed(screen):
    table = Table(FOREIGN, title=FOREIGN, caption=FOREIGN)
    table.add_row(FOREIGN)
    tree = Tree(FOREIGN)
    tree.add(Text(FOREIGN))
    for printed in (FOREIGN, Text(FOREIGN, style="bold"), table, tree):
        screen.print(printed)
    print_line(screen, (FOREIGN, "bold"), FOREIGN)
    print_note(screen, FOREIGN)
    print_item(screen, FOREIGN)
    said = screen.file.getvalue()
    assert is_plain(said)
    assert said.count("[/red][bold]c[/] :skull: {0}") == 10


def test_colours_are_still_printed():
    out = io.StringIO()
    PrintableConsole(file=out, force_terminal=True, color_system="standard").print(Text(FOREIGN, style="red"))
    assert out.getvalue().startswith("\x1b[31ma ")
    assert isinstance(open_console(), Console)


@pytest.mark.parametrize("kind", [DataError, ConfigError])
def test_an_error_is_printable_and_quotes_200_characters(kind):
    said = str(kind(f"There is no run at '{FOREIGN}'."))
    assert said == make_printable(said, keep="")
    for quoted in ("'{}'", '"{}"', "{}", "[{}]"):
        said = str(kind(f"The value {quoted.format('x' * 300_000)} is not a number; write one."))
        assert len(said) < 260
        assert said.endswith("is not a number; write one.")
    assert len(str(kind("many words " * 10_000))) == 1000


def test_a_short_message_is_not_cut():
    text = "the run's 'config' has 'a' and 'b'; " * 5
    assert shorten_message(text) == text
    assert make_printable("λ ≤ 8x: 中文 é") == "λ ≤ 8x: 中文 é"


def test_json_keeps_the_value_of_what_is_escaped(command, tmp_path):
    profile = (ROOT / "data" / "profiles" / "llama-3.1-8b-math.json").read_text()
    path = tmp_path / "p.json"
    path.write_text(profile.replace("Numbers as published", "a\x7f\x9b31m\u202e"), encoding="utf-8")
    said = command("plan", "-b", "8x", "-p", path, "--json").out
    assert is_plain(said)
    assert "\\u009b31m\\u202e" in said
