"""What a person reads of runs and tasks: what a sweep did, how far runs are, and whether they are whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isocompute.cli.screens.plan import note, say
from isocompute.runners.parsing.printable import plain, short
from isocompute.runners.storage.check import Report
from isocompute.runners.storage.expected import Gap
from isocompute.runners.storage.progress import Progress, Rows, Unreadable
from isocompute.runners.storage.validation import REIMPORT, REPAIR, RESTORE, RESWEEP, Damage

if TYPE_CHECKING:  # what it imports takes longer than most commands
    from isocompute.runners.config.tasks import TaskEntry
    from isocompute.runners.sampling.sampler import Summary
    from isocompute.runners.storage.regrade import Regraded

SHOWN = 5
"""Reasons, damages or gaps that are shown; JSON holds them all."""


def surveyed(console: Console, found: Sequence[Progress | Unreadable], folders: Sequence[str]) -> None:
    """Print how far runs are."""
    for i, run in enumerate(found):
        if i:
            console.print()
        if isinstance(run, Unreadable):
            line(console, run.run, style="bold")
            line(console, f"  cannot be read: {run.reason}", style="red")
        else:
            progressed(console, run)
    if not found:
        say(console, f"No runs in {', '.join(folders)} or below. One is begun by: isocompute sweep CONFIG")


def progressed(console: Console, run: Progress) -> None:
    """Print how far a run is."""
    when = "" if run.written is None else f", written {ago((datetime.now(UTC) - run.written).total_seconds())}"
    console.print(Text(plain(run.run), style="bold").append(when, style="not bold"), soft_wrap=True)
    verifier = f", verified by {run.models['verifier']}" if "verifier" in run.models else ""
    made = f"imported from {run.imported}; " if run.imported else ""
    made += f"solutions of {plain(run.solutions_from)}; " if run.solutions_from else ""
    solver = run.models.get("solver", "an unnamed model")
    line(console, f"  {run.problems:,} problems of {plain(run.task)}; {made}{plain(solver)}{plain(verifier)}")
    table = columns("", "rows", "done", "failed", "prompt\ntokens", "cached\ntokens", "completion\ntokens")
    tables = ("solutions", "verifications", "scores", "searches")
    for name, rows in ((name, getattr(run, name)) for name in tables):
        if rows.asked or rows.done or rows.failures:
            tokens = (
                "?" if rows.tokens[kind] is None else ("≥ " if rows.untold[kind] else "") + short(rows.tokens[kind])
                for kind in ("prompt", "cached", "completion")
            )
            table.add_row(name, f"{rows.done:,} of {rows.asked:,}", share(rows), f"{failed(rows):,}", *tokens)
    if table.rows:
        console.print(Padding(table, (0, 0, 0, 2)))
    if run.accuracy is not None:
        say(console, f"  A solution is right with probability {run.accuracy:.3f}.")
    if run.search_accuracy is not None:
        say(console, f"  A search is right with probability {run.search_accuracy:.3f}.")
    reasons = sum((Counter(getattr(run, name).failures) for name in tables), Counter[str]())
    for reason, count in reasons.most_common(SHOWN):
        line(console, f"  {count:,} failed: {plain(reason)}", style="yellow")
    if len(reasons) > SHOWN:
        line(console, f"  … and in {len(reasons) - SHOWN:,} other ways (--json tells all)", style="yellow")


def checked(console: Console, report: Report, repaired: bool) -> None:
    """Print whether a run is whole, and if not what to do."""
    there = ", ".join(f"{count:,} {name}" for name, count in report.rows.items()) or "no rows yet"
    if report.whole:
        line(console, f"{report.run} is whole: {there}.")
    else:
        line(console, f"{report.run} is damaged.", style="bold red")
    for damage in report.damage[:SHOWN]:
        console.print()
        line(console, damage.path)
        line(console, f"  {plain(damage.what)}")
        line(console, f"  {lost(damage)}")
    if len(report.damage) > SHOWN:
        line(console, f"\n… and {len(report.damage) - SHOWN:,} more (--json tells all)")
    if not report.whole:
        line(console, f"\nSound: {there}.")
    for name, gaps in report.missing.items():
        if gaps:
            where = "" if report.whole else f": {ranges(gaps)}"
            line(console, f"A sweep would ask for {sum(gap.rows for gap in gaps):,} {name}{where}.")
    for text in report.notes:
        note(console, f"{plain(text)}.")
    remedies = {damage.remedy for damage in report.damage}
    if RESTORE in remedies:
        say(console, "To do: put manifest.json back from a copy, or begin another run.")
    elif REIMPORT in remedies:
        say(console, "To do: import the source again, into another run; nothing here can sample what is lost.")
    elif REPAIR in remedies and not repaired:
        line(console, f"To do: isocompute check {report.run} --repair, which renames what is damaged to ….damaged and")
        line(console, "keeps the sound rows; then the same sweep again.")
    elif report.damage:
        say(console, ("The damaged parts are set aside. " if repaired else "To do: ") + "Run the same sweep again.")


def lost(damage: Damage) -> str:
    """Say what is lost with a damage."""
    if damage.remedy == RESWEEP:
        return "nothing is lost: a sweep writes the problems that are missing"
    if damage.remedy == RESTORE:
        return "no row is lost by that, but no sweep adds to the run and no fit reads it"
    if damage.rows is None:
        return "lost: all its rows, and it does not say how many"
    return f"lost: {damage.rows:,} row{'s' if damage.rows != 1 else ''}"


def ranges(gaps: list[Gap]) -> str:
    """Say which rows are missing."""
    said = [str(gap.first) if gap.rows == 1 else f"{gap.first} to {gap.last}" for gap in gaps[:SHOWN]]
    return plain("; ".join(said), 1000) + (f"; and in {len(gaps) - SHOWN:,} more places" if len(gaps) > SHOWN else "")


def columns(*headings: str) -> Table:
    """Return a table of one column of names and others of numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left", no_wrap=True)
    return table


