"""Promises and outcomes of `isocompute solve` on problems of the lab that are generated anew.

    python -m experiments.policies.solve_promises [--problems 200] [--engine transformers] [--runs FOLDER]

At 8x, 32x and 128x, a plan's fixed allocation and a policy answer the same new problems, of the levels of the run that
the promises come from. Promise minus outcome, of accuracy and of mean compute, has an interval that counts both samples
of problems, and is simultaneous over the six settings (Bonferroni). Writes docs/solve_promises.md. A run that was
stopped goes on from the rows in FOLDER.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtri

import isocompute as iso
from isocompute.fits.arrays import Floats
from isocompute.planner.budget import Budget
from isocompute.planner.costs.request import build_request
from isocompute.planner.policies.comparison import compare_run_policies
from isocompute.planner.policies.learnt_policy import build_policy_file
from isocompute.planner.policies.policy_file import PolicyFile, read_policy_file, write_policy_file
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import Profile, read_profile
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE
from isocompute.runners.tasks import Problem, make_lab_problems
from isocompute.serving.spending import price_tokens

ROOT = Path(__file__).resolve().parents[2]
RUN = "data/runs/lab-both-small"
PROFILE = "lab-both-small"
PAGE = ROOT / "docs" / "solve_promises.md"
BUDGETS = ("8x", "32x", "128x")
LEVELS = [1, 2, 3, 4, 5]
SEED = 2028
"""Seed of the new problems; that of the run is 5."""
QUANTILE = float(ndtri(1 - 0.05 / (2 * 2 * len(BUDGETS))))
"""Standard errors of half an interval that is simultaneous over the six settings."""
HALF_WIDTH = float(ndtri(0.975))


@dataclass(frozen=True)
class Promise:
    """The accuracy and compute that were expected, with standard errors over the problems they were measured on.

    Args:
        accuracy, accuracy_error: accuracy on new problems, 0 … 1.
        compute, compute_error: mean compute in x.
    """

    accuracy: float
    accuracy_error: float
    compute: float
    compute_error: float


@dataclass(frozen=True)
class Outcome:
    """The accuracy and compute on the new problems, with standard errors within levels."""

    name: str
    accuracy: float
    accuracy_error: float
    compute: float
    compute_error: float
    seconds: float
    sampled: int


def make_new_problems(count: int) -> list[Problem]:
    """Generate problems that the run does not have, equally many of each level.

    A level of few different problems, such as the first, may repeat the run's; then they are drawn from a longer list.
    """
    seen = set(Run(str(ROOT / RUN)).read_frame(PROBLEMS_TABLE, ["question"])["question"])
    each = count // len(LEVELS)
    kept: list[Problem] = []
    for level in LEVELS:
        fresh = [p for p in make_lab_problems(4 * each + 20, [level], SEED) if p.question not in seen]
        kept += fresh[:each]
    return kept


def write_questions(problems: list[Problem], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "question", "answer"])
        rows.writerows((p.problem_id, p.question, p.gold) for p in problems)


def compute_stratified_mean(values: Floats, levels: Floats) -> tuple[float, float]:
    """Return the mean of the levels' means, and its standard error within levels."""
    groups = [values[levels == level] for level in np.unique(levels)]
    errors = [group.var(ddof=1) / len(group) for group in groups]
    return float(np.mean([group.mean() for group in groups])), float(np.sqrt(np.sum(errors)) / len(groups))


def promise_allocation(profile: Profile, budget: str) -> Promise:
    """Return a plan's promise; the error of its compute is that of the tokens of the profile's problems."""
    plan = make_priced_plan(profile, build_request(Budget.parse(budget)))
    assert plan.interval is not None, "the profile has problems"
    low, high = plan.interval
    best, prices = plan.recommendation, price_tokens(profile).by_role
    assert prices is not None, "the profile has tokens"
    S, V = best.numbers.get("S", best.numbers.get("N", 0)), best.numbers.get("V", 0)
    scores = "S" in best.numbers and best.strategy in ("bon", "prm-weighted")
    costs, levels = [], []
    for record in profile.per_problem:
        solution = record.tokens["solver"].completion or 0.0
        cost = S * solution * (prices["solver"] + (prices["scorer"] if scores else 0.0))
        if V:
            cost += S * V * (record.tokens["verifier"].completion or 0.0) * prices["verifier"]
        costs.append(cost)
        levels.append(record.level or 0)
    _, error = compute_stratified_mean(np.array(costs), np.array(levels))
    return Promise(plan.expected_accuracy, (high - low) / (2 * HALF_WIDTH), best.compute, error)


