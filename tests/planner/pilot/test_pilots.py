"""Pilots before a sweep: sampling noise, the regret to expect, and the cheapest pilot for a goal."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import isocompute as iso
from isocompute.errors import BudgetError, ConfigError, DataError
from isocompute.fits import Pool
from isocompute.fits.choice.options import build_verified_options, build_voting_options
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot import shapes
from isocompute.planner.pilot.costs import compute_pilot_costs
from isocompute.planner.pilot.expectation import ExpectedRegret, simulate_regret
from isocompute.planner.pilot.noise import measure_sampling_noise
from isocompute.planner.pilot.planning import PilotGoal, choose_pilot
from isocompute.planner.pilot.shapes import (
    COST_FACTOR,
    choose_pilot_for_gap,
    choose_pilot_for_regret,
    choose_pilot_within,
)
from isocompute.planner.pilot.tasks import build_profile_model, build_typical_model
from isocompute.planner.pilot.variance import choose_contrast, count_gap_problems, split_variance
from isocompute.planner.profile import ModelRecord, ProblemRecord, read_profile
from isocompute.planner.strategies.registry import STRATEGIES


@pytest.fixture(scope="module")
def model():
    return build_typical_model(1.0)


def test_the_noise_of_one_solution_is_that_of_a_coin():
    rng = np.random.default_rng(0)
    right = rng.random((4000, 1)) * np.ones(16)
    pool = Pool((rng.random(right.shape) > right).astype(int), np.zeros(4000, dtype=int))
    noise = measure_sampling_noise(pool, [build_voting_options(np.zeros((1, 2)), [1, 2])])
    solutions, verdicts = noise.compute_covariances(PilotShape(1, 8))
    # p is uniform, so that the mean of p (1 - p) is 1/6.
    np.testing.assert_allclose(solutions[0, 0], 1 / 6 / 8, rtol=0.05)
    assert not verdicts.any()


def test_the_noise_of_halves_is_that_of_pools_drawn_again():
    # The same problems are sampled twice; half of the variance of the difference is the noise.
    tables = [
        build_voting_options(np.zeros((1, 3)), [1, 4, 16]),
        build_verified_options(np.zeros((1, 2, 2)), [1, 4], [1, 2], 1.0, "genrm"),
    ]
    problems, K, M = 1500, 16, 4
    rng = np.random.default_rng(1)
    right = rng.beta(1, 1, problems)

    def draw():
        answers = (rng.random((problems, 32)) > right[:, None]).astype(int)
        rate = np.where(answers[:, :K] == 0, 0.7, 0.4)
        return Pool(answers, np.zeros(problems, dtype=int), (rng.random((problems, K, M)) < rate[..., None]) * 1.0)

    def estimate(pool):
        votes = STRATEGIES["sc"].estimator(pool, [1, 4, 16], [], 1, 0).accuracy
        judged = STRATEGIES["genrm"].estimator(pool, [1, 4], [1, 2], 1, 0).accuracy
        return np.concatenate([votes, np.asarray(judged).reshape(problems, -1)], axis=1)

    gap = estimate(draw()) - estimate(draw())
    said = sum(measure_sampling_noise(draw(), tables).compute_covariances(PilotShape(1, 32, K, M)))
    np.testing.assert_allclose(
        np.diag(said)[[0, 1, 3, 4, 5, 6]], (gap**2).mean(axis=0)[[0, 1, 3, 4, 5, 6]] / 2, rtol=0.35
    )


def test_more_problems_and_more_samples_lose_less(model):
    few, many = (simulate_regret(model, PilotShape(p, 64, 64, 8), [64.0], 40).mean for p in (8, 200))
    assert many < few
    narrow = simulate_regret(model, PilotShape(200, 16, 8, 1), [64.0], 40).mean
    assert many < narrow


def test_the_same_seed_gives_the_same_regret(model):
    first, second = (simulate_regret(model, PilotShape(10, 16, 8, 2), [16.0], 5) for _ in range(2))
    assert first.regret.tobytes() == second.regret.tobytes()


def test_the_split_of_the_variance_adds_up_and_shrinks_with_the_samples(model):
    contrast = choose_contrast(model, PilotShape(1, 64, 64, 4), 64.0)
    assert contrast.baseline.startswith("sc S=")
    wide, deep = (split_variance(model, PilotShape(1, 64, 64, M), contrast) for M in (4, 16))
    for split in (wide, deep):
        assert split.problems + split.solutions + split.verdicts == pytest.approx(1)
    assert deep.verdicts < wide.verdicts
    assert deep.variance < wide.variance


def test_a_smaller_gap_takes_more_problems(model):
    shape = PilotShape(1, 64, 64, 8)
    contrast = choose_contrast(model, shape, 64.0)
    large, small = (count_gap_problems(model, shape, contrast, gap) for gap in (0.1, 0.05))
    assert 3 * large < small < 5 * large


def test_a_pilot_within_a_budget_spends_it_and_says_what_it_loses(model):
    plan = choose_pilot_within(model, 2000.0, [32.0], tasks=20)
    assert plan.cost <= 2000
    assert plan.cost == plan.shape.compute_cost(1.0)
    low, high = plan.expected.interval
    assert low <= plan.expected.mean <= high
    assert plan.expected.high >= plan.expected.mean / 2
    assert all(shape.compute_cost(1.0) <= 2000 for shape, _ in plan.others)


def test_a_gap_that_takes_too_many_problems_is_refused(model):
    with pytest.raises(DataError, match=r"A gap of 0.1 points .* problems; there are 500"):
        choose_pilot_for_gap(model, 0.001, [32.0], tasks=2)


def test_at_one_solution_there_is_no_gap_to_tell(model, refused):
    for budget in (1.0, 1.9):
        assert choose_contrast(model, model.full, budget) is None
    said = refused("pilot", "--gap", 5, "--at", "1x", "--profile", "lab")
    assert said.startswith("At 1x per problem every strategy does best with one solution")
    plan = choose_pilot_within(model, 400.0, [1.0], tasks=2)
    assert plan.split is None


def test_a_pilot_for_a_regret_is_the_cheapest_within_a_tenth(model):
    target, tasks = 0.02, 20
    plan = choose_pilot_for_regret(model, target, [32.0], tasks=tasks)
    assert plan.expected.mean <= target
    cheaper = choose_pilot_within(model, plan.cost / COST_FACTOR, [32.0], tasks=tasks)
    assert cheaper.expected.mean > target


@pytest.mark.parametrize("bias", [0.25, 1.0, 3.0])
def test_a_pilot_for_a_regret_is_the_cheapest_although_the_screening_expects_another_regret(model, bias, monkeypatch):
    def expect(shape, factor=1.0):
        return ExpectedRegret(np.full(4, factor * 10 / shape.compute_cost(1.0)))

    def screen(model, worth, budgets, most):
        shape = replace(PilotShape(1, 8, 8, 1), problems=min(most, int(worth / 16)))
        return [(shape, expect(shape, bias))]

    monkeypatch.setattr(shapes, "rank_shapes", screen)
    monkeypatch.setattr(shapes, "simulate_regret", lambda model, shape, budgets, tasks: expect(shape))
    plan = choose_pilot_for_regret(model, 0.01, [32.0])
    assert 1000 <= plan.cost <= COST_FACTOR * 1000
    with pytest.raises(DataError, match=r"is expected to lose 0.001 points or less; the largest loses"):
        choose_pilot_for_regret(model, 1e-5, [32.0])


def test_pilots_that_are_shown_together_are_scored_on_the_same_tasks(model):
    plan = choose_pilot_within(model, 2000.0, [32.0], tasks=20)
    assert plan.others
    assert {len(expected.regret) for _, expected in plan.others} == {len(plan.expected.regret)} == {20}
    assert all(plan.expected.mean <= expected.mean for _, expected in plan.others)


def test_a_pilot_from_a_profile_knows_its_tokens():
    profile = read_profile("lab")
    found = choose_pilot(PilotGoal(gap=8.0), profile="lab", at=64.0, tasks=5)
    costs = found.costs
    assert costs.solutions == found.plan.shape.problems * found.plan.shape.solutions
    assert costs.completion_tokens > costs.solutions
    assert costs.flops > 2 * profile.models["solver"].parameters * costs.completion_tokens
    assert found.plan.split.problems > 0.3


def test_costs_that_are_unknown_stay_unknown():
    shape = PilotShape(10, 4, 2, 3)
    records = [ProblemRecord(tokens={"solver": {"completion": 100, "prompt": 10}})]
    costs = compute_pilot_costs(shape, 0.5, records, {"solver": ModelRecord(parameters=1e6)})
    assert (costs.solutions, costs.verifications, costs.solutions_worth) == (40, 60, 70.0)
    assert costs.completion_tokens is None
    assert costs.flops is None
    votes = compute_pilot_costs(replace(shape, verified=0, verifications=0), 0.5, records, {})
    assert (votes.completion_tokens, votes.prompt_tokens, votes.flops) == (4000.0, 400.0, None)


def test_goals_that_cannot_be_planned_are_refused():
    with pytest.raises(ConfigError, match="one goal"):
        iso.pilot()
    with pytest.raises(ConfigError, match="one goal"):
        iso.pilot("1000x", gap=1)
    for goal in ({"gap": -1}, {"gap": 150}, {"gap": float("inf")}, {"regret": 100}, {"regret": float("nan")}):
        with pytest.raises(ConfigError, match="must be a finite number of points above 0 and below 100"):
            iso.pilot(**goal)
    with pytest.raises(BudgetError, match="a finite number above zero; it is inf"):
        iso.pilot(float("inf"))
    with pytest.raises(ConfigError, match="a finite number above zero; got inf"):
        PilotGoal(worth=float("inf"))
    for lam in (1e300, 0, 1e-9, float("nan")):
        with pytest.raises(DataError, match="from 1e-06 to 1,000,000"):
            iso.pilot("1000x", lam=lam)
    with pytest.raises(ConfigError, match="give one of them"):
        iso.pilot("1000x", profile="lab", run="data/runs/lab")
    with pytest.raises(BudgetError, match="at least 8 problems"):
        iso.pilot("5x")
    with pytest.raises(BudgetError, match="solutions' worth"):
        iso.pilot("5x-plateau")
    with pytest.raises(ConfigError, match="give one, or λ as a number"):
        iso.pilot("5000x", lam="prompts")
    with pytest.raises(DataError, match="no values of single problems"):
        iso.pilot("5000x", profile="llama-3.1-8b-math")


def test_a_profile_without_verifications_plans_votes():
    profile = read_profile("lab")
    votes = profile.model_copy(update={"strategies": {"sc": profile.strategies["sc"]}, "lam": None})
    found = choose_pilot_within(build_profile_model(votes, 1.0), 500.0, [16.0], tasks=5)
    assert (found.shape.verified, found.shape.verifications) == (0, 0)
    assert "SC alone" in found.warnings[-1]


def test_the_command_prints_what_the_function_returns(command):
    found = iso.pilot(gap=8, at="32x", profile="lab")
    assert "Pilot of" in repr(found)
    assert set(found.numbers) == {"problems", "N", "K", "M"}
    assert len(found.to_frame()) == 1
    printed = command("pilot", "--gap", "8", "--at", "32x", "--profile", "lab", "--json")
    assert json.loads(printed.out) == found.to_dict()
    shown = command("pilot", "--gap", "8", "--at", "32x", "--profile", "lab")
    assert "expected regret" in shown.out
