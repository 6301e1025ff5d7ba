"""Terminal output of `isocompute policies`, and of a profile's policies."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.difficulty import make_empty_table
from isocompute.cli.screens.text import format_interval, print_line, print_note
from isocompute.planner.budget import format_compute
from isocompute.planner.policies.comparison import PolicyComparison
from isocompute.planner.policies.learnt_policy import find_best_row
from isocompute.planner.policies.policy_rows import PolicyRow
from isocompute.planner.policies.profile_policies import ProfilePolicy, list_leading_policies
from isocompute.planner.strategy_option import ConfidenceInterval

HELD_OUT_NOTE = (
    "Each problem is scored under thresholds and limits on S chosen on other problems; those shown are chosen on all. "
    "In percent, with 95 % intervals. Mean and p95: compute of a problem, mean and 95th percentile."
)
PROFILE_NOTE = (
    "Policies stop early, here for a mean compute within the budget, each problem under settings chosen on other "
    "problems. p95: 95th percentile of compute. Saves: compute of the cheapest fixed plan that is as accurate, over "
    "the mean. Left out are policies that are beaten: another one is as accurate for no more compute. --json has all."
)


def print_policies(console: Console, found: PolicyComparison) -> None:
    """Print what each rule reaches, what it samples and saves, and how far it is ahead of fixed plans."""
    lam = "" if found.lam is None else f", λ = {found.lam:.3g}"
    print_line(
        console,
        (found.name, "bold"),
        f": {found.problems} problems, {found.describe_goal()} (cost model {found.cost_model}{lam})",
    )
    notes = (
        f"{HELD_OUT_NOTE} Same answer: as with the full budget of the same rule, which is that of the pool.",
        f"S, V: mean solutions and verifications. Waves: of {found.width}, one after the other. Full budget: the same "
        "rule without stopping. Saves: its compute over the mean. Of hindsight: the part of the saving of one who "
        "knows when the answer no longer changes; a rule above 100 % stops earlier, with other answers.",
        "As accurate: compute of the cheapest fixed plan that is as accurate, over the mean. Ahead: points of accuracy "
        "over the best fixed plan of the run, chosen on other problems too; paired.",
    )
    tables = build_reach_table(found), build_saving_table(found), build_lead_table(found)
    for table, note in zip(tables, notes, strict=True):
        console.print()
        console.print(table)
        print_line(console, note)
    console.print()
    for warning in found.warnings:
        print_note(console, warning)


def print_profile_policies(console: Console, policies: Sequence[ProfilePolicy]) -> None:
    """Print the policies of a profile that lead at each mean budget."""
    table = make_empty_table("budget", "policy", "accuracy", "mean", "p95", "saves")
    table.columns[1].justify = "left"
    before = None
    for policy in list_leading_policies(policies):
        table.add_row(
            "" if policy.budget == before else format_compute(policy.budget),
            policy.rule,
            f"{100 * policy.accuracy:.1f} {format_interval(policy.interval)}",
            format_compute(policy.compute),
            format_compute(policy.percentile_95),
            describe_fixed_saving(policy),
        )
        before = policy.budget
    console.print()
    console.print(table)
    print_line(console, PROFILE_NOTE)


def build_reach_table(found: PolicyComparison) -> Table:
    """Return the table of what each rule reaches and costs."""
    table = make_empty_table("rule", "threshold", "S ≤", "accuracy", "mean", "p95", "same answer")
    table.columns[0].justify = "left"
    best = find_best_row(found)
    for row in found.rows:
        table.add_row(
            row.rule,
            "–" if row.is_certified is False else f"{row.threshold:.3g}",
            str(row.limit),
            f"{100 * row.accuracy:.1f} {format_interval(row.interval)}",
            format_compute(row.compute),
            format_compute(row.percentile_95),
            f"{100 * row.same_answer:.1f} {format_interval(row.same_interval)}",
            style="bold" if row is best else None,
        )
    return table


def build_saving_table(found: PolicyComparison) -> Table:
    """Return the table of what each rule samples, and what it saves against its full budget."""
    table = make_empty_table("rule", "S", "V", "waves", "full budget", "saves", "of hindsight")
    table.columns[0].justify = "left"
    for row in found.rows:
        table.add_row(
            row.rule,
            f"{row.solutions:.1f}",
            f"{row.verifications:.1f}",
            f"{row.depth:.1f}",
            f"{100 * row.full_accuracy:.1f} for {format_compute(row.full_compute)}",
            f"{format_ratio(row.saving_full)}x {format_ratio_interval(row.saving_full_interval)}",
            describe_hindsight_share(row),
        )
    return table


def build_lead_table(found: PolicyComparison) -> Table:
    """Return the table of each rule's saving and lead against the best fixed plans."""
    headings = (
        "rule",
        "as accurate fixed\nplan: saves",
        "ahead of the best fixed\nat equal compute",
        "at the full budget",
    )
    table = make_empty_table(*headings)
    table.columns[0].justify = "left"
    for row in found.rows:
        table.add_row(
            row.rule,
            describe_fixed_saving(row),
            f"{100 * row.gain_equal:+.1f} {format_interval(row.gain_equal_interval, sign='+')}",
            f"{100 * row.gain_full:+.1f} {format_interval(row.gain_full_interval, sign='+')}",
        )
    return table


def describe_hindsight_share(row: PolicyRow) -> str:
    """Return the part of hindsight's saving that a rule reaches; a dash if there is nothing to save."""
    if row.hindsight_share is None:
        return "–"
    return f"{row.hindsight_share:.0%} of {format_ratio(row.hindsight_saving)}x"


def describe_fixed_saving(row: PolicyRow | ProfilePolicy) -> str:
    """Return the saving against the cheapest fixed plan that is as accurate; "none is" if there is no such plan."""
    saving = "none is" if math.isinf(row.saving_fixed) else f"{format_ratio(row.saving_fixed)}x"
    return f"{saving} {format_ratio_interval(row.saving_fixed_interval)}"


def format_ratio_interval(interval: ConfidenceInterval) -> str:
    """Return the interval of a ratio in brackets; an infinite end is "never"."""
    return f"[{', '.join(format_ratio(end) for end in interval)}]"


def format_ratio(ratio: float) -> str:
    """Return a ratio with three digits; "never" if it is infinite.

    >>> format_ratio(1.174), format_ratio(28.31), format_ratio(128)
    ('1.17', '28.3', '128')
    """
    if math.isinf(ratio):
        return "never"
    return f"{ratio:,.{0 if ratio >= 99.95 else 1 if ratio >= 9.995 else 2}f}"
