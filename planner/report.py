"""What a person reads: plans, findings and sweeps in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from isocompute.fits.allocation import WAYS, AllocationLaws
from isocompute.fits.bootstrap import resample
from isocompute.fits.crossover import Crossover
from isocompute.fits.power_law import PowerLaw
from isocompute.planner.compare import Interval, Option, pair
from isocompute.planner.findings import Findings, replicates
from isocompute.planner.plan import Plan
from isocompute.planner.profile import UNPRICED, Measure, Profile, Rates
from isocompute.planner.strategies import SCORED, VERIFIED
from isocompute.planner.words import about, searching

if TYPE_CHECKING:  # what it imports takes longer than a plan
    from isocompute.runners.regrade import Regraded
    from isocompute.runners.sweep import Summary
    from isocompute.runners.tasks import Entry


ABREAST = 5
"""Strategies side by side in a table that a small terminal holds."""


def percent(value: float) -> str:
    """An accuracy as people write it."""
    return f"{100 * value:.1f} %"


def span(interval: Interval | None, scale: float = 100, sign: str = "", digits: int = 1) -> str:
    """An interval in brackets, or a dash; two words in brackets are no markup."""
    if interval is None:
        return "–"
    low, high = (f"{scale * end:{sign}.{digits}f}" if math.isfinite(end) else "never" for end in interval)
    return escape(f"[{low}, {high}]")


def planned(console: Console, profile: Profile, plan: Plan) -> None:
    """Print a plan."""
    best = plan.recommendation
    say(console, f"At {plan.budget:,.6g}x per problem: [bold green]{best.strategy} {best.settings}[/]")
    say(console, f"  {about(best.strategy, plan.trust)}")
    sure = "" if plan.interval is None else f", 95 % interval {span(plan.interval)}"
    say(console, f"  expected accuracy [bold]{percent(plan.expected)}[/]{sure}, for {best.compute:,.4g}x")
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
            option.settings,
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


def context(profile: Profile, plan: Plan) -> list[str]:
    """Return the lines that place a plan: plateau, crossover, law, origin."""
    found = plan.findings
    lines = [
        f"SC flattens at {flattening(found)}, so {plan.budget:,.6g}x is {plan.plateau_multiple:,.3g}x-plateau "
        f"(times SC's plateau; {plan.budget:,.6g} solutions' worth)."
    ]
    ahead = "genrm" if plan.recommendation.strategy == "sc" else plan.recommendation.strategy
    for strategy in dict.fromkeys(("genrm", ahead)):
        if strategy in found.crossovers:
            lines.append(crossing(strategy, found.crossovers[strategy], found.plateau, plan.budget))
    if found.laws is not None:
        lines.append(law_line(found.laws))
    lam = "" if plan.lam is None else f"; λ = {plan.lam:.3g}"
    return [*lines, escape(f"From profile '{profile.name}': {profile.description}{lam}.")]


def flattening(found: Findings) -> str:
    """SC's plateau, with its interval."""
    ends = found.plateau_interval
    return f"{found.plateau}x" + ("" if ends is None else f" {span(ends, 1, digits=0)}")


def crossing(strategy: str, found: Crossover, plateau: int, budget: float | None = None) -> str:
    """Say where a strategy overtakes SC, and on which side of it a budget is."""
    name = "GenRM" if strategy == "genrm" else strategy
    interval = "" if found.interval is None else f", 95 % interval {span(found.interval, 1, digits=0)}"
    top = found.budgets[-1]
    if not math.isfinite(found.budget):
        share = "" if found.probability is None else f" (probability that it does: {found.probability:.2f}{interval})"
        return f"{name} does not overtake SC for good up to {top:,.0f}x, the end of the measured range{share}."
    where = "" if budget is None else f"; this budget is {'above' if budget >= found.budget else 'below'} it"
    multiple = f"{found.budget / plateau:,.2g}x-plateau"
    return f"{name} overtakes SC for good at {found.budget:,.0f}x ({multiple}){interval}{where}."


