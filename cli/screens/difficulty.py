"""Terminal output and JSON of `isocompute difficulty`."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.text import format_compute_interval, format_interval, print_line, print_note
from isocompute.cli.screens.words import print_words
from isocompute.fits.choice.compute_optimal import ComputeOptimalPolicy, PolicyAccuracy
from isocompute.planner.budget import format_compute
from isocompute.planner.difficulty_study import DifficultyStudy
from isocompute.runners.parsing.printable import format_count

POLICY_NOTE = (
    "Policies decide while they sample, and do not know the level. Shown is the most accurate one for a mean compute "
    "within the budget, under settings chosen on other problems. One for all: the fixed choice of the first table, "
    "for up to the budget on every problem. --json gives every policy and budget."
)
AccuracyCells = tuple[str, str]


def print_study(console: Console, study: DifficultyStudy) -> None:
    """Print the choice and its accuracy for each level, and the gain over one choice for all problems."""
    policy = study.policy
    cost = f", which cost {study.charge:,.3g}x; the strategies go on from them" if study.samples else ""
    size = format_count(study.problems, "problem")
    print_line(console, (study.name, "bold"), f": difficulty by {study.kind_description}{cost}; {size}")
    console.print()
    console.print(build_gain_table(policy))
    console.print()
    console.print(build_level_table(policy))
    console.print()
    if study.policies:
        console.print(build_policy_table(study))
        print_line(console, POLICY_NOTE)
        console.print()
    for warning in study.warnings:
        print_note(console, warning)
    print_words(console, ["x", "level", "optimistic"])


def build_gain_table(policy: ComputeOptimalPolicy) -> Table:
    """Return the table of the gain over all problems."""
    table = make_empty_table("budget", "by difficulty", "optimistic", "one for all", "gain")
    table.caption = (
        "In percent, with 95 % intervals. Each problem is scored under choices made on other "
        "problems; the optimistic accuracy is scored on the same problems as the choice.\nThe gain's "
        "interval is for the best policy that could be chosen."
    )
    for i, budget in enumerate(policy.budgets):
        interval = (policy.gain_low[i], policy.gain_high[i])
        gain = (
            "–" if math.isnan(policy.gain[i]) else f"{100 * policy.gain[i]:+.1f} {format_interval(interval, sign='+')}"
        )
        common, _ = format_accuracy_cells(policy.one_for_all, i)
        table.add_row(f"{budget:,.0f}x", *format_accuracy_cells(policy.by_difficulty, i), common, gain)
    return table


def build_level_table(policy: ComputeOptimalPolicy) -> Table:
    """Return the table of the choices for each level, at every second budget."""
    table = make_empty_table("budget", "level", "run", "accuracy", "optimistic", "one for\nall")
    table.columns[2].justify = "left"
    table.caption = "Level 1 is the easiest; its share of the problems is in parentheses. --json gives every budget."
    for i in range(0, len(policy.budgets), 2):
        if not math.isnan(policy.gain[i]):
            for row, level in enumerate(policy.levels):
                budget = "" if row else f"{policy.budgets[i]:,.0f}x"
                name = f"{level.level} ({level.problem_share:.0%})"
                table.add_row(
                    budget,
                    name,
                    level.choices[i],
                    *format_accuracy_cells(level.by_difficulty, i),
                    format_percent_number(level.one_for_all[i]),
                )
    return table


def build_policy_table(study: DifficultyStudy) -> Table:
    """Return the table of what the most accurate policy reaches and spends by level, at every second budget."""
    table = make_empty_table("budget", "policy", "level", "accuracy", "mean compute", "one for\nall")
    table.columns[1].justify = "left"
    found = study.policy
    fixed = {level.level: level.one_for_all for level in found.levels}
    for i in range(2, len(found.budgets), 2):
        best = next((each for each in study.policies if each.budget == found.budgets[i]), None)
        for part in [] if best is None else [best.whole, *best.levels]:
            assert best is not None, "there are no parts without it"
            is_whole = part.level is None
            one_for_all = found.one_for_all.accuracy if part.level is None else fixed[part.level]
            table.add_row(
                f"{best.budget:,.0f}x" if is_whole else "",
                best.rule if is_whole else "",
                "all" if is_whole else str(part.level),
                f"{format_percent_number(part.accuracy)} {format_interval(part.interval)}",
                f"{format_compute(part.compute)} {format_compute_interval(part.compute_interval)}",
                format_percent_number(float(one_for_all[i])),
            )
    return table


def make_empty_table(*headings: str) -> Table:
    """Return a table without rows."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def format_accuracy_cells(accuracies: PolicyAccuracy, i: int) -> AccuracyCells:
    """Return accuracy with its interval, and the optimistic accuracy, at one budget."""
    if math.isnan(accuracies.accuracy[i]):
        return "–", "–"
    interval = None if math.isnan(accuracies.low[i]) else (float(accuracies.low[i]), float(accuracies.high[i]))
    return f"{format_percent_number(accuracies.accuracy[i])} {format_interval(interval)}", format_percent_number(
        accuracies.optimistic[i]
    )


def format_percent_number(value: float) -> str:
    """Return an accuracy in percent, without the percent sign."""
    return f"{100 * value:.1f}"
