"""The fused vote: between self-consistency and the best verdict, and its trust learnt on other problems."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    Pool,
    estimate_fused_vote,
    estimate_genrm_vote,
    estimate_self_consistency,
    estimate_weighted_vote,
    fit_fused_vote,
    split_folds,
)
from isocompute.fits.choice.held_out import Folds
from isocompute.fits.estimators.fused import ODDS_EXPONENTS


def world(problems: int, solutions: int, verdicts: int, rng: np.random.Generator, told: float = 0.8) -> Pool:
    """Five answers a problem, the right one mostly ahead; a right solution is judged so with probability `told`."""
    answers = np.stack([rng.choice(5, solutions, p=rng.dirichlet([1.2, 0.5, 0.5, 0.5, 0.5])) for _ in range(problems)])
    right = answers == 0
    rate = np.where(rng.random(right.shape) < told, right, ~right) * 0.9 + 0.05  # verdicts of a solution agree
    return Pool(answers, np.zeros(problems, dtype=int), (rng.random((*right.shape, verdicts)) < rate[..., None]) * 1.0)


def by_enumeration(pool: Pool, S: int, V: int, trust: float) -> float:
    """Over all subsets of solutions and of the verdicts of each, for one problem."""
    total, count = 0.0, 0
    choices = [list(combinations(row, V)) for row in pool.verdicts[0]]
    for subset in combinations(range(pool.verified_solutions), S):
        for picked in np.ndindex(*(len(choices[i]) for i in subset)):
            weight: dict[int, float] = {}
            for i, at in zip(subset, picked, strict=True):
                drawn = [v for v in choices[i][at] if not np.isnan(v)]
                odds = (sum(drawn) + 0.1) / (len(drawn) - sum(drawn) + 0.1)
                if pool.answers[0, i] >= 0:
                    weight[pool.answers[0, i]] = weight.get(pool.answers[0, i], 0.0) + odds**trust
            top = [a for a, w in weight.items() if w > max(weight.values()) * (1 - 1e-9)]
            total += (pool.gold[0] in top) / max(1, len(top))
            count += 1
    return total / count


@pytest.mark.parametrize("trust", [0.0, 0.7, 3.0])
@pytest.mark.parametrize(("S", "V"), [(1, 1), (2, 2), (3, 1), (4, 2)])
def test_it_is_what_enumeration_gives_within_its_error(S, V, trust):
    verdicts = [[[1, 0, 1], [0, 0, 1], [0.5, 0.25, np.nan], [1, 1, 0]]]
    pool = Pool([[0, 1, 1, 2]], [0], verdicts)
    found = estimate_fused_vote(pool, [S], [V], trust, draws=3000, seed=1)
    assert found.accuracy.item() == pytest.approx(by_enumeration(pool, S, V, trust), abs=4 * found.error.item() + 1e-9)


def test_without_trust_it_is_self_consistency():
    pool = world(6, 24, 4, np.random.default_rng(0))
    found = estimate_fused_vote(pool, [1, 4, 24], [1, 4], 0.0, draws=400, seed=0)
    exact = estimate_self_consistency(pool, [1, 4, 24])[:, :, None]
    assert (np.abs(found.accuracy - exact) <= 4.5 * found.error + 1e-9).all()


def test_with_the_most_trust_it_is_the_best_verdict_with_ties_by_vote():
    pool = world(6, 24, 4, np.random.default_rng(1))
    found = estimate_fused_vote(pool, [1, 4, 24], [1, 4], ODDS_EXPONENTS[-1], draws=400, seed=0)
    exact = estimate_genrm_vote(pool, [1, 4, 24], [1, 4])
    assert (np.abs(found.accuracy - exact) <= 4.5 * found.error + 0.005).all()  # what is rare may not be drawn


@pytest.mark.parametrize("told", [0.5, 0.7, 0.9])
def test_it_is_about_as_good_as_the_better_of_votes_and_verdicts(told):
    pool = world(300, 24, 4, np.random.default_rng(2), told)
    both = fit_fused_vote(pool, [8, 16], [2], split_folds(300), draws=16, seed=0).estimate.accuracy.mean(axis=0)[:, 0]
    votes, verdicts = estimate_self_consistency(pool, [8, 16]), estimate_genrm_vote(pool, [8, 16], [2])[:, :, 0]
    assert (both > np.maximum(votes.mean(axis=0), verdicts.mean(axis=0)) - 0.01).all()


@pytest.mark.parametrize(("told", "trusts"), [(0.5, {0.0, 0.1, 0.25}), (1.0, set(ODDS_EXPONENTS[4:]))])
def test_the_trust_is_what_the_verifier_deserves(told, trusts):
    pool = world(400, 16, 4, np.random.default_rng(3), told)
    assert fit_fused_vote(pool, [4, 16], [4], split_folds(400, splits=2), draws=64, seed=0).odds_exponent in trusts


def test_a_problem_is_scored_under_the_trust_of_the_others():
    """Two halves whose verifiers are right and wrong: each half learns the other's trust, and fares badly by it."""
    rng = np.random.default_rng(4)
    good, bad = world(60, 16, 4, rng, told=0.95), world(60, 16, 4, rng, told=0.05)
    pool = Pool(*(np.concatenate([getattr(good, a), getattr(bad, a)]) for a in ("answers", "gold", "verdicts")))
    half = np.arange(120) < 60
    crossed = Folds(np.array([half, ~half]), np.array([~half, half]))
    learnt = fit_fused_vote(pool, [8], [4], crossed, draws=16, seed=0)
    assert learnt.held_out_exponents[0] > 0.5
    assert learnt.held_out_exponents[1] == 0.0
    own = estimate_fused_vote(bad, [8], [4], learnt.held_out_exponents[0], draws=16, seed=0).accuracy.mean()
    assert learnt.estimate.accuracy[~half].mean() == pytest.approx(own, abs=0.03)
    assert own < estimate_self_consistency(bad, [8]).mean() - 0.1


