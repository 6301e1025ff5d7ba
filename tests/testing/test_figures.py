"""Every figure of isocompute that a profile gives passes the suite that it ships."""

from __future__ import annotations

import pytest

from isocompute.figures.registry import FIGURES
from isocompute.testing import FigureSuite

pytest.importorskip("matplotlib")


class TestSolutionsAndCompute(FigureSuite):
    entry = FIGURES["solutions_and_compute"]
    panels = 2


class TestSolutionsAndComputeByLevel(FigureSuite):
    entry = FIGURES["solutions_and_compute_by_level"]
    panels = 5


class TestFrontiers(FigureSuite):
    entry = FIGURES["frontiers"]
    panels = 2


class TestDifficulty(FigureSuite):
    entry = FIGURES["difficulty"]
    panels = 2


class TestCaps(FigureSuite):
    entry = FIGURES["caps"]
    panels = 2


class TestPolicies(FigureSuite):
    entry = FIGURES["policies"]
    panels = 2


def test_no_figure_of_a_profile_is_left_out():
    suites = (TestSolutionsAndCompute, TestSolutionsAndComputeByLevel, TestFrontiers, TestDifficulty, TestCaps)
    tested = [suite.entry for suite in (*suites, TestPolicies)]
    assert [FIGURES[name] for name in FIGURES.own if FIGURES[name].needs != "search"] == tested
