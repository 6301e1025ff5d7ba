from __future__ import annotations

import json

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    build_listed_options,
    build_verified_options,
    build_voting_options,
    find_crossover,
    find_plateau,
    split_folds,
)

S, V = 2 ** np.arange(7), 2 ** np.arange(3)
VOTES = np.minimum(0.5 + 0.03 * np.log2(S), 0.62)  # SC: three points a doubling, flat from 16 on


def verified(gap):
    """GenRM behind SC by `gap` at S=V=1, three points better for each doubling of S or V."""
    return 0.5 - gap + 0.03 * (np.log2(S)[:, None] + np.log2(V))


def found(surfaces, curves):
    return find_crossover(
        build_verified_options(surfaces, S, V, 1.0), build_voting_options(curves, S), folds_of(surfaces)
    )


def folds_of(surfaces):
    return split_folds(len(surfaces), splits=4) if len(surfaces) > 1 else None


def test_a_known_crossing_is_found():
    # SC is flat at 0.62 from S = 16 on. V=1 (at 2S) gets there at S = 64, for 128; V=2 (3S) at S = 32, for
    # 96; V=4 (5S) at S = 16, for 80.
    result = found(np.stack([verified(0.06)] * 4), np.stack([VOTES] * 4))
    assert result.budget == pytest.approx(80, rel=2 ** (1 / 16) - 1)
    assert result.budget >= 80
    assert result.interval == (result.budget, result.budget)
    assert result.probability == 1.0
    assert (result.gain[result.budgets >= result.budget] >= -1e-9).all()
    assert result.other_highest_cost == 64


def test_a_lead_that_is_lost_again_does_not_count():
    lead = np.full((2, 7, 3), 0.5)
    lead[:, :2] = 0.55
    result = found(lead, np.stack([VOTES] * 2))
    assert result.gain[0] > 0
    assert (result.budget, result.interval, result.probability) == (np.inf, (np.inf, np.inf), 0.0)


def test_problems_that_disagree_leave_the_end_open():
    surfaces = np.stack([verified(0.0), verified(0.25), verified(0.02)])
    result = found(surfaces, np.stack([VOTES] * 3))
    assert result.interval[0] <= result.budget <= result.interval[1]
    assert result.interval[1] == np.inf
    assert 0.5 < result.probability < 0.975


def test_means_alone_have_a_crossing_and_no_interval():
    result = found(verified(0.06)[None], VOTES[None])
    assert result.budget == found(np.stack([verified(0.06)] * 2), np.stack([VOTES] * 2)).budget
    assert (result.interval, result.probability, result.gain_interval) == (None, None, None)


@pytest.mark.parametrize("gap", [0.06, 0.16])  # in range, at 80x; and never: two points behind at the end
def test_the_interval_covers_the_crossing(gap):
    rng = np.random.default_rng(12)
    truth = found(verified(gap)[None], VOTES[None]).budget
    assert np.isfinite(truth) == (gap == 0.06)
    covered = []
    for _ in range(60):
        difficulty = rng.normal(0, 0.3, (64, 1))
        merit = rng.normal(0, 0.15, (64, 1, 1))  # how much verification helps on this problem
        surfaces = verified(gap) + difficulty[:, :, None] + merit + rng.normal(0, 0.05, (64, 7, 3))
        low, high = found(surfaces, VOTES + difficulty + rng.normal(0, 0.05, (64, 7))).interval
        covered.append(low <= truth <= high)
    assert np.mean(covered) > 0.87  # of 95 %, which 60 worlds miss once in a thousand


def test_any_two_strategies_can_be_compared():
    deep = build_listed_options([[0.3, 0.8], [0.4, 0.6]], [4, 32], {"N": [4, 32]}, "beam")
    result = find_crossover(deep, build_voting_options([[0.5, 0.6], [0.5, 0.6]], [1, 64]))
    assert result.budget == pytest.approx(32)
    assert (result.budgets[0], result.budgets[-1]) == (4, 32)


def test_published_grid_of_the_paper(shared_data):
    published = json.loads((shared_data / "published_grids.json").read_text())["math128_llama8b"]
    surface = np.array([cell["success"] for cell in published["best_of_n"]]).reshape(1, 9, 6)
    knots = np.array([int(s) for s in published["self_consistency"]])
    curve = np.array(list(published["self_consistency"].values()))
    genrm = build_verified_options(surface, 2 ** np.arange(9), 2 ** np.arange(6), 2.0)
    result = find_crossover(genrm, build_voting_options(curve[None], knots))
    # The paper says 8x, its plateau unstated.
    assert 8 < result.budget / find_plateau(knots, curve) < 16


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: found(np.zeros((2, 7, 3)), np.zeros((3, 7))),
            "all options must cover the same problems; genrm has 2 of 3.",
        ),
        (lambda: found(np.zeros((2, 7, 3)), np.zeros((2, 6))), "curve must have the shape (…, 7); got (2, 6)."),
        (
            lambda: find_crossover(
                build_voting_options([[0.5]], [1]), build_listed_options([[0.5]], [4.0], {"N": [4]}, "beam")
            ),
            "sc was measured up to 1x only, where beam (from 4x on) cannot be afforded.",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence


def test_to_tie_is_not_to_overtake():
    votes = build_voting_options([[0.5, 0.5], [0.25, 0.25], [1.0, 1.0]], [1, 2])
    verified = build_verified_options([[[0.5], [0.5]], [[0.25], [0.25]], [[1.0], [1.0]]], [1, 2], [1], lam=1.0)
    found = find_crossover(verified, votes)
    assert (found.budget, found.interval, found.probability) == (np.inf, (np.inf, np.inf), 0.0)
    means = find_crossover(
        build_verified_options([[[0.5], [0.5]]], [1, 2], [1], lam=1.0), build_voting_options([[0.5, 0.5]], [1, 2])
    )
    assert means.budget == np.inf
