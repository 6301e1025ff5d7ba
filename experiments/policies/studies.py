"""Real logs and simulated worlds on which the rules that stop early are measured."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiments.worlds_policies import LAB_LIKE, draw_world
from isocompute.fits import AllocationOptions, split_folds
from isocompute.planner.budget import Budget
from isocompute.planner.costs.request import build_request
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.evaluation.measured_pool import measure_pool
from isocompute.planner.evaluation.run_evaluation import sort_problems
from isocompute.planner.plan_choice import CHOICE_SPLITS
from isocompute.planner.policies.comparison import PolicyStudy, measure_policies, price_policies
from isocompute.planner.policies.fixed_plans import FixedFrontier, build_fixed_frontier
from isocompute.planner.policies.held_out_rules import RuleFolds, split_rule
from isocompute.planner.policies.measured_rules import count_draws, measure_rules
from isocompute.planner.policies.policy_rows import Groups
from isocompute.planner.policies.prices import RequestPrices
from isocompute.planner.policies.value_measurement import measure_value_rule
from isocompute.runners.imports import import_logged_run
from isocompute.runners.storage.run import Run

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("ISOCOMPUTE_SHARED_DATA", ROOT.parent / "shared" / "data"))
TRACES = SHARED / "gpqa64_llama70b_raw.npz"
RUNS = ("lab", "qwen-gsm-symbolic", "lab-both-small")
GOALS = ((50.0, 128.0), (25.0, 64.0))
"""Mean budget of a rule, and the budget of the fixed plan whose accuracy it should reach."""
WORLD_SHAPE, WORLD_SEED = (200, 32, 4), 20250611
"""Problems, solutions and verifications of each simulated world like the lab."""


def open_studies(folder: str) -> Iterator[tuple[str, PolicyStudy]]:
    """Yield the logs with their origins, measured."""
    for name in RUNS:
        yield f"the shipped run `data/runs/{name}`", study_run(str(ROOT / "data" / "runs" / name))
    if TRACES.is_file():
        run = str(Path(folder) / "gpqa")
        import_logged_run("sc-genrm-scaling", str(TRACES), run)
        yield "traces of Llama-3.3-70B on GPQA by the study's authors, λ = 1 as there", study_run(run, lam=1.0)


@dataclass(frozen=True, eq=False)
class SimulatedStudy:
    """The rules on a simulated world, as a `PolicyStudy` has them.

    Args:
        rules: the rules, with their estimates on the problems outside of each fold.
        groups: no strata and no clusters.
        options: options of each strategy, for fixed plans.
    """

    rules: list[RuleFolds]
    groups: Groups
    options: tuple[AllocationOptions, ...]

    def build_frontier(self, extra: Sequence[float] = ()) -> FixedFrontier:
        """Return the best fixed plans over a ladder of budgets and at some more."""
        return build_fixed_frontier(self.options, extra)


Study = PolicyStudy | SimulatedStudy


def simulate_study(world: int) -> SimulatedStudy:
    """Measure the rules on a world like the lab, with a λ of 1."""
    pool = draw_world(LAB_LIKE, *WORLD_SHAPE, np.random.default_rng([WORLD_SEED, world]))
    ones = np.ones(pool.problems)
    prices = RequestPrices(ones, ones, 1.0)
    draws = count_draws(pool.problems)
    rules = measure_rules(pool, prices, draws)
    rules.append(measure_value_rule(pool, prices, rules[-1].hindsight, draws))
    folds = split_folds(pool.problems, splits=CHOICE_SPLITS)
    return SimulatedStudy(
        [split_rule(rule, folds) for rule in rules], Groups(None, None), measure_pool(pool, 1.0).tables
    )


def study_run(path: str, lam: float | None = None) -> PolicyStudy:
    """Measure the rules of a run."""
    run = Run(path)
    pool = sort_problems(read_pool(run))
    profile = build_profile(run, pool, measure_costs(pool), Path(path).name)
    return measure_policies(run, pool, price_policies(profile, build_request(Budget(8.0), lam=lam)))


def count_requests(study: PolicyStudy) -> PolicyStudy:
    """Return a study in which every solution counts 1 and every verification λ, whatever its tokens."""
    lam, rules = study.priced.lam or 0.0, []
    for each in study.rules:
        estimate = each.rule.estimate
        counted = replace(estimate, compute=estimate.solutions + lam * estimate.verifications)
        full = np.full(len(counted.compute), each.rule.solutions * (1 + lam * each.rule.verifications))
        if each.rule.answer_model is not None:
            full = counted.compute[:, -1]
        rule = replace(each.rule, estimate=counted, full_compute=full)
        rules.append(split_rule(rule, each.folds, each.clusters))
    return replace(study, rules=rules)


def format_interval(value: float, interval: tuple[float, float], digits: int = 1, scale: float = 100) -> str:
    """Return a difference with its interval."""
    low, high = (f"{scale * end:+.{digits}f}" for end in interval)
    return f"{scale * value:+.{digits}f} [{low}, {high}]"
