"""Every search of isocompute passes the suite that it ships."""

from __future__ import annotations

from isocompute.runners.search.registry import SEARCHES
from isocompute.testing import SearchSuite


class TestBeam(SearchSuite):
    entry = SEARCHES["beam"]


class TestDVTS(SearchSuite):
    entry = SEARCHES["dvts"]


class TestRebase(SearchSuite):
    entry = SEARCHES["rebase"]


class TestParticle(SearchSuite):
    entry = SEARCHES["particle"]


class TestRevise(SearchSuite):
    entry = SEARCHES["revise"]


def test_no_search_is_left_out():
    tested = [suite.entry for suite in (TestBeam, TestDVTS, TestRebase, TestParticle, TestRevise)]
    assert [SEARCHES[name] for name in SEARCHES.own] == tested
