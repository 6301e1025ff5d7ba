"""Terminal output about runs and tasks: results of a sweep, progress and integrity of runs, and regrading."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isocompute.cli.screens.text import print_line, print_note
from isocompute.runners.parsing.printable import format_count, format_one_line, format_short_number
from isocompute.runners.storage.examination import CheckReport
from isocompute.runners.storage.examined_parts import REIMPORT, REPAIR, RESTORE, RESWEEP, Damage
from isocompute.runners.storage.expected import Gap
from isocompute.runners.storage.progress import RunProgress, TableProgress, UnreadableRun

if TYPE_CHECKING:  # these imports take longer than most commands
    from isocompute.runners.config.tasks import TaskEntry
    from isocompute.runners.sampling.sampler import SweepSummary
    from isocompute.runners.storage.grader_comparison import GraderComparison
    from isocompute.runners.storage.joining import JoinedTable
    from isocompute.runners.storage.log_comparison import LogComparison
    from isocompute.runners.storage.regrade import RegradeResult

MAX_SHOWN_ITEMS = 5
"""The most reasons, damages or gaps that are shown; JSON contains all of them."""


def print_run_survey(console: Console, runs: Sequence[RunProgress | UnreadableRun], folders: Sequence[str]) -> None:
    """Print the progress of runs."""
    for i, run in enumerate(runs):
        if i:
            console.print()
        if isinstance(run, UnreadableRun):
            print_plain_line(console, run.run, style="bold")
            print_plain_line(console, f"  cannot be read: {run.reason}", style="red")
        else:
            print_run_progress(console, run)
    if not runs:
        print_line(
            console, f"No runs in {', '.join(folders)} (subfolders included). To start one: isocompute sweep CONFIG"
        )


def print_run_progress(console: Console, run: RunProgress) -> None:
    """Print the progress of a run."""
    when = "" if run.written is None else f", written {format_age((datetime.now(UTC) - run.written).total_seconds())}"
    console.print(Text(format_one_line(run.run), style="bold").append(when, style="not bold"), soft_wrap=True)
    verifier = f", verified by {run.models['verifier']}" if "verifier" in run.models else ""
    origin = f"imported from {run.imported}; " if run.imported else ""
    origin += f"solutions of {format_one_line(run.solutions_from)}; " if run.solutions_from else ""
    solver = run.models.get("solver", "an unnamed model")
    print_plain_line(
        console,
        f"  {format_count(run.problems, 'problem')} of {format_one_line(run.task)}; "
        f"{origin}{format_one_line(solver)}{format_one_line(verifier)}",
    )
    table = make_number_table("", "rows", "done", "failed", "prompt\ntokens", "cached\ntokens", "completion\ntokens")
    tables = ("solutions", "verifications", "scores", "searches")
    for name, rows in ((name, getattr(run, name)) for name in tables):
        if rows.asked or rows.done or rows.failures:
            tokens = (
                "?"
                if rows.tokens[kind] is None
                else ("≥ " if rows.untold[kind] else "") + format_short_number(rows.tokens[kind])
                for kind in ("prompt", "cached", "completion")
            )
            table.add_row(
                name, f"{rows.done:,} of {rows.asked:,}", format_share_done(rows), f"{sum_failures(rows):,}", *tokens
            )
    if table.rows:
        console.print(Padding(table, (0, 0, 0, 2)))
    if run.accuracy is not None:
        print_line(console, f"  A solution is right with probability {run.accuracy:.3f}.")
    if any(run.answers.values()):
        print_line(console, f"  Answers: {format_kinds(run.answers)}.")
    if any(run.verdicts.values()):
        print_line(console, f"  Verdicts: {format_kinds(run.verdicts)}.")
    if run.search_accuracy is not None:
        print_line(console, f"  A search is right with probability {run.search_accuracy:.3f}.")
    reasons = sum((Counter(getattr(run, name).failures) for name in tables), Counter[str]())
    for reason, count in reasons.most_common(MAX_SHOWN_ITEMS):
        print_plain_line(console, f"  {count:,} failed: {format_one_line(reason)}", style="yellow")
    if len(reasons) > MAX_SHOWN_ITEMS:
        print_plain_line(
            console, f"  … and in {len(reasons) - MAX_SHOWN_ITEMS:,} other ways (--json lists all)", style="yellow"
        )


def print_joined_tables(console: Console, run: str, tables: list[JoinedTable]) -> None:
    """Print how many parts became how many."""
    if not any(table.before > table.after or table.deleted for table in tables):
        print_plain_line(console, f"{run} has no parts to join; nothing was changed.")
        return
    print_plain_line(console, f"Joined the parts of {run}:")
    for table in tables:
        deleted = f", {format_count(table.deleted, 'file')} deleted" if table.deleted else ""
        print_plain_line(console, f"  {table.table}: {table.before:,} → {table.after:,}{deleted}")


def print_check_report(console: Console, report: CheckReport, repaired: bool) -> None:
    """Print whether a run is intact, and if not, what to do."""
    row_counts = ", ".join(f"{count:,} {name}" for name, count in report.rows.items()) or "no rows yet"
    if report.is_whole:
        print_plain_line(console, f"{report.run} is intact: {row_counts}.")
    else:
        print_plain_line(console, f"{report.run} is damaged.", style="bold red")
    for damage in report.damage[:MAX_SHOWN_ITEMS]:
        console.print()
        print_plain_line(console, damage.path)
        print_plain_line(console, f"  {format_one_line(damage.what)}")
        print_plain_line(console, f"  {describe_loss(damage)}")
    if len(report.damage) > MAX_SHOWN_ITEMS:
        console.print()
        print_plain_line(console, f"… and {len(report.damage) - MAX_SHOWN_ITEMS:,} more (--json lists all)")
    if not report.is_whole:
        console.print()
        print_plain_line(console, f"Intact: {row_counts}.")
    for name, gaps in report.missing.items():
        if gaps:
            where = "" if report.is_whole else f": {describe_gaps(gaps)}"
            print_plain_line(console, f"A sweep would still add {sum(gap.rows for gap in gaps):,} {name}{where}.")
    for text in report.notes:
        print_note(console, f"{format_one_line(text)}.")
    remedies = {damage.remedy for damage in report.damage}
    if RESTORE in remedies:
        print_line(console, "To do: restore manifest.json from a copy, or start a new run.")
    elif REIMPORT in remedies:
        print_line(console, "To do: import the source again into a new run; the lost rows cannot be sampled here.")
    elif REPAIR in remedies and not repaired:
        print_plain_line(
            console, f"To do: isocompute check {report.run} --repair, which renames damaged parts to ….damaged and"
        )
        print_plain_line(console, "keeps the intact rows; then run the same sweep again.")
    elif report.damage:
        print_line(
            console, ("The damaged parts are set aside. " if repaired else "To do: ") + "Run the same sweep again."
        )


def describe_loss(damage: Damage) -> str:
    """Describe the rows that a damage loses."""
    if damage.remedy == RESWEEP:
        return "nothing is lost: a sweep writes the missing problems"
    if damage.remedy == RESTORE:
        return "no row is lost, but no sweep can add to the run and no fit can read it"
    if damage.rows is None:
        return "lost: all its rows; their number is unknown"
    return f"lost: {damage.rows:,} row{'s' if damage.rows != 1 else ''}"


def describe_gaps(gaps: list[Gap]) -> str:
    """Describe the missing rows."""
    gap_texts = [str(gap.first) if gap.rows == 1 else f"{gap.first} to {gap.last}" for gap in gaps[:MAX_SHOWN_ITEMS]]
    return format_one_line("; ".join(gap_texts), 1000) + (
        f"; and {len(gaps) - MAX_SHOWN_ITEMS:,} more gaps" if len(gaps) > MAX_SHOWN_ITEMS else ""
    )


def make_number_table(*headings: str) -> Table:
    """Return a table with one column of names and others of numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left", no_wrap=True)
    return table


