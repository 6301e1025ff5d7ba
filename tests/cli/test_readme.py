"""The README shows what the commands print, and sweeps that can be asked for."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from isocompute.runners.config.sweep import Sweep

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_what_plan_is_shown_to_print_is_what_it_prints(command):
    shown = re.search(r"```\n\$ plan --budget 128x\n(.*?)```", README, re.DOTALL)[1]
    printed = command("plan", "--budget", "128x", columns=104).out
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()


def test_the_sweeps_that_are_shown_are_well_formed():
    first, *further = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
    assert Sweep.model_validate(first).verifications == 16
    again, *searching = further
    assert Sweep.model_validate(again).solutions_from == "runs/mine"
    assert searching
    for block in searching:
        assert Sweep.model_validate(first | block).searches
