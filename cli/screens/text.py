"""Text that all screens share: percentages, intervals, lines and notes."""

from __future__ import annotations

import math

from rich.console import Console
from rich.text import Text

from isocompute.cli.encoding import replace_unknown
from isocompute.planner.budget import format_compute
from isocompute.planner.strategy_option import ConfidenceInterval
from isocompute.terminal import make_printable


def format_percent(value: float) -> str:
    """Return an accuracy in percent."""
    return f"{100 * value:.1f} %"


def format_interval(interval: ConfidenceInterval | None, scale: float = 100, sign: str = "", digits: int = 1) -> str:
    """Return an interval in brackets, or a dash if there is none."""
    if interval is None:
        return "–"
    low, high = (f"{scale * end:{sign}.{digits}f}" if math.isfinite(end) else "never" for end in interval)
    return f"[{low}, {high}]"


def format_compute_interval(interval: ConfidenceInterval) -> str:
    """Return an interval of compute in brackets, in x."""
    ends = (format_compute(end).removesuffix("x") if math.isfinite(end) else "never" for end in interval)
    return f"[{', '.join(ends)}]"


def make_shown(text: str, console: Console) -> str:
    """Return a text as a console can show it, on one line."""
    return make_printable(replace_unknown(text, console.encoding), keep="")


def print_line(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print a line as plain text.

    Args:
        console: where it is printed.
        parts: its texts in order; a pair is a text and its style.
    """
    line = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        line.append(make_shown(text, console), style)
    console.print(line)


def print_note(console: Console, text: str) -> None:
    """Print a warning as plain text."""
    console.print(Text.assemble(("note:", "yellow"), " ", make_shown(text, console)))


def print_item(console: Console, text: str) -> None:
    """Print an item of a list as plain text, its further lines indented."""
    words = Text(make_shown(text, console)).wrap(console, max(console.width - 2, 20))
    for i, line in enumerate(words):
        line.rstrip()
        console.print(Text("- " if i == 0 else "  ") + line)
