"""README, the page of the lab and the lab's card show what the commands print."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LAB_PAGE = (ROOT / "docs" / "explanation" / "lab.md").read_text(encoding="utf-8")
LAB_RUN = ROOT / "data" / "runs" / "lab"


def test_what_plan_is_shown_to_print_is_what_it_prints(command):
    shown = re.search(r"```\n\$ plan --budget 128x\n(.*?)```", README, re.DOTALL)[1]
    printed = command("plan", "--budget", "128x", columns=104).out
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()


def test_what_is_said_of_votes_verdicts_and_searches_is_what_plan_says(command):
    plan = json.loads(command("plan", "--budget", "128x", "--json").out)
    best, others = plan["recommendation"], {option["strategy"]: option for option in plan["alternatives"]}
    search = max(
        (others[name] for name in others if others[name]["numbers"].keys() & {"N"}), key=lambda each: each["accuracy"]
    )
    ahead = [f"{100 * x:+.1f}" for x in others["fused"]["gap_interval"]]
    said = (
        f"at 128x {100 * plan['expected']['accuracy']:.1f} % are expected of `{best['strategy']}`, the vote weighted "
        f"by the PRM's scores, {100 * search['accuracy']:.1f} % of `{search['strategy']}`, the best search, "
        f"{100 * others['fused']['accuracy']:.1f} % of `fused`, the best use of verdicts, and "
        f"{100 * others['sc']['accuracy']:.1f} % of SC. The first is ahead of `fused` by "
        f"{100 * others['fused']['gap']:.1f} points [{', '.join(ahead)}]"
    )
    assert said in " ".join(LAB_PAGE.split())


def test_what_is_said_of_the_lab_at_128x_is_what_plan_says(command):
    plan = json.loads(command("plan", "--profile", "lab", "--budget", "128x", "--json").out)
    best, others = plan["recommendation"], {option["strategy"]: option for option in plan["alternatives"]}
    expected, voted = plan["expected"]["accuracy"], others["sc"]["accuracy"]
    low, high = others["sc"]["gap_interval"]
    said = (
        f"{100 * expected:.1f} % are expected of `{best['strategy']}`, SC has {100 * voted:.1f} %, a lead of "
        f"{100 * (expected - voted):.1f} points [{100 * low:+.1f}, {100 * high:+.1f}], and GenRM with "
        f"random ties, the study's, {100 * others['genrm']['accuracy']:.1f} %."
    )
    assert said in " ".join(LAB_PAGE.split())


@pytest.mark.soak
def test_what_fit_is_shown_to_print_is_what_it_prints(command, tmp_path, monkeypatch):
    (tmp_path / "data" / "profiles").mkdir(parents=True)
    for part in ("runs", "lab"):  # the models' sizes are read from their folders
        (tmp_path / "data" / part).symlink_to(ROOT / "data" / part)
    monkeypatch.chdir(tmp_path)
    printed = command("fit", "data/runs/lab", "-o", "data/profiles/lab.json", columns=104).out
    shown = re.search(r"```\n(lab: data.*?)```", (LAB_RUN / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
    assert (tmp_path / "data" / "profiles" / "lab.json").read_bytes() == (
        ROOT / "data" / "profiles" / "lab.json"
    ).read_bytes()
