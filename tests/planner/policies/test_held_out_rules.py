"""Thresholds are chosen on other problems, and each problem is scored under them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isocompute.fits import Pool, split_folds
from isocompute.fits.policies.orders import SOLUTION_BYTES, VERDICT_BYTES, split_for_replay
from isocompute.planner.costs.models import RequestCosts
from isocompute.planner.policies.held_out_rules import choose_for_budget, choose_for_guarantee, split_rule
from isocompute.planner.policies.measured_rules import measure_rules
from isocompute.planner.policies.prices import RequestPrices, build_request_prices


def make_pool(problems=24, solutions=12, seed=3):
    rng = np.random.default_rng(seed)
    hardness = np.linspace(0.1, 0.9, problems)[:, None]
    answers = np.where(rng.random((problems, solutions)) < hardness, rng.integers(1, 5, (problems, solutions)), 0)
    verdicts = (rng.random((problems, solutions, 2)) < np.where(answers == 0, 0.8, 0.3)[..., None]).astype(float)
    return Pool(answers, np.zeros(problems, dtype=int), verdicts, keys=np.arange(problems, dtype=np.uint64))


def flat_prices(pool, lam=0.5):
    return RequestPrices(np.ones(pool.problems), np.full(pool.problems, lam), lam)


@pytest.fixture(scope="module")
def measured():
    pool = make_pool()
    return {rule.name: rule for rule in measure_rules(pool, flat_prices(pool), draws=64)}


def test_a_problem_does_not_choose_its_own_threshold(measured):
    rule, folds = measured["beta"], split_folds(24, splits=2)
    chosen = split_rule(rule, folds).choose(choose_for_budget(4.0))
    turned = rule.estimate.accuracy.copy()
    turned[5] = np.linspace(1, 0, len(rule.estimate.thresholds))
    other = replace(rule, estimate=replace(rule.estimate, accuracy=turned))
    again = split_rule(other, folds).choose(choose_for_budget(4.0))
    assert chosen.positions[5].tolist() == again.positions[5].tolist()


def test_problems_of_a_cluster_are_held_out_together(measured):
    clusters = np.repeat(np.arange(8), 3)
    folds = split_folds(24, splits=2, clusters=clusters)
    chosen = split_rule(measured["weighted-beta"], folds, clusters).choose(choose_for_budget(6.0))
    for cluster in range(8):
        assert len(np.unique(chosen.positions[clusters == cluster], axis=0)) == 1


def test_what_is_chosen_is_scored(measured):
    rule = measured["certain"]
    chosen = split_rule(rule, split_folds(24, splits=3)).choose(choose_for_budget(5.0))
    compute = chosen.average(rule.estimate.compute)
    assert compute[0] == pytest.approx(rule.estimate.compute[0, chosen.positions[0]].mean())
    assert rule.estimate.compute[:, chosen.position].mean() <= 5.0
    assert chosen.compute_cost_quantile(1.0) == rule.estimate.costs[:, :, chosen.positions.max()].max()


def test_without_a_certificate_the_full_budget_stands_in(measured):
    rule = measured["beta"]
    chosen = split_rule(rule, split_folds(24)).choose(choose_for_guarantee(0.01, 0.95))
    assert chosen.is_full
    assert (chosen.positions == len(rule.estimate.thresholds) - 1).all()
    assert chosen.average(rule.estimate.same) == pytest.approx(1)


def test_the_last_threshold_is_the_full_budget(measured):
    for rule in measured.values():
        assert rule.estimate.same[:, -1] == pytest.approx(1)
        assert rule.full_cost == pytest.approx(12 * (1 + 0.5 * rule.verifications))
        assert (rule.hindsight <= rule.full_compute + 1e-9).all()


def test_parts_of_a_pool_give_the_same_as_the_whole(measured, monkeypatch):
    pool = make_pool()
    monkeypatch.setattr("isocompute.fits.policies.orders.REPLAY_BYTES", 64 * 12 * 5 * (SOLUTION_BYTES + VERDICT_BYTES))
    assert len(split_for_replay(pool, 64)) == 5
    for rule in measure_rules(pool, flat_prices(pool), draws=64):
        whole = measured[rule.name]
        assert np.array_equal(rule.estimate.costs, whole.estimate.costs)
        assert np.array_equal(rule.estimate.accuracy, whole.estimate.accuracy)
        assert np.array_equal(rule.hindsight, whole.hindsight)


def test_hard_problems_with_long_solutions_make_a_policy_dearer(measured):
    pool = make_pool()
    lengths = np.linspace(0.5, 1.5, 24)  # the hard problems are last
    costs = RequestCosts("tokens", "tokens", {"solver": 100 * lengths, "verifier": 50 * lengths})
    prices = build_request_prices(costs, 0.5, 24)
    assert (prices.solution.mean(), prices.lam) == (pytest.approx(1), pytest.approx(0.5))
    dear = {rule.name: rule for rule in measure_rules(pool, prices, draws=64)}
    for name, rule in measured.items():
        assert dear[name].full_cost == pytest.approx(rule.full_cost)
    beta = [each["beta"].estimate.compute[:, -5].mean() for each in (dear, measured)]
    assert beta[0] > beta[1]


def test_a_given_lambda_is_the_price_of_a_verification():
    costs = RequestCosts("tokens", "tokens", {"solver": np.array([50.0, 150.0]), "verifier": np.array([10.0, 10.0])})
    prices = build_request_prices(costs, 2.0, 2)
    assert prices.verification.tolist() == [1.0, 3.0]
    assert build_request_prices(RequestCosts("tokens", "tokens", {}), None, 2).solution.tolist() == [1.0, 1.0]


def test_rules_that_verify_are_left_out_without_verdicts():
    pool = make_pool()
    votes = Pool(pool.answers, pool.gold, keys=pool.keys)
    names = [rule.name for rule in measure_rules(votes, RequestPrices(np.ones(24), None, None), draws=64)]
    assert names == ["certain", "beta", "window", "doubling"]
