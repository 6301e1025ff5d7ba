"""Solutions that are sampled side by side: against a simulation of every event, on every order of small pools."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.policies.estimate import price_by_problem
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule
from isocompute.fits.policies.rules.beta import BETA


def simulate_waves(definitions, rule, threshold, walk, width, lam):
    """Right and same sets, tokens and waves on one order of (answer, weight, length), event by event."""
    verification = lam if rule == "weighted-beta" else 0.0
    most, voted, tokens, waves, begun = len(walk), [], 0.0, 0, 0
    while begun < most:
        turn = (2 if begun == 0 else begun) if rule == "doubling" else width  # doubling's own wave
        turn = min(turn, most - begun)
        for start in range(begun, begun + turn, width):
            wave = sorted(walk[start : min(start + width, begun + turn)], key=lambda one: one[2])
            waves += 1
            for moment in sorted({length + verification for *_, length in wave}):
                voted += [one for one in wave if one[2] + verification == moment]
                answers, weights = [one[0] for one in voted], [one[1] for one in voted]
                if rule == "doubling" and len(voted) != begun + turn:
                    continue
                if definitions.should_stop(rule, threshold, answers, weights, most):
                    for *_, length in wave:  # the clock of the wave stands at this moment
                        tokens += min(length, moment) + np.clip(moment - length, 0, verification)
                    return voted, tokens, waves
            tokens += sum(one[2] + verification for one in wave)
        begun += turn
    return voted, tokens, waves


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("name", sorted(STOP_RULES))
def test_a_rule_agrees_with_its_events_on_every_order(name, width, random_pool, enumerate_orders, definitions):
    rule, lam = STOP_RULES[name], np.array([0.5, 0.2, 1.3])
    pool = random_pool(3, 4, 2, seed=4) if rule.is_weighted else Pool(random_pool(3, 6, seed=5).answers, [0, 1, 2])
    lengths = np.random.default_rng(6).integers(1, 5, pool.answers.shape) * 10  # with ties
    orders = enumerate_orders(pool)
    found = estimate_stop_rule(pool, rule, definitions.THRESHOLDS[name], orders, width=width, lam=lam, lengths=lengths)
    for p in range(pool.problems):
        for t, threshold in enumerate(definitions.THRESHOLDS[name]):
            rows = []
            for r in range(orders.draws):
                at = orders.solutions[p, r]
                weights = np.ones(len(at))
                if rule.is_weighted:
                    weights = np.nan_to_num([pool.verdicts[p, i, orders.verdicts[p, r, i, 0]] for i in at])
                walk = list(zip(pool.answers[p, at].tolist(), weights, lengths[p, at] / lengths.mean(), strict=True))
                voted, tokens, waves = simulate_waves(definitions, name, threshold, walk, width, lam[p])
                leaders, _ = definitions.find_leaders(*zip(*[one[:2] for one in voted], strict=True))
                final, _ = definitions.find_leaders(*zip(*[one[:2] for one in walk], strict=True))
                either = leaders | final
                rows.append(
                    (
                        (int(pool.gold[p]) in leaders) / max(len(leaders), 1),
                        len(leaders & final) / len(either) if either else 1.0,
                        len(voted),
                        tokens,
                        waves * (1 + rule.is_weighted),
                    )
                )
            right, same, count, tokens, depth = np.mean(rows, axis=0)
            assert found.accuracy[p, t] == pytest.approx(right, abs=1e-12)
            assert found.same[p, t] == pytest.approx(same, abs=1e-12)
            assert found.solutions[p, t] == pytest.approx(count)
            assert found.compute[p, t] == pytest.approx(tokens)
            assert found.depth[p, t] == pytest.approx(depth)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("name", sorted(STOP_RULES))
def test_equal_lengths_give_the_numbers_without_lengths(name, width, random_pool, definitions):
    pool = random_pool(8, 10, 2, seed=1)
    orders = draw_orders(pool, 16, seed=0)
    without, equal = (
        estimate_stop_rule(
            pool, STOP_RULES[name], definitions.THRESHOLDS[name], orders, width=width, lam=0.4, lengths=lengths
        )
        for lengths in (None, np.full((8, 10), 25))
    )
    for column in ("accuracy", "same", "solutions", "verifications", "depth"):
        assert (getattr(without, column) == getattr(equal, column)).all()
    assert equal.compute == pytest.approx(without.compute)


def test_one_at_a_time_lengths_change_the_compute_alone(random_pool):
    pool = random_pool(8, 10, seed=2)
    orders = draw_orders(pool, 16, seed=0)
    lengths = np.random.default_rng(0).integers(1, 100, pool.answers.shape)
    without = estimate_stop_rule(pool, BETA, [0.8, 2.0], orders)
    tokens = estimate_stop_rule(pool, BETA, [0.8, 2.0], orders, lengths=lengths)
    assert (tokens.accuracy == without.accuracy).all()
    assert (tokens.solutions == without.solutions).all()
    assert tokens.compute[:, 1] == pytest.approx(lengths.sum(axis=1) / lengths.mean())
    assert tokens.compute[:, 1].mean() == pytest.approx(10)  # the full budget costs its number of solutions
    assert (tokens.compute[:, 0] != without.compute[:, 0]).all()


@pytest.mark.parametrize("name", ["beta", "weighted-beta"])
def test_costs_of_problems_give_the_mean_compute_of_lengths(name, random_pool):
    pool = random_pool(8, 40, 1, seed=2)
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 100, pool.answers.shape) * rng.choice([1, 4], (8, 1))
    lam = rng.random(8)
    orders = draw_orders(pool, 2048, seed=0)
    exact = estimate_stop_rule(pool, STOP_RULES[name], [0.8, 2.0], orders, lam=lam, lengths=lengths)
    counted = estimate_stop_rule(pool, STOP_RULES[name], [0.8, 2.0], orders, lam=1.0)
    priced = price_by_problem(counted, lengths.mean(axis=1) / lengths.mean(), lam)
    assert priced.compute == pytest.approx(exact.compute, rel=0.03)
    assert priced.compute[:, 1] == pytest.approx(exact.compute[:, 1])
    assert priced.costs.mean(axis=1) == pytest.approx(priced.compute, rel=1e-4)
    assert (np.abs(priced.compute - counted.compute) > 0.2).any()


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (([1.0],), "solution must hold"),
        (([1.0, -1.0], [1.0, 1.0]), "solution must hold"),
        (([1.0, 1.0], [1.0, np.nan]), "verification must hold"),
        (([1.0, 1.0],), "needs the cost of a verification"),
    ],
)
def test_bad_costs_of_problems_are_refused(prices, message, random_pool):
    pool = random_pool(2, 4, 1)
    found = estimate_stop_rule(pool, STOP_RULES["weighted-beta"], [0.8], draw_orders(pool, 8, seed=0), lam=1.0)
    with pytest.raises(DataError, match=message):
        price_by_problem(found, *prices)


def test_a_cost_of_verification_for_other_problems_is_refused(random_pool):
    pool = random_pool(2, 4, 1)
    with pytest.raises(DataError, match="one of each of 2 problems"):
        estimate_stop_rule(pool, BETA, [0.8], draw_orders(pool, 8, seed=0), lam=np.ones(3))


def test_of_a_wave_the_short_solutions_vote_first():
    pool = Pool([[0] * 8 + [1] * 8], [0])
    right_are_short = np.array([[10] * 8 + [40] * 8])
    orders = draw_orders(pool, 256, seed=0)

    def measure(width, lengths):
        found = estimate_stop_rule(pool, BETA, [0.7], orders, width=width, lengths=lengths)
        return found.accuracy.item()

    alone = measure(1, right_are_short)
    assert measure(8, right_are_short) > alone + 0.2
    assert measure(8, right_are_short[:, ::-1]) < alone - 0.2


def test_unverified_solutions_are_passed_over_in_waves():
    pool = Pool([[0, 0, 1, 1]], [0], [[[1.0], [1.0]]])
    found = estimate_stop_rule(
        pool, STOP_RULES["weighted-beta"], [2.0], draw_orders(pool, 8, seed=0), width=2, lam=1.0, lengths=[[1, 3, 8, 8]]
    )
    assert found.solutions.item() == 2
    assert found.compute.item() == pytest.approx(4 / 5 + 2)


@pytest.mark.parametrize("lengths", [[[1, 2]], [[1, 2, -1]], [[0, 0, 0]], [[1, float("nan"), 2]]])
def test_bad_lengths_are_refused(lengths):
    pool = Pool([[0, 1, 1]], [0])
    with pytest.raises(DataError, match="lengths must"):
        estimate_stop_rule(pool, BETA, [0.9], draw_orders(pool, 8, seed=0), lengths=lengths)
