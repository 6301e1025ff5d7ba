"""The comparison of policies on a run: its numbers, its files and its refusals."""

from __future__ import annotations

import json
import math

import jsonschema
import pandas as pd
import pytest

import isocompute as iso
from isocompute.api.json_schema.schemas import describe_command_json
from isocompute.errors import BudgetError, ConfigError, DataError
from isocompute.planner.policies.policy_file import read_policy_file

QWEN = "data/runs/qwen-gsm-symbolic"


def make_answers(order=1):
    rows = []
    for p in range(12):
        for s in range(8):
            answer = "right" if (p * 7 + s * 5) % 12 > p * 0.8 else f"wrong{(p + s) % 3}"
            rows.append({"problem": f"p{p:02}", "answer": answer, "correct": answer == "right"})
    return pd.DataFrame(rows[::order])


def test_every_rule_keeps_to_the_mean_budget_and_is_told_twice(qwen_policies):
    frame = qwen_policies.to_frame()
    assert frame["rule"].tolist() == ["certain", "beta", "window", "doubling", "weighted-beta", "value"]
    assert (frame["compute"] < 8.8).all()  # chosen on other problems, so it may exceed 8x a little
    assert (frame["saving_full"] > 1).all()
    assert (frame["saving_full"] * frame["compute"]).tolist() == pytest.approx(frame["full_compute"].tolist())
    assert (frame["percentile_95"] >= frame["compute"]).all()
    assert ((frame["gain_equal_low"] <= frame["gain_equal"]) & (frame["gain_equal"] <= frame["gain_equal_high"])).all()


def test_the_rule_that_is_certain_changes_no_answer_at_its_full_budget():
    found = iso.policies(QWEN, "64x").to_frame().set_index("rule").loc["certain"]
    assert (found["same_answer"], found["accuracy"]) == (pytest.approx(1), pytest.approx(found["full_accuracy"]))
    assert 1 < found["saving_full"] < 2


def test_the_json_fits_its_schema(qwen_policies):
    content = qwen_policies.to_dict()
    jsonschema.validate(content, describe_command_json("policies"))
    json.dumps(content, allow_nan=False)
    budgets = [plan["budget"] for plan in content["fixed_plans"]]
    assert budgets == sorted(budgets)
    for rule in content["rules"]:
        points = [point for point in content["points"] if point["rule"] == rule["rule"]]
        assert points[-1]["budget"] == pytest.approx(rule["full_compute"], rel=0.5)


def test_the_order_of_rows_changes_no_byte():
    results = [
        iso.policies(iso.from_frame(make_answers(order), problem="problem", answer="answer", correct="correct"), 4)
        for order in (1, -1)
    ]
    one, other = (result.to_dict() | {"source": ""} for result in results)
    assert json.dumps(one) == json.dumps(other)


def test_a_policy_file_holds_what_was_measured(qwen_policies, tmp_path):
    path = tmp_path / "policy.json"
    qwen_policies.save(path, "weighted-beta")
    policy = read_policy_file(str(path))
    row = qwen_policies.to_frame().set_index("rule").loc["weighted-beta"]
    assert (policy.threshold, policy.measured.accuracy) == (row["threshold"], row["accuracy"])
    assert (policy.solutions, policy.verifications, policy.learnt_on.problems) == (16, 1, 40)
    assert policy.lam == pytest.approx(0.5767, abs=1e-3)
    assert policy.to_policy().rule == "weighted-beta"
    qwen_policies.save(path)
    assert read_policy_file(str(path)).rule == qwen_policies.best


def test_too_few_problems_certify_nothing(tmp_path):
    found = iso.policies(QWEN, same_answer=0.01)
    assert "too few" in found.warnings[0]
    assert (found.to_frame()["same_answer"] > 1 - 1e-9).all()
    with pytest.raises(DataError, match="do not certify"):
        found.save(tmp_path / "policy.json")


def test_a_budget_in_another_unit_is_converted():
    tokens = iso.policies(QWEN, "2000 tokens").to_dict()
    prompts = iso.policies(QWEN, 8, cost="prompts").to_dict()
    assert tokens["cost_model"] == "tokens"
    assert 1 < tokens["budget"] < 100
    assert (prompts["cost_model"], prompts["budget"]) == ("prompts", 8)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"run": "lab"}, DataError, "profile does not hold"),
        ({"run": QWEN, "budget": "20 s"}, BudgetError, "latency"),
        ({"run": QWEN, "budget": "0.5x"}, BudgetError, "one solution"),
        ({"run": QWEN, "budget": "8x", "same_answer": 0.1}, ConfigError, "leave out one"),
        ({"run": QWEN, "same_answer": 1.5}, ConfigError, "between 0 and 1"),
        ({"run": QWEN, "same_answer": math.nan}, ConfigError, "between 0 and 1"),
        ({"run": QWEN, "width": 0}, ConfigError, "width"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        iso.policies(**arguments)


def test_a_run_of_right_and_wrong_has_no_votes_to_stop_by():
    frame = make_answers().drop(columns="answer")
    run = iso.from_frame(frame, problem="problem", correct="correct")
    with pytest.raises(DataError, match="votes"):
        iso.policies(run, 4)


def test_the_command_prints_both_savings_and_writes_the_file(command, tmp_path):
    path = tmp_path / "policy.json"
    ended = command("policies", QWEN, "--budget", "8x", "--rule", "certain", "-o", path)
    assert ended.code == 0
    assert "as accurate fixed" in ended.out
    assert "of hindsight" in ended.out
    assert read_policy_file(str(path)).rule == "certain"


def test_the_command_refuses_a_rule_without_a_file(refused):
    assert "-o" in refused("policies", QWEN, "--rule", "beta")
    assert "leave out one" in refused("policies", QWEN, "--budget", "8x", "--same-answer", "0.1")