def share(rows: Rows) -> str:
    """Say how much is done; 100 % is said of all only."""
    return (
        "–" if not rows.asked else f"{min(100 * rows.done / rows.asked, 99.9 if rows.done < rows.asked else 100):.3g} %"
    )


def failed(rows: Rows) -> int:
    """Count the rows that failed."""
    return sum(rows.failures.values())


def ago(seconds: float) -> str:
    """Return how long ago something was.

    >>> [ago(s) for s in (4, 100, 7300, 200_000)]
    ['4 s ago', '2 min ago', '2 h ago', '2 days ago']
    """
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def line(console: Console, text: str, style: str | None = None) -> None:
    """Print a line as it is."""
    console.print(text, markup=False, highlight=False, style=style, soft_wrap=True)


def swept(console: Console, summary: Summary) -> None:
    """Print what a sweep did and what comes next."""
    there = f"{summary.solutions:,} solutions and {summary.verifications:,} verifications"
    say(console, f"{summary.run} holds {there} ({summary.sampled:,} rows sampled now).")
    if summary.solutions:
        say(console, f"A solution is right with probability {summary.accuracy:.3f}.")
    if summary.verifications:
        kinds = [f"{count:,} {kind}" for kind, count in summary.verdicts.items() if count]
        say(console, f"Verdicts: {', '.join(kinds)}.")
    if summary.searches:
        say(console, f"{summary.searches:,} searches; one is right with probability {summary.search_accuracy:.3f}.")
    for reason, count in summary.failed.items():
        note(console, f"{count:,} rows failed: {reason}; running the sweep again asks for them again.")
    if summary.refused:
        note(console, f"{summary.refused:,} answers were too large or too slow to compare, and count as wrong.")
    if summary.lacking:
        kind = " and ".join(summary.lacking)
        note(console, f"none of the {kind} came, so there is nothing to fit yet; see above why they failed.")
    else:
        say(console, f"Next: isocompute fit {summary.run} -o {summary.run}/profile.json")


def listed(console: Console, entries: dict[str, TaskEntry], generators: dict[str, list[str]]) -> None:
    """Print the tasks, and the generators of reasoning-gym by their grader."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("task", "size", "grader", "source", "licence", "needs"):
        whole = heading in ("task", "size", "needs")
        table.add_column(heading, justify="right" if heading == "size" else "left", overflow="fold", no_wrap=whole)
    for name, entry in entries.items():
        size = "any" if entry.size is None else f"{entry.size:,}"
        table.add_row(name, size, entry.grader, entry.source, entry.licence, entry.extra)
    console.print(table)
    console.print()
    console.print("What a task needs is an extra: pip install 'isocompute[datasets]'.", markup=False, highlight=False)
    for grader, names in generators.items():
        console.print()
        say(console, f"Generators of reasoning-gym graded as {grader}: {', '.join(names)}.")


def regraded(console: Console, found: Regraded) -> None:
    """Print what grading a run again found."""
    say(console, f"[bold]{found.solutions:,}[/] solutions graded by {found.grader}; before that by {found.before}")
    say(
        console,
        f"  {found.changed:,} answers changed; {found.now_right:,} became right and {found.now_wrong:,} wrong",
    )
    if found.unread:
        say(console, f"  {found.unread:,} give no answer")
    if found.refused:
        say(console, f"  {found.refused:,} answers were refused: too large or too slow to compare, so counted as wrong")
    for text in found.notes:
        note(console, f"{text}.")
