"""The lab's two solvers on one frontier, in four units.

    python -m experiments.two_models

Writes docs/two_models.md from the profiles lab-both-small and lab-both-large, which are of the same 200 problems.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from isocompute.cli.screens.models import describe_equal_accuracy
from isocompute.planner.budget import Budget, format_amount
from isocompute.planner.costs.request import build_request
from isocompute.planner.models.choice import ModelOption
from isocompute.planner.models.model_plan import ModelPlan, make_model_plan
from isocompute.planner.profile import Profile, read_profile

PAGE = Path(__file__).resolve().parents[1] / "docs" / "two_models.md"
PROFILES = "lab-both-small", "lab-both-large"
MULTIPLES = 8, 64, 512
"""Budgets, in solutions of the small model."""
PRICES = {
    "data/lab/solver": {"input": 0.05, "output": 0.2},
    "data/lab/solver-large": {"input": 0.25, "output": 1.0},
    "data/lab/verifier": {"input": 0.05, "output": 0.2},
    "data/lab/prm": {"input": 0.075, "output": 0.3},
}
"""Dollars per million tokens, made up: in proportion to the sizes, as no one sells tokens of a toy lab."""
UNITS = {
    "FLOPs": {"cost": "flops"},
    "FLOPs with KV reads (H100)": {"cost": "kv", "device": "h100"},
    "dollars": {"cost": "dollars", "prices": PRICES},
    "seconds until the answer": {"cost": "seconds"},
}
LATENCIES = 1.0, 1.5, 3.0
"""Budgets of latency, in latencies of one answer of the slower model: solutions are sampled side by side."""
DIGITS = 3
VERDICTS = "genrm", "genrm+vote", "weighted", "fused"
UNSETTLED = "whether it is cheaper is not settled"
TEXT = """# Small model or large, votes, verdicts or search: the lab's answer

Made by `python -m experiments.two_models` from two runs on the same {problems} problems of the lab: `solver` has 0.86
million parameters and `solver-large` 4.28 million. Each has 128 solutions a problem, 32 of them verified 8 times by the
small verifier, all scored by the small PRM, and beam search, DVTS and REBASE with 4, 16 and 64 slots. So verdicts and
PRM searches stand on the same problems. [models.md](models.md) says how models are compared, and
[costs.md](costs.md) how they are priced. Dollars are at made-up prices, in proportion to the sizes: nobody sells tokens
of a toy lab. Seconds are those of the runs: one thread each on the same machine with two cores, beside other programs,
with up to 1,024 requests at once.

## The answer

{answer}

The best row of each model and of the cascade within each budget, and how far it is behind the recommended one, in
points with a paired 95 % interval:

{summary}

Budgets are {multiples} solutions of the small model; in seconds, {latencies} times the latency of one answer of the
slower model.

## At equal accuracy

{equal}

{sections}
"""


def plan_unit(profiles: list[Profile], given: dict[str, object]) -> list[ModelPlan]:
    """Return the plans of a unit within three budgets."""
    one = make_model_plan(profiles, build_request(Budget.parse("1x"), **given))  # type: ignore[arg-type]
    if one.cost_model == "seconds":
        budgets = [f"{times * max(one.solution.values()):.6g} s" for times in LATENCIES]
    else:
        budgets = [f"{multiple}x" for multiple in MULTIPLES]
    return [make_model_plan(profiles, build_request(Budget.parse(each), **given)) for each in budgets]  # type: ignore[arg-type]


def format_plan(plan: ModelPlan) -> str:
    """Return the rows of a plan as a table."""
    lines = [
        f"Within {format_budget(plan)}:",
        "",
        "| model | strategy | cost | expected | behind the recommended | P(best) |",
        "|---|---|--:|--:|--:|--:|",
    ]
    return "\n".join([*lines, *(format_option(option, plan.unit) for option in plan.options)])


def format_budget(plan: ModelPlan) -> str:
    """Return a plan's budget in its unit."""
    return format_amount(plan.budget, plan.unit, DIGITS)


