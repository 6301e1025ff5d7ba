"""Policies in a profile: what a fit measures, what a file keeps, what a plan and the figure show of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import isocompute as iso
from isocompute.api.json_schema.schemas import describe_command_json
from isocompute.errors import DataError
from isocompute.figures.plots.policies import POLICIES_COLUMNS, build_policies_table, draw_policies
from isocompute.planner.policies.profile_rules import choose_positions
from isocompute.planner.profile import read_profile
from isocompute.planner.profile.subset import select_problems


@pytest.fixture(scope="module")
def fitted(run_path, tmp_path_factory):
    return iso.fit(run_path, tmp_path_factory.mktemp("fit") / "mine.json")


def test_a_fit_measures_a_ladder_of_thresholds_of_each_rule(fitted):
    policies = fitted._profile.measured_policies
    assert list(policies) == ["certain", "beta", "window", "doubling", "weighted-beta"]
    for name, part in policies.items():
        assert name == "certain" or part.sampled[:, -1] == pytest.approx(8)  # the last one never stops
        steps = np.array(part.compute[1:]) / np.array(part.compute[:-1])
        assert (steps > 1.1).all()
        assert (part.sampled >= 1).all()
    assert policies["weighted-beta"].verified == pytest.approx(policies["weighted-beta"].sampled)


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
        assert policy.hindsight == [whole.measured_policies[name].hindsight[at] for at in (3, 1)]


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
