"""Thresholds are chosen for a mean budget, for a batch's total, and certified to change few answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import binom

from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.policies.batch_budget import choose_threshold_for_batch, predict_totals
from isocompute.fits.policies.certificate import certify_threshold, count_problems_to_certify, measure_evidence
from isocompute.fits.policies.estimate import PolicyEstimate
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule
from isocompute.fits.policies.threshold_choice import choose_threshold_for_budget


def make_estimate(thresholds, accuracy, same, costs):
    """An estimate of the given means; `costs` is (P, R, T), the others (P, T)."""
    costs, zeros = np.asarray(costs, dtype=float), np.zeros_like(np.asarray(same, dtype=float))
    compute, accuracy, same = costs.mean(axis=1), np.asarray(accuracy, dtype=float), np.asarray(same, dtype=float)
    return PolicyEstimate(
        "made", np.asarray(thresholds, dtype=float), np.full(len(thresholds), 9), accuracy, same, compute, compute,
        zeros, compute, zeros, zeros, zeros, costs.astype(np.float32),
    )  # fmt: skip


def make_changing(differs, thresholds=(1, 2, 3), costs=(1.0, 2.0, 4.0)):
    """An estimate whose answers differ with these probabilities, (P, T)."""
    differs = np.asarray(differs, dtype=float)
    return make_estimate(thresholds, differs * 0, 1 - differs, np.tile(costs, (len(differs), 2, 1)))


@pytest.mark.parametrize(("budget", "threshold"), [(1.9, 1), (2, 2), (3.9, 2), (9, 2)])
def test_the_most_accurate_threshold_within_the_budget_is_chosen(budget, threshold):
    accuracy = [[0.5, 0.7, 0.6], [0.5, 0.7, 0.7]]
    found = choose_threshold_for_budget(make_estimate([1, 2, 3], accuracy, accuracy, [[[1, 2, 4]] * 2] * 2), budget)
    assert found.threshold == threshold
    assert found.reason is None
    assert found.accuracy == pytest.approx([0.5, 0.7, 0.65][found.position])


def test_of_equally_accurate_thresholds_the_cheapest_is_chosen():
    level = [[0.5, 0.5, 0.5]]
    assert choose_threshold_for_budget(make_estimate([1, 2, 3], level, level, [[[4, 2, 3]] * 2]), 9).threshold == 2


def test_no_threshold_is_chosen_below_the_cheapest():
    found = choose_threshold_for_budget(make_changing([[0, 0, 0]]), 0.5)
    assert (found.threshold, found.position, found.compute) == (None, None, None)
    assert "made, 1, costs 1.00x" in found.reason
    assert "above the budget of 0.5x" in found.reason


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf")])
def test_a_bad_budget_is_refused(budget):
    estimate = make_changing([[0, 0, 0]] * 3)
    for choose in (choose_threshold_for_budget, lambda *given: choose_threshold_for_batch(*given, problems=2)):
        with pytest.raises(DataError, match="budget must be"):
            choose(estimate, budget)


def test_thresholds_are_tested_from_the_careful_end_until_one_fails():
    calm, wild = np.zeros(200), np.full(200, 0.3)
    assert certify_threshold(make_changing(np.stack([calm, calm, calm], axis=1)), 0.05).threshold == 1
    assert certify_threshold(make_changing(np.stack([wild, calm, calm], axis=1)), 0.05).threshold == 2
    assert certify_threshold(make_changing(np.stack([calm, wild, calm], axis=1)), 0.05).threshold == 3


def test_of_the_settings_with_one_threshold_the_largest_limit_is_tested():
    calm, wild = np.zeros(200), np.full(200, 0.3)
    made = make_changing(np.stack([wild, calm, wild, calm], axis=1), (1, 1, 2, 2), (1.0, 2.0, 1.5, 4.0))
    found = certify_threshold(replace(made, limits=np.array([4, 8, 4, 8])), 0.05)
    assert (found.threshold, found.limit, found.position) == (1, 8, 1)


def test_a_price_is_careful_at_its_low_end():
    calm, wild = np.zeros(200), np.full(200, 0.3)
    differs = np.stack([calm, calm, wild], axis=1)
    assert certify_threshold(make_changing(differs, costs=(4.0, 2.0, 1.0)), 0.05).threshold == 2


@pytest.mark.parametrize(("delta", "needed"), [(0.01, 299), (0.05, 59)])
def test_without_different_answers_the_printed_number_of_problems_is_enough(delta, needed):
    assert count_problems_to_certify(delta) == needed
    assert certify_threshold(make_changing(np.zeros((needed, 3))), delta).threshold == 1
    refused = certify_threshold(make_changing(np.zeros((needed - 1, 3))), delta)
    assert refused.threshold is None
    assert f"{needed - 1} problems certify no threshold for {100 * delta:g} %" in refused.reason
    assert f"it takes {needed}" in refused.reason


def test_the_reason_says_how_many_problems_would_certify_what_was_seen():
    differs = np.zeros((100, 3))
    differs[:2] = 1
    found = certify_threshold(make_changing(differs), 0.05)
    assert "at the most careful, 3, 2 % of answers differ; about" in found.reason
    needed = int(found.reason.split("about ")[1].split()[0])
    assert 150 < needed < 600
    more = np.zeros((2 * needed, 3))
    more[: needed // 25] = 1
    assert certify_threshold(make_changing(more), 0.05).threshold == 1
    hopeless = certify_threshold(make_changing(np.full((100, 3), 0.2)), 0.05)
    assert hopeless.reason.endswith("20 % of answers differ; no number would at that rate.")


def test_clusters_count_once():
    differs = np.zeros((120, 3))
    assert certify_threshold(make_changing(differs), 0.05).threshold == 1
    found = certify_threshold(make_changing(differs), 0.05, clusters=np.arange(120) // 4)
    assert found.threshold is None
    assert found.reason.startswith("30 clusters of problems certify")


DIFFERENCES = {
    "0 or 1": lambda rng, n, mean: (rng.random(n) < mean).astype(float),
    "spread": lambda rng, n, mean: np.where(rng.random(n) < 4 * mean, rng.beta(1, 3, n), 0.0),
    "small": lambda rng, n, mean: rng.beta(0.3, 0.3 * (1 - mean) / mean, n),
}


@pytest.mark.parametrize(("delta", "problems"), [(0.05, 60), (0.05, 300), (0.01, 400)])
@pytest.mark.parametrize("kind", DIFFERENCES)
def test_evidence_is_rarely_strong_where_the_mean_is_delta(kind, delta, problems):
    rng, worlds = np.random.default_rng(1), 400
    strong = sum(measure_evidence(DIFFERENCES[kind](rng, problems, delta), delta) >= 20 for _ in range(worlds))
    assert strong <= binom.ppf(0.999, worlds, 0.05)


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_evidence_is_strong_far_below_delta(kind):
    rng = np.random.default_rng(2)
    strong = [measure_evidence(DIFFERENCES[kind](rng, 300, 0.005), 0.05) >= 20 for _ in range(50)]
    assert np.mean(strong) > 0.9


def bound_tail(values, delta):
    """The Hoeffding-Bentkus p-value of a mean of at least delta (Bates et al. 2021, arXiv 2101.02703)."""
    n, mean = len(values), values.mean()
    if mean >= delta:
        return 1.0
    divergence = xlogy(mean, mean / delta) + (1 - mean) * np.log((1 - mean) / (1 - delta))
    return min(np.exp(-n * divergence), np.e * binom.cdf(np.ceil(n * mean - 1e-9), n, delta))


@pytest.mark.parametrize(
    ("kind", "delta", "problems", "mean", "ahead"),
    [("spread", 0.05, 100, 0.01, 0.2), ("spread", 0.01, 1000, 0.005, 0.2), ("0 or 1", 0.05, 250, 0.01, -0.2)],
)
def test_evidence_certifies_more_often_than_a_bound_by_the_mean_where_values_are_spread(
    kind, delta, problems, mean, ahead
):
    rng = np.random.default_rng(6)
    worlds = [DIFFERENCES[kind](rng, problems, mean) for _ in range(100)]
    ours = np.mean([measure_evidence(each, delta) >= 20 for each in worlds])
    assert ours - np.mean([bound_tail(each, delta) <= 0.05 for each in worlds]) > ahead


def test_the_order_of_problems_changes_no_evidence():
    values = np.random.default_rng(3).beta(0.1, 3, 200)
    assert measure_evidence(values, 0.05) == measure_evidence(values[::-1], 0.05)


@pytest.mark.parametrize(("delta", "confidence"), [(0, 0.95), (1, 0.95), (0.05, 1), (float("nan"), 0.95)])
def test_a_bad_level_is_refused(delta, confidence):
    with pytest.raises(DataError, match="must lie between 0 and 1"):
        certify_threshold(make_changing([[0, 0, 0]]), delta, confidence)


def test_the_prediction_interval_holds_the_totals_of_new_batches():
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(50):
        costs = rng.gamma(1.0, 10.0, (80, 1, 1)) * rng.gamma(4.0, 0.25, (80, 8, 2))
        estimate = make_estimate([1, 2], costs[:, 0] * 0, costs[:, 0] * 0, costs)
        found = choose_threshold_for_batch(estimate, 1e9, problems=30)
        new = (rng.gamma(1.0, 10.0, 30) * rng.gamma(4.0, 0.25, 30)).sum()
        held += found.interval[0] <= new <= found.interval[1]
        assert found.within == 1
    assert held >= 43  # of 50


def test_a_batch_takes_the_most_accurate_threshold_whose_total_fits():
    costs = np.random.default_rng(5).gamma(4.0, 0.25, (50, 8, 1)) * [1.0, 2.0, 4.0]
    accuracy = np.tile([0.4, 0.5, 0.6], (50, 1))
    estimate = make_estimate([1, 2, 3], accuracy, accuracy, costs)
    totals = predict_totals(estimate, 100)
    budget = float(np.quantile(totals[:, 1], 0.96))
    found = choose_threshold_for_batch(estimate, budget, 100)
    assert found.choice.threshold == 2
    assert 0.95 <= found.within < 1
    assert found.total == pytest.approx(totals[:, 1].mean())
    assert found.interval[0] < found.total < found.interval[1]
    less = choose_threshold_for_batch(estimate, 50, 100)
    assert (less.total, less.interval) == (None, None)
    assert "a batch of 100 stays within 50x with a probability of 0.00" in less.choice.reason


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"problems": 0}, "at least 1 problem"), ({"problems": 2, "confidence": 1.0}, "confidence must lie")],
)
def test_a_bad_batch_is_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        choose_threshold_for_batch(make_changing([[0, 0, 0]] * 3), 10, **arguments)


@pytest.mark.parametrize("name", sorted(STOP_RULES))
def test_the_listed_thresholds_reach_from_stopping_early_to_the_full_answer(name, random_pool):
    rule, pool = STOP_RULES[name], random_pool(20, 16, 1, unparsed=0, seed=3)
    values = rule.list_thresholds(16)
    found = estimate_stop_rule(pool, rule, values, draw_orders(pool, 16, seed=0), lam=0.5)
    compute = found.compute.mean(axis=0)
    assert (np.diff(values) > 0).all()
    assert (np.diff(compute) >= 0).all()
    assert found.solutions.mean(axis=0)[0] <= 2.5
    assert (found.same[:, -1] == 1).all()


def test_a_replayed_rule_is_certified_where_it_keeps_the_answer():
    pool = Pool([[0, 1, 0, 1, 0]] * 70, [0] * 70)  # the vote is won by one
    found = estimate_stop_rule(pool, STOP_RULES["window"], [1, 2, 5], draw_orders(pool, 16, seed=0))
    assert certify_threshold(found, 0.05).threshold == 5