def format_share_done(rows: TableProgress) -> str:
    """Return the share of finished rows; it is rounded to 100 % only if all are finished."""
    return (
        "–" if not rows.asked else f"{min(100 * rows.done / rows.asked, 99.9 if rows.done < rows.asked else 100):.3g} %"
    )


def sum_failures(rows: TableProgress) -> int:
    """Count the rows that failed."""
    return sum(rows.failures.values())


def format_age(seconds: float) -> str:
    """Return how long ago something was.

    >>> [format_age(s) for s in (4, 100, 7300, 200_000)]
    ['4 s ago', '2 min ago', '2 h ago', '2 days ago']
    """
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def print_plain_line(console: Console, text: str, style: str | None = None) -> None:
    """Print a line as it is."""
    console.print(text, style=style, soft_wrap=True)


def print_sweep_summary(console: Console, summary: SweepSummary) -> None:
    """Print the results of a sweep and the next commands."""
    row_counts = f"{summary.solutions:,} solutions and {summary.verifications:,} verifications"
    print_line(console, f"{summary.run} holds {row_counts} ({summary.sampled:,} rows sampled now).")
    if not math.isnan(summary.accuracy):
        print_line(console, f"A solution is right with probability {summary.accuracy:.3f}.")
    if summary.solutions:
        print_line(console, f"Answers: {format_kinds(summary.answers)}.")
    if summary.verifications:
        print_line(console, f"Verdicts: {format_kinds(summary.verdicts)}.")
    if summary.searches:
        print_line(
            console, f"{summary.searches:,} searches; one is right with probability {summary.search_accuracy:.3f}."
        )
    if summary.stopped is not None:
        print_line(console, f"Stopped {summary.stopped}; without --until the sweep goes on from here.")
    for reason, count in summary.failed.items():
        print_note(console, f"{count:,} rows failed: {reason}; run the sweep again to retry them.")
    if summary.refused_comparisons:
        print_note(
            console,
            f"{summary.refused_comparisons:,} answers were too large or too slow to compare, and count as wrong.",
        )
    if not summary.empty_tables:
        print_line(console, f"Next: isocompute fit {summary.run} -o {summary.run}/profile.json")


