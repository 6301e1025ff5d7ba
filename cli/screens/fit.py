"""Terminal output of `isocompute fit`: measured rates, each strategy's frontier, crossovers and laws."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.laws import build_fits_table, describe_strategy_law
from isocompute.cli.screens.plan import (
    CHEAPER_NOTE,
    INTERPOLATED_NOTE,
    describe_crossover,
    format_numbers,
    format_plateau,
)
from isocompute.cli.screens.policies import print_profile_policies
from isocompute.cli.screens.runs import print_plain_line
from isocompute.cli.screens.text import format_interval, format_percent, print_line, print_note
from isocompute.cli.screens.words import print_words
from isocompute.fits.mean_intervals import compute_mean_interval
from isocompute.planner.compare import Comparison
from isocompute.planner.findings import Findings
from isocompute.planner.policies.profile_policies import ProfilePolicy
from isocompute.planner.power import StrategyPower
from isocompute.planner.profile import UNKNOWN_LAMBDA_WARNING, Curve, Profile, RateEntry, VerifierRates
from isocompute.planner.strategies.options import list_unknown_strategies, list_unplaced_strategies
from isocompute.planner.strategies.registry import STRATEGIES, describe_strategy
from isocompute.planner.strategy_option import StrategyOption

STRATEGIES_PER_TABLE = 5
"""The most strategies in one table, so that it fits a small terminal."""


def print_fit(
    console: Console,
    profile: Profile,
    findings: Findings,
    frontier: list[tuple[float, Comparison]],
    policies: Sequence[ProfilePolicy],
    power: StrategyPower | None,
    path: str,
) -> None:
    """Print the results of a fit."""
    print_line(console, (profile.name, "bold"), f": {profile.description}")
    if profile.lam is not None:
        print_line(console, f"λ = {profile.lam:.3g} ({profile.lambda_source})")
    if profile.lambdas and not profile.has_unknown_lambda:
        print_line(console, f"    {describe_ratios_with_prompts(profile.lambdas)}")
    if profile.verifier is not None:
        print_line(console, describe_verifier_rates(profile.verifier))
    for line in describe_scoring_and_searches(profile):
        print_line(console, line)
    for table in build_frontier_tables(frontier, profile.has_votes):
        console.print()
        console.print(table)
    print_line(
        console,
        "Accuracy in percent of each strategy at its best numbers within the budget, and the numbers of the one that "
        "is recommended.",
    )
    if any(option.interpolated for _, compared in frontier for option in compared.options):
        print_line(console, INTERPOLATED_NOTE)
    if any(lead is not None and lead < 0 for lead in (compared.options[0].lead for _, compared in frontier)):
        print_line(console, CHEAPER_NOTE)
    if power is not None:
        print_line(console, describe_strategy_power(power))
    if policies:
        print_profile_policies(console, policies)
    console.print()
    if findings.plateau is not None:
        print_line(console, f"Voting (sc) gains less than half a point beyond {format_plateau(findings)}, its plateau.")
    for strategy, crossed in findings.crossovers.items():
        print_line(console, describe_crossover(strategy, crossed, findings.plateau))
    if findings.laws_by_strategy:
        print_allocation_laws(console, findings)
    if profile.largest_drawing_error is not None:
        *names, last = profile.drawing_errors
        estimates = f"The estimates of {', '.join(names)} and {last} use" if names else f"The estimate of {last} uses"
        print_line(
            console, f"{estimates} random draws; the largest error is {100 * profile.largest_drawing_error:.2g} points."
        )
    if profile.has_unknown_lambda:
        print_line(console, describe_largest_allocation(profile))
    for line in describe_unplaced_accuracies(profile):
        print_line(console, line)
    for warning in [*profile.warnings, *([UNKNOWN_LAMBDA_WARNING] if profile.has_unknown_lambda else [])]:
        print_note(console, warning)
    print_plain_line(console, f"Profile written to {path}. Next: plan --budget 128x --profile {shlex.quote(path)}")
    strategies = dict.fromkeys(option.strategy for _, compared in frontier for option in compared.options)
    print_words(console, list_fit_words(profile, bool(policies), strategies), strategies)


def list_fit_words(profile: Profile, has_policies: bool, strategies: Iterable[str]) -> list[str]:
    """Return the terms that the screen uses, see `WORDS`."""
    used = {
        "x": True,
        "expected": profile.per_problem and profile.problems > 1,
        "λ": profile.lam is not None,
        "ρ": bool(profile.rhos),
        "N, M": any("+" in name and name not in STRATEGIES for name in strategies),
        "policy": has_policies,
    }
    return [term for term, is_used in used.items() if is_used]


def format_measured_share(measure: RateEntry) -> str:
    """Return a share with its interval as text."""
    value, low, high = measure
    assert value is not None, "an unknown share is not printed"
    return format_percent(value) + ("" if low is None or high is None else f" {format_interval((low, high))}")


def describe_verifier_rates(rates: VerifierRates) -> str:
    """Describe the verifier's rates."""
    rate_texts = [
        f"yes to {format_measured_share(measure)} of {kind}"
        for kind, measure in (("right solutions", rates.true_positive), ("wrong ones", rates.false_positive))
        if measure[0] is not None
    ]
    text = f"verifier: {', '.join(rate_texts) or 'no verdict can be read'}"
    if rates.auroc[0] is not None:
        text += f"; ranks a right above a wrong one {format_measured_share(rates.auroc)} of the time"
    return text + (f"; {format_percent(rates.unparsed)} of its verdicts unread" if rates.unparsed >= 5e-4 else "")


