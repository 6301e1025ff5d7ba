"""Terminal output of `isocompute plan`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.caps import print_caps
from isocompute.cli.screens.laws import describe_strategy_law
from isocompute.cli.screens.text import format_interval, format_percent, print_item, print_line, print_note
from isocompute.cli.screens.words import print_words
from isocompute.fits.laws.crossover import Crossover
from isocompute.planner.advice import describe_advice, describe_reasons
from isocompute.planner.budget import format_amount, format_compute, format_cost
from isocompute.planner.caps import CapComparison
from isocompute.planner.costs.models import MODEL_UNITS
from isocompute.planner.costs.report import PlanCosts, describe_flips, describe_plan_costs, describe_settings
from isocompute.planner.costs.seconds import describe_load
from isocompute.planner.findings import Findings
from isocompute.planner.plan import Plan
from isocompute.planner.policies.plan_policies import PolicyOption
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.registry import is_known_strategy
from isocompute.planner.strategy_option import ConfidenceInterval, StrategyOption

INTERPOLATED_NOTE = "* A size that was not run: interpolated in log N between the sizes that were."
POLICIES_NOTE = (
    "Policies are rules that stop early, here for a mean compute within the budget. Saves: compute of the recommended "
    "strategy over that mean. Accuracies were scored under a threshold and a limit on S chosen on other problems; "
    "those shown are for new ones. No P(best) is known of them. `isocompute policies RUN` compares them all."
)
CHEAPER_NOTE = (
    "A lead below zero: the strategies are expected to be within half a point of each other, and the cheapest is "
    "recommended."
)


def format_numbers(option: StrategyOption) -> str:
    """Return an option's allocation for a table, with the mark of `INTERPOLATED_NOTE` if it was not run."""
    return f"{option.plain_settings} *" if option.interpolated else option.plain_settings


def print_plan(
    console: Console, profile: Profile, plan: Plan, steps: Sequence[str] = (), caps: CapComparison | None = None
) -> None:
    """Print a plan: the advice and what to type next, why, the strategies, details and notes, and the words.

    Args:
        console: where to.
        profile: the profile that the plan was made from.
        plan: the plan.
        steps: lines that say how it is carried out.
        caps: limits on the length of solutions within its budget; None if they were not asked for.
    """
    print_line(console, (describe_advice(plan), "bold"))
    for line in steps:
        console.print(line, soft_wrap=True)
    if plan.toy_note is not None:
        print_note(console, plan.toy_note)
    if plan.unknown_sizes:
        print_note(console, describe_unknown_sizes(profile))
    if reasons := [*describe_reasons(plan), *describe_context(plan)]:
        print_list(console, "Why", reasons)
    best = plan.recommendation
    options = [best, *sorted(plan.alternatives, key=lambda option: -option.accuracy)]
    console.print()
    console.print(build_options_table(plan, options))
    if any(option.interpolated for option in options):
        print_line(console, INTERPOLATED_NOTE)
    if any(option.is_informative and option.gap is not None and option.gap < 0 for option in plan.alternatives):
        print_line(console, CHEAPER_NOTE)
    if plan.policies:
        console.print()
        print_plan_policies(console, plan.policies)
    if caps is not None:
        print_caps(console, caps)
    print_list(console, "Details", list_details(profile, plan))
    for warning in [*([] if (note := plan.findings.published_note) is None else [note]), *plan.warnings]:
        print_note(console, warning)
    print_words(console, list_plan_words(plan, options), [option.strategy for option in (best, *plan.alternatives)])


def print_list(console: Console, heading: str, sentences: Sequence[str]) -> None:
    """Print sentences below a heading."""
    console.print()
    console.print(heading, style="bold")
    for sentence in sentences:
        print_item(console, sentence)


