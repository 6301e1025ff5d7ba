"""The budget slider says what `isocompute plan --json` says at that budget, in every unit."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

import isocompute as iso
from isocompute.figures.report.files import open_report_source, write_report
from isocompute.planner.budget import format_cost

QWEN = "qwen2.5-coder-1.5b-gsm-symbolic"
ALONE = ("gap", "gap_interval")


def ask(page, unit: str, text: str) -> dict:
    """Type a budget, and read the plan that the page shows."""
    page.select_option("#s0-unit", label=unit)
    page.fill("#s0-amount", text)
    return json.loads(page.locator("#s0 pre.json").text_content())


def write_budget(unit: str, text: str) -> str:
    return f"${text}" if unit == "$" else f"{text}{unit}" if unit.startswith("x") else f"{text} {unit}"


def compare(said: dict, plan: dict) -> None:
    """What the page shows is what the plan's JSON has under the same names."""
    best = said["recommendation"]
    assert best == {name: plan["recommendation"][name] for name in best}
    second = max(plan["alternatives"], key=lambda option: option["accuracy"], default=None)
    assert said["runner_up"] == (second and {name: second[name] for name in said["runner_up"]})
    assert said["warnings"] == plan["warnings"]
    assert said["budget"].get("x", plan["budget"]["x"]) == plan["budget"]["x"]


def draw_amounts(page, count: int, seed: int) -> list[tuple[str, str]]:
    """Random budgets between the least and beyond the largest, in each unit of the page, as they are typed."""
    draws, found = random.Random(seed), []
    for unit in page.locator("#s0-unit option").all_text_contents():
        page.select_option("#s0-unit", label=unit)
        ends = []
        for end in ("0", "400"):
            page.locator("#s0-range").fill(end)
            ends.append(math.log(float(page.input_value("#s0-amount"))))
        found += [(unit, f"{math.exp(draws.uniform(*ends)):.12g}".replace("e+", "e")) for _ in range(count)]
    return found


def check_source(shown, path: Path, source: str, count: int, **settings: object) -> None:
    page, profile = shown(path).page, iso.load_profile(source)
    for unit, text in draw_amounts(page, count, seed=len(source)):
        said, plan = ask(page, unit, text), iso.plan(profile, write_budget(unit, text), **settings).to_dict()
        compare(said, plan)
        if said["runner_up"] is not None:
            cost = f", for {format_cost(said['runner_up']['compute'])}:"
            assert cost in page.locator("#s0 .plan dl").text_content()


def test_the_slider_equals_the_plan_at_random_budgets(shown, qwen):
    check_source(shown, qwen, QWEN, 3)


def test_the_command_that_the_page_shows_prints_what_the_page_says(shown, qwen, command):
    page = shown(qwen).page
    page.locator("#s0-range").focus()
    page.keyboard.press("ArrowRight")
    said = json.loads(page.locator("#s0 pre.json").text_content())
    words = page.locator("#s0 .plan code").text_content().replace("'", "").split()
    compare(said, json.loads(command(*words[1:]).out))


def test_a_budget_that_pays_for_nothing_is_refused_in_words(shown, qwen):
    page = shown(qwen).page
    page.fill("#s0-amount", "0.5")
    assert (
        page.locator("#s0 .refused").text_content()
        == "A budget of 0.5x does not pay for one solution; the least is 1x."
    )
    page.fill("#s0-amount", "many")
    assert "above zero" in page.locator("#s0 .refused").text_content()


@pytest.mark.soak
@pytest.mark.timeout(7200)  # 1,600 plans of each source
@pytest.mark.parametrize("source", ["lab", "lab-both-small", "lab-search", "llama-3.1-8b-math", QWEN])
def test_the_slider_equals_the_plan_at_many_budgets(shown, tmp_path, source):
    settings = {"device": "h100", "batch": 8, "prices": PRICES}
    write_report([open_report_source(source)], str(tmp_path / "report.html"), **settings)
    check_source(shown, tmp_path / "report.html", source, 200, **settings)


PRICES = {
    "models": {
        name: {"input": 0.1, "output": 0.4}
        for name in ("data/lab/solver", "data/lab/verifier", "data/lab/prm", "models/qwen2.5-coder-1.5b-instruct")
    }
}