def test_learning_it_in_sample_would_flatter():
    """Verdicts say nothing: whatever trust the held-out problems would like best is luck."""
    flattered, honest = [], []
    for seed in range(30):
        pool = world(12, 12, 2, np.random.default_rng(seed), told=0.5)
        tried = [
            estimate_fused_vote(pool, [6], [2], trust, draws=32, seed=0).accuracy.mean() for trust in ODDS_EXPONENTS
        ]
        flattered.append(max(tried) - tried[0])
        honest.append(fit_fused_vote(pool, [6], [2], split_folds(12), 32, 0).estimate.accuracy.mean() - tried[0])
    assert np.mean(flattered) > 0.01
    assert np.mean(honest) < np.std(honest) / np.sqrt(30)


def test_the_same_seed_gives_the_same_bytes():
    pool = world(4, 8, 2, np.random.default_rng(5))
    first, again = (fit_fused_vote(pool, [4], [1, 2], split_folds(4), 8, seed=7) for _ in range(2))
    assert first.estimate.accuracy.tobytes() == again.estimate.accuracy.tobytes()
    assert first.estimate.error.tobytes() == again.estimate.error.tobytes()
    assert estimate_weighted_vote(pool, [4], [1], 8, seed=7).accuracy.shape == (4, 1, 1)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda pool: estimate_fused_vote(pool, [1], [1], -1.0, 2, 0), "trust must lie between 0 and 50; got -1.0."),
        (lambda pool: estimate_fused_vote(Pool([[0]], [0]), [1], [1], 1.0, 2, 0), "fused needs a pool with verdicts"),
        (
            lambda pool: fit_fused_vote(pool, [1], [1], split_folds(5), 2, 0),
            "folds must score each of the pool's 4 problems",
        ),
    ],
)
def test_what_cannot_be_is_refused(act, said):
    with pytest.raises(DataError, match=said):
        act(world(4, 4, 2, np.random.default_rng(0)))
