"""Terminal output of ``plan --cap``: self-consistency under limits on the length of solutions."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.text import format_interval, format_percent, print_line, print_note
from isocompute.planner.caps import CapComparison

CAPS_NOTE = (
    "Measured, at equal compute: a limit of T tokens cuts the longer solutions. A cut one costs T and counts as one "
    "without an answer."
)


def print_caps(console: Console, caps: CapComparison) -> None:
    """Print the limits within a budget, and which of them is the best."""
    console.print()
    print_line(console, f"Limits on the length of solutions, for SC at {caps.budget:,.6g}x")
    console.print(build_limits_table(caps))
    print_line(console, CAPS_NOTE)
    print_line(console, describe_own_limit(caps))
    print_line(console, (caps.describe_best(), "bold"))
    if (note := caps.describe_limits()) is not None:
        print_note(console, note)


def build_limits_table(caps: CapComparison) -> Table:
    """Build the table with a row for each limit; the last one is the run's own."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in (
        "limit",
        "cut",
        "tokens a\nsolution",
        "S",
        "accuracy",
        "95 % interval",
        "ahead of the\nrun's own by",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for option in caps.options:
        gain = (
            "" if option.gain is None else f"{100 * option.gain:+.1f} {format_interval(option.gain_interval, sign='+')}"
        )
        table.add_row(
            "run's own" if option is caps.options[-1] else f"{option.limit:,}",
            format_percent(option.cut),
            f"{option.tokens:,.4g}",
            f"{option.solutions:,}",
            format_percent(option.accuracy),
            format_interval(option.interval),
            gain,
            style="bold" if option is caps.best else None,
        )
    return table


def describe_own_limit(caps: CapComparison) -> str:
    """Say what the run's own limit is, how long its longest solution is, and how many it cut."""
    own = caps.options[-1]
    known = "The run's own limit is unknown" if caps.own_limit is None else f"The run's own limit is {caps.own_limit:,}"
    cut = f"it cut {format_percent(own.cut)} of the solutions" if own.cut else "it cut no solution"
    return f"{known}; its longest solution has {own.limit:,} tokens, and {cut}."
