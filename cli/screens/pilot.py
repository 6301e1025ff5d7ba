"""Terminal output of `isocompute pilot` and `isocompute next`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.difficulty import make_empty_table
from isocompute.cli.screens.text import print_line, print_note
from isocompute.cli.screens.words import print_words
from isocompute.planner.budget import format_compute
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.costs import PilotCosts
from isocompute.planner.pilot.expectation import ExpectedRegret
from isocompute.planner.pilot.next_rows import NextRows
from isocompute.planner.pilot.planning import PricedPilot
from isocompute.planner.pilot.search_requests import SearchRequest


def print_pilot(console: Console, found: PricedPilot) -> None:
    """Print a pilot, its cost, the regret to expect, other shapes, and where the variance comes from."""
    plan = found.plan
    budgets = " to ".join(format_compute(x) for x in dict.fromkeys((plan.budgets[0], plan.budgets[-1])))
    print_line(console, (str(plan.shape), "bold"), f": {describe_costs(found.costs)}")
    print_line(
        console,
        f"expected regret of its advice at {budgets}: {format_regret(plan.expected)}; one task in ten loses more than "
        f"{100 * plan.expected.high:.1f} points",
    )
    if (split := plan.split) is None:
        print_line(console, "this budget pays for one solution, so that there is nothing to choose")
    else:
        parts = [f"problems {split.problems:.0%}", f"solutions {split.solutions:.0%}"]
        parts += [f"verdicts {split.verdicts:.0%}"] if plan.shape.verified else []
        lead = f"the measured lead of {split.allocation} over {split.baseline}"
        print_line(console, f"variance of {lead}: {', '.join(parts)}")
    if plan.gap is not None:
        print_line(console, f"a gap of {100 * plan.gap:g} points between these two is told with probability 0.8")
    if plan.others:
        console.print()
        console.print(build_shape_table(plan.others, plan.model.lam))
    console.print()
    print_note(console, f"Tasks are those of {plan.model.source}, with λ = {plan.model.lam:.3g}.")
    for warning in found.warnings:
        print_note(console, warning)
    print_words(console, ["x", "regret", "λ"])


def print_next_rows(console: Console, found: NextRows) -> None:
    """Print the decision of a run, the rows to add, all options, and what can be dropped."""
    print_line(console, (found.run, "bold"), f": {found.shape}, {format_compute(found.cost)} in total")
    print_line(
        console,
        f"at {format_compute(found.budget)}: {found.recommended}; expected regret {100 * found.regret:.2f} points",
    )
    if found.best is None:
        print_line(console, "no rows are worth adding")
    else:
        print_line(console, "add ", (found.best.rows, "bold"), f", for {format_compute(found.best.cost)}")
    console.print()
    table = make_empty_table("rows", "cost", "expected regret", "gain per 1,000x")
    table.columns[0].justify = "left"
    table.caption = "In points of accuracy."
    for option in found.options:
        gain = f"{option.gain_per_cost:.4f}"
        table.add_row(option.rows, format_compute(option.cost), f"{100 * option.regret:.2f}", gain)
    console.print(table)
    console.print()
    if found.dominated:
        print_line(console, f"can be dropped: {', '.join(found.dominated)}")
    for request in found.searches:
        print_search_request(console, request)
    if found.searches:
        print_line(console, "then continue the run: isocompute sweep FILE")
        console.print()
    depth = f"S={found.enough_solutions}, V={found.enough_verifications}"
    print_line(console, f"enough at this budget: {depth}")
    for warning in found.warnings:
        print_note(console, warning)
    print_words(console, ["x", "S, V", "regret"])


def print_search_request(console: Console, request: SearchRequest) -> None:
    """Print searches that are worth running, and the entries to write for them in the sweep file."""
    cost = "at an unknown cost" if request.cost is None else f"for {format_compute(request.cost)}"
    gain = "" if request.gain is None else f", gain {100 * request.gain:.2f} points"
    print_line(console, "search ", (request.rows, "bold"), f", {cost}{gain}: {request.reason}")
    print_line(console, "  its entry under 'searches' in the sweep file becomes:")
    for line in request.entries.splitlines():
        console.print(f"    {line}", soft_wrap=True)


def build_shape_table(others: tuple[tuple[PilotShape, ExpectedRegret], ...], lam: float) -> Table:
    """Return the table of other shapes."""
    table = make_empty_table("other pilots", "cost", "expected regret")
    table.columns[0].justify = "left"
    for shape, expected in others:
        table.add_row(str(shape), format_compute(shape.compute_cost(lam)), format_regret(expected))
    return table


def describe_costs(costs: PilotCosts) -> str:
    """Return the costs that are known, in words."""
    parts = [f"{format_compute(costs.solutions_worth)} in total"]
    tokens = ((costs.completion_tokens, "tokens written"), (costs.prompt_tokens, "tokens read"))
    parts += [f"{value:.3g} {name}" if value < 1e4 else f"{value:,.0f} {name}" for value, name in tokens if value]
    parts += [f"{costs.flops:.2g} FLOPs"] if costs.flops else []
    return ", ".join(parts)


def format_regret(expected: ExpectedRegret) -> str:
    """Return the mean regret in points, with its interval."""
    low, high = expected.interval
    return f"{100 * expected.mean:.2f} points [{100 * low:.2f}, {100 * high:.2f}]"
