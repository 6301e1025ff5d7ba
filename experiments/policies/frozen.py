"""Policies that were frozen on the lab's run, scored on 200 problems that were generated afterwards.

    python -m experiments.policies.frozen

The rules are learnt, and their thresholds chosen, on data/runs/lab, as `isocompute policies data/runs/lab --budget 50x
-o policy.json` does. The fixed plans are chosen there too. Both are then scored on data/runs/lab-fresh, but for the few
of its questions that the lab's run has as well. Prints a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.policies.studies import GOALS, ROOT, count_requests, format_interval, study_run
from isocompute.fits.arrays import Floats
from isocompute.fits.policies.estimate import PolicyEstimate, price_by_problem
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.policy import VALUE
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule
from isocompute.fits.policies.value_model import ValueModel
from isocompute.fits.policies.value_rule import estimate_value_rule
from isocompute.planner.policies.comparison import PolicyStudy
from isocompute.planner.policies.held_out_rules import HeldOutRule, choose_for_budget
from isocompute.planner.policies.measured_rules import POLICY_SEED, count_draws
from isocompute.planner.policies.policy_rows import Groups, compare_paired
from isocompute.planner.policies.prices import build_request_prices
from isocompute.planner.strategies.registry import STRATEGIES

RULES = ("weighted-beta", VALUE)
PLAN_DRAWS = 400
PLAN = re.compile(r"(\S+) S=(\d+)(?: V=(\d+))?")

HEAD = [
    "| counted | rule | mean budget | on the lab | at | on new problems | at | fixed plan | on new problems | ahead "
    "| ahead of the plan at equal budget |",
    "|:--|:--|--:|--:|--:|--:|--:|:--|--:|--:|--:|",
]


@dataclass(frozen=True, eq=False)
class FrozenPlan:
    """A fixed plan that was chosen on the lab's run, on the new problems.

    Args:
        words: the plan, such as ``fused S=24 V=4``.
        accuracy: (P,) of the new problems.
    """

    words: str
    accuracy: Floats


def score_plan(words: str, old: PolicyStudy, new: PolicyStudy) -> FrozenPlan:
    """Score a plan on the new problems, with the parameters that it learnt on the old ones."""
    found = PLAN.fullmatch(words)
    assert found is not None, f"no plan of votes and verdicts: {words}"
    name, solutions, verifications = found[1], int(found[2]), int(found[3] or 0)
    parameters = old.priced.profile.get_parameters(name)
    estimate = STRATEGIES[name].apply_parameters(parameters)(
        new.pool.pool, [solutions], [verifications] if verifications else [], PLAN_DRAWS, POLICY_SEED
    )
    return FrozenPlan(words, np.asarray(estimate.accuracy.reshape(new.pool.pool.problems)))


def score_rule(held: HeldOutRule, old: PolicyStudy, new: PolicyStudy) -> PolicyEstimate:
    """Replay a rule on the new problems, with the threshold and the limit that were chosen on all old ones."""
    pool, lam = new.pool.pool, old.priced.lam
    orders = draw_orders(pool, count_draws(pool.problems), POLICY_SEED)
    if held.rule.answer_model is not None:
        model = ValueModel.from_dict(held.rule.answer_model)
        return estimate_value_rule(pool, model, [held.threshold], orders, held.rule.solutions, lam=lam)
    rule = STOP_RULES[held.rule.name]
    return estimate_stop_rule(pool, rule, [held.threshold], orders, held.rule.solutions, lam=lam, limits=[held.limit])


def mark_new_problems(old: PolicyStudy, new: PolicyStudy) -> NDArray[np.bool_]:
    """Return (P,) whether the question of each new problem is not among the old ones."""
    known = {record.digest for record in old.priced.profile.per_problem}
    return np.array([record.digest not in known for record in new.priced.profile.per_problem])


def build_rows(counted: str, old: PolicyStudy, new: PolicyStudy, is_priced: bool) -> list[str]:
    """Return a row for each rule and goal, under one way of counting compute."""
    costs, lam, problems = new.priced.costs, new.priced.lam, new.pool.pool.problems
    prices = build_request_prices(costs, lam, problems)
    frontier, lines = old.build_frontier([fixed for _, fixed in GOALS]), []
    kept, strata, clusters = mark_new_problems(old, new), new.groups.strata, new.groups.clusters
    groups = Groups(None if strata is None else strata[kept], None if clusters is None else clusters[kept])
    for mean, fixed in GOALS:
        plan, equal = (score_plan(frontier.plans[frontier.find_plan(x)], old, new) for x in (fixed, mean))
        for split in old.rules:
            if split.rule.name not in RULES:
                continue
            held = split.choose(choose_for_budget(mean))
            found = score_rule(held, old, new)
            if is_priced:
                found = price_by_problem(found, prices.solution, prices.verification)
            accuracy, estimate = found.accuracy[kept, 0], held.rule.estimate
            gap, lead = (
                format_interval(
                    float((accuracy - each.accuracy[kept]).mean()),
                    compare_paired(accuracy, each.accuracy[kept], groups),
                )
                for each in (plan, equal)
            )
            lines.append(
                f"| {counted} | {split.rule.name} | {mean:g}x | {100 * held.average(estimate.accuracy).mean():.1f} % | "
                f"{held.average(estimate.compute).mean():.1f}x | {100 * accuracy.mean():.1f} % | "
                f"{found.compute[kept].mean():.1f}x | {plan.words}, the best at {fixed:g}x | "
                f"{100 * plan.accuracy[kept].mean():.1f} % | {gap} | {lead} ({equal.words}) |"
            )
    return lines


def build_frozen_table() -> str:
    """Return the table of frozen policies."""
    old, new = (study_run(str(ROOT / "data" / "runs" / name)) for name in ("lab", "lab-fresh"))
    rows = build_rows("tokens", old, new, is_priced=True)
    rows += build_rows("requests", count_requests(old), new, is_priced=False)
    return "\n".join([*HEAD, *rows])


if __name__ == "__main__":
    print(build_frozen_table())