def promise_policy(policy: PolicyFile) -> Promise:
    """Return the promise of a policy file: its measurements on problems on which its threshold was not chosen."""
    measured = policy.measured
    assert measured.accuracy_interval is not None, "it was measured on several problems"
    assert measured.compute_interval is not None, "it was measured on several problems"
    accuracy, compute = (
        (high - low) / (2 * HALF_WIDTH) for low, high in (measured.accuracy_interval, measured.compute_interval)
    )
    return Promise(measured.accuracy, accuracy, measured.compute, compute)


def learn_policy(rule: str, budget: str, folder: Path) -> Path:
    """Write the policy file of a rule whose mean compute is within a budget, unless it is there."""
    path = folder / f"{rule}-{budget}.json"
    if not path.exists():
        found = compare_run_policies(str(ROOT / RUN), build_request(Budget.parse(budget)))
        write_policy_file(build_policy_file(found, rule), str(path))
    return path


def answer_questions(questions: Path, problems: list[Problem], run: Path, engine: str | None, **how: str) -> Outcome:
    """Carry out one setting, and measure what came about."""
    begun = time.monotonic()
    found = iso.solve(questions, run, profile=PROFILE, config=RUN, engine=engine, **how)
    levels = np.array([p.level for p in problems], dtype=float)
    frame = found.to_frame()
    right = compute_stratified_mean(frame["correct"].to_numpy(float), levels)
    compute = compute_stratified_mean(frame["compute"].to_numpy(float), levels)
    name = f"{found.to_dict()['strategy']} {found.to_dict()['settings']}"
    return Outcome(name, *right, *compute, time.monotonic() - begun, found.to_dict()["sampled"])


def describe_difference(promised: float, outcome: float, error: float, scale: float) -> tuple[str, bool]:
    """Return promise minus outcome with its interval, and whether the interval holds 0."""
    gap, reach = scale * (promised - outcome), scale * QUANTILE * error
    return f"{gap:+.1f} [{gap - reach:+.1f}, {gap + reach:+.1f}]", abs(gap) <= reach


def build_row(budget: str, promise: Promise, outcome: Outcome) -> str:
    accuracy, is_kept = describe_difference(
        promise.accuracy, outcome.accuracy, float(np.hypot(promise.accuracy_error, outcome.accuracy_error)), 100
    )
    compute, is_paid = describe_difference(
        promise.compute, outcome.compute, float(np.hypot(promise.compute_error, outcome.compute_error)), 1
    )
    cells = [
        budget,
        outcome.name,
        f"{100 * promise.accuracy:.1f}",
        f"{100 * outcome.accuracy:.1f}",
        accuracy,
        "yes" if is_kept else "**no**",
        f"{promise.compute:.1f}x",
        f"{outcome.compute:.1f}x",
        compute,
        "yes" if is_paid else "**no**",
    ]
    return f"| {' | '.join(cells)} |"


def build_page(rows: list[str], problems: int, rule: str, engine: str | None) -> str:
    return "\n".join(
        [
            "# Promises of `solve` on new problems",
            "",
            f"{problems} problems of the lab, generated anew (seed {SEED}, as many of each level as in the run), were "
            f"answered with the models of the profile `{PROFILE}`"
            + (f" in {engine}" if engine else "")
            + f": at each budget by the plan's fixed allocation, and by the policy `{rule}`, learnt on `{RUN}` "
            "for that compute. The promise is the plan's expected accuracy and compute, or what the policy reached "
            "on problems on which its threshold was not chosen. Promise minus outcome in points and in x, with "
            "intervals that count both samples and hold for all six settings together (95 %).",
            "",
            "| budget | carried out | promised | right, % | gap | held | promised | compute | gap | held |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "Made by `python -m experiments.policies.solve_promises`.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--engine")
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--rule", default="value")
    parser.add_argument("--budgets", nargs="+", default=list(BUDGETS))
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    folder = given.runs or Path(tempfile.mkdtemp(prefix="solve-promises-"))
    folder.mkdir(parents=True, exist_ok=True)
    problems = make_new_problems(given.problems)
    questions = folder / "questions.csv"
    write_questions(problems, questions)
    profile, rows = read_profile(PROFILE), []
    for budget in given.budgets:
        policy = learn_policy(given.rule, budget, folder)
        for promise, name, how in (
            (promise_allocation(profile, budget), "fixed", {"budget": budget}),
            (promise_policy(read_policy_file(str(policy))), given.rule, {"policy": str(policy)}),
        ):
            outcome = answer_questions(questions, problems, folder / f"{name}-{budget}", given.engine, **how)
            print(f"{budget} {outcome.name}: {outcome.sampled} rows in {outcome.seconds:.0f} s", flush=True)
            rows.append(build_row(budget, promise, outcome))
            print(rows[-1], flush=True)
    given.page.write_text(build_page(rows, len(problems), given.rule, given.engine), encoding="utf-8")


if __name__ == "__main__":
    main()
