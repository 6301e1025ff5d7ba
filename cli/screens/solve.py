"""Terminal output of `isocompute solve`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.runs import print_plain_line
from isocompute.cli.screens.text import print_line, print_note
from isocompute.planner.budget import format_compute
from isocompute.runners.parsing.printable import format_count, format_one_line
from isocompute.serving.solving import SolvedQuestions

MOST_SHOWN = 20
"""The most answers that are shown; the table holds all of them."""


def print_solved(console: Console, solved: SolvedQuestions) -> None:
    """Print answers, what they took, and where they are."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("id", "answer"):
        table.add_column(heading, max_width=40)
    for heading in ("agreement", "P(right)", "S", "V", "compute"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("stopped")
    for each in solved.answers[:MOST_SHOWN]:
        table.add_row(
            format_cell(each.id),
            "–" if each.answer is None else format_cell(each.answer),
            f"{each.agreement:.2f}",
            "–" if each.p_right is None else f"{each.p_right:.2f}",
            str(each.solutions),
            str(each.verifications),
            "–" if each.compute is None else format_compute(each.compute),
            format_cell(each.stopped),
        )
    console.print(table)
    if len(solved.answers) > MOST_SHOWN:
        print_line(console, f"… and {len(solved.answers) - MOST_SHOWN:,} more.")
    console.print()
    spent = "" if solved.mean_compute is None else f", {format_compute(solved.mean_compute)} a question on average"
    planned = "" if solved.expected_compute is None else f" (planned {format_compute(solved.expected_compute)})"
    print_plain_line(
        console,
        f"{format_count(len(solved.answers), 'answer')} by {solved.strategy} {solved.settings}{spent}{planned}.",
    )
    if solved.accuracy is not None:
        expected = solved.expected_accuracy
        promise = "" if expected is None else f" (expected {100 * expected:.1f} %)"
        print_line(
            console, f"{100 * solved.accuracy:.1f} % of the answers with a known right answer are right{promise}."
        )
    if unread := sum(each.answer is None for each in solved.answers):
        print_note(console, f"no answer could be read for {format_count(unread, 'question')}.")
    for reason, count in solved.failed.items():
        print_note(console, f"{count:,} rows failed: {reason}; run the same command again to retry them.")
    print_plain_line(console, f"Answers: {solved.table}; rows: {solved.run} ({solved.sampled:,} sampled now).")


def format_cell(text: str) -> str:
    """Return a text of a model or a file for a cell: one line."""
    return format_one_line(text, 60)