def law_line(laws: AllocationLaws) -> str:
    """Say how S and V should grow: by the fit that takes edges as bounds, or where there is none, by the smooth one."""
    law = laws.censored or laws.smooth
    text = f"As the budget C grows, S ∝ C^a with a = {exponent(law.solutions)}, V ∝ C^b with b = "
    text += f"{exponent(law.verifications)}, over {laws.budgets[0]:,.0f}x to {laws.budgets[-1]:,.0f}x"
    edge = law.at_edge.sum()
    if not edge:
        return text + "; no optimum lies at an edge of the grid."
    how = "taken as bounds" if law is laws.censored else "too few others to take them as bounds"
    return text + f"; {edge} of {len(laws.budgets)} optima lie at an edge of the grid ({how})."


def exponent(part: PowerLaw) -> str:
    """An exponent with its interval."""
    return f"{part.exponent:.2f}" + ("" if part.interval is None else f" {span(part.interval, 1, digits=2)}")


def lawful(console: Console, laws: AllocationLaws) -> None:
    """Print the three fits of the allocation law side by side, and what they do not settle."""
    console.print()
    say(
        console,
        f"As the budget C grows, S ∝ C^a and V ∝ C^b, over {laws.budgets[0]:,.0f}x to {laws.budgets[-1]:,.0f}x:",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("fitted on", "a", "b", "inside: a, b", "a + wb"):
        table.add_column(heading, no_wrap=True)
    for law in laws:
        inside = "–" if law.inside is None else "{:.2f}, {:.2f}".format(*law.inside)
        table.add_row(
            WAYS[law.way], exponent(law.solutions), exponent(law.verifications), inside, f"{1 + law.identity:.2f}"
        )
    console.print(table)
    edge = [f"{budget:,.0f}x" for budget, at_edge in zip(laws.budgets, laws.smooth.at_edge, strict=True) if at_edge]
    say(
        console,
        f"Smoothed optima at an edge of the grid, so only bounds: {', '.join(edge) or 'none'}; inside: without them.",
    )
    say(console, "a + wb is 1 where S and V together spend the budget; w = λV / (1 + λV).")
    for line in laws.notes:
        note(console, line)
    console.print()


def say(console: Console, line: str) -> None:
    """Print a line without colouring its numbers."""
    console.print(line, highlight=False)


def verifying(rates: Rates) -> str:
    """Say how good the verifier is."""
    said = [
        f"yes to {measured(measure)} of {what}"
        for what, measure in (("right solutions", rates.true_positive), ("wrong ones", rates.false_positive))
        if measure[0] is not None
    ]
    text = f"verifier: {', '.join(said) or 'no verdict can be read'}"
    if rates.auroc[0] is not None:
        text += f"; ranks a right above a wrong one {measured(rates.auroc)} of the time"
    return text + (f"; {percent(rates.unparsed)} of its verdicts unread" if rates.unparsed >= 5e-4 else "")


def measured(measure: Measure) -> str:
    """A share with its interval."""
    value, low, high = measure
    assert value is not None, "what is not known is not said"
    return percent(value) + ("" if low is None or high is None else f" {span((low, high))}")


def fitted(
    console: Console, profile: Profile, found: Findings, frontier: list[tuple[float, list[Option]]], path: str
) -> None:
    """Print what a fit found."""
    say(console, f"[bold]{escape(profile.name)}[/]: {escape(profile.description)}")
    if profile.lam is not None:
        say(console, f"λ = {profile.lam:.3g} ({profile.lambda_source})")
    if profile.lambdas and not profile.unpriced:
        say(console, f"    {counted_otherwise(profile.lambdas)}")
    if profile.verifier is not None:
        say(console, verifying(profile.verifier))
    for line in scorers(profile):
        say(console, line)
    for table in race(frontier):
        console.print()
        console.print(table)
    held_out = " Each problem is scored under numbers chosen on the others." if profile.per_problem else ""
    say(
        console,
        f"Accuracy in percent of each strategy at its best allocation, and the numbers of the best one.{held_out}",
    )
    console.print()
    say(console, f"SC flattens at {flattening(found)} (the smallest S within half a point of its maximum).")
    for strategy, crossed in found.crossovers.items():
        say(console, crossing(strategy, crossed, found.plateau))
    if found.laws is not None:
        lawful(console, found.laws)
    if profile.drawn_error is not None:
        parts = {"weighted": profile.weighted, "fused": profile.fused, "prm-weighted": profile.prm_weighted}
        *names, last = [name for name, part in parts.items() if part is not None]
        drawn = f"{', '.join(names)} and {last} are" if names else f"{last} is"
        say(console, f"{drawn} estimated by drawing, to {100 * profile.drawn_error:.2g} points at worst.")
    if profile.unpriced:
        say(console, largest(profile))
    for warning in [*profile.warnings, *([UNPRICED] if profile.unpriced else [])]:
        note(console, warning)
    say(console, f"Profile written to {path}. Next: plan --budget 128x --profile {path}")


def race(frontier: list[tuple[float, list[Option]]]) -> list[Table]:
    """The strategies by budget: what each reaches, and of the best one the numbers and its lead over SC.

    One table if it is narrow enough; else the strategies a few at a time, and the best one last.
    """
    strategies = list(dict.fromkeys(option.strategy for _, options in reversed(frontier) for option in options))
    known = ("sc", *VERIFIED, *SCORED)
    order = [name for name in known if name in strategies] + [name for name in strategies if name not in known]
    groups = [order[i : i + ABREAST] for i in range(0, len(order), ABREAST)]
    tables = [lap(frontier, group, len(groups) == 1) for group in groups]
    if len(groups) > 1:
        tables.append(lap(frontier, [], True))
    return tables


def lap(frontier: list[tuple[float, list[Option]]], strategies: list[str], first: bool) -> Table:
    """Some of the strategies by budget, and if asked for, which of all is the first."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("budget", *strategies, *(("best", "numbers", "ahead of sc by") if first else ())):
        heading = name.replace("+", "+\n")
        table.add_column(heading, justify="left" if name in ("best", "numbers") else "right", no_wrap=True)
    for budget, options in frontier:
        reached = {option.strategy: option for option in options}
        cells = [f"{100 * reached[name].accuracy:.1f}" if name in reached else "" for name in strategies]
        if first:
            best, sc = options[0], reached["sc"]
            lead = "" if sc.gap is None else f"{100 * sc.gap:+.1f} {span(sc.gap_interval, sign='+')}"
            cells += [best.strategy, best.settings, lead]
        table.add_row(f"{budget:,.0f}x", *cells)
    return table


def largest(profile: Profile) -> str:
    """Say what GenRM reaches with all that was measured, which needs no λ."""
    surface = profile.genrm
    assert surface is not None, "only of a profile with verifications"
    reached = surface.array[:, -1, -1]
    spread = pair(resample(reached, replicates(profile))) if profile.per_problem else None
    S, V = surface.solutions[-1], surface.verifications[-1]
    return f"GenRM reaches {percent(reached.mean())} {span(spread)} with S={S} and V={V}, at whatever cost."


def scorers(profile: Profile) -> list[str]:
    """Say what scoring costs, and what was searched."""
    lines = []
    if profile.rhos:
        rho = profile.rhos.get(profile.counting)
        said = "unknown" if rho is None else f"{rho:.3g}"
        lines.append(f"ρ = {said}, what scoring a solution costs in solutions; {counted_otherwise(profile.rhos)}")
    for strategy, part in profile.searches.items():
        cost = part.priced(profile.counting)
        ends = [] if cost is None else dict.fromkeys(f"{x:,.3g}x" for x in (min(cost), max(cost)))
        count = len(part.seeds)
        tried = f"{count} allocation{'s' if count > 1 else ''}, {' to '.join(ends) or 'at an unknown cost'}"
        lines.append(f"{strategy}: {tried}; {searching(*strategy.split('+'))}")
    return lines


def counted_otherwise(lambdas: Mapping[str, float | None]) -> str:
    """Say what λ or ρ is when prompts are counted too."""
    with_prompts, cached = (
        "unknown" if (lam := lambdas.get(way)) is None else f"{lam:.3g}" for way in ("prompts", "cached")
    )
    return f"{with_prompts} with prompts; {cached} with prompts less what the prefix cache held"


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
