from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.planner.budget import Budget
from isocompute.planner.costs.request import build_request
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.evaluation.run_evaluation import sort_problems
from isocompute.planner.policies.comparison import measure_policies, price_policies
from isocompute.runners.storage.run import Run

COLUMNS = {
    "problem": "problem",
    "answer": "answer",
    "correct": "correct",
    "verdict": "verdict",
    "tokens": "tokens",
    "verification_tokens": "judging",
}


def make_solutions(problems: int = 20, solutions: int = 8) -> pd.DataFrame:
    """Solutions of problems of rising difficulty, of which the hard ones are long, each verified once."""
    rng, rows = np.random.default_rng(5), []
    for p in range(problems):
        for _ in range(solutions):
            is_right = rng.random() > (p + 1) / (problems + 2)
            answer = "right" if is_right else f"wrong{rng.integers(4)}"
            verdict = [float(rng.random() < (0.8 if is_right else 0.3))]
            tokens = int(20 + 4 * p + rng.integers(10))
            rows.append((f"p{p:02}", answer, is_right, verdict, tokens, 15 + p))
    return pd.DataFrame(rows, columns=["problem", "answer", "correct", "verdict", "tokens", "judging"])


@pytest.fixture
def open_frame():
    """Opens the solutions, changed in some way, as a run in memory."""

    def open_it(change: Callable[[pd.DataFrame], pd.DataFrame], columns: tuple[str, ...] = tuple(COLUMNS)):
        return iso.from_frame(change(make_solutions()), **{name: COLUMNS[name] for name in columns})

    return open_it


@pytest.fixture(scope="session")
def run_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("policies") / "run"
    iso.from_frame(make_solutions(), **COLUMNS).save(path)
    return str(path)


@pytest.fixture(scope="session")
def study(run_path):
    run = Run(run_path)
    pool = sort_problems(read_pool(run))
    profile = build_profile(run, pool, measure_costs(pool), run_path)
    return measure_policies(run, pool, price_policies(profile, build_request(Budget(4.0))))
