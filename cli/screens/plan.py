"""Terminal output of `isocompute plan`, and formatting that other screens share."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from isocompute.cli.screens.laws import describe_strategy_law
from isocompute.fits.laws.crossover import Crossover
from isocompute.planner.budget import format_amount, format_compute
from isocompute.planner.compare import EQUIVALENCE_POINTS, ConfidenceInterval, StrategyOption
from isocompute.planner.costs.models import MODEL_UNITS
from isocompute.planner.costs.report import (
    PlanCosts,
    describe_flips,
    describe_plan_costs,
    describe_settings,
    describe_token_weights,
)
from isocompute.planner.costs.seconds import describe_load
from isocompute.planner.findings import Findings
from isocompute.planner.plan import Plan
from isocompute.planner.policies.plan_policies import PolicyOption
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.registry import describe_strategy, is_known_strategy

EXPECTED_NOTE = "Expected: on new problems. It is what was measured, shrunk towards what is usual in simulated tasks."
INTERPOLATED_NOTE = "* A size that was not run: interpolated in log N between the sizes that were."
POLICIES_NOTE = (
    "Policies stop early, at a threshold and a limit on S chosen on other problems; those shown are for new problems. "
    "Saves: compute of the recommended one over the mean. They are no rows of the table above, and have no P(best). "
    "`isocompute policies RUN` compares them."
)
CHEAPER_NOTE = (
    "A lead below zero: the strategies are expected to be within half a point of each other, and the cheapest is "
    "recommended."
)


def format_percent(value: float) -> str:
    """Return an accuracy in percent."""
    return f"{100 * value:.1f} %"


def format_interval(interval: ConfidenceInterval | None, scale: float = 100, sign: str = "", digits: int = 1) -> str:
    """Return an interval in brackets, or a dash if there is none; Rich does not read it as markup."""
    if interval is None:
        return "–"
    low, high = (f"{scale * end:{sign}.{digits}f}" if math.isfinite(end) else "never" for end in interval)
    return escape(f"[{low}, {high}]")


def format_compute_interval(interval: ConfidenceInterval) -> str:
    """Return an interval of compute in brackets, in x; Rich does not read it as markup."""
    ends = (format_compute(end).removesuffix("x") if math.isfinite(end) else "never" for end in interval)
    return escape(f"[{', '.join(ends)}]")


def format_numbers(option: StrategyOption) -> str:
    """Return an option's allocation for a table, with the mark of `INTERPOLATED_NOTE` if it was not run."""
    return f"{option.plain_settings} *" if option.interpolated else option.plain_settings


