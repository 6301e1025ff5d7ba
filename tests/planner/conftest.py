"""A run of searches, for the tests of what they cost, what they reach and what is said of them."""

from __future__ import annotations

import pytest

from isocompute.runners.sampling.sweep import run_sweep

BEAMS = [
    {"strategy": "beam", "n": [2, 4], "width": 2, "rounds": 4, "seeds": 3},
    {"strategy": "beam", "n": [3], "width": 2, "rounds": 4, "select": "vanilla"},
    {"strategy": "rebase", "n": [3], "rounds": 4, "lookahead": 1},
]


@pytest.fixture
def searched_run(searching, stepping):
    """A run with a scored pool and searches, and no verifications."""
    engine, scorer = stepping()
    config = searching(searches=BEAMS, solutions=6, scored=4)
    run_sweep(config, load=engine, load_scorer=scorer)
    return config.run
