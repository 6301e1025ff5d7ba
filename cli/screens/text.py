"""Text that all screens share: percentages, intervals, lines and notes."""

from __future__ import annotations

import math

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from isocompute.cli.encoding import replace_unknown
from isocompute.planner.budget import format_compute
from isocompute.planner.compare import ConfidenceInterval


def format_percent(value: float) -> str:
    """Return an accuracy in percent."""
    return f"{100 * value:.1f} %"


def format_interval(interval: ConfidenceInterval | None, scale: float = 100, sign: str = "", digits: int = 1) -> str:
    """Return an interval in brackets, or a dash if there is none; Rich does not read it as markup."""
    if interval is None:
        return "–"
    low, high = (f"{scale * end:{sign}.{digits}f}" if math.isfinite(end) else "never" for end in interval)
    return escape(f"[{low}, {high}]")


def format_compute_interval(interval: ConfidenceInterval) -> str:
    """Return an interval of compute in brackets, in x; Rich does not read it as markup."""
    ends = (format_compute(end).removesuffix("x") if math.isfinite(end) else "never" for end in interval)
    return escape(f"[{', '.join(ends)}]")


def print_line(console: Console, line: str) -> None:
    """Print a line without colouring its numbers."""
    console.print(replace_unknown(line, console.encoding), highlight=False)


def print_note(console: Console, text: str) -> None:
    """Print a warning as plain text, without reading markup in it."""
    console.print(Text.assemble(("note:", "yellow"), " ", replace_unknown(text, console.encoding)))


def print_item(console: Console, text: str) -> None:
    """Print an item of a list as plain text, its further lines indented."""
    words = Text(replace_unknown(text, console.encoding)).wrap(console, max(console.width - 2, 20))
    for i, line in enumerate(words):
        line.rstrip()
        console.print(Text("- " if i == 0 else "  ") + line)