def print_plan(console: Console, profile: Profile, plan: Plan) -> None:
    """Print a plan."""
    best = plan.recommendation
    if plan.toy_note is not None:
        print_note(console, plan.toy_note)
    print_line(console, f"{describe_budget(plan)}: [bold green]{best.strategy} {best.settings}[/]")
    print_line(console, f"  {describe_strategy(best.strategy, profile.get_parameters(best.strategy))}")
    interval = "" if plan.interval is None else f", 95 % interval {format_interval(plan.interval)}"
    kind = "measured" if plan.interval is None else "expected"
    source = "interpolated" if best.interpolated else "measured"
    measured = "" if plan.interval is None else f" ({source} {format_percent(best.measured_accuracy)})"
    print_line(
        console,
        f"  {kind} accuracy [bold]{format_percent(plan.expected_accuracy)}[/]{interval}, for "
        f"{format_compute(best.compute)}{measured}",
    )
    if best.probability_best is not None and plan.alternatives:
        print_line(console, f"  {describe_probability_best(best)}")
    if plan.unknown_sizes:
        print_note(console, describe_unknown_sizes(profile))
    for line in [] if plan.costs is None else describe_plan_costs(plan.costs):
        print_line(console, f"  {escape(line)}")
    console.print()

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("strategy", "numbers"):
        table.add_column(heading)
    for heading in ("compute", kind, "95 % interval", "recommended\nis ahead by", "P(best)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for option in (best, *plan.alternatives):
        lead = "" if option.gap is None else f"{100 * option.gap:+.1f} {format_interval(option.gap_interval, sign='+')}"
        probability = "–" if option.probability_best is None else f"{option.probability_best:.2f}"
        table.add_row(
            option.strategy,
            format_numbers(option),
            format_compute(option.compute),
            format_percent(option.accuracy),
            format_interval(option.interval),
            lead,
            probability,
        )
    if plan.coverage is not None:
        table.add_row(
            "(coverage)", f"S={plan.coverage_solutions}", "", format_percent(plan.coverage), "", "", "", style="dim"
        )
    console.print(table)
    if any(option.interpolated for option in (best, *plan.alternatives)):
        print_line(console, INTERPOLATED_NOTE)
    if plan.interval is not None:
        print_line(console, EXPECTED_NOTE)
    if any(option.is_informative and option.gap is not None and option.gap < 0 for option in plan.alternatives):
        print_line(console, CHEAPER_NOTE)
    console.print()
    if plan.policies:
        print_plan_policies(console, plan.policies)
        console.print()
    for line in describe_plan_context(profile, plan):
        print_line(console, line)
    for line in [] if plan.costs is None else list_cost_lines(profile, plan, plan.costs):
        print_line(console, escape(line))
    for warning in [*([] if (note := plan.findings.published_note) is None else [note]), *plan.warnings]:
        print_note(console, warning)


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
        return ["To carry it out: --emit sweep.yaml writes the sweep file."]
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


def describe_budget(plan: Plan) -> str:
    """Return what limits a plan: compute in x, and the budget as it was typed, a latency or a target."""
    costs = plan.costs
    compute = f"At {format_compute(plan.budget)} per problem"
    if costs is None:
        return compute
    if costs.target is not None and costs.target_bound is not None:
        return escape(
            f"{format_percent(costs.target)} is reached with 90 % probability ({format_percent(costs.target_bound)}) "
            f"at {plan.recommendation.compute:,.4g}x per problem"
        )
    is_latency = costs.latency_limit is not None and costs.model == "seconds"
    is_compute = costs.budget is not None and not costs.budget.endswith(" s") and not is_latency
    limits = [compute] if is_compute else []
    if costs.budget is not None and is_compute and not costs.budget.endswith(("x", "x-plateau")):
        limits.append(costs.budget if costs.problems is None else f"{costs.budget} for {costs.problems:,} problems")
    if costs.latency_limit is not None:
        limits.append(f"{'within' if limits else 'Within'} {format_amount(costs.latency_limit, 's', 4)} of latency")
    return escape(", ".join(limits))


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
    lines += describe_token_weights(profile) if costs.tokens else []
    return [*lines, *describe_settings(costs), *describe_flips(costs, plan.lam, verifier.name if verifier else None)]


def describe_probability_best(option: StrategyOption) -> str:
    """Describe how sure it is that a strategy is the best, within the equivalence margin and without it."""
    assert option.probability_best is not None
    assert option.probability_highest is not None
    return (
        f"P(no other strategy is better by more than {EQUIVALENCE_POINTS:g} points) = {option.probability_best:.2f}; "
        f"P(none is better at all) = {option.probability_highest:.2f}"
    )


def describe_unknown_sizes(profile: Profile) -> str:
    """Say that a verifier or a scorer of unknown size is assumed to be as large as the solver."""
    roles = " and the ".join(["solver", *profile.unknown_sizes])
    return (
        f"the sizes of the {roles} are not all known, so a token of each is assumed to cost the same; "
        "fit --parameters sets sizes."
    )


def describe_plan_context(profile: Profile, plan: Plan) -> list[str]:
    """Return the lines that give a plan's context: plateau, crossover, law, origin."""
    findings = plan.findings
    budget = format_compute(plan.budget)
    solutions = "one solution's" if plan.budget == 1 else f"{budget.removesuffix('x')} solutions'"
    lines = []
    if plan.plateau_multiple is not None:
        lines.append(
            f"SC flattens at {format_plateau(findings)}, so {budget} ({solutions} worth) is "
            f"{format_compute(plan.plateau_multiple)}-plateau (times SC's plateau)."
        )
    if (more := plan.extrapolated_voting) is not None:
        lines.append(escape(more.describe("SC")))
    strategy_ahead = "genrm" if plan.recommendation.strategy == "sc" else plan.recommendation.strategy
    for strategy in dict.fromkeys(("genrm", strategy_ahead)):
        if strategy in findings.crossovers:
            lines.append(describe_crossover(strategy, findings.crossovers[strategy], findings.plateau, plan.budget))
    # The law of what is recommended comes first. The published law is one of GenRM.
    for strategy in dict.fromkeys((plan.recommendation.strategy, "genrm")):
        if (laws := findings.get_laws(strategy)) is not None:
            lines.append(describe_strategy_law(strategy, laws))
    lam = "" if plan.lam is None else f"; λ = {plan.lam:.3g}"
    return [*lines, escape(f"From profile '{profile.name}': {profile.description}{lam}.")]


def format_plateau(findings: Findings) -> str:
    """Return SC's plateau with its interval."""
    assert findings.plateau is not None, "the caller knows it"
    interval = findings.plateau_interval
    return format_compute(findings.plateau) + ("" if interval is None else f" {format_compute_interval(interval)}")


def describe_crossover(strategy: str, crossover: Crossover, plateau: float | None, budget: float | None = None) -> str:
    """Describe where a strategy overtakes SC, and on which side of the crossover a budget is."""
    name = "GenRM" if strategy == "genrm" else strategy
    interval = "" if crossover.interval is None else f", 95 % interval {format_compute_interval(crossover.interval)}"
    if not math.isfinite(crossover.budget):
        share = (
            ""
            if crossover.probability is None
            else f" (probability that it does: {crossover.probability:.2f}{interval})"
        )
        top = format_compute(float(crossover.budgets[-1]))
        return f"{name} does not overtake SC for good up to {top}, the end of the measured range{share}."
    where = "" if budget is None else f"; this budget is {'above' if budget >= crossover.budget else 'below'} it"
    multiple = "" if plateau is None else f" ({format_compute(crossover.budget / plateau)}-plateau)"
    return f"{name} overtakes SC for good at {format_compute(crossover.budget)}{multiple}{interval}{where}."


def print_line(console: Console, line: str) -> None:
    """Print a line without colouring its numbers."""
    console.print(line, highlight=False)


def print_note(console: Console, text: str) -> None:
    """Print a warning as plain text, without reading markup in it."""
    console.print("[yellow]note:[/] ", end="")
    console.print(text, markup=False, highlight=False)
