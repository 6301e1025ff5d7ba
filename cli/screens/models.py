"""Terminal output of `isocompute plan` with several profiles."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.text import format_interval, format_percent, print_line, print_note
from isocompute.cli.screens.words import print_words
from isocompute.planner.advice import describe_model_advice
from isocompute.planner.budget import format_amount
from isocompute.planner.models.equal_accuracy import EqualAccuracy
from isocompute.planner.models.model_plan import ModelPlan

MODEL_DIGITS = 3


def print_model_plan(console: Console, plan: ModelPlan) -> None:
    """Print a plan over several models."""
    print_line(console, (describe_model_advice(plan), "bold"))
    if plan.toy_note is not None:
        print_note(console, plan.toy_note)
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    names = {option.candidate.model for option in plan.options}
    for heading, texts in (("model", names), ("strategy", {option.candidate.strategy for option in plan.options})):
        table.add_column(heading, overflow="fold", min_width=max(len(word) for text in texts for word in text.split()))
    for heading in (f"cost,\n{plan.unit}", "expected", "recommended\nis ahead by", "P(best)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for option in plan.options:
        each = option.candidate
        gap = "" if option.gap is None else f"{100 * option.gap:.1f} {format_interval(option.gap_interval)}"
        table.add_row(
            each.model,
            f"{each.strategy} {each.settings}",
            format_amount(each.cost, plan.unit, MODEL_DIGITS).removesuffix(plan.unit).removeprefix("$").strip(),
            format_percent(each.accuracy),
            gap,
            f"{option.probability_best:.2f}",
        )
    console.print(table)
    print_line(console, f"On the {plan.problems} problems that all models were measured on; gaps are paired.")
    console.print()
    for equal in plan.equal:
        print_line(console, describe_equal_accuracy(equal, plan.unit))
    for note in plan.notes:
        print_note(console, note)
    strategies = {option.candidate.strategy for option in plan.options}
    cascade = ["cascade"] if "cascade" in strategies else []
    print_words(console, ["S, V", "N, M", "expected", "P(best)", *cascade], sorted(strategies))


def describe_equal_accuracy(equal: EqualAccuracy, unit: str) -> str:
    """Say what a cheaper model needs to be as accurate as a dearer one, and what it costs in relation to it."""
    reference = equal.reference
    what = "one answer" if reference.numbers.get("S") == 1 else f"best vote ({reference.settings})"
    low, high = (f"{end:.3g}" if math.isfinite(end) else "never" for end in equal.interval)
    target = f"{reference.model}'s {what} is expected to be {format_percent(reference.accuracy)} right"
    if equal.candidate is None:
        return f"{target}; {equal.model} does not get there, with what was measured (95 % interval [{low}, {high}])."
    if equal.interval[1] < 1 or equal.interval[0] >= 1:
        verdict = "is cheaper" if equal.ratio < 1 else "is not cheaper"
    else:
        verdict = f"looks {'' if equal.ratio < 1 else 'no '}cheaper, but that is not settled"
    return (
        f"{target}, for {format_amount(reference.cost, unit, MODEL_DIGITS)}; {equal.model} gets there with "
        f"{equal.candidate.strategy} {equal.candidate.settings} at {equal.ratio:.3g} [{low}, {high}] times that cost, "
        f"so it {verdict}."
    )
