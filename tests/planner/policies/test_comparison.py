"""The comparison of policies on a run: its numbers, its files and its refusals."""

from __future__ import annotations

import io
import json
import math

import jsonschema
import pytest
from rich.console import Console

import isocompute as iso
from isocompute.api.json_schema.policies import build_policies_json
from isocompute.api.json_schema.schemas import describe_command_json
from isocompute.api.policies import PoliciesResult
from isocompute.cli.screens.policies import print_policies
from isocompute.errors import BudgetError, ConfigError, DataError
from isocompute.fits.policies.value_model import ValueModel
from isocompute.planner.budget import Budget
from isocompute.planner.costs.request import build_request
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.evaluation.run_evaluation import sort_problems
from isocompute.planner.policies.comparison import measure_policies, price_policies, read_mean_budget
from isocompute.planner.policies.learnt_policy import build_policy_file
from isocompute.planner.policies.policy_file import read_policy_file
from isocompute.planner.policies.policy_rows import PolicyGoal
from isocompute.runners.storage.run import Run

RULES = ["certain", "beta", "window", "doubling", "weighted-beta", "value"]


@pytest.fixture(scope="module")
def result(study):
    return PoliciesResult(study.compare(PolicyGoal(4.0)))


def test_every_rule_keeps_to_the_mean_budget_and_is_told_twice(result):
    frame = result.to_frame()
    assert frame["rule"].tolist() == RULES
    assert (frame["compute"] < 4.8).all()  # chosen on other problems, so it may exceed 4x a little
    assert (frame["saving_full"] > 1).all()
    assert frame["limit"].tolist()[:4] == [4] * 4  # rules that vote need not the whole pool for 4x
    assert (frame["saving_full"] * frame["compute"]).tolist() == pytest.approx(frame["full_compute"].tolist())
    assert (frame["percentile_95"] >= frame["compute"]).all()
    assert ((frame["gain_equal_low"] <= frame["gain_equal"]) & (frame["gain_equal"] <= frame["gain_equal_high"])).all()


def test_the_rule_that_is_certain_saves_without_changing_an_answer(study):
    found = study.compare(PolicyGoal(None, 0.001)).rows[0]  # too few problems: the full budget stands in
    assert (found.rule, found.same_answer, found.lead) == ("certain", pytest.approx(1), pytest.approx(0))
    assert 1 < found.saving_full < 2


def test_the_value_rule_is_scored_under_models_of_other_problems(study):
    rule = study.rules[-1].rule
    model = ValueModel.from_dict(rule.answer_model)
    assert rule.estimate.thresholds[-1] == 0
    assert rule.estimate.solutions[:, -1] == pytest.approx(rule.solutions)
    assert rule.verifications == (1 if model.is_verifying else 0)


def test_the_json_fits_its_schema(result):
    content = result.to_dict()
    jsonschema.validate(content, describe_command_json("policies"))
    json.dumps(content, allow_nan=False)
    budgets = [plan["budget"] for plan in content["fixed_plans"]]
    assert budgets == sorted(budgets)
    assert [rule["rule"] for rule in content["rules"]] == RULES
    assert {point["rule"] for point in content["points"]} == set(RULES)


def test_the_order_of_rows_changes_no_byte(open_frame, result):
    opened = open_frame(lambda rows: rows.sample(frac=1, random_state=2))
    run = Run(opened.path)
    pool = sort_problems(read_pool(run))
    profile = build_profile(run, pool, measure_costs(pool), run.path)
    other = measure_policies(run, pool, price_policies(profile, build_request(Budget(4.0)))).compare(PolicyGoal(4.0))
    expected = result.to_dict() | {"source": run.path}
    assert json.dumps(build_policies_json(other).to_dict()) == json.dumps(expected)


def test_a_policy_file_holds_what_was_measured(result, tmp_path):
    path = tmp_path / "policy.json"
    for rule in ("weighted-beta", "value"):
        result.save(path, rule)
        policy = read_policy_file(str(path))
        row = result.to_frame().set_index("rule").loc[rule]
        assert (policy.threshold, policy.measured.accuracy) == (row["threshold"], row["accuracy"])
        assert (policy.solutions, policy.full_solutions, policy.learnt_on.problems) == (row["limit"], 8, 20)
        assert policy.verifications == 1
        assert policy.lam == result.to_dict()["lambda"]
        assert policy.to_policy().rule == rule
    result.save(path)
    assert read_policy_file(str(path)).rule == result.best
    with pytest.raises(ConfigError, match="rule must be one of"):
        result.save(path, "oracle")


def test_a_promise_is_kept_in_the_file(study, tmp_path):
    found = study.compare(PolicyGoal(None, 0.2))
    certified = [row.rule for row in found.rows if row.is_certified]
    assert certified
    policy = build_policy_file(found, certified[0])
    assert (policy.guarantee.delta, policy.guarantee.confidence) == (0.2, 0.95)


def test_too_few_problems_certify_nothing(study, tmp_path):
    found = PoliciesResult(study.compare(PolicyGoal(None, 0.01)))
    assert "too few" in found.warnings[0]
    assert (found.to_frame()["same_answer"] > 1 - 1e-9).all()
    with pytest.raises(DataError, match="do not certify"):
        found.save(tmp_path / "policy.json")


def test_a_budget_in_another_unit_is_converted(study):
    profile = study.priced.profile
    request = build_request(Budget.parse("300 tokens"))
    mean = profile.per_problem[0].tokens["solver"].completion
    assert 1 < read_mean_budget(price_policies(profile, request), request) < 300 / mean
    for text, sentence in (("20 s", "latency"), ("0.5x", "one solution")):
        request = build_request(Budget.parse(text))
        with pytest.raises(BudgetError, match=sentence):
            read_mean_budget(price_policies(profile, request), request)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"run": "lab"}, DataError, "profile does not hold"),
        ({"run": "x", "budget": "8x", "same_answer": 0.1}, ConfigError, "leave out one"),
        ({"run": "x", "same_answer": 1.5}, ConfigError, "between 0 and 1"),
        ({"run": "x", "same_answer": math.nan}, ConfigError, "between 0 and 1"),
        ({"run": "x", "width": 0}, ConfigError, "width"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        iso.policies(**arguments)


def test_a_run_of_right_and_wrong_has_no_votes_to_stop_by(open_frame):
    run = open_frame(lambda rows: rows[["problem", "correct"]], columns=("problem", "correct"))
    with pytest.raises(DataError, match="votes"):
        iso.policies(run, 4)


def test_the_command_prints_both_savings_and_writes_the_file(command, run_path, tmp_path):
    path = tmp_path / "policy.json"
    ended = command("policies", run_path, "--budget", "4x", "--rule", "certain", "--width", "3", "-o", path)
    assert ended.code == 0
    assert "as accurate fixed" in ended.out
    assert "of hindsight" in ended.out
    policy = read_policy_file(str(path))
    assert (policy.rule, policy.measured.width) == ("certain", 3)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_cell_is_cut(study, width):
    screen = Console(width=width, file=io.StringIO())
    print_policies(screen, study.compare(PolicyGoal(4.0)))
    assert "value" in screen.file.getvalue()
    assert "…" not in screen.file.getvalue()


def test_the_command_refuses_a_rule_without_a_file(refused, run_path):
    assert "-o" in refused("policies", run_path, "--rule", "beta")
    assert "leave out one" in refused("policies", run_path, "--budget", "8x", "--same-answer", "0.1")
