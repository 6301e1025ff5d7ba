"""The lab's two solvers on one frontier, in four units.

    python -m experiments.two_models

Writes docs/two_models.md from the profiles lab-both-small and lab-both-large, which are of the same 200 problems. The
second is not shipped yet: sweep runners/recipes/lab-both-large.yaml and fit it.
"""

from __future__ import annotations

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
    "FLOPs with KV reads, H100": {"cost": "kv", "device": "h100"},
    "dollars": {"cost": "dollars", "prices": PRICES},
    "seconds until the answer": {"cost": "seconds"},
}
DIGITS = 3
TEXT = """# Small model or large, votes, verdicts or search: the lab's answer

Made by `python -m experiments.two_models` from two runs on the same {problems} problems of the lab: `solver` has 0.86
million parameters and `solver-large` 4.28 million. Each has 128 solutions a problem, 32 of them verified 8 times by the
small verifier, all scored by the small PRM, and beam search, DVTS and REBASE with 4, 16 and 64 slots. So verdicts and
PRM searches stand on the same problems. [models.md](models.md) says how models are compared, and [costs.md](costs.md)
how they are priced. Budgets are {multiples} solutions of the small model. Dollars are at made-up prices, in proportion
to the sizes: nobody sells tokens of a toy lab. Seconds are at the load of the runs, on two CPU cores. Gaps are paired.

{answer}

{sections}
"""


def plan_unit(profiles: list[Profile], given: dict[str, object], multiple: float) -> ModelPlan:
    """Return the plan within a multiple of a solution of the first model, in some unit."""
    one = make_model_plan(profiles, build_request(Budget.parse("1x"), **given))  # type: ignore[arg-type]
    if one.cost_model != "seconds":
        return make_model_plan(profiles, build_request(Budget.parse(f"{multiple:g}x"), **given))  # type: ignore[arg-type]
    seconds = one.solution[one.models[0]] * {8: 2, 64: 4, 512: 16}[int(multiple)]
    return make_model_plan(profiles, build_request(Budget.parse(f"{seconds:.6g} s"), **given))  # type: ignore[arg-type]


def format_plan(plan: ModelPlan) -> str:
    """Return the rows of a plan as a table."""
    budget = format_amount(plan.budget, plan.unit, DIGITS)
    lines = [
        f"Within {budget}:",
        "",
        "| model | strategy | cost | expected | behind the recommended | P(best) |",
        "|---|---|--:|--:|--:|--:|",
    ]
    return "\n".join([*lines, *(format_option(option, plan.unit) for option in plan.options)])


def format_option(option: ModelOption, unit: str) -> str:
    """Return a row of the table."""
    each = option.candidate
    low, high = option.interval
    gap = "**recommended**"
    if option.gap is not None and option.gap_interval is not None:
        gap = "{:.1f} [{:+.1f}, {:+.1f}]".format(*(100 * x for x in (option.gap, *option.gap_interval)))
    return (
        f"| {each.model} | {each.strategy} {each.settings} | {format_amount(each.cost, unit, DIGITS)} | "
        f"{100 * each.accuracy:.1f} [{100 * low:.1f}, {100 * high:.1f}] | {gap} | {option.probability_best:.2f} |"
    )


def describe_answer(plan: ModelPlan) -> str:
    """Return what a plan says of the small and the large model at equal accuracy."""
    return "\n".join(f"- {describe_equal_accuracy(equal, plan.unit)}" for equal in plan.equal)


def main() -> None:
    """Write the page."""
    profiles = [read_profile(name) for name in PROFILES]
    sections, answers = [], []
    for name, given in UNITS.items():
        plans = [plan_unit(profiles, given, multiple) for multiple in MULTIPLES]
        answers.append(f"In {name}:\n\n{describe_answer(plans[-1])}")
        sections.append(f"## {name[0].upper()}{name[1:]}\n\n" + "\n\n".join(map(format_plan, plans)))
    multiples = ", ".join(map(str, MULTIPLES[:-1])) + f" and {MULTIPLES[-1]}"
    text = TEXT.format(
        problems=profiles[0].problems, multiples=multiples, answer="\n\n".join(answers), sections="\n\n".join(sections)
    )
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
