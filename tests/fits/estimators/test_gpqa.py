"""The estimators on real traces (Llama-3.3-70B on GPQA), against what their authors published."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.beta_binomial import check_extrapolation
from isocompute.fits import (
    Pool,
    compute_percentile_interval,
    draw_bootstrap_weights,
    estimate_genrm,
    estimate_self_consistency,
    resample_means,
)


@pytest.fixture
def traces(shared_data):
    return np.load(shared_data / "gpqa64_llama70b_raw.npz")


@pytest.fixture
def published(shared_data):
    return json.loads((shared_data / "published_grids.json").read_text())["gpqa64_llama70b"]


@pytest.fixture
def pool(traces):
    # 3,102 of the 131,072 scores are p(yes), not 0 or 1; at the threshold 1/2 they become verdicts.
    scores = traces["scores"].astype(float)
    verdicts = np.where(np.isnan(scores), np.nan, scores > 0.5)
    return Pool(traces["answers"], traces["gold"], verdicts)


def test_best_of_n_grid(pool, published):
    S, V = 2 ** np.arange(7), 2 ** np.arange(6)
    ours = estimate_genrm(pool, S, V).mean(axis=0)
    theirs = np.array([[c["success"] for c in published["best_of_n"] if c["S"] == s] for s in S])
    assert theirs.shape == ours.shape
    assert np.abs(ours - theirs).max() < 0.03
    assert np.abs(ours - theirs)[:, V == 32].max() < 0.007


def test_self_consistency_curve(pool, published):
    theirs = published["self_consistency"]
    ours = estimate_self_consistency(pool, [int(s) for s in theirs]).mean(axis=0)
    assert np.abs(ours - list(theirs.values())).max() < 0.02


def test_the_paper_s_gain_is_within_the_noise_of_64_problems(pool):
    gain = estimate_genrm(pool, [64], [32])[:, 0, 0] - estimate_self_consistency(pool, [64])[:, 0]
    low, high = compute_percentile_interval(resample_means(gain, draw_bootstrap_weights(64, 4000, seed=0)))
    assert low < 0 < high
    assert gain.mean() == pytest.approx(0.024, abs=0.01)


@pytest.mark.parametrize("strategy", ["coverage", "sc"])
def test_a_model_of_difficulty_fitted_on_32_solutions_agrees_with_128(pool, strategy):
    found = check_extrapolation(pool, [32, 64, 128], draw_bootstrap_weights(64, 1000, seed=0), strategy)
    low, high = found.interval
    assert found.fitted_on == 32
    assert ((low < 0) & (high > 0)).all()
    assert (np.abs(found.error) < 0.03).all()
