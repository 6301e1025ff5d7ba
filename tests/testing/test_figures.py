"""Every figure of isocompute that a profile gives passes the suite that it ships."""

from __future__ import annotations

import pytest

from isocompute.figures.literature import read_published_results
from isocompute.figures.registry import FIGURES
from isocompute.figures.source import FigureSource
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.profile import read_profile
from isocompute.planner.profile.subset import select_problems
from isocompute.runners.storage.run import Run
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


class TestSurface(FigureSuite):
    entry = FIGURES["surface"]


class TestAllocationLaw(FigureSuite):
    entry = FIGURES["allocation_law"]
    panels = 2


class TestCrossover(FigureSuite):
    entry = FIGURES["crossover"]
    panels = 2


class TestRegret(FigureSuite):
    entry = FIGURES["regret"]

    def load_source(self):
        return FigureSource(select_problems(read_profile("lab"), range(0, 100, 10)))


class TestModels(FigureSuite):
    entry = FIGURES["models"]
    panels = 2

    def load_input(self):
        return [read_profile("lab-both-small"), read_profile("lab-both-large")]


class TestSearchByN(FigureSuite):
    entry = FIGURES["search_by_n"]
    panels = 6

    def load_source(self):
        return FigureSource(read_profile("lab-search"))


class TestDifficultyBars(FigureSuite):
    entry = FIGURES["difficulty_bars"]
    panels = 2


class TestVerifier(FigureSuite):
    entry = FIGURES["verifier"]
    panels = 2


class TestStepScores(FigureSuite):
    entry = FIGURES["step_scores"]
    panels = 2

    def load_source(self):
        run = Run("data/runs/lab-search")
        return FigureSource(read_profile("lab-search"), run, read_pool(run))


class TestPublished(FigureSuite):
    entry = FIGURES["published"]
    panels = 3

    def load_input(self):
        return read_published_results()


def test_no_figure_of_a_profile_is_left_out():
    suites = [each for each in globals().values() if isinstance(each, type) and each.__module__ == __name__]
    tested = {suite.entry.name for suite in suites}
    assert tested == {name for name in FIGURES.own if FIGURES[name].needs != "search"}
