"""Every search of isocompute passes the suite that it ships."""

from __future__ import annotations

from isocompute.runners.search.registry import SEARCH_STRATEGIES
from isocompute.testing import SearchSuite


class TestBeam(SearchSuite):
    entry = SEARCH_STRATEGIES["beam"]


class TestDVTS(SearchSuite):
    entry = SEARCH_STRATEGIES["dvts"]


class TestRebase(SearchSuite):
    entry = SEARCH_STRATEGIES["rebase"]


class TestParticle(SearchSuite):
    entry = SEARCH_STRATEGIES["particle"]


class TestRevise(SearchSuite):
    entry = SEARCH_STRATEGIES["revise"]


def test_no_search_is_left_out():
    tested = [suite.entry for suite in (TestBeam, TestDVTS, TestRebase, TestParticle, TestRevise)]
    assert [SEARCH_STRATEGIES[name] for name in SEARCH_STRATEGIES.own] == tested