def build_options_table(plan: Plan, options: Sequence[StrategyOption]) -> Table:
    """Return the table of the strategies at the budget, the recommended one first, then by accuracy."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("strategy", no_wrap=True)
    table.add_column("numbers", min_width=7)
    kind = "measured" if plan.interval is None else "expected"
    has_intervals = any(option.interval is not None for option in options)
    has_probabilities = any(option.probability_best is not None for option in options)
    headings = ["compute", kind, *(["95 %\ninterval"] if has_intervals else []), "recommended\nis ahead by"]
    for heading in [*headings, *(["P(best)"] if has_probabilities else [])]:
        table.add_column(heading, justify="right", no_wrap=True)
    for option in options:
        lead = "" if option.gap is None else f"{100 * option.gap:.1f}"
        lead += "" if option.gap_interval is None else f" {format_interval(option.gap_interval)}"
        table.add_row(
            option.strategy,
            format_numbers(option),
            format_cost(option.compute),
            format_percent(option.accuracy),
            *([format_interval(option.interval)] if has_intervals else []),
            lead,
            *([format_probability(option.probability_best)] if has_probabilities else []),
        )
    if has_coverage_row(plan):
        table.add_row("(coverage)", f"S={plan.coverage_solutions}", "", format_percent(plan.coverage or 0), style="dim")
    return table


def has_coverage_row(plan: Plan) -> bool:
    """Return whether the table has a row for coverage; that of one solution is its accuracy."""
    return plan.coverage is not None and plan.coverage_solutions != 1


def format_probability(probability: float | None) -> str:
    """Return a probability with two digits, or a dash if there is none."""
    return "–" if probability is None else f"{probability:.2f}"


def list_details(profile: Profile, plan: Plan) -> list[str]:
    """Return the lines on what was measured, on all costs, and on the laws by which S and V grow."""
    best, costs, lines = plan.recommendation, plan.costs, []
    if plan.interval is not None:
        source = "Interpolated between what was measured" if best.interpolated else "Measured"
        lines.append(
            f"{source}: {format_percent(best.measured_accuracy)} on {describe_problem_count(profile)}; the "
            f"recommendation rests on what is expected, {format_percent(best.accuracy)}."
        )
    lines += [] if costs is None else [f"{line[0].upper()}{line[1:]}." for line in describe_plan_costs(costs)]
    if (more := plan.extrapolated_voting) is not None:
        lines.append(more.describe("SC"))
    crossover = plan.findings.genrm_crossover
    if crossover is not None and best.strategy not in ("sc", "genrm"):
        lines.append(describe_crossover("genrm", crossover, plan.findings.plateau, plan.budget))
    # The law of what is recommended comes first. The published law is one of GenRM.
    for strategy in dict.fromkeys((best.strategy, "genrm")):
        if (laws := plan.findings.get_laws(strategy)) is not None:
            lines.append(describe_strategy_law(strategy, laws))
    lam = (
        "" if plan.lam is None or (costs is not None and costs.ratio_interval is not None) else f"; λ = {plan.lam:.3g}"
    )
    lines.append(f"Profile '{profile.name}': {profile.description}{lam}.")
    return lines + ([] if costs is None else list_cost_lines(profile, plan, costs))


def describe_problem_count(profile: Profile) -> str:
    """Return the number of measured problems as text."""
    return "one problem" if profile.problems == 1 else f"{profile.problems:,} problems"


def list_plan_words(plan: Plan, options: Sequence[StrategyOption]) -> list[str]:
    """Return the terms that a plan uses, see `WORDS`."""
    numbers = {name for option in options for name in option.numbers}
    used = {
        "x": True,
        "S, V": "V" in numbers,
        "N, M": "N" in numbers,
        "expected": plan.interval is not None,
        "coverage": has_coverage_row(plan),
        "λ": plan.lam is not None,
    }
    return [term for term, is_used in used.items() if is_used]


def describe_next_steps(plan: Plan, profile: Profile, name: str, budget: str | None, written: str | None) -> list[str]:
    """Return the lines that say how a plan is carried out; none for a strategy of another package.

    Args:
        plan: the plan.
        profile: the profile that it was made from.
        name: the profile as it was given.
        budget: the budget as it was given; None if other options had a part in the plan, which `solve` does not have.
        written: the sweep file, or the policy file, that was written.
    """
    if written is not None and written.lower().endswith(".json"):
        words = ["isocompute", "solve", "questions.csv", "-o", "answers", "--profile", name, "--policy", written]
        return [f"Written: {written}. To carry it out: {shlex.join(words)}"]
    if not is_known_strategy(plan.recommendation.strategy):
        return []
    if written is not None:
        quoted = shlex.quote(written)
        return [f"Written: {written}. To carry it out, set its run and task, and then: isocompute sweep {quoted}"]
    if budget is None:
        return ["To carry it out: add --emit sweep.yaml, which writes a sweep file."]
    words = ["isocompute", "solve", "questions.csv", "-o", "answers", "--profile", name, "--budget", budget]
    words += [] if profile.sampling is not None else ["--config", "sweep.yaml"]
    return [f"To carry it out: {shlex.join(words)}"]


def print_plan_policies(console: Console, policies: Sequence[PolicyOption]) -> None:
    """Print the most accurate rule that stops early, and each cheaper one that is not clearly behind the plan."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("policy", no_wrap=True)
    for heading in (
        "threshold",
        "S ≤",
        "mean\ncompute",
        "95 %\nwithin",
        "expected",
        "recommended\nis ahead by",
        "saves",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    least = math.inf
    for option in policies:
        if option is policies[0] or (option.compute < least and option.gap_interval[0] <= 0):
            least = option.compute
            table.add_row(
                option.rule,
                f"{option.threshold:.4g}",
                str(option.limit),
                format_compute(option.compute),
                format_compute(option.percentile_95),
                format_percent(option.accuracy),
                f"{100 * option.gap:+.1f} {format_interval(option.gap_interval, sign='+')}",
                f"{option.saving:.2f}x",
            )
    console.print(table)
    print_line(console, POLICIES_NOTE)


def list_cost_lines(profile: Profile, plan: Plan, costs: PlanCosts) -> list[str]:
    """Return the lines on the cost model, its settings, and where the recommendation flips."""
    lines = []
    if costs.model != "tokens":
        is_counted = costs.model == "seconds" and plan.counting != "seconds"  # seconds limit latency, tokens are paid
        unit = "tokens" if is_counted else MODEL_UNITS[costs.model]
        one = "" if costs.solution is None else f", {format_amount(costs.solution, unit, 4)} a solution"
        of_machine = " of the machine" if plan.counting == "seconds" else ""
        lines.append(f"Cost model: {costs.model}{one}{of_machine}.")
    verifier = profile.models.get("verifier")
    if costs.per_problem.get("seconds") is not None and costs.latency_limit is None:
        lines.append(describe_load(profile, costs.settings.batch))
    return [*lines, *describe_settings(costs), *describe_flips(costs, plan.lam, verifier.name if verifier else None)]


def describe_unknown_sizes(profile: Profile) -> str:
    """Say that a verifier or a scorer of unknown size is assumed to be as large as the solver."""
    roles = " and the ".join(["solver", *profile.unknown_sizes])
    return (
        f"the sizes of the {roles} are not all known, so a token of each is assumed to cost the same; "
        "fit --parameters sets sizes."
    )


def describe_context(plan: Plan) -> list[str]:
    """Return where voting flattens, and from which budget on other strategies stay ahead of it."""
    findings, lines = plan.findings, []
    if plan.plateau_multiple is not None:
        assert findings.plateau is not None, "its multiple is known"
        multiple = f"{format_compute(plan.plateau_multiple)}-plateau, that many times as much"
        lines.append(
            f"Voting (sc) gains less than half a point beyond {format_plateau(findings)}, its plateau. "
            f"{format_compute(plan.budget)} is {multiple}."
        )
    ahead = "genrm" if plan.recommendation.strategy == "sc" else plan.recommendation.strategy
    if ahead in findings.crossovers:
        lines.append(describe_crossover(ahead, findings.crossovers[ahead], findings.plateau, plan.budget))
    return lines


def format_plateau(findings: Findings) -> str:
    """Return SC's plateau with its interval."""
    assert findings.plateau is not None, "the caller knows it"
    interval = findings.plateau_interval
    return format_compute(findings.plateau) + ("" if interval is None else f" ({describe_compute_interval(interval)})")


def describe_compute_interval(interval: ConfidenceInterval) -> str:
    """Return an interval of compute in words; an end that is infinite is "never"."""
    low, high = (format_compute(end) if math.isfinite(end) else "never" for end in interval)
    return f"95 % interval {low} to {high}"


def describe_crossover(strategy: str, crossover: Crossover, plateau: float | None, budget: float | None = None) -> str:
    """Describe from which budget on a strategy stays ahead of SC, and on which side of it a budget is."""
    interval = None if crossover.interval is None else describe_compute_interval(crossover.interval)
    if not math.isfinite(crossover.budget):
        reached = "" if crossover.interval is None or math.isinf(crossover.interval[0]) else f", {interval}"
        share = (
            ""
            if crossover.probability is None
            else f"; the probability that it does is {crossover.probability:.2f}{reached}"
        )
        top = format_compute(float(crossover.budgets[-1]))
        return f"{strategy} does not get ahead of voting (sc) to stay, up to {top}, the most that was measured{share}."
    where = "" if budget is None else f"; this budget is {'above' if budget >= crossover.budget else 'below'} that"
    known = [] if plateau is None else [f"{format_compute(crossover.budget / plateau)}-plateau"]
    known += [] if interval is None else [interval]
    brackets = f" ({'; '.join(known)})" if known else ""
    return f"From {format_compute(crossover.budget)}{brackets} on, {strategy} stays ahead of voting (sc){where}."
