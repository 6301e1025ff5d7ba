"""Terminal output of `isocompute policies`."""

from __future__ import annotations

import math

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from isocompute.cli.screens.difficulty import make_empty_table
from isocompute.cli.screens.plan import format_interval, print_line, print_note
from isocompute.planner.budget import format_compute
from isocompute.planner.compare import ConfidenceInterval
from isocompute.planner.policies.comparison import PolicyComparison
from isocompute.planner.policies.learnt_policy import find_best_row
from isocompute.planner.policies.policy_rows import PolicyRow


def print_policies(console: Console, found: PolicyComparison) -> None:
    """Print what each rule reaches, and what it saves."""
    lam = "" if found.lam is None else f", λ = {found.lam:.3g}"
    print_line(
        console,
        f"[bold]{escape(found.name)}[/]: {found.problems} problems, {found.describe_goal()} "
        f"(cost model {found.cost_model}{lam})",
    )
    console.print()
    console.print(build_reach_table(found))
    console.print()
    console.print(build_saving_table(found))
    console.print()
    for warning in found.warnings:
        print_note(console, warning)


def build_reach_table(found: PolicyComparison) -> Table:
    """Return the table of what each rule reaches and costs."""
    table = make_empty_table("rule", "threshold", "accuracy", "mean", "p95", "S", "V", "waves", "same answer")
    table.columns[0].justify = "left"
    table.caption = (
        "Each problem is scored under thresholds chosen on other problems; the threshold shown is chosen on all. In "
        "percent, with 95 % intervals.\nMean and p95: compute of a problem, mean and 95th percentile. S, V: mean "
        f"solutions and verifications. Waves: of {found.width}, one after the other.\nSame answer: as with the full "
        "budget of the same rule."
    )
    best = find_best_row(found)
    for row in found.rows:
        threshold = "–" if row.is_certified is False else f"{row.threshold:.4g}"
        table.add_row(
            row.rule,
            threshold,
            f"{100 * row.accuracy:.1f} {format_interval(row.interval)}",
            format_compute(row.compute),
            format_compute(row.percentile_95),
            f"{row.solutions:.1f}",
            f"{row.verifications:.1f}",
            f"{row.depth:.1f}",
            f"{100 * row.same_answer:.1f} {format_interval(row.same_interval)}",
            style="bold" if row is best else None,
        )
    return table


def build_saving_table(found: PolicyComparison) -> Table:
    """Return the table of what each rule saves, told twice, and of its lead over fixed plans."""
    headings = "rule", "full budget", "saves", "as accurate fixed\nplan: saves", "of hindsight"
    table = make_empty_table(*headings, "ahead of the best fixed\nat equal compute", "at the full budget")
    table.columns[0].justify = "left"
    table.caption = (
        "Full budget: the same rule without stopping. Of hindsight: the part of the saving of one who knows when to "
        "stop with\nthe same answer; above 100 % where the rule stops earlier, with other answers. Ahead: points of "
        "accuracy over the\nbest fixed plan of the run, chosen on other problems too; paired."
    )
    for row in found.rows:
        table.add_row(
            row.rule,
            f"{100 * row.full_accuracy:.1f} for {format_compute(row.full_compute)}",
            f"{row.saving_full:.2f}x {format_ratio_interval(row.saving_full_interval)}",
            describe_fixed_saving(row),
            "–" if row.hindsight_share is None else f"{row.hindsight_share:.0%} of {row.hindsight_saving:.1f}x",
            f"{100 * row.gain_equal:+.1f} {format_interval(row.gain_equal_interval, sign='+')}",
            f"{100 * row.gain_full:+.1f} {format_interval(row.gain_full_interval, sign='+')}",
        )
    return table


def describe_fixed_saving(row: PolicyRow) -> str:
    """Return the saving against the cheapest fixed plan that is as accurate; "none is" if there is no such plan."""
    saving = "none is" if math.isinf(row.saving_fixed) else f"{row.saving_fixed:.2f}x"
    return f"{saving} {format_ratio_interval(row.saving_fixed_interval)}"


def format_ratio_interval(interval: ConfidenceInterval) -> str:
    """Return the interval of a ratio in brackets; an infinite end is "never"."""
    return format_interval(interval, scale=1, digits=2)
