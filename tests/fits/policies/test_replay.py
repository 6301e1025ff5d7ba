"""Rules that stop by votes: against a simple implementation on every order, and the estimators of fixed S."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool, estimate_self_consistency, estimate_weighted_vote
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.policy import Policy
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule, find_stops
from isocompute.fits.policies.vote_track import track_votes


def replay_one(definitions, rule, threshold, most, answers, weights, gold, width, verify):
    """Right, same, solutions and depth on one order, by the words of the definition, within `most` solutions."""
    final, _ = definitions.find_leaders(answers, weights)
    n = depth = 0
    while True:
        wave = (2 if n == 0 else n) if rule == "doubling" else width
        wave = min(wave, most - n)
        n, depth = n + wave, depth + -(-wave // width) * (1 + verify)
        if n == most or definitions.should_stop(rule, threshold, answers[:n], weights[:n], most):
            break
    leaders, _ = definitions.find_leaders(answers[:n], weights[:n])
    right = len(leaders & set(gold)) / len(leaders) if leaders else 0.0
    either = leaders | final
    return right, len(leaders & final) / len(either) if either else 1.0, n, depth


def list_definition_settings(definitions, name, most):
    """Every threshold of the definitions with every limit: those within a wave and at its end."""
    return [(threshold, limit) for threshold in definitions.THRESHOLDS[name] for limit in range(1, most + 1)]


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("name", sorted(STOP_RULES))
def test_a_rule_agrees_with_its_definition_on_every_order(name, width, random_pool, enumerate_orders, definitions):
    rule = STOP_RULES[name]
    pool = (
        random_pool(3, 4, 2) if rule.is_weighted else Pool(random_pool(4, 6).answers, [[0, 1], [1, 1], [2, 2], [0, 2]])
    )
    orders = enumerate_orders(pool)
    settings = list_definition_settings(definitions, name, pool.solutions)
    thresholds, limits = zip(*settings, strict=True)
    found = estimate_stop_rule(pool, rule, thresholds, orders, width=width, lam=0.5, limits=limits)
    golds = pool.gold.reshape(pool.problems, -1)
    for p in range(pool.problems):
        for t, (threshold, limit) in enumerate(settings):
            rows = []
            for r in range(orders.draws):
                walk = orders.solutions[p, r]
                weights = np.ones(len(walk))
                if rule.is_weighted:
                    weights = np.nan_to_num([pool.verdicts[p, i, orders.verdicts[p, r, i, 0]] for i in walk])
                answers = pool.answers[p, walk].tolist()
                rows.append(
                    replay_one(definitions, name, threshold, limit, answers, weights, golds[p], width, rule.is_weighted)
                )
            right, same, n, depth = np.mean(rows, axis=0)
            assert found.accuracy[p, t] == pytest.approx(right, abs=1e-12)
            assert found.same[p, t] == pytest.approx(same, abs=1e-12)
            assert found.solutions[p, t] == pytest.approx(n)
            assert found.verifications[p, t] == pytest.approx(n * rule.is_weighted)
            assert found.compute[p, t] == pytest.approx(n * (1.5 if rule.is_weighted else 1))
            assert found.depth[p, t] == pytest.approx(depth)


def test_drawn_orders_agree_with_all_orders(random_pool, enumerate_orders):
    pool = Pool(random_pool(6, 6, unparsed=0.1, seed=3).answers, [0, 1, 2, 0, 1, 2])
    exact = estimate_stop_rule(pool, STOP_RULES["beta"], [0.7, 0.85], enumerate_orders(pool))
    drawn = estimate_stop_rule(pool, STOP_RULES["beta"], [0.7, 0.85], draw_orders(pool, 4096, seed=1))
    for name in ("accuracy", "same", "compute"):
        off = getattr(drawn, name) - getattr(exact, name)
        error = getattr(drawn, f"{name}_error")
        assert (np.abs(off) <= 4.5 * error + 1e-12).all()
        assert np.abs(off).max() < 0.08


def test_a_limit_is_the_vote_over_as_many_solutions_where_a_rule_never_stops(random_pool):
    pool = random_pool(40, 12, 3, seed=21)
    orders, limits = draw_orders(pool, 1024, seed=3), [1, 2, 4, 8, 12]
    weighted = estimate_weighted_vote(pool, limits, [1], 8192, 0).accuracy[..., 0]
    for rule, exact in (("beta", estimate_self_consistency(pool, limits)), ("weighted-beta", weighted)):
        found = estimate_stop_rule(pool, STOP_RULES[rule], [99.0] * 5, orders, lam=1.0, limits=limits)
        z = (found.accuracy - exact) / np.maximum(found.accuracy_error, 2e-3)
        assert np.abs(z).max() < 4.5
        assert np.abs((found.accuracy - exact).mean(axis=0)).max() < 0.004
        assert (found.solutions == limits).all()
        assert (found.same[:, -1] == 1).all()
        assert (np.diff(found.same.mean(axis=0)) > 0).all()


@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize("name", ["beta", "doubling", "weighted-beta"])
def test_a_limit_on_solutions_of_known_length_is_a_smaller_full_budget(name, width, random_pool):
    pool, rng = random_pool(5, 9, 2, seed=23), np.random.default_rng(0)
    orders, lengths = draw_orders(pool, 32, seed=5), rng.integers(1, 4, (5, 9))
    limits, rule = np.arange(1, 10), STOP_RULES[name]
    found = estimate_stop_rule(pool, rule, [0.7] * 9, orders, None, width, 0.5, lengths, limits.tolist())
    for t, limit in enumerate(limits):
        alone = estimate_stop_rule(pool, rule, [0.7], orders, int(limit), width, 0.5, lengths)
        for column in ("accuracy", "compute", "solutions", "depth", "compute_error"):
            assert getattr(found, column)[:, t] == pytest.approx(getattr(alone, column)[:, 0]), (column, limit)
    assert (found.same[:, -1] <= 1).all()


@pytest.mark.parametrize("name", sorted(STOP_RULES))
def test_the_settings_of_a_rule_differ_and_end_with_the_full_budget(name, random_pool):
    pool = random_pool(60, 16, 2, answers=3, seed=25)
    rule, orders = STOP_RULES[name], draw_orders(pool, 64, seed=0)
    thresholds, limits = rule.list_settings(16)
    found = estimate_stop_rule(pool, rule, thresholds, orders, lam=1.0, limits=limits)
    assert (found.same[:, -1] == 1).all()
    assert limits.max() == limits[-1] == 16
    assert len(np.unique(np.stack([thresholds, limits]), axis=1).T) == len(limits)
    for threshold, limit in zip(thresholds, limits, strict=True):
        assert Policy(name, threshold, int(limit), 1.0).solutions == limit


def test_a_rule_that_never_stops_is_the_vote_over_the_whole_pool(random_pool):
    pool = random_pool(20, 9, 3, seed=5)
    orders = draw_orders(pool, 8, seed=0)
    votes = estimate_stop_rule(pool, STOP_RULES["beta"], [2.0], orders)
    assert votes.accuracy[:, 0] == pytest.approx(estimate_self_consistency(pool, [9])[:, 0], abs=1e-12)
    assert (votes.same == 1).all()
    assert (votes.compute == 9).all()


def test_a_rule_that_never_stops_agrees_with_the_estimators_of_fixed_s(random_pool):
    pool = random_pool(40, 12, 3, seed=7)
    orders = draw_orders(pool, 1024, seed=2)
    for rule, exact in (
        ("window", estimate_self_consistency(pool, [5])[:, 0]),
        ("weighted-beta", estimate_weighted_vote(pool, [5], [1], 8192, 0).accuracy[:, 0, 0]),
    ):
        found = estimate_stop_rule(pool, STOP_RULES[rule], [99.0], orders, most=5, lam=1.0)
        z = (found.accuracy[:, 0] - exact) / np.maximum(found.accuracy_error[:, 0], 2e-3)
        assert np.abs(z).max() < 4.5
        assert np.abs(found.accuracy[:, 0].mean() - exact.mean()) < 0.004


def test_the_certain_rule_never_changes_the_answer(random_pool):
    pool = random_pool(30, 10, answers=2, seed=9)
    found = estimate_stop_rule(pool, STOP_RULES["certain"], [10], draw_orders(pool, 16, seed=0))
    assert (found.same == 1).all()
    assert found.compute.mean() < 9.5


def test_a_higher_threshold_never_stops_earlier(random_pool):
    pool = random_pool(10, 12, seed=11)
    orders = draw_orders(pool, 16, seed=0)
    for name, thresholds in {"beta": [0.7, 0.9, 0.99], "window": [2, 4, 6], "doubling": [0.5, 0.75, 1]}.items():
        costs = estimate_stop_rule(pool, STOP_RULES[name], thresholds, orders).costs
        assert (np.diff(costs, axis=2) >= 0).all()


def test_quantiles_of_compute_are_those_of_the_costs(random_pool):
    pool = random_pool(5, 8, seed=13)
    found = estimate_stop_rule(pool, STOP_RULES["beta"], [0.8], draw_orders(pool, 16, seed=0))
    assert found.compute_cost_quantile(0.95) == pytest.approx(np.quantile(found.costs[..., 0], 0.95))
    assert found.compute_problem_cost_quantiles(1.0)[:, 0] == pytest.approx(found.costs[..., 0].max(axis=1))


def test_the_order_of_solutions_verdicts_and_problems_changes_nothing(random_pool):
    pool, rng = random_pool(6, 7, 3, seed=15), np.random.default_rng(0)
    turned = [rng.permutation(pool.solutions) for _ in range(pool.problems)]
    answers = np.stack([pool.answers[p, turn] for p, turn in enumerate(turned)])
    verdicts = np.stack([pool.verdicts[p, turn] for p, turn in enumerate(turned)])
    verdicts = rng.permuted(verdicts, axis=2)
    other = Pool(answers, pool.gold, verdicts, keys=pool.keys).select_problems(np.arange(6)[::-1])
    for rule in ("beta", "weighted-beta"):
        one = estimate_stop_rule(pool, STOP_RULES[rule], [0.8], draw_orders(pool, 16, seed=4), lam=1.0)
        two = estimate_stop_rule(other, STOP_RULES[rule], [0.8], draw_orders(other, 16, seed=4), lam=1.0)
        assert one.costs.tobytes() == two.costs[::-1].tobytes()
        assert one.accuracy.tobytes() == two.accuracy[::-1].tobytes()


def test_verdicts_behind_the_last_of_a_solution_are_never_drawn():
    verdicts = np.array([[[1.0, np.nan, np.nan], [0.0, 1.0, np.nan]]])
    pool = Pool([[0, 1]], [0], verdicts, judged=[[1, 2]])
    orders = draw_orders(pool, 64, seed=0)
    assert (orders.verdicts[:, :, 0, 0] == 0).all()
    assert set(orders.verdicts[0, :, 1, 0].tolist()) == {0, 1}
    assert (np.sort(orders.verdicts, axis=3) == np.arange(3)).all()


def test_every_order_is_an_order_and_rotations_begin_apart(random_pool):
    pool = random_pool(3, 8, seed=17)
    orders = draw_orders(pool, 64, seed=0)
    assert (np.sort(orders.solutions, axis=2) == np.arange(8)).all()
    firsts = orders.solutions[:, :, :2].reshape(3, 16, 8)
    assert (np.sort(firsts, axis=2) == np.arange(8)).all()


def test_the_drawing_error_is_that_of_repeated_draws(random_pool):
    pool = random_pool(4, 12, seed=19)
    repeats = [estimate_stop_rule(pool, STOP_RULES["beta"], [0.8], draw_orders(pool, 64, seed=s)) for s in range(200)]
    spread = np.std([each.accuracy[:, 0] for each in repeats], axis=0)
    stated = np.sqrt(np.mean([each.accuracy_error[:, 0] ** 2 for each in repeats], axis=0))
    assert stated == pytest.approx(spread, rel=0.25)
    mean_error = repeats[0].compute_mean_error(repeats[0].accuracy_error)
    assert mean_error == pytest.approx(np.sqrt((repeats[0].accuracy_error ** 2).sum(axis=0)) / 4)


def test_unparsed_solutions_cost_and_end_runs():
    pool = Pool([[-1, -1, -1, -1]], [0])
    track = track_votes(pool, draw_orders(pool, 8, seed=0))
    assert not track.repeats.any()
    assert not track.right.any()
    assert (track.same == 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"thresholds": []}, "thresholds must be"),
        ({"thresholds": [float("nan")]}, "thresholds must be"),
        ({"width": 0}, "width must be at least 1"),
        ({"most": 5}, "most must lie between 1 and 4"),
        ({"limits": [5]}, "limits must be 1 whole numbers between 1 and 4"),
        ({"limits": [1, 2]}, "limits must be 1 whole numbers"),
        ({"limits": [1.5]}, "limits must be 1 whole numbers"),
        ({"most": 2, "limits": [3]}, "between 1 and 2"),
        ({"rule": "weighted-beta"}, "needs λ"),
        ({"rule": "weighted-beta", "lam": 1.0}, "needs a pool with verdicts"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    pool = Pool([[0, 1, 1, 0]], [0])
    given = {"rule": "beta", "thresholds": [0.9]} | arguments
    rule = STOP_RULES[given.pop("rule")]
    with pytest.raises(DataError, match=message):
        estimate_stop_rule(pool, rule, orders=draw_orders(pool, 8, seed=0), **given)


@pytest.mark.parametrize("draws", [4, 10])
def test_draws_that_give_no_error_are_refused(draws):
    with pytest.raises(DataError, match="multiple of 4"):
        draw_orders(Pool([[0, 1]], [0]), draws, seed=0)


def test_stops_are_found_where_scores_rise_and_fall():
    assert find_stops(np.array([[[0.1, 0.8, 0.3, 0.9]]]), np.array([0.5, 0.85, 1.0])).tolist() == [[[1, 3, 3]]]