def print_allocation_laws(console: Console, findings: Findings) -> None:
    """Print the law of each strategy, then GenRM's fitted in three ways, as published laws are GenRM's."""
    console.print()
    for name, each in findings.laws_by_strategy.items():
        print_line(console, describe_strategy_law(name, each))
    laws = findings.laws
    if laws is None:
        return
    console.print()
    print_line(console, "The law of genrm, by which S grows as C^a and V as C^b, fitted in three ways:")
    console.print(build_fits_table(laws))
    edge = [f"{budget:,.0f}x" for budget, at_edge in zip(laws.budgets, laws.smooth.is_at_edge, strict=True) if at_edge]
    print_line(
        console,
        "Budgets at which the best S or V lies at an edge of what was measured, so that it is only bounded: "
        f"{', '.join(edge) or 'none'}. The column 'inside' leaves them out.",
    )
    print_line(console, "a + wb is 1 if S and V together spend the budget, where w = λV / (1 + λV) is the share for V.")
    for line in laws.notes:
        print_note(console, line)
    console.print()


def build_frontier_tables(frontier: list[tuple[float, Comparison]], has_votes: bool) -> list[Table]:
    """Build the tables of accuracies by budget, with the best strategy's allocation and its lead over SC.

    Without votes SC is unknown from two solutions on.

    Returns one table if it is narrow enough, otherwise several, with the best strategy in the last.
    """
    strategies = list(dict.fromkeys(option.strategy for _, at in reversed(frontier) for option in at.options))
    order = [name for name in STRATEGIES if name in strategies]
    order += [name for name in strategies if name not in order]
    groups = [order[i : i + STRATEGIES_PER_TABLE] for i in range(0, len(order), STRATEGIES_PER_TABLE)]
    tables = [build_frontier_table(frontier, group, len(groups) == 1, has_votes) for group in groups]
    if len(groups) > 1:
        tables.append(build_frontier_table(frontier, [], True, has_votes))
    return tables


