"""Pilots of 40 problems with a verifier that knows nothing: at 64x verifying is recommended in at most 1 of 20."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binomtest

from isocompute.fits import Pool, build_verified_options, build_voting_options
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.planner.prior import read_accuracy_prior
from isocompute.planner.strategies.registry import STRATEGIES

S, V, PROBLEMS = [1, 2, 4, 8, 16, 32, 64], [1, 2, 4, 8], 400


def build_useless_tables(kind):
    """Return the options with verdicts by the toss of a coin, or by a rate of each solution or answer."""
    rng = np.random.default_rng(7)
    right = rng.random((PROBLEMS, 64)) < expit(0.5 + 1.5 * rng.standard_normal((PROBLEMS, 1)))
    wrong = rng.choice(10, (PROBLEMS, 64), p=np.arange(1.0, 11) ** -1 / (np.arange(1.0, 11) ** -1).sum()) + 1
    answers = np.where(right, 0, wrong)
    rate = {
        "coin": lambda: np.full((PROBLEMS, 64), 0.5),
        "solution": lambda: expit(3 * rng.standard_normal((PROBLEMS, 64))),
        "answer": lambda: np.take_along_axis(expit(3 * rng.standard_normal((PROBLEMS, 11))), answers, axis=1),
    }[kind]()
    verdicts = (rng.random((PROBLEMS, 64, 8)) < rate[:, :, None]).astype(float)
    pool = Pool(answers, np.zeros(PROBLEMS, dtype=int), verdicts)
    tables = [build_voting_options(STRATEGIES["sc"].estimator(pool, S, [], 16, 0).accuracy, S)]
    for name in ("genrm", "genrm+vote", "weighted", "fused"):
        accuracy = STRATEGIES[name].estimator(pool, S, V, 16, 0).accuracy
        tables.append(build_verified_options(accuracy, S, V, 1.0, name))
    return tables


@pytest.mark.parametrize(
    ("kind", "pilots"),
    [("coin", 100), *(pytest.param(kind, 400, marks=pytest.mark.soak) for kind in ("coin", "solution", "answer"))],
)
def test_a_useless_verifier_is_seldom_recommended(kind, pilots):
    useless, rng = build_useless_tables(kind), np.random.default_rng(8)
    verified = 0
    for _ in range(pilots):
        rows = rng.integers(0, PROBLEMS, 40)
        tables = [replace(table, accuracy=table.accuracy[rows]) for table in useless]
        expected = compute_posterior(tables, read_accuracy_prior()).compute_expected_accuracies()
        (found,) = choose_recommendations(tables, expected, [64.0])
        verified += tables[found.best.table].strategy != "sc"
    low, _ = binomtest(verified, pilots).proportion_ci(method="wilson")
    print(f"{kind}: verifying is recommended in {verified} of {pilots} pilots")
    assert low <= 0.05
    assert verified / pilots <= 0.08