def summarise_plans(plans: list[ModelPlan], name: str) -> list[str]:
    """Return a row for each budget of a unit: the best of the small model, of the large one and of the cascade."""
    small, large = plans[0].models
    rows = []
    for plan in plans:
        cells = []
        for model in (small, large, f"{small} → {large}"):
            # the options are in the order of expected accuracy, after the recommended one
            option = next((each for each in plan.options if each.candidate.model == model), None)
            cells.append("–" if option is None else format_cell(option))
        rows.append(f"| {name} | {format_budget(plan)} | {' | '.join(cells)} |")
    return rows


def format_cell(option: ModelOption) -> str:
    """Return an option in a cell: its strategy, its expected accuracy, and how far it is behind."""
    each = option.candidate
    return f"{each.strategy} {each.settings}: {100 * each.accuracy:.1f}, {format_gap(option)}"


def format_gap(option: ModelOption) -> str:
    """Return how far an option is behind the recommended one."""
    if option.gap is None or option.gap_interval is None:
        return "**recommended**"
    return "{:.1f} [{:+.1f}, {:+.1f}]".format(*(100 * x for x in (option.gap, *option.gap_interval)))


def format_option(option: ModelOption, unit: str) -> str:
    """Return a row of the table."""
    each = option.candidate
    low, high = option.interval
    return (
        f"| {each.model} | {each.strategy} {each.settings} | {format_amount(each.cost, unit, DIGITS)} | "
        f"{100 * each.accuracy:.1f} [{100 * low:.1f}, {100 * high:.1f}] | {format_gap(option)} | "
        f"{option.probability_best:.2f} |"
    )


def describe_equal(plan: ModelPlan) -> str:
    """Return what a plan says of the small and the large model at equal accuracy."""
    return "\n".join(f"- {describe_equal_accuracy(equal, plan.unit)}" for equal in plan.equal)


def describe_answer(plans: dict[str, list[ModelPlan]]) -> str:
    """Return the answer in a few sentences, each counted from the plans."""
    small, large = next(iter(plans.values()))[0].models
    sentences = []
    for at, what in enumerate(("one answer", "the best vote")):
        units: dict[str, list[str]] = {verdict: [] for verdict in ("it is cheaper", "it is dearer", UNSETTLED)}
        for name, each in plans.items():
            equal = each[-1].equal[at]
            assert equal.model == small, "the small model is cheaper in every unit, answer by answer"
            low, high = equal.interval
            units["it is cheaper" if high < 1 else "it is dearer" if low > 1 else UNSETTLED].append(name)
        said = [f"{verdict} in {', '.join(names)}" for verdict, names in units.items() if names]
        sentences.append(
            f"To be as accurate as {what} of {large}, {small} needs votes, verdicts or a search: {'; '.join(said)}."
        )
    counts = Counter(plan.recommendation.strategy for each in plans.values() for plan in each)
    verdicts = sum(counts[each] for each in VERDICTS)
    total = f"Of the {counts.total()} recommendations below "
    sentences.append(
        total
        + ", ".join(f"{count} {'is' if count == 1 else 'are'} `{strategy}`" for strategy, count in counts.most_common())
        + f"; {verdicts or 'none'} {'use' if verdicts > 1 else 'uses'} verdicts."
    )
    return " ".join(sentences)


def main() -> None:
    """Write the page."""
    profiles = [read_profile(name) for name in PROFILES]
    plans = {name: plan_unit(profiles, given) for name, given in UNITS.items()}
    summary = [
        "| unit | budget | solver | solver-large | cascade |",
        "|---|--:|---|---|---|",
        *(row for name, each in plans.items() for row in summarise_plans(each, name)),
    ]
    sections = [f"## All rows: {name}\n\n" + "\n\n".join(map(format_plan, each)) for name, each in plans.items()]
    text = TEXT.format(
        problems=profiles[0].problems,
        multiples=", ".join(map(str, MULTIPLES[:-1])) + f" and {MULTIPLES[-1]}",
        latencies=", ".join(f"{times:g}" for times in LATENCIES[:-1]) + f" and {LATENCIES[-1]:g}",
        answer=describe_answer(plans),
        summary="\n".join(summary),
        equal="\n\n".join(f"In {name}:\n\n{describe_equal(each[-1])}" for name, each in plans.items()),
        sections="\n\n".join(sections),
    )
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
