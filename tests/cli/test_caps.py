"""Caps on length: what `plan --cap` prints, as text, as JSON and in Python."""

from __future__ import annotations

import json

import pytest

import isocompute as iso
from isocompute.runners.storage.schema import SOLUTIONS_TABLE


@pytest.fixture
def profile(command, written_run, rewrite, tmp_path):
    """The profile of a run whose right solutions are the long ones."""
    longer = lambda f: f.assign(completion_tokens=[40 + 60 * bool(right) + i for i, right in enumerate(f["correct"])])  # noqa: E731
    rewrite(written_run, SOLUTIONS_TABLE, longer)
    assert command("fit", written_run, "-o", tmp_path / "p.json").code == 0
    return tmp_path / "p.json"


def test_a_plan_compares_limits(command, profile):
    said = command("plan", "-b", "4x", "-p", profile, "--cap").out
    before, _, after = command("plan", "-b", "4x", "-p", profile).out.partition("\nDetails\n")
    assert after
    assert said.startswith(before)  # the plan itself is the same
    assert said.endswith(after)
    rows = said.removeprefix(before).removesuffix(after)
    assert "Limits on the length of solutions, for SC at 4x" in rows
    assert "The run's own limit is 1,024; its longest solution has " in rows
    assert "it cut no solution." in rows
    assert rows.count("At 4x ") == 1
    planned = json.loads(command("plan", "-b", "4x", "-p", profile, "--cap", "--json").out)
    caps = planned["caps"]
    assert " ".join(caps["summary"].split()) in " ".join(rows.split())
    for option in caps["options"][:-1]:
        line = next(line for line in rows.splitlines() if line.split()[:1] == [f"{option['limit']:,}"])
        assert f"{100 * option['accuracy']:.1f} %" in line
        assert f"{100 * option['gain']:+.1f}" in line
        assert f" {option['solutions']} " in line
    assert caps["options"][-1]["gain"] is None
    assert (
        caps["best"]
        == max(caps["options"], key=lambda option: (round(option["accuracy"], 9), option["limit"]))["limit"]
    )


def test_without_the_option_there_are_none(command, profile):
    assert json.loads(command("plan", "-b", "4x", "-p", profile, "--json").out)["caps"] is None


def test_a_profile_without_caps_is_refused_in_a_sentence(refused):
    sentence = refused("plan", "-b", "4x", "-p", "llama-3.1-8b-math", "--cap")
    assert sentence == (
        "The profile 'llama-3.1-8b-math' holds no caps on length: fit its run again, with answers to vote on and "
        "completion tokens of every solution."
    )


def test_in_python_it_is_the_same(command, profile):
    planned = iso.plan(str(profile), "4x", cap=True)
    printed = json.loads(command("plan", "-b", "4x", "-p", profile, "--cap", "--json").out)
    assert planned.to_dict() == printed
    assert planned.caps.to_dict() == printed["caps"]
    assert (planned.caps.best, planned.caps.is_settled) == (printed["caps"]["best"], printed["caps"]["settled"])
    frame = planned.caps.to_frame()
    assert frame["limit"].tolist() == [option["limit"] for option in printed["caps"]["options"]]
    assert frame["S"].tolist() == [option["solutions"] for option in printed["caps"]["options"]]
    assert printed["caps"]["summary"] in " ".join(repr(planned.caps).split())
    assert printed["caps"]["summary"] in " ".join(repr(planned).split())
    assert iso.plan(str(profile), "4x").caps is None


def test_what_the_run_cut_is_said_by_fit_and_plan(command, written_run, rewrite, tmp_path):
    cut = lambda f: f.assign(finish_reason=["length" if i % 4 == 0 else "stop" for i in range(len(f))])  # noqa: E731
    rewrite(written_run, SOLUTIONS_TABLE, cut)
    fitted = command("fit", written_run, "-o", tmp_path / "p.json").out
    planned = command("plan", "-b", "4x", "-p", tmp_path / "p.json").out
    for said in (fitted, planned):
        assert "25 % of the solutions (6) were cut at the token limit of 1,024, and " in said
        assert "a higher solver.max_tokens may give other accuracies." in said
