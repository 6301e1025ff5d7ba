"""The page: nothing is loaded, nothing complains, what a model wrote stays text, and all can use it."""

from __future__ import annotations

from pathlib import Path

import pytest

import isocompute as iso
from isocompute.figures.report.files import open_report_source
from isocompute.figures.report.page import render_report
from isocompute.planner.costs.settings import CostSettings
from isocompute.runners.sampling.sweep import run_sweep

AXE = Path(__file__).parent / "axe" / "axe.min.js"
HOSTILE = "</script><script>document.title = 'taken'</script><img src='https://example.org/x' onerror='alert(1)'>"
CONTEXTS = {
    "light": {"viewport": {"width": 1100, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1100, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
}


@pytest.fixture
def reported(searched_run, small, scripted, tmp_path):
    """The report of a run with searches, of one whose models wrote what a page must not run, and of means."""
    speak = scripted().says
    hostile = small(run=str(tmp_path / "hostile"))
    run_sweep(hostile, load=scripted(lambda prompt, seed: HOSTILE + speak(prompt, seed)))
    path = tmp_path / "report.html"
    iso.report([searched_run, hostile.run, "llama-3.1-8b-math"], path)
    return path


def test_a_page_loads_nothing_and_shows_what_models_wrote_as_text(shown, reported):
    opened = shown(reported)
    page = opened.page
    assert page.title().startswith("isocompute: run, hostile, llama")
    texts = page.locator("#s1 pre.sample").all_text_contents()
    assert sum(text.startswith(HOSTILE) for text in texts) >= 2
    assert page.locator("img").count() == 0
    assert opened.requests == [reported.as_uri()]
    assert opened.complaints == []


def test_samples_and_trees_fold_open_and_tables_are_copied_with_tabs(shown, reported):
    page = shown(reported).page
    sample = page.locator("#s0 details", has=page.locator("pre.sample")).first
    assert not sample.locator("pre").first.is_visible()
    sample.locator("summary").first.press("Enter")
    assert sample.locator("pre").first.is_visible()
    assert page.locator(".tree li").count() > 3
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; }")
    page.locator("button[data-copy='s0-options']").click()
    lines = page.evaluate("window.copied").splitlines()
    assert lines[0].startswith("strategy\tnumbers\tcompute")
    assert len(lines) == 1 + page.locator("#s0-options tbody tr").count()
    assert page.locator("#said").text_content() == "The table was copied."


def test_a_line_of_a_chart_can_be_switched_off(shown, qwen):
    page = shown(qwen).page
    chart = page.locator("[data-chart='s0-frontiers']")
    before = chart.locator("svg circle").count()
    chart.locator("input").first.press("Space")
    assert 0 < chart.locator("svg circle").count() < before


@pytest.mark.parametrize("context", CONTEXTS)
def test_everybody_can_use_it(shown, qwen, context):
    opened = shown(qwen, **CONTEXTS[context])
    page = opened.page
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(each["id"], each["impact"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= CONTEXTS[context]["viewport"]["width"]
    assert opened.complaints == []


def test_the_same_source_gives_the_same_bytes_and_few_of_them():
    made = [render_report([open_report_source("llama-3.1-8b-math")], CostSettings()) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) < 5e6


def test_what_cannot_be_reported_is_refused_in_one_sentence(refused, tmp_path):
    assert "nowhere" in refused("report", tmp_path / "nowhere", "-o", tmp_path / "report.html")
    assert "tpu" in refused("report", "llama-3.1-8b-math", "-o", tmp_path / "report.html", "--device", "tpu")
    assert not (tmp_path / "report.html").exists()
