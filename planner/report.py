"""What a person reads: plans, findings and sweeps in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from isocompute.fits.allocation import AllocationLaw, PowerLaw
from isocompute.fits.crossover import Crossover
from isocompute.planner.findings import Findings
from isocompute.planner.plan import Interval, Option, Plan
from isocompute.planner.profile import Profile

if TYPE_CHECKING:  # what it imports takes longer than a plan
    from isocompute.runners.regrade import Regraded
    from isocompute.runners.sweep import Summary
    from isocompute.runners.tasks import Entry


def percent(value: float) -> str:
    """An accuracy as people write it."""
    return f"{100 * value:.1f} %"


def span(interval: Interval | None, scale: float = 100, sign: str = "", digits: int = 1) -> str:
    """An interval in brackets, or a dash."""
    if interval is None:
        return "–"
    low, high = (f"{scale * end:{sign}.{digits}f}" if math.isfinite(end) else "never" for end in interval)
    return f"[{low}, {high}]"


def numbers(option: Option) -> str:
    """A strategy with its numbers."""
    return f"S={option.solutions}" + (f" V={option.verifications}" if option.verifications else "")


def planned(console: Console, profile: Profile, plan: Plan) -> None:
    """Print a plan."""
    best = plan.recommendation
    say(console, f"At {plan.budget:,.6g}x per problem: [bold green]{best.strategy} {numbers(best)}[/]")
    say(console, f"  {about(best.strategy)}")
    sure = "" if best.interval is None else f", 95 % interval {span(best.interval)}"
    say(console, f"  expected accuracy [bold]{percent(best.accuracy)}[/]{sure}, for {best.compute:,.4g}x")
    if best.probability_best is not None and plan.alternatives:
        say(console, f"  ahead of the other strategies with probability {best.probability_best:.2f}")
    console.print()

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("strategy", "numbers"):
        table.add_column(heading)
    for heading in ("compute", "accuracy", "95 % interval", "recommended\nis ahead by", "P(best)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for option in (best, *plan.alternatives):
        ahead = "" if option.gap is None else f"{100 * option.gap:+.1f} {span(option.gap_interval, sign='+')}"
        chance = "–" if option.probability_best is None else f"{option.probability_best:.2f}"
        table.add_row(
            option.strategy,
            numbers(option),
            f"{option.compute:,.4g}x",
            percent(option.accuracy),
            span(option.interval),
            ahead,
            chance,
        )
    if plan.ceiling is not None:
        table.add_row("(coverage)", f"S={plan.ceiling_at}", "", percent(plan.ceiling), "", "", "", style="dim")
    console.print(table)
    console.print()
    for line in context(profile, plan):
        say(console, line)
    for warning in plan.warnings:
        note(console, warning)


def about(strategy: str) -> str:
    """A strategy in words."""
    return {
        "sc": "self-consistency: sample S solutions, and take the answer with the most votes",
        "genrm": "generative verifier: sample S solutions, verify each V times, take the best mean verdict",
    }[strategy]


def context(profile: Profile, plan: Plan) -> list[str]:
    """Return the lines that place a plan: plateau, crossover, law, origin."""
    found = plan.findings
    lines = [
        f"SC flattens at {found.plateau}x, so {plan.budget:,.6g}x is {plan.plateau_multiple:,.3g}x-plateau "
        f"(times SC's plateau; {plan.budget:,.6g} solutions' worth)."
    ]
    if found.crossover is not None:
        lines.append(crossing(found.crossover, profile.per_problem, plan.budget))
    if found.law is not None:
        lines.append(law_line(found.law))
    lam = "" if plan.lam is None else f"; λ = {plan.lam:.3g}"
    return [*lines, f"From profile '{profile.name}': {profile.description}{lam}."]


def crossing(found: Crossover, sure: bool, budget: float | None = None) -> str:
    """Say where GenRM overtakes SC, and on which side of it a budget is."""
    interval = f", 95 % interval {span(found.interval, 1, digits=0)}" if sure else ""
    top = found.budgets[-1]
    if not math.isfinite(found.budget):
        share = f" (it does in {found.probability:.0%} of resamplings{interval})" if sure else ""
        return f"GenRM does not overtake SC for good up to {top:,.0f}x, the end of the measured range{share}."
    where = "" if budget is None else f"; this budget is {'above' if budget >= found.budget else 'below'} it"
    return f"GenRM overtakes SC for good at {found.budget:,.0f}x{interval}{where}."


def law_line(law: AllocationLaw) -> str:
    """Say how S and V should grow."""

    def exponent(part: PowerLaw) -> str:
        return f"{part.exponent:.2f}" + ("" if part.interval is None else f" {span(part.interval, 1, digits=2)}")

    edge = [f"{budget:,.0f}x" for budget, censored in zip(law.budgets, law.censored, strict=True) if censored]
    text = f"As the budget C grows, S ∝ C^a with a = {exponent(law.solutions)}, "
    text += f"V ∝ C^b with b = {exponent(law.verifications)}, over {law.budgets[0]:,.0f}x to {law.budgets[-1]:,.0f}x"
    if not edge:
        return text + "; no budget was at the edge of the grid."
    text += f"; at the edge of the grid, so only bounds: {', '.join(edge)}"
    if law.interior_solutions is None or law.interior_verifications is None:
        return text + " (too few others to fit without them)."
    return text + f" (without them a = {exponent(law.interior_solutions)}, b = {exponent(law.interior_verifications)})."


def say(console: Console, line: str) -> None:
    """Print a line without colouring its numbers."""
    console.print(line, highlight=False)


def fitted(
    console: Console, profile: Profile, found: Findings, frontier: list[tuple[float, list[Option]]], path: str
) -> None:
    """Print what a fit found."""
    say(console, f"[bold]{profile.name}[/]: {profile.description}")
    if profile.lam is not None:
        say(console, f"λ = {profile.lam:.3g} ({profile.lambda_source})")
    if profile.lambdas:
        say(console, f"    {counted_otherwise(profile.lambdas)}")
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), caption_justify="left")
    table.caption = "Best allocations within each budget; each problem is scored under the choice made on the others."
    for heading in (
        "budget",
        "sc",
        "accuracy",
        "95 % interval",
        "genrm",
        "accuracy",
        "95 % interval",
        "genrm - sc",
    ):
        table.add_column(heading, justify="left" if heading in ("sc", "genrm") else "right")
    for budget, options in frontier_rows(frontier):
        table.add_row(f"{budget:,.0f}x", *options)
    console.print(table)
    console.print()
    say(console, f"SC flattens at {found.plateau}x (the smallest S within half a point of its maximum).")
    if found.crossover is not None:
        say(console, crossing(found.crossover, profile.per_problem))
    if found.law is not None:
        say(console, law_line(found.law))
    for warning in profile.warnings:
        note(console, warning)
    say(console, f"Profile written to {path}. Next: plan --budget 128x --profile {path}")


def counted_otherwise(lambdas: Mapping[str, float | None]) -> str:
    """Say what λ is when prompts are counted too."""
    with_prompts, cached = (
        "unknown" if (lam := lambdas.get(way)) is None else f"{lam:.3g}" for way in ("prompts", "cached")
    )
    return f"{with_prompts} with prompts; {cached} with prompts less what the prefix cache held"


def frontier_rows(frontier: list[tuple[float, list[Option]]]) -> list[tuple[float, list[str]]]:
    """Return the rows of the frontier table: at each budget SC, GenRM and their paired gap."""
    rows = []
    for budget, options in frontier:
        by_name = {option.strategy: option for option in options}
        cells = []
        for name in ("sc", "genrm"):
            option = by_name.get(name)
            cells += (
                ["", "", ""] if option is None else [numbers(option), percent(option.accuracy), span(option.interval)]
            )
        behind = next((option for option in options if option.gap is not None), None)
        if behind is None or behind.gap is None:
            cells.append("")
        else:
            flip = -1 if behind.strategy == "genrm" else 1
            ends = behind.gap_interval
            if ends is not None and flip < 0:
                ends = (-ends[1], -ends[0])
            cells.append(f"{100 * flip * behind.gap:+.1f} {span(ends, sign='+')}")
        rows.append((budget, cells))
    return rows


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
    say(console, f"Next: isocompute fit {summary.run} -o {summary.run}/profile.json")


def listed(console: Console, entries: list[Entry], generators: dict[str, list[str]]) -> None:
    """Print the tasks, and the generators of reasoning-gym by their grader."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("task", "size", "grader", "source", "licence", "needs"):
        whole = heading in ("task", "size", "needs")
        table.add_column(heading, justify="right" if heading == "size" else "left", overflow="fold", no_wrap=whole)
    for entry in entries:
        size = "any" if entry.size is None else f"{entry.size:,}"
        table.add_row(entry.name, size, entry.grader, entry.source, entry.licence, entry.needs)
    console.print(table)
    console.print()
    console.print("What a task needs is an extra: pip install 'isocompute[datasets]'.", markup=False, highlight=False)
    for grader, names in generators.items():
        console.print()
        say(console, f"Generators of reasoning-gym graded as {grader}: {', '.join(names)}.")


def note(console: Console, text: str) -> None:
    """Print a warning, whatever it contains, as plain text."""
    console.print("[yellow]note:[/] ", end="")
    console.print(text, markup=False, highlight=False)


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