def build_frontier_table(
    frontier: list[tuple[float, Comparison]], strategies: list[str], first: bool, has_votes: bool
) -> Table:
    """Build the table of some strategies by budget, and on request the best of all strategies.

    A size of a search that was not run is marked. Columns with marks keep a place for them, so that numbers align.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("budget", *strategies, *(("recommended", "numbers", "ahead of sc by") if first else ())):
        heading = name.replace("+", "+\n")
        table.add_column(heading, justify="left" if name in ("recommended", "numbers") else "right", no_wrap=True)
    marked = {option.strategy for _, compared in frontier for option in compared.options if option.interpolated}
    for budget, compared in frontier:
        options = {option.strategy: option for option in compared.options}
        is_known = has_votes or budget < 2
        cells = [
            ""
            if name not in options
            else format_expected(options[name], name in marked)
            if is_known or name != "sc"
            else "?"
            for name in strategies
        ]
        if first:
            best = compared.options[0]
            lead = (
                f"{100 * best.lead:.1f} {format_interval(best.lead_interval).strip('–')}".strip()
                if is_known and best.lead is not None and best.strategy != "sc"
                else ""
            )
            cells += [best.strategy, format_numbers(best), lead]
        table.add_row(f"{budget:,.0f}x", *cells)
    return table


def format_expected(option: StrategyOption, has_marks: bool) -> str:
    """Return an expected accuracy in percent, with a mark if its size was not run, or with room for one."""
    mark = "*" if option.interpolated else " " if has_marks else ""
    return f"{100 * option.accuracy:.1f}{mark}"


def describe_strategy_power(power: StrategyPower) -> str:
    """Describe how many problems are needed to distinguish the best other strategy from SC."""
    test, pair = power.paired, f"{power.strategy}, the best other than {power.baseline}, from {power.baseline}"
    if test.smallest_gap is None:
        return (
            f"At {power.budget:,.0f}x {power.strategy} and {power.baseline} differ by "
            f"{100 * test.gap:.1f} points on every problem, so the number of problems that tells them "
            "apart cannot be estimated."
        )
    fewest, most = ("unbounded" if end is None else f"{end:,}" for end in test.needed_interval)
    needed = (
        f"more {power.unit} than can be estimated" if test.needed is None else f"about {test.needed:,} {power.unit}"
    )
    return (
        f"At {power.budget:,.0f}x it takes {needed} [{fewest}, {most}] to tell {pair} with "
        f"power {test.power:g}; the profile has {test.problems:,}, enough for a gap of "
        f"{100 * test.smallest_gap:.2g} points."
    )


def describe_largest_allocation(profile: Profile) -> str:
    """Describe the accuracy of GenRM at its largest measured allocation, which needs no λ."""
    surface = profile.genrm
    assert surface is not None, "only of a profile with verifications"
    reached = format_mean_accuracy(profile, surface.array[:, -1, -1])
    S, V = surface.solutions[-1], surface.verifications[-1]
    return f"GenRM reaches {reached} with S={S} and V={V}; its cost is unknown."


def describe_unplaced_accuracies(profile: Profile) -> list[str]:
    """Describe the accuracies of scored strategies whose cost is unknown, beside SC with as many solutions."""
    curves = {
        name: part for name in list_unplaced_strategies(profile) if isinstance(part := profile.strategies[name], Curve)
    }
    if not curves:
        return []
    S = min(part.solutions[-1] for part in curves.values())
    texts = []
    for name, part in {"sc": profile.self_consistency, **curves}.items():
        if S in part.solutions:
            accuracies = part.array[:, part.solutions.index(S)]
            texts.append(f"{name} {format_mean_accuracy(profile, accuracies)}")
    return [f"With S={S}: {', '.join(texts)}. The cost of {', '.join(curves)} is unknown; fit --rho sets it."]


def format_mean_accuracy(profile: Profile, accuracies: NDArray[np.float64]) -> str:
    """Return the mean of the problems' accuracies with its interval as text."""
    interval = None
    if profile.independent_problems > 1:
        low, high = compute_mean_interval(accuracies, profile.strata, profile.clusters)
        interval = float(low), float(high)
    return f"{format_percent(accuracies.mean())} {format_interval(interval)}"


def describe_scoring_and_searches(profile: Profile) -> list[str]:
    """Describe the cost of scoring, and the measured searches."""
    lines = []
    if profile.rhos:
        rho = profile.rhos.get(profile.counting)
        rho_text = "unknown" if rho is None else f"{rho:.3g}"
        lines.append(
            f"ρ = {rho_text}, the cost of scoring a solution in solutions; {describe_ratios_with_prompts(profile.rhos)}"
        )
    unknown = list_unknown_strategies(profile)
    for strategy, part in profile.searches.items():
        if strategy in unknown:
            continue
        cost = part.get_costs(profile.counting)
        cost_range = [] if cost is None else dict.fromkeys(f"{x:,.3g}x" for x in (min(cost), max(cost)))
        count = len(part.seeds)
        allocations = f"{count} allocation{'s' if count > 1 else ''}, {' to '.join(cost_range) or 'at an unknown cost'}"
        lines.append(f"{strategy}: {allocations}; {describe_strategy(strategy)}")
    return lines


def describe_ratios_with_prompts(lambdas: Mapping[str, float | None]) -> str:
    """Describe λ or ρ with prompts counted."""
    with_prompts, cached = (
        "unknown" if (lam := lambdas.get(way)) is None else f"{lam:.3g}" for way in ("prompts", "cached")
    )
    return f"{with_prompts} with prompts; {cached} with uncached prompts only"