def explain_empty_tables(summary: SweepSummary) -> str:
    """Return a sentence on a sweep of which a table has no row that succeeded."""
    kind = " and ".join(summary.empty_tables)
    # of several that are as frequent, the first in the alphabet
    reason = min(summary.failed, key=lambda each: (-summary.failed[each], each), default="no row was answered")
    return (
        f"None of the {kind} in '{summary.run}' succeeded, so there is nothing to fit yet. The most frequent reason: "
        f"{reason.rstrip('.')}."
    )


def format_kinds(kinds: dict[str, int]) -> str:
    """Return the number of rows of each kind that there is.

    >>> format_kinds({"failed": 0, "right": 1203, "wrong": 40, "truncated": 2, "unread": 0})
    '1,203 right, 40 wrong, 2 truncated'
    """
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)


def print_tasks(console: Console, entries: dict[str, TaskEntry], generators: dict[str, list[str]]) -> None:
    """Print the tasks, and the generators of reasoning-gym by their grader."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("task", "size", "grader", "source", "licence", "needs"):
        no_wrap = heading in ("task", "size", "needs")
        table.add_column(heading, justify="right" if heading == "size" else "left", overflow="fold", no_wrap=no_wrap)
    for name, entry in entries.items():
        size = "any" if entry.size is None else f"{entry.size:,}"
        table.add_row(name, size, entry.grader, entry.source, entry.licence, entry.extra)
    console.print(table)
    console.print()
    console.print("The column 'needs' names an extra to install: pip install 'isocompute[datasets]'.")
    for grader, names in generators.items():
        console.print()
        print_line(console, f"Generators of reasoning-gym graded as {grader}: {', '.join(names)}.")


def print_regrading(console: Console, result: RegradeResult) -> None:
    """Print the results of grading a run again."""
    print_line(
        console,
        (f"{result.solutions:,}", "bold"),
        f" solutions graded by {result.grader}; before that by {result.before}",
    )
    print_line(
        console,
        f"  {result.changed:,} answers changed; {result.now_right:,} became right and {result.now_wrong:,} wrong",
    )
    print_accuracy(console, result)
    print_log_comparison(console, result)
    if result.unread:
        print_line(console, f"  {result.unread:,} have no readable answer")
    if result.refused:
        print_line(
            console, f"  {result.refused:,} answers were refused: too large or too slow to compare, so counted as wrong"
        )
    for text in result.notes:
        print_note(console, f"{text}.")


def print_accuracy(console: Console, log: LogComparison) -> None:
    """Print the mean accuracy over problems, and that over solutions if it differs."""
    if log.accuracy is None or log.problem_accuracy is None:
        return
    if f"{log.problem_accuracy:.3f}" == f"{log.accuracy:.3f}":
        print_line(console, f"A solution is right with probability {log.accuracy:.3f}.")
        return
    print_line(
        console,
        f"Of a problem's solutions {log.problem_accuracy:.3f} are right, as the mean over problems, which is what fit "
        f"reports. Of all solutions {log.accuracy:.3f} are right, since problems with more solutions count more.",
    )


def print_log_comparison(console: Console, log: LogComparison) -> None:
    """Print what the log of an import says, and some solutions that it judges differently."""
    if log.logged_accuracy is None:
        return
    if not log.differing:
        print_line(console, f"The log says {log.logged_accuracy:.3f}; no solution is judged differently.")
        return
    what = "1 solution is" if log.differing == 1 else f"{log.differing:,} solutions are"
    print_line(console, f"The log says {log.logged_accuracy:.3f}; {what} judged differently:")
    for each in log.examples:
        judged = f"{'right' if each.logged else 'wrong'} in the log, {'right' if each.graded else 'wrong'} here"
        problem, gold, answer = (
            text and format_one_line(text, 80) for text in (each.problem_id, each.gold, each.answer)
        )
        print_plain_line(
            console, f"  {problem}, solution {each.solution_id}: gold {gold or '?'}, read {answer or 'none'}: {judged}"
        )


def print_grader_comparison(console: Console, comparison: GraderComparison) -> None:
    """Print how often two graders agree, and solutions on which they differ."""
    both = comparison.solutions - comparison.only_first - comparison.only_second
    print_plain_line(
        console,
        f"{comparison.solutions:,} solutions of {comparison.run}: {100 * comparison.accuracy:.1f} % are right by "
        f"{comparison.grader}, {100 * comparison.other_accuracy:.1f} % by {comparison.against}.",
    )
    print_line(
        console,
        f"They agree on {both:,}; {comparison.only_first:,} are right by the first alone, "
        f"{comparison.only_second:,} by the second alone.",
    )
    if comparison.refused:
        print_note(console, f"{comparison.refused:,} comparisons were too large or too slow, and count as wrong.")
    for each in comparison.examples:
        side = "first" if each.is_right else "second"
        read = "" if each.answer is None else f", read {each.answer}"
        print_plain_line(
            console,
            f"  {each.problem_id}, solution {each.solution_id}: right by the {side} alone; gold {each.gold}{read}; "
            f"ends: {each.ending[-90:]}",
        )
