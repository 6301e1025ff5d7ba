"""What is chosen on some problems is reported on others.

In these worlds all options are truly the same, so whoever scores a choice on the problems it was made on reports a gain
that is not there. The gain of every public function that selects and reports must be 0 on average, to within its
standard error, and that of its optimistic twin must not.
"""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.fits import (
    build_verified_options,
    build_voting_options,
    choose_compute_optimal,
    draw_bootstrap_weights,
    find_crossover,
    score_in_sample,
    score_single_choice,
    split_folds,
)

S, V, P, WORLDS = [1, 2, 4, 8], [1, 2, 4], 40, 60
DEAREST = 8 * (1 + 4.0)
HALF = 0.5  # what every option truly reaches on average


def noise(world):
    """A curve and a surface of nothing but noise about each problem's own ease."""
    rng = np.random.default_rng(world)
    ease = rng.uniform(0.35, 0.65, P)
    ease += HALF - ease.mean()  # the problems' mean is known, so that all that is left is the choice's gain
    return ease[:, None] + rng.normal(0, 0.1, (P, 4)), ease[:, None, None] + rng.normal(0, 0.1, (P, 4, 3))


def both(world):
    curve, surface = noise(world)
    return build_voting_options(curve, S), build_verified_options(surface, S, V, 1.0)


def crossed(world):
    """The gain at the end of the range, where the one strategy has many options more to choose from."""
    votes, verified = both(world)
    gain = find_crossover(verified, votes, split_folds(P, splits=4)).gain[-1]
    flattering = score_in_sample([votes, verified], [DEAREST]).accuracy
    return gain, flattering[1].mean() - flattering[0].mean()


def binned(world):
    """The gain of choosing for each of four levels that say nothing."""
    options, levels = list(both(world)), np.arange(P) % 4
    weights = draw_bootstrap_weights(P, 10, 0)
    folds = split_folds(P, splits=4)
    single = score_single_choice(options, [DEAREST], folds)
    found = choose_compute_optimal(options, levels[None], single, [DEAREST], weights, problems=folds)
    return found.gain[0], found.by_difficulty.optimistic[0] - found.one_for_all.optimistic[0]


@pytest.mark.parametrize("select_and_report", [crossed, binned])
def test_nothing_is_gained_where_there_is_nothing_to_gain(select_and_report):
    honest, optimistic = np.array([select_and_report(world) for world in range(WORLDS)]).T
    assert abs(honest.mean()) < 3 * honest.std() / np.sqrt(WORLDS)
    assert optimistic.mean() > 5 * optimistic.std() / np.sqrt(WORLDS)
