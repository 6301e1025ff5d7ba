"""Policies as they are carried out: they stop where their replays stop."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.policy import BUDGET_SPENT, Policy, SampledProblem
from isocompute.fits.policies.replay import estimate_stop_rule

THRESHOLDS = {"certain": 7, "beta": 0.8, "window": 2, "doubling": 0.75, "weighted-beta": 0.7}


def carry_out(policy, answers, verdicts):
    """Answer and number of solutions on one order."""
    seen, judged = [], []
    while True:
        problem = SampledProblem(seen, judged)
        step = policy.choose_step(problem)
        if step.stopped:
            return policy.choose_answer(problem), len(seen), step.stopped
        for i in step.verify:
            judged[i].append(verdicts[i])
        for _ in range(step.solutions):
            judged.append([])
            seen.append(int(answers[len(seen)]))


@pytest.mark.parametrize("rule", THRESHOLDS)
def test_a_policy_does_what_its_replay_does(rule):
    rng = np.random.default_rng(3)
    pool = Pool(rng.integers(-1, 3, (6, 12)), [0] * 6, rng.choice([0.0, 1.0, 0.3, np.nan], (6, 12, 1)))
    orders = draw_orders(pool, draws=16, seed=1)
    policy = Policy(rule, THRESHOLDS[rule], solutions=12, lam=0.5)
    replayed = estimate_stop_rule(pool, policy.stop_rule, [policy.threshold], orders, lam=0.5)
    for p in range(pool.problems):
        for r in range(orders.draws):
            order = orders.solutions[p, r]
            choice, count, _ = carry_out(policy, pool.answers[p, order], pool.verdicts[p, order, 0])
            expected = count * (1 + 0.5 * policy.verifications)
            assert replayed.costs[p, r, 0] == pytest.approx(expected)
            totals = SampledProblem(pool.answers[p, order[:count]], pool.verdicts[p, order[:count]]).sum_votes(
                policy.verifications == 1
            )
            assert totals.get(choice.answer, 0) == max(totals.values(), default=0)


def test_the_last_solution_ends_a_policy():
    policy = Policy("beta", 0.99, solutions=3)
    assert policy.choose_step(SampledProblem([0, 1, 2])).stopped == BUDGET_SPENT


def test_doubling_asks_for_the_rest_of_its_wave():
    policy = Policy("doubling", 0.75, solutions=6)
    assert policy.choose_step(SampledProblem([])).solutions == 2
    assert policy.choose_step(SampledProblem([0])).solutions == 1
    assert policy.choose_step(SampledProblem([0, 1])).solutions == 2
    assert policy.choose_step(SampledProblem([0, 1, 0, 2])).solutions == 2


def test_a_weighted_policy_verifies_what_it_sampled():
    policy = Policy("weighted-beta", 0.9, solutions=4, lam=1.0)
    assert policy.choose_step(SampledProblem([0, 1], [[1.0], []])).verify == (1,)


def test_no_answer_is_chosen_where_none_was_read():
    choice = Policy("beta", 0.9, solutions=2).choose_answer(SampledProblem([-1, -1]))
    assert choice.answer is None
    assert choice.agreement == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule": "oracle"}, "rule must be one of"),
        ({"solutions": 0}, "solutions must be at least 1"),
        ({"threshold": -1.0}, "must be above 0"),
        ({"threshold": float("nan")}, "threshold must be a finite number"),
        ({"rule": "weighted-beta"}, "needs λ"),
    ],
)
def test_a_bad_policy_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        Policy(**({"rule": "beta", "threshold": 0.9, "solutions": 4} | change))


def test_verdicts_of_another_number_of_solutions_are_refused():
    with pytest.raises(DataError, match="verdicts for each of 2 solutions"):
        SampledProblem([0, 1], [[1.0]])
