"""Terminal output of `isocompute evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from isocompute.cli.screens.difficulty import make_empty_table
from isocompute.cli.screens.text import print_line, print_note
from isocompute.cli.screens.words import print_words
from isocompute.planner.budget import format_compute
from isocompute.planner.evaluation.regret import Evaluation
from isocompute.planner.evaluation.run_evaluation import RunEvaluation


@contextmanager
def show_split_progress(console: Console, splits: int) -> Iterator[Callable[[int], None]]:
    """Show how many splits are finished, if the console is a terminal; the function that is given counts them."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("estimating", total=splits)
        yield lambda finished: progress.update(task, completed=finished, description="pilots")


def print_evaluation(console: Console, found: RunEvaluation) -> None:
    """Print the pilots' shape, and the regret of the advice and of rules without a pilot."""
    evaluation = found.evaluation
    print_line(
        console,
        (found.run.name, "bold"),
        f": {evaluation.splits} pilots of {evaluation.shape}, each "
        f"{evaluation.cost_share:.1%} of the cost of the run; the advice is scored on the other "
        f"{found.problems - evaluation.shape.problems} problems",
    )
    console.print()
    console.print(build_rules_table(evaluation))
    console.print()
    for warning in found.warnings:
        print_note(console, warning)
    print_words(console, ["x", "hindsight"])


def build_rules_table(evaluation: Evaluation) -> Table:
    """Return the table of the reported rules, the advice first."""
    table = make_empty_table("rule", "regret", "90 %", *map(format_compute, evaluation.budgets))
    table.columns[0].justify = "left"
    table.caption = (
        "Regret: points of accuracy below the best allocation in hindsight. Mean over pilots and budgets ± its "
        "standard error over pilots; 90th percentile; mean at each budget."
    )
    for rule in evaluation.reported_rules:
        whole = evaluation.summarise(rule)
        by_budget = [f"{100 * at.mean:.2f}" for at in evaluation.summarise_budgets(rule)]
        mean = f"{100 * whole.mean:.2f} ± {100 * whole.error:.2f}"
        table.add_row(describe_rule(evaluation, rule), mean, f"{100 * whole.percentile_90:.2f}", *by_budget)
    return table


def describe_rule(evaluation: Evaluation, rule: str) -> str:
    """Return the name of a rule, marked if it is the best fixed one."""
    return f"best fixed: {rule}" if rule == evaluation.best_fixed_rule else rule
