"""Policies in a profile: what a fit measures, what a file keeps, what a plan and the figure show of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import isocompute as iso
from isocompute.api.json_schema.schemas import describe_command_json
from isocompute.cli.screens.plan import print_plan_policies
from isocompute.cli.screens.policies import print_profile_policies
from isocompute.errors import DataError
from isocompute.figures.plots.policies import POLICIES_COLUMNS, build_policies_table, draw_policies
from isocompute.fits import Pool, draw_bootstrap_weights
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.policy import VALUE
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule
from isocompute.fits.policies.value_model import ValueModel
from isocompute.planner.budget import Budget
from isocompute.planner.costs.request import build_request
from isocompute.planner.estimate.policies import add_policies, choose_ladder
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.policies.level_policies import measure_level_policies
from isocompute.planner.policies.profile_policies import (
    ProfilePolicy,
    list_leading_policies,
    measure_profile_policies,
)
from isocompute.planner.policies.profile_rules import choose_positions
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import read_profile
from isocompute.planner.profile.subset import select_problems
from isocompute.runners.storage.run import Run


@pytest.fixture(scope="module")
def fitted(run_path, tmp_path_factory):
    return iso.fit(run_path, tmp_path_factory.mktemp("fit") / "mine.json")


def test_a_fit_measures_a_ladder_of_settings_of_each_rule(fitted):
    policies = fitted._profile.measured_policies
    assert list(policies) == ["certain", "beta", "window", "doubling", "weighted-beta", "value"]
    for name, part in policies.items():
        assert name == "certain" or part.sampled[:, -1] == pytest.approx(8)  # the last one never stops
        steps = np.array(part.compute[1:]) / np.array(part.compute[:-1])
        assert (steps > 1.1).all()
        assert (part.sampled >= 1).all()
        assert (part.sampled <= np.array(part.limits) + 1e-9).all()
        assert part.limits[-1] == part.most_solutions == 8
    assert policies["weighted-beta"].verified == pytest.approx(policies["weighted-beta"].sampled)


def test_each_step_of_a_ladder_is_its_most_accurate_setting():
    pool = Pool([[0, 0, 0, 0]] * 2, [0, 0])
    found = estimate_stop_rule(pool, STOP_RULES["beta"], [2.0] * 4, draw_orders(pool, 8, 0), limits=[1, 2, 3, 4])
    compute = np.tile([1.0, 1.1, 1.3, 4.0], (2, 1))
    made = replace(found, compute=compute, accuracy=np.tile([0.5, 0.7, 0.6, 0.9], (2, 1)))
    assert choose_ladder(made, pool.keys, 1.2)[1].tolist() == [1, 3, 4]
    assert choose_ladder(made, pool.keys, 2.0)[1].tolist() == [2, 4]


def test_profiles_without_limits_have_that_of_the_full_budget(fitted, tmp_path):
    content = json.loads(Path(fitted.path).read_text())
    for part in content["policies"].values():
        del part["limits"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content))
    old = read_profile(str(path))
    assert {limit for part in old.measured_policies.values() for limit in part.list_limits()} == {8}
    now, before = (
        {option.rule: option for option in make_priced_plan(each, build_request(Budget(3.0))).policies}
        for each in (fitted._profile, old)
    )
    assert now["beta"].limit <= before["beta"].limit == before["beta"].most_solutions == 8
    assert now["beta"].accuracy == before["beta"].accuracy
    content["policies"]["beta"]["limits"] = [9] * len(content["policies"]["beta"]["thresholds"])
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"policies\.beta.*limits"):
        read_profile(str(path))


def test_the_value_rule_is_learnt_on_other_problems_and_keeps_its_model(fitted):
    part = fitted._profile.measured_policies["value"]
    model = ValueModel.from_dict(part.answer_model)
    assert part.most_verifications == (1 if model.is_verifying else 0)
    assert part.thresholds == sorted(part.thresholds, reverse=True)
    assert part.hindsight is None
    assert all(other.answer_model is None for name, other in fitted._profile.measured_policies.items() if name != VALUE)


def test_the_order_of_problems_changes_nothing(run_path, fitted):
    run = Run(run_path)
    pool = read_pool(run)
    order = np.random.default_rng(1).permutation(pool.pool.problems)
    shuffled = replace(pool, pool=pool.pool.select_problems(order))
    profile = fitted._profile.model_copy(update={"policies": {}})
    found = add_policies(select_problems(profile, order.tolist()), shuffled).measured_policies
    for name, part in fitted._profile.measured_policies.items():
        assert np.array_equal(found[name].array, part.array[order]), name
        assert found[name].thresholds == part.thresholds
        assert found[name].limits == part.limits
        assert found[name].compute == part.compute
        assert found[name].answer_model == part.answer_model


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_cell_of_a_fit_or_a_plan_is_cut(fitted, width):
    screen = Console(width=width, file=io.StringIO())
    print_profile_policies(screen, measure_profile_policies(fitted._profile))
    print_plan_policies(screen, make_priced_plan(fitted._profile, build_request(Budget(6.0))).policies)
    assert screen.file.getvalue().count("weighted-beta") >= 2
    assert "…" not in screen.file.getvalue()


def test_a_fit_lists_policies_at_mean_budgets(fitted):
    content = fitted.to_dict()["policies"]
    assert {policy["rule"] for policy in content} == set(fitted._profile.measured_policies)
    assert [policy["budget"] for policy in content] == sorted(policy["budget"] for policy in content)
    for policy in content:
        assert policy["compute"] < 1.2 * policy["budget"]
        low, high = policy["interval"]
        assert low <= policy["accuracy"] <= high
        assert policy["saving_fixed"] == "never" or policy["saving_fixed"] > 0
    assert "policies" in describe_command_json("fit")["properties"]


def test_leading_policies_are_not_beaten_at_their_budget():
    def make(rule, budget, accuracy, compute):
        return ProfilePolicy(rule, "", budget, 1.0, 8, 8, 0, accuracy, (0, 1), compute, (0, 9), 9.0, 1.0, (0.5, 2.0))

    found = [make("a", 8, 0.6, 5), make("b", 8, 0.6, 6), make("c", 8, 0.7, 7), make("b", 16, 0.5, 6)]
    assert [(policy.rule, policy.budget) for policy in list_leading_policies(found)] == [("a", 8), ("c", 8), ("b", 16)]
    twins = [make("a", 8, 0.6, 5), make("b", 8, 0.6, 5)]
    assert list_leading_policies(twins) == twins


def test_levels_of_difficulty_divide_what_a_policy_spends(fitted):
    profile = fitted._profile
    rng = np.random.default_rng(3)
    levels = rng.integers(1, 4, (5, profile.problems))
    weights = draw_bootstrap_weights(profile.problems, 200, 0)
    found = measure_level_policies(profile, levels, [2.0, 8.0], weights)
    assert {policy.rule for policy in found} == set(profile.measured_policies)
    for policy in found:
        assert sum(part.problem_share for part in policy.levels) == pytest.approx(1)
        for name in ("accuracy", "compute"):
            total = sum(part.problem_share * getattr(part, name) for part in policy.levels)
            assert getattr(policy.whole, name) == pytest.approx(total)


def test_difficulty_shows_where_policies_spend(fitted):
    study = iso.difficulty(fitted, bins="oracle").to_dict()
    budget = next(each for each in study["budgets"] if each["x"] == 4)
    accuracies = [policy["whole"]["accuracy"] for policy in budget["policies"]]
    affordable = [name for name, part in fitted._profile.measured_policies.items() if min(part.compute) <= 4]
    assert sorted(policy["rule"] for policy in budget["policies"]) == sorted(affordable)
    assert accuracies == sorted(accuracies, reverse=True)
    beta = next(policy for policy in budget["policies"] if policy["rule"] == "beta")
    easiest, *_, hardest = beta["levels"]
    assert easiest["compute"] < hardest["compute"]
    assert easiest["accuracy"] > hardest["accuracy"]
    assert [part["level"] for part in beta["levels"]] == [level["level"] for level in budget["levels"]]


def test_a_file_keeps_them_and_refuses_damaged_ones(fitted, tmp_path):
    before = Path(fitted.path).read_bytes()
    content = json.loads(before)
    read = read_profile(fitted.path)
    read.write(str(tmp_path / "again.json"))
    assert (tmp_path / "again.json").read_bytes() == before
    content["policies"]["mine"] = [1, 2]
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    assert read_profile(str(path)).policies["mine"] == [1, 2]
    content["policies"]["beta"]["accuracy"][0][0] = 2
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"policies\.beta"):
        read_profile(str(path))


def test_a_part_of_the_problems_has_their_rows(fitted):
    whole = fitted._profile
    part = select_problems(whole, [3, 1])
    for name, policy in part.measured_policies.items():
        assert np.array_equal(policy.array, whole.measured_policies[name].array[[3, 1]])
        before = whole.measured_policies[name].hindsight
        assert policy.hindsight == (None if name == "value" else [before[at] for at in (3, 1)])


def test_a_plan_shows_policies_within_its_budget(fitted):
    content = iso.plan(fitted, "6x").to_dict()
    assert content["policies"]
    accuracies = [policy["accuracy"] for policy in content["policies"]]
    assert accuracies == sorted(accuracies, reverse=True)
    for policy in content["policies"]:
        assert policy["compute"] < 7
        low, high = policy["gap_interval"]
        assert low <= policy["gap"] <= high
        expected = content["expected"]["accuracy"] - policy["gap"]
        assert policy["accuracy"] == pytest.approx(min(max(expected, 0), 1))
    assert "policies" in describe_command_json("plan")["$defs"]["PlanJson"]["properties"]


def test_a_plan_for_a_target_shows_none(fitted):
    assert iso.plan(fitted, target=0.3).to_dict()["policies"] == []


def test_a_problem_does_not_choose_its_own_threshold_in_a_plan():
    rng = np.random.default_rng(0)
    accuracy, compute = rng.random((30, 5)), np.tile(np.arange(1.0, 6.0), (30, 1))
    before = choose_positions(accuracy, compute, 4.0, None)
    accuracy[7] = [1, 0, 0, 0, 0]
    assert choose_positions(accuracy, compute, 4.0, None)[7].tolist() == before[7].tolist()
    assert before.max() <= 3


def test_the_figure_draws_its_table(fitted):
    table = build_policies_table(fitted._profile)
    assert tuple(table.columns) == POLICIES_COLUMNS
    rules = table[table["kind"] == "policy"]
    for name, part in fitted._profile.measured_policies.items():
        own = rules[rules["name"] == name]
        assert own["accuracy"].tolist() == pytest.approx(part.array.mean(axis=0).tolist())
        assert own["compute"].tolist() == pytest.approx(part.compute, rel=0.01)
    left, right = draw_policies(table)
    assert [line.get_label() for line in left.lines[1:-1]] == list(fitted._profile.measured_policies)
    assert len(right.lines) == 1 + len(fitted._profile.measured_policies)
    assert table[table["kind"] == "hindsight"]["lead"].notna().all()


def test_without_policies_there_is_nothing_to_draw(fitted):
    bare = fitted._profile.model_copy(update={"policies": {}})
    assert build_policies_table(bare).empty


@pytest.mark.parametrize("seed", range(8))
def test_a_run_with_few_readable_answers_and_verdicts_is_fitted(seed, tmp_path):
    rng = np.random.default_rng(seed)
    rows = [
        {"problem": p, "solution": i, "answer": rng.choice([0, 1, None], p=[0.06, 0.04, 0.9]), "gold": 0, "tokens": 9,
         "verdict": None if seed % 2 else rng.choice([True, None]), "spent": 5}
        for p in range(5) for i in range(3)
    ]  # fmt: skip
    rows[0]["answer"] = 1
    columns = {name: name for name in ("problem", "solution", "answer", "gold", "tokens", "verdict")}
    run = iso.from_frame(pd.DataFrame(rows), **columns, verification_tokens="spent")
    fitted = iso.fit(run, tmp_path / "mine.json")
    assert "value" in fitted._profile.measured_policies
