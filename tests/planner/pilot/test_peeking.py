"""Sweeps that stop early, in a few of the worlds of docs/pilots.md: what they state holds."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.advice.pilots import LAMBDA, THRESHOLDS, draw_normal_world, replay_sweep
from isocompute.planner.pilot.tasks import build_typical_model

WORLDS = 80


@pytest.fixture(scope="module")
def stops():
    model = build_typical_model(LAMBDA)
    return [replay_sweep(model, draw_normal_world(model, i), np.random.default_rng(i)) for i in range(WORLDS)]


def test_intervals_hold_after_a_stop(stops):
    for threshold in THRESHOLDS:
        leads = [held for each in stops for held in each[threshold].leads]
        assert np.mean(leads) > 0.85
        assert np.mean([each[threshold].accuracy for each in stops]) > 0.85


def test_the_stated_regret_is_about_the_regret_that_happens(stops):
    for threshold in (*THRESHOLDS, 0.0):
        stated, regret = (np.mean([getattr(each[threshold], key) for each in stops]) for key in ("stated", "regret"))
        assert abs(stated - regret) < 0.003


def test_a_lower_threshold_takes_more_problems(stops):
    problems = [np.mean([each[threshold].problems for each in stops]) for threshold in (*THRESHOLDS, 0.0)]
    assert problems == sorted(problems)
    assert problems[-1] == 228
