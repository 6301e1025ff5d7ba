"""The value rule: its replay against the policy that is carried out, all orders, and fixed numbers of solutions."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.worlds_policies import LAB_LIKE, draw_world
from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.policy import BUDGET_SPENT, Policy, SampledProblem
from isocompute.fits.policies.value_fit import fit_value_model
from isocompute.fits.policies.value_model import ValueModel, list_looks
from isocompute.fits.policies.value_rule import estimate_value_rule

WEIGHTS = np.array([2.7, 0.3, 0.1, 0.6, -1.5, -2.2, -5.0])
MODEL = ValueModel(LAB_LIKE, WEIGHTS, rate=1.5, verifiable=8, verifications=3)
LAM = 0.5
PRICES = [0.0, 0.003, 0.03, 0.3]


@pytest.fixture
def odd_pool():
    """Unparsed answers, unread and real verdicts, several right answers, and fewer verified solutions than sampled."""

    def draw(problems=6, solutions=12, verified=8, seed=3):
        rng = np.random.default_rng(seed)
        judged = rng.integers(0, 4, (problems, verified))
        verdicts = rng.choice([0.0, 1.0, 0.3, 0.7, np.nan], (problems, verified, 3))
        verdicts[np.arange(3) >= judged[:, :, None]] = np.nan
        answers = rng.integers(-1, 4, (problems, solutions))
        return Pool(answers, np.tile([0, 2], (problems, 1)), verdicts, judged)

    return draw


def carry_out(policy, answers, verdicts):
    """The choice, solutions and verifications on one order; rounds of sampling or verifying side by side."""
    seen, judged, rounds = [], [], 0
    while True:
        problem = SampledProblem(seen, judged)
        step = policy.choose_step(problem)
        if step.stopped:
            return policy.choose_answer(problem), len(seen), sum(map(len, judged)), rounds
        rounds += 1
        for i in step.verify:
            judged[i].append(verdicts[i][len(judged[i])])
        for _ in range(step.solutions):
            judged.append([])
            seen.append(int(answers[len(seen)]))


@pytest.mark.parametrize("price", PRICES)
def test_the_policy_that_is_carried_out_does_what_the_replay_does(odd_pool, price):
    pool = odd_pool()
    whole = np.full(pool.judged.shape, 3)  # live, each solution may be verified equally often
    pool = Pool(pool.answers, pool.gold, np.where(np.isnan(pool.verdicts), 0.4, pool.verdicts), whole)
    orders = draw_orders(pool, draws=16, seed=1)
    policy = Policy("value", price, solutions=12, lam=LAM, model=MODEL)
    replayed = estimate_value_rule(pool, MODEL, [price], orders, width=100, lam=LAM)
    right, counts, verified, depth = [], [], [], []
    for p in range(pool.problems):
        for r in range(orders.draws):
            order = orders.solutions[p, r]
            order = np.concatenate([order[order < 8], order[order >= 8]])
            verdicts = [pool.verdicts[p, i, orders.verdicts[p, r, i]] if i < 8 else [] for i in order]
            choice, n, v, rounds = carry_out(policy, pool.answers[p, order], verdicts)
            assert replayed.costs[p, r, 0] == pytest.approx(n + LAM * v)
            assert 0 <= choice.p_right <= 1
            right.append(choice.answer in pool.gold[p])
            counts.append(n)
            verified.append(v)
            depth.append(rounds)
    assert replayed.accuracy.mean() == pytest.approx(np.mean(right))
    assert replayed.solutions.mean() == pytest.approx(np.mean(counts))
    assert replayed.verifications.mean() == pytest.approx(np.mean(verified))
    assert replayed.depth.mean() == pytest.approx(np.mean(depth))


def test_what_is_done_next_does_not_depend_on_the_order_of_verdicts():
    policy = Policy("value", 0.001, solutions=30, lam=LAM, model=replace(MODEL, verifications=9, verifiable=30))
    one = SampledProblem([0, 1, 1, 2, 0], [[1, 0, 1], [0], [1, 1, 0], [], []])
    two = SampledProblem([4, 7, 7, 1, 4], [[1, 1, 0], [0], [0, 1, 1], [], []])
    assert policy.choose_step(one) == policy.choose_step(two)
    assert policy.choose_answer(one).p_right == pytest.approx(policy.choose_answer(two).p_right, rel=1e-9)


def test_drawn_orders_agree_with_all_orders(enumerate_orders):
    rng = np.random.default_rng(0)
    pool = Pool(rng.integers(-1, 3, (8, 4)), rng.integers(0, 3, 8), rng.integers(0, 2, (8, 4, 2)).astype(float))
    model = replace(MODEL, verifications=2)
    exact = estimate_value_rule(pool, model, [0.02, 0.1], enumerate_orders(pool), lam=LAM)
    drawn = estimate_value_rule(pool, model, [0.02, 0.1], draw_orders(pool, 4096, seed=1), lam=LAM)
    assert 1.5 < exact.compute.mean() < 6.9
    for name in ("accuracy", "same", "compute"):
        off, error = getattr(drawn, name) - getattr(exact, name), getattr(drawn, f"{name}_error")
        assert (np.abs(off) <= 4.5 * error + 1e-9).all()


def test_a_rule_that_never_stops_sees_all_of_the_pool():
    world = draw_world(LAB_LIKE, 30, 10, 2, np.random.default_rng(1))
    model = replace(MODEL, rate=2.0, verifiable=10, verifications=2)
    found = estimate_value_rule(world, model, [0.0], draw_orders(world, 16, seed=0), lam=LAM)
    assert (found.solutions == 10).all()
    # Two verifications of each solution, but for those of answers that are not among the four leaders.
    assert (found.verifications <= 20).all()
    assert found.verifications.mean() > 19.5
    assert (found.same == 1).all()
    for p in np.flatnonzero((found.verifications == 20).all(axis=1)):
        verdicts = world.verdicts[p].tolist()
        answer = Policy("value", 0.0, 10, LAM, model).choose_answer(SampledProblem(world.answers[p], verdicts)).answer
        votes, yes = world.answers[p] == answer, world.verdicts[p][world.answers[p] == answer].sum()
        right = world.answers[p] == 0
        is_tied = (votes.sum(), yes) == (right.sum(), world.verdicts[p][right].sum())
        if not is_tied:
            assert found.accuracy[p, 0] == (answer == 0)


def test_without_verdicts_the_leader_is_the_answer_with_the_most_votes():
    world = draw_world(LAB_LIKE, 40, 15, 0, np.random.default_rng(2))
    found = estimate_value_rule(world, MODEL_OF_VOTES, [0.0], draw_orders(world, 8, seed=0))
    votes = np.array([np.bincount(row) for row in world.answers], dtype=object)
    for p, counts in enumerate(votes):
        if (counts == counts.max()).sum() == 1:
            assert found.accuracy[p, 0] == (counts.argmax() == 0)


MODEL_OF_VOTES = replace(MODEL, rate=0.0)


def test_a_higher_price_never_costs_more(odd_pool):
    pool = odd_pool()
    found = estimate_value_rule(pool, MODEL, PRICES, draw_orders(pool, 16, seed=0), lam=LAM)
    assert (np.diff(found.costs, axis=2) <= 0).all()
    assert found.compute[:, -1].mean() < 0.8 * found.compute[:, 0].mean()


def test_the_order_of_solutions_verdicts_and_problems_changes_nothing(odd_pool):
    pool, rng = odd_pool(), np.random.default_rng(0)
    turned = [np.append(rng.permutation(8), 8 + rng.permutation(4)) for _ in range(pool.problems)]
    answers = np.stack([pool.answers[p, turn] for p, turn in enumerate(turned)])
    verdicts = np.stack([pool.verdicts[p, turn[:8]] for p, turn in enumerate(turned)])
    judged = np.stack([pool.judged[p, turn[:8]] for p, turn in enumerate(turned)])
    other = Pool(answers, pool.gold, verdicts, judged, keys=pool.keys).select_problems(np.arange(6)[::-1])
    one = estimate_value_rule(pool, MODEL, PRICES, draw_orders(pool, 16, seed=4), lam=LAM)
    two = estimate_value_rule(other, MODEL, PRICES, draw_orders(other, 16, seed=4), lam=LAM)
    assert one.costs.tobytes() == two.costs[::-1].tobytes()
    assert one.accuracy.tobytes() == two.accuracy[::-1].tobytes()


def test_a_fit_saves_compute_on_new_problems_and_its_bytes_do_not_depend_on_the_order_of_problems():
    rng = np.random.default_rng(5)
    train, world = (draw_world(LAB_LIKE, many, 32, 2, rng) for many in (120, 200))
    model = fit_value_model(train, lam=1.0, rates=(0.0, 1.0))
    assert model.rate == 1.0
    turned = fit_value_model(train.select_problems(rng.permutation(120)), lam=1.0, rates=(0.0, 1.0))
    assert turned.weights.tobytes() == model.weights.tobytes()
    orders = draw_orders(world, 32, seed=0)
    rule = estimate_value_rule(world, model, [0.0, 0.001, 0.002], orders, lam=1.0)
    accuracy, compute = rule.accuracy.mean(axis=0), rule.compute.mean(axis=0)
    fixed = estimate_value_rule(world, model, [0.0], orders, most=int(compute[1] / 2), lam=1.0)
    assert compute[1] < 0.6 * compute[0]
    assert accuracy[1] > accuracy[0] - 0.02
    assert accuracy[1] > fixed.accuracy.mean() + 0.005


def test_a_model_survives_json_and_its_numbers_are_checked():
    content = json.loads(json.dumps(MODEL.to_dict()))
    again = ValueModel.from_dict(content)
    assert again.to_dict() == MODEL.to_dict()
    for change in ({"read": -0.1}, {"rate": -1}, {"gain": {}}, {"kinds": [1]}, {"kinds": None}, {"verifiable": "many"}):
        with pytest.raises(DataError):
            ValueModel.from_dict(content | change)
    with pytest.raises(DataError, match="cannot be read: 'kinds' is missing"):
        ValueModel.from_dict({})


def test_looks_end_with_the_full_budget():
    for most in (1, 2, 25, 256):
        looks = list_looks(most)
        assert looks[-1] == most
        assert (np.diff(looks) > 0).all()
        assert (np.diff(looks) <= np.maximum(looks[:-1] / 10, 1)).all()


def test_a_problem_without_a_readable_answer_ends():
    policy = Policy("value", 0.01, solutions=3, lam=LAM, model=MODEL)
    choice, n, verified, _ = carry_out(policy, [-1, -1, -1], [[], [], []])
    assert (choice.answer, choice.agreement, verified) == (None, 0, 0)
    assert n <= 3
    assert policy.choose_step(SampledProblem([-1, -1, -1])).stopped == BUDGET_SPENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prices": []}, "prices must be"),
        ({"prices": [-1.0]}, "prices must be"),
        ({"most": 13}, "most must lie between 1 and 12"),
        ({"width": 0}, "width must be at least 1"),
        ({"lam": None}, "needs λ"),
    ],
)
def test_bad_input_is_refused(odd_pool, change, message):
    pool = odd_pool()
    given = {"prices": [0.1], "lam": 1.0} | change
    with pytest.raises(DataError, match=message):
        estimate_value_rule(pool, MODEL, orders=draw_orders(pool, 8, seed=0), **given)
    votes = Pool(pool.answers, pool.gold)
    with pytest.raises(DataError, match="pool has none"):
        estimate_value_rule(votes, MODEL, [0.1], draw_orders(votes, 8, seed=0), lam=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "needs its model"),
        ({"rule": "beta"}, "no other rule"),
        ({"threshold": -0.1}, "at least 0"),
        ({"lam": None}, "needs λ"),
    ],
)
def test_a_policy_without_what_it_needs_is_refused(change, message):
    given = {"rule": "value", "threshold": 0.01, "solutions": 4, "lam": LAM, "model": MODEL} | change
    with pytest.raises(DataError, match=message):
        Policy(**given)


def test_a_model_does_not_verify_where_no_verdict_can_be_read(odd_pool):
    pool = odd_pool()
    unread = Pool(pool.answers, pool.gold, np.full(pool.verdicts.shape, np.nan), np.full(pool.judged.shape, 3))
    model = fit_value_model(unread, lam=LAM)
    assert model.answers.read == 0
    assert not model.is_verifying
