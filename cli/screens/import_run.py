"""Terminal output of `isocompute import`: progress, imported rows, and next commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from isocompute.cli.screens.runs import print_accuracy, print_log_comparison, print_plain_line
from isocompute.cli.screens.text import print_line, print_note
from isocompute.runners.imports import ImportOptions, ImportSummary, import_logged_run

COMPLETION_TOKENS_COLUMN = "completion_tokens"


class ProgressCallback(Protocol):
    """A callback that receives the number of bytes read, and their total."""

    def __call__(self, seen: int, total: int) -> None:
        """Update the progress."""


def import_with_progress(format: str, path: str, run: str, options: ImportOptions, progress: Console) -> ImportSummary:
    """Import a run with a progress bar.

    Args:
        format: one of `runners.imports.IMPORT_FORMATS`.
        path: the file or folder to import.
        run: folder of the new run.
        options: the options of the import.
        progress: console that shows the bar.

    Raises:
        ConfigError, DataError, RunError: as `import_logged_run`.
    """
    with show_progress_bar(progress) as update_progress:
        return import_logged_run(format, path, run, options, update_progress)


def parse_columns_option(columns: Sequence[str]) -> dict[str, str]:
    """Parse --columns.

    >>> parse_columns_option(["id=problem_id", "a=b=answer"])
    {'id': 'problem_id', 'a=b': 'answer'}

    Raises:
        typer.BadParameter: an item is not such a pair, or a column or a name occurs twice.
    """
    names_by_column: dict[str, str] = {}
    for pair in columns:
        source_column, equals, new_name = pair.rpartition("=")
        if not (source_column and equals and new_name):
            raise typer.BadParameter(f"'{pair}' is not a pair COLUMN=NAME.", param_hint="'--columns'")
        if source_column in names_by_column:
            raise typer.BadParameter(f"The column '{source_column}' is given twice.", param_hint="'--columns'")
        if new_name in names_by_column.values():
            other = next(column for column, name in names_by_column.items() if name == new_name)
            raise typer.BadParameter(
                f"The columns '{other}' and '{source_column}' are both given the name '{new_name}'.",
                param_hint="'--columns'",
            )
        names_by_column[source_column] = new_name
    return names_by_column


@contextmanager
def show_progress_bar(console: Console) -> Iterator[ProgressCallback]:
    """Show the share of bytes read, if the console is a terminal."""
    columns = TextColumn("importing"), BarColumn(), TaskProgressColumn(), TextColumn("left"), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("importing", total=None)

        def update_progress(seen: int, total: int) -> None:
            progress.update(task, completed=seen, total=total)

        yield update_progress


def print_import(console: Console, summary: ImportSummary) -> None:
    """Print the imported rows, the unknown fields, and the next commands."""
    log, rows = summary.imported, summary.imported.rows
    row_counts = [
        f"{rows[name]:,} {name}" for name in ("problems", "solutions", "verifications", "searches") if rows[name]
    ]
    model = f"; {log.solver}" if log.solver else ""
    print_plain_line(
        console, f"{summary.run} holds {', '.join(row_counts)} of {log.task}, imported from {log.format}{model}."
    )
    print_plain_line(console, f"Graded by {summary.grader}.")
    if summary.columns:
        read = ", ".join(name if name == ours else f"{name} as {ours}" for name, ours in summary.columns.items())
        print_plain_line(console, f"Columns read: {read}.")
    if summary.ignored_columns:
        print_note(
            console,
            f"columns ignored: {', '.join(summary.ignored_columns)}; --columns COLUMN=NAME reads one as ours.",
        )
    print_accuracy(console, summary)
    if summary.failures:
        count = sum(summary.failures.values())
        reasons = "; ".join(f"{times:,} × {reason[:80]}" for reason, times in list(summary.failures.items())[:3])
        print_note(console, f"{count:,} solutions failed in the log: {reasons}. --failed says what they count as.")
    print_log_comparison(console, summary)
    for choice in summary.choices:
        print_line(
            console,
            f"{choice.strategy} with the first {choice.S:,} solutions of {choice.problems:,} problems: "
            f"{choice.logged:.3f} as the log chose, {choice.ours:.3f} by the same rule here.",
        )
    if any(choice.differing for choice in summary.choices):
        print_line(console, "They differ where the log reads an answer otherwise, or counts other answers as equal.")
    for sentence in summary.notes:
        print_note(console, sentence)
    if summary.refused:
        print_note(console, f"{summary.refused:,} answers were too large or too slow to compare, and count as wrong.")
    if log.unknown:
        print_plain_line(console, f"Unknown, because no row records it: {', '.join(log.unknown)}.")
    if rows["verifications"] and {
        f"solutions.{COMPLETION_TOKENS_COLUMN}",
        f"verifications.{COMPLETION_TOKENS_COLUMN}",
    } & set(log.unknown):
        print_note(console, "λ is unknown without completion tokens; give it to fit and plan with --lambda.")
    if rows["solutions"] and summary.accuracy is None:
        print_note(console, "no solution is right or wrong, so nothing can be fitted.")
    elif rows["solutions"]:
        print_plain_line(console, f"Next: isocompute fit {summary.run} -o {summary.run}/profile.json")
    else:
        print_note(
            console, "searches alone cannot be fitted: the solutions that a search keeps are not independent samples."
        )
