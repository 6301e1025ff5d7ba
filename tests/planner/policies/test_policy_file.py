"""The policy file: written and read back, and refused with one sentence."""

from __future__ import annotations

import json

import jsonschema
import pytest

from isocompute.api.json_schema.schemas import describe_file
from isocompute.errors import DataError
from isocompute.planner.policies.policy_file import (
    LearntOn,
    MeasuredPolicy,
    PolicyFile,
    read_policy_file,
    write_policy_file,
)


@pytest.fixture
def policy():
    return PolicyFile(
        rule="weighted-beta",
        parameter="probability that the leader leads",
        threshold=0.9,
        solutions=61,
        verifications=1,
        lam=1.07,
        learnt_on=LearntOn(run="lab", problems=128, digest="ab", solutions=256, verifications=32),
        measured=MeasuredPolicy(
            accuracy=0.65,
            accuracy_interval=(0.6, 0.7),
            compute=63.0,
            percentile_95=126.0,
            solutions=30.4,
            verifications=30.4,
            depth=61,
            same_answer=0.99,
        ),
    )


def edit(path, **changes):
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(content))
    return str(path)


def test_a_policy_file_is_read_as_it_was_written(policy, tmp_path):
    path = tmp_path / "policy.json"
    write_policy_file(policy, str(path))
    assert read_policy_file(str(path)) == policy
    first = path.read_bytes()
    write_policy_file(read_policy_file(str(path)), str(path))
    assert path.read_bytes() == first
    jsonschema.validate(json.loads(first), describe_file("policy_file"))


def test_a_policy_file_gives_the_policy_that_decides(policy):
    carried = policy.to_policy()
    assert (carried.rule, carried.threshold, carried.solutions, carried.lam) == ("weighted-beta", 0.9, 61, 1.07)


def test_an_older_file_has_the_full_budget_as_its_limit(policy, tmp_path):
    path = tmp_path / "policy.json"
    write_policy_file(policy.model_copy(update={"full_solutions": 256}), str(path))
    content = json.loads(path.read_text())
    assert (content["solutions"], content.pop("full_solutions")) == (61, 256)
    path.write_text(json.dumps(content))
    old = read_policy_file(str(path))
    assert (old.full_solutions, old.to_policy().solutions) == (None, 61)


def test_unknown_keys_are_kept(policy, tmp_path):
    path = tmp_path / "policy.json"
    write_policy_file(policy, str(path))
    read = read_policy_file(edit(path, answer_model={"slope": [1.5]}, note="mine"))
    write_policy_file(read, str(path))
    content = json.loads(path.read_text())
    assert (content["note"], content["answer_model"]) == ("mine", {"slope": [1.5]})


def test_a_rule_of_another_version_is_refused_only_when_it_is_carried_out(policy, tmp_path):
    path = tmp_path / "policy.json"
    write_policy_file(policy, str(path))
    read = read_policy_file(edit(path, rule="oracle"))
    with pytest.raises(DataError, match="rule must be one of"):
        read.to_policy()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"format": 2}, "format 2"),
        ({"threshold": "high"}, "threshold"),
        ({"threshold": 10**400}, "threshold"),
        ({"threshold": float("nan")}, "finite"),
        ({"note": [{"deep": float("inf")}]}, "finite"),
        ({"solutions": 0}, "solutions"),
        ({"solutions": 10**9}, "solutions"),
        ({"full_solutions": 0}, "full_solutions"),
        ({"lambda": -1}, "lambda"),
        ({"measured": {}}, "measured.accuracy"),
        ({"models": []}, "models"),
        ({"rule": "x" * 1000}, "rule"),
    ],
)
def test_a_bad_value_is_named_in_one_sentence(policy, tmp_path, changes, where):
    path = tmp_path / "policy.json"
    write_policy_file(policy, str(path))
    with pytest.raises(DataError) as raised:
        read_policy_file(edit(path, **changes))
    sentence = str(raised.value)
    assert where in sentence
    assert "\n" not in sentence
    assert len(sentence) < 600


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"rule": 1, "rule": 2}', b'{"a": 1}']
)
def test_what_is_no_policy_file_is_refused(tmp_path, content):
    path = tmp_path / "policy.json"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_policy_file(str(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(DataError):
            read_policy_file(str(path))


def test_another_file_is_not_overwritten(policy, tmp_path):
    path = tmp_path / "notes.json"
    path.write_text("{}")
    with pytest.raises(DataError, match="is not a policy file"):
        write_policy_file(policy, str(path))
    assert path.read_text() == "{}"
