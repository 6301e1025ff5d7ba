from __future__ import annotations

import json

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import crossover, plateau, resampling_weights

S, V = 2 ** np.arange(7), 2 ** np.arange(3)
VOTES = np.minimum(0.5 + 0.03 * np.log2(S), 0.62)  # SC: three points a doubling, flat from 16 on


def verified(gap):
    """GenRM behind SC by `gap` at S=V=1, three points better for each doubling of S or V."""
    return 0.5 - gap + 0.03 * (np.log2(S)[:, None] + np.log2(V))


def found(surfaces, curves, weights=None):
    rows = resampling_weights(len(surfaces), 50, 0) if weights is None else weights
    return crossover(surfaces, S, V, curves, S, 1.0, rows)


def test_plateau_is_the_first_within_half_a_point():
    curves = [[0.30, 0.496, 0.5, 0.49], [0.5, 0.4, 0.4, 0.4], [0.1, 0.2, 0.3, 0.4]]
    assert plateau([1, 2, 4, 8], curves).tolist() == [2, 1, 8]
    assert plateau([1, 2, 4, 8], curves, tolerance=0.0).tolist() == [4, 1, 8]


def test_a_known_crossing_is_found():
    # SC is flat at 0.62 from S = 16 on. V=1 (at 2S) gets there at S = 64, for 128; V=2 (3S) at S = 32, for
    # 96; V=4 (5S) at S = 16, for 80.
    surfaces, curves = np.stack([verified(0.06)] * 4), np.stack([VOTES] * 4)
    result = found(surfaces, curves)
    assert result.budget == pytest.approx(80, rel=2 ** (1 / 16) - 1)
    assert result.budget >= 80
    assert result.interval == (result.budget, result.budget)
    assert result.probability == 1.0
    assert (result.gain[result.budgets >= result.budget] >= -1e-9).all()
    assert result.sc_measured_to == 64


def test_a_lead_that_is_lost_again_does_not_count():
    lead = np.full((2, 7, 3), 0.5)
    lead[:, :2] = 0.55
    result = found(lead, np.stack([VOTES] * 2))
    assert result.gain[0] > 0
    assert (result.budget, result.interval, result.probability) == (np.inf, (np.inf, np.inf), 0.0)


def test_a_crossing_that_only_some_replicates_see_has_an_infinite_end():
    surfaces = np.stack([verified(0.0), verified(0.2)])
    curves = np.stack([VOTES] * 2)
    weights = [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    result = found(surfaces, curves, weights)
    assert np.isfinite(result.interval[0])
    assert result.interval[1] == np.inf
    assert result.probability == pytest.approx(2 / 3)


def test_the_interval_covers_the_crossing():
    rng = np.random.default_rng(12)
    mean = verified(0.06)
    truth = found(np.stack([mean] * 2), np.stack([VOTES] * 2)).budget
    weights = resampling_weights(64, 300, seed=5)
    covered = []
    for _ in range(300):
        difficulty = rng.normal(0, 0.3, (64, 1))
        merit = rng.normal(0, 0.15, (64, 1, 1))  # how much verification helps on this problem
        surfaces = mean + difficulty[:, :, None] + merit + rng.normal(0, 0.01, (64, 7, 3))
        curves = VOTES + difficulty + rng.normal(0, 0.01, (64, 7))
        low, high = found(surfaces, curves, weights).interval
        covered.append(low <= truth <= high)
    assert 0.91 < np.mean(covered) < 0.985


def test_published_grid_of_the_paper(shared_data):
    published = json.loads((shared_data / "published_grids.json").read_text())["math128_llama8b"]
    surface = np.array([cell["success"] for cell in published["best_of_n"]]).reshape(1, 9, 6)
    knots = np.array([int(s) for s in published["self_consistency"]])
    curve = np.array(list(published["self_consistency"].values()))
    result = crossover(surface, 2 ** np.arange(9), 2 ** np.arange(6), curve[None], knots, 2.0, [[1.0]])
    # The paper says 8x, its plateau unstated; with cells a factor of two apart the rule gives 16x.
    assert 8 < result.budget / plateau(knots, curve) < 16


@pytest.mark.parametrize(
    ("surface", "curve", "sentence"),
    [
        (
            np.zeros((2, 7, 3)),
            np.zeros((3, 7)),
            "surface (P, nS, nV) and curve (P, n) must cover the same problems; got (2, 7, 3) and (3, 7).",
        ),
        (np.zeros((2, 7, 3)), np.zeros((2, 6)), "curve must have the shape (…, 7); got (2, 6)."),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(surface, curve, sentence):
    with pytest.raises(DataError) as caught:
        found(surface, curve)
    assert str(caught.value) == sentence
