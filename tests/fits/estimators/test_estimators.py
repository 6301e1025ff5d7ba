"""Each estimator against enumeration, exact rationals, independent formulas and simulation."""

from __future__ import annotations

import itertools
import subprocess
import sys
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from isocompute.errors import DataError
from isocompute.fits import (
    Pool,
    estimate_best_of_n,
    estimate_coverage,
    estimate_genrm,
    estimate_self_consistency,
    rank_finished_first,
)
from isocompute.fits.estimators.quadrature import build_quadrature_rule, count_quadrature_nodes
from isocompute.fits.estimators.subsets import compute_binomials, group_subset_sizes

POWERS = 2 ** np.arange(9)


# --- by enumeration -------------------------------------------------------------------------------------


def vote(answers, gold):
    counts = {a: answers.count(a) for a in answers if a >= 0}
    tied = [a for a in counts if counts[a] == max(counts.values())]
    return (gold in tied) / len(tied) if tied else 0.0


def best(scores, right):
    tied = [r for s, r in zip(scores, right, strict=True) if s == max(scores)]
    return sum(tied) / len(tied)


def score(answer, verdicts):
    parsed = [v for v in verdicts if not np.isnan(v)]
    return Fraction(int(sum(parsed)), len(parsed)) if parsed and answer >= 0 else Fraction(0)


@pytest.mark.parametrize("seed", range(6))
def test_selections_and_votes_equal_enumeration(random_pool, seed):
    pool = random_pool(8, 7, answers=2 + seed % 3, unparsed=0.1 * seed, seed=seed)
    S = np.arange(1, 8)
    scores = np.random.default_rng(seed).integers(0, 3, pool.answers.shape)
    for p in range(pool.problems):
        answers, gold, right = pool.answers[p].tolist(), int(pool.gold[p]), pool.correct[p].tolist()
        for s in S:
            subsets = list(itertools.combinations(range(7), s))
            expected = np.mean(
                [
                    [
                        any(right[i] for i in subset),
                        vote([answers[i] for i in subset], gold),
                        best([scores[p, i] for i in subset], [right[i] for i in subset]),
                    ]
                    for subset in subsets
                ],
                axis=0,
            )
            assert estimate_coverage(pool, S)[p, s - 1] == pytest.approx(expected[0], abs=1e-12)
            assert estimate_self_consistency(pool, S)[p, s - 1] == pytest.approx(expected[1], abs=1e-12)
            assert estimate_best_of_n(scores, pool.correct, S)[p, s - 1] == pytest.approx(expected[2], abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_genrm_equals_enumeration_of_solutions_and_verdicts(random_pool, seed):
    pool = random_pool(5, 5, verifications=3, answers=2, unparsed=0.12 * seed, seed=seed)
    pool = Pool(pool.answers, pool.gold, pool.verdicts[:, :4])
    S, V = np.arange(1, 5), np.arange(1, 4)
    measured = estimate_genrm(pool, S, V)
    for p, s, v in itertools.product(range(pool.problems), S, V):
        wins = []
        for subset in itertools.combinations(range(4), s):
            draws = (itertools.combinations(pool.verdicts[p, i], v) for i in subset)
            right = [pool.correct[p, i] for i in subset]
            for drawn in itertools.product(*draws):
                scores = [score(pool.answers[p, i], d) for i, d in zip(subset, drawn, strict=True)]
                wins.append(best(scores, right))
        assert measured[p, s - 1, v - 1] == pytest.approx(np.mean(wins), abs=1e-12)


# --- in exact rationals ---------------------------------------------------------------------------------


def exact_vote(counts, right, unparsed, S):
    """The vote's accuracy from polynomials with integer coefficients, the ties counted one by one."""
    total = Fraction(0)
    for k in range(1, min(right, S) + 1):
        room = S - k
        ties = [[comb(unparsed, j) for j in range(room + 1)]]
        for n in counts:
            grown = [[0] * (room + 1) for _ in range(len(ties) + 1)]
            for t, poly in enumerate(ties):
                for m, value in enumerate(poly):
                    for j in range(min(k, n, room - m) + 1):
                        grown[t + (j == k)][m + j] += value * comb(n, j)
            ties = grown if any(grown[-1]) else grown[:-1]
        total += comb(right, k) * sum(Fraction(poly[room], t + 1) for t, poly in enumerate(ties))
    return total / comb(right + unparsed + sum(counts), S)


@pytest.mark.parametrize(
    ("right", "wrong", "unparsed"),
    [(20, [22, 15, 4, 1, 1], 1), (2, [2] * 31, 0), (1, [1] * 60, 3), (5, [5, 5, 5, 4, 4, 3, 3], 30)],
)
def test_votes_equal_exact_rationals_at_64(right, wrong, unparsed):
    codes = np.repeat(np.arange(-1, len(wrong) + 1), [unparsed, right, *wrong])
    S = [1, 2, 3, 8, 13, 21, 32]
    pool = Pool(codes[None], [0])
    expected = [float(exact_vote(wrong, right, unparsed, s)) for s in S]
    np.testing.assert_allclose(estimate_self_consistency(pool, S)[0], expected, rtol=0, atol=1e-12)


def exact_genrm(tallies, right, S, V):
    """GenRM's accuracy for verdicts without NaN: every tie by its size, no quadrature."""
    K, M = len(tallies), sum(tallies[0])
    chance = [[Fraction(comb(y, i) * comb(n, V - i), comb(M, V)) for i in range(V + 1)] for y, n in tallies]
    total = Fraction(0)
    for level in range(V + 1):
        # plain[t][m] and marked[t][m]: m solutions chosen, t at the level, none or one right one marked
        plain, marked = {(0, 0): Fraction(1)}, {}
        for p, good in zip(chance, right, strict=True):
            below, here = sum(p[:level]), p[level]
            grown, grown_marked = dict(plain), dict(marked)
            for (t, m), value in plain.items():
                if m < S:
                    grown[t, m + 1] = grown.get((t, m + 1), 0) + value * below
                    grown[t + 1, m + 1] = grown.get((t + 1, m + 1), 0) + value * here
                    if good:
                        grown_marked[t + 1, m + 1] = grown_marked.get((t + 1, m + 1), 0) + value * here
            for (t, m), value in marked.items():
                if m < S:
                    grown_marked[t, m + 1] = grown_marked.get((t, m + 1), 0) + value * below
                    grown_marked[t + 1, m + 1] = grown_marked.get((t + 1, m + 1), 0) + value * here
            plain, marked = grown, grown_marked
        total += sum(value / t for (t, m), value in marked.items() if m == S and value)
    return total / comb(K, S)


def test_votes_equal_exact_rationals_at_256():
    wrong = [85, 60, 14, 2, 2, 1]
    codes = np.repeat(np.arange(-1, 7), [12, 80, *wrong])
    S = [17, 50, 101]
    expected = [float(exact_vote(wrong, 80, 12, s)) for s in S]
    np.testing.assert_allclose(estimate_self_consistency(Pool(codes[None], [0]), S)[0], expected, rtol=0, atol=1e-12)


def test_genrm_equals_exact_rationals_at_64():
    rng = np.random.default_rng(7)
    answers = rng.integers(0, 2, (1, 64))
    verdicts = (rng.random((1, 64, 4)) < np.where(answers == 0, 0.8, 0.5)[..., None]).astype(float)
    yes = verdicts[0].sum(axis=1).astype(int).tolist()
    tallies = [(y, 4 - y) for y in yes]
    right = (answers[0] == 0).tolist()
    measured = estimate_genrm(Pool(answers, [0], verdicts), [3, 16], [1, 2])[0]
    for s, v in itertools.product(range(2), range(2)):
        expected = float(exact_genrm(tallies, right, [3, 16][s], [1, 2][v]))
        assert measured[s, v] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("S", [1, 2, 7, 36, 37, 64, 256])
def test_the_quadrature_is_exact_or_errs_below_1e_12(S):
    """An integrand Σ c_j t^j with c_j ≥ 0 integrates to at most 1, so c_j ≤ j+1 bounds the error."""
    nodes, weights = build_quadrature_rule(count_quadrature_nodes(S - 1))
    nodes, weights = [Fraction(float(x)) for x in nodes], [Fraction(float(w)) for w in weights]
    powers, worst = [Fraction(1)] * len(nodes), Fraction(0)
    for j in range(S):
        integral = sum((w * x for w, x in zip(weights, powers, strict=True)), Fraction(0))
        worst = max(worst, (j + 1) * abs(integral - Fraction(1, j + 1)))
        powers = [x * t for x, t in zip(powers, nodes, strict=True)]
    assert worst < 1e-12


@pytest.mark.parametrize("S", [512, 1024])
def test_the_quadrature_holds_for_large_subsets(S):
    nodes, weights = build_quadrature_rule(count_quadrature_nodes(S - 1))
    j = np.arange(S)
    error = np.abs((weights * nodes ** j[:, None]).sum(axis=1) - 1 / (j + 1)) * (j + 1)
    assert error.max() < 3e-12


# --- against other formulas at full size ----------------------------------------------------------------


def test_genrm_with_all_verdicts_is_best_of_n_on_their_mean(random_pool):
    pool = random_pool(6, 256, verifications=8, answers=4, seed=3)
    parsed = np.isfinite(pool.verdicts).sum(axis=2)
    mean = np.where(parsed > 0, np.nansum(pool.verdicts, axis=2) / np.maximum(parsed, 1), 0.0)
    mean[pool.answers == -1] = 0.0
    expected = estimate_best_of_n(mean, pool.correct, POWERS)
    np.testing.assert_allclose(estimate_genrm(pool, POWERS, [8])[:, :, 0], expected, rtol=0, atol=1e-11)


def test_large_pools_do_not_overflow():
    rng = np.random.default_rng(5)
    n, S = 3000, [1, 2, 31, 500, 1501, 2999, 3000]
    answers = (rng.random((2, n)) < 0.49).astype(int)
    assert len(list(group_subset_sizes(n, np.array(S)))) > 1
    verdicts = (rng.random((2, n, 1)) < 0.5).astype(float)
    pool = Pool(answers, [1, 0], verdicts)
    expected = estimate_best_of_n(verdicts[:, :, 0], pool.correct, S)
    np.testing.assert_allclose(estimate_genrm(pool, S, [1])[:, :, 0], expected, rtol=0, atol=1e-10)
    odd = [1, 31, 301]
    won = np.array([[hypergeom.sf(s // 2, n, c, s) for s in odd] for c in pool.correct.sum(axis=1)])
    np.testing.assert_allclose(estimate_self_consistency(pool, odd), won, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 64, 1000, 5000])
def test_every_size_has_one_tilt_under_which_it_is_likely_enough(n):
    S = np.unique(np.concatenate([[1, n], np.geomspace(1, n, 20).astype(int)]))
    served = np.concatenate([at for _, at in group_subset_sizes(n, S)])
    assert sorted(served) == list(range(len(S)))
    for q, at in group_subset_sizes(n, S):
        assert compute_binomials(n, n, q)[n, S[at]].min() > 1e-270


# --- properties -----------------------------------------------------------------------------------------


def test_one_solution_is_pass_at_1_and_coverage_bounds_every_selection(random_pool):
    pool = random_pool(30, 32, verifications=4, answers=4, seed=11)
    S, V = [1, 2, 5, 16, 32], [1, 3, 4]
    pass_at_1 = pool.correct.mean(axis=1)
    bound, voted, verified = estimate_coverage(pool, S), estimate_self_consistency(pool, S), estimate_genrm(pool, S, V)
    fixed = estimate_best_of_n(pool.verdicts[:, :, 0] == 1, pool.correct, S)
    for curve in (bound, voted, fixed, *verified.transpose(2, 0, 1)):
        np.testing.assert_allclose(curve[:, 0], pass_at_1, atol=1e-12)
        assert (curve <= bound + 1e-12).all()
        assert (curve >= 0).all()


def test_nothing_parsed_is_wrong():
    pool = Pool([[-1, -1, -1]], [0], np.ones((1, 3, 2)))
    assert estimate_self_consistency(pool, [1, 3]).tolist() == [[0, 0]]
    assert estimate_genrm(pool, [1, 3], [1, 2]).tolist() == [[[0, 0], [0, 0]]]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_order_and_names_do_not_matter(data):
    solutions = data.draw(st.integers(2, 12))
    answers = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=solutions, max_size=solutions)))
    verdicts = np.array(
        data.draw(
            st.lists(
                st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=3, max_size=3),
                min_size=solutions,
                max_size=solutions,
            )
        )
    )
    order = np.array(data.draw(st.permutations(range(solutions))))
    names = np.append(np.array(data.draw(st.permutations(range(4)))) + 10**12, -1)
    S, V = np.arange(1, solutions + 1), [1, 2, 3]
    pool = Pool(answers[None], [2], verdicts[None])
    other = Pool(names[answers[order]][None], [names[2]], verdicts[order][None, :, ::-1])
    np.testing.assert_allclose(estimate_self_consistency(pool, S), estimate_self_consistency(other, S), atol=1e-12)
    np.testing.assert_allclose(estimate_genrm(pool, S, V), estimate_genrm(other, S, V), atol=1e-12)
    np.testing.assert_array_equal(estimate_coverage(pool, S), estimate_coverage(other, S))


def test_votes_are_unbiased_for_fresh_samples():
    """The mean over many pools equals the accuracy of a vote over S independent solutions."""
    rng = np.random.default_rng(2)
    chance = np.array([0.35, 0.3, 0.25, 0.1])  # the last is unparsed
    codes = np.append(np.arange(3), -1)
    pool = Pool(codes[rng.choice(4, (4000, 10), p=chance)], np.zeros(4000, int))
    for s in (2, 3, 4):
        truth = sum(
            vote([int(codes[i]) for i in draw], 0) * chance[list(draw)].prod()
            for draw in itertools.product(range(4), repeat=s)
        )
        estimates = estimate_self_consistency(pool, [s])[:, 0]
        assert abs(estimates.mean() - truth) < 4 * estimates.std() / np.sqrt(len(estimates))


def test_genrm_is_unbiased_for_fresh_samples():
    rng = np.random.default_rng(4)
    right, yes = 0.4, np.array([0.5, 0.75])  # wrong, right
    answers = (rng.random((4000, 6)) < right).astype(int)
    verdicts = (rng.random((4000, 6, 5)) < yes[answers][..., None]).astype(float)
    estimates = estimate_genrm(Pool(answers, np.ones(4000, int), verdicts), [2], [3])[:, 0, 0]
    score_chance = np.array([[comb(3, i) * y**i * (1 - y) ** (3 - i) for i in range(4)] for y in yes])
    truth = 0.0
    for a, b, i, j in itertools.product((0, 1), (0, 1), range(4), range(4)):
        weight = np.prod([right if x else 1 - right for x in (a, b)]) * score_chance[a, i] * score_chance[b, j]
        truth += weight * best([i, j], [a, b])
    assert abs(estimates.mean() - truth) < 4 * estimates.std() / np.sqrt(len(estimates))


def test_the_package_loads_no_compiler():
    code = "import sys; from isocompute.fits import *; print({'numba', 'statsmodels', 'pandas'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "set()"


# --- refusals -------------------------------------------------------------------------------------------

POOL = Pool([[0, 1, 1]], [0], [[[1, 0], [0, 1]]])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: estimate_coverage(POOL, [4]), "S must lie between 1 and 3, the solutions in the pool; got 4."),
        (lambda: estimate_coverage(POOL, [0, 1]), "S must lie between 1 and 3, the solutions in the pool; got 0."),
        (lambda: estimate_coverage(POOL, []), "S must be a non-empty sequence of sizes; got an array of shape (0,)."),
        (lambda: estimate_coverage(POOL, 2), "S must be a non-empty sequence of sizes; got an array of shape ()."),
        (lambda: estimate_coverage(POOL, [1.5]), "S must hold integers; got [1.5]."),
        (
            lambda: estimate_self_consistency(POOL, [4]),
            "S must lie between 1 and 3, the solutions in the pool; got 4.",
        ),
        (lambda: estimate_self_consistency(POOL, ["2"]), "S must hold integers; got ['2']."),
        (
            lambda: estimate_genrm(POOL, [3], [1]),
            "S must lie between 1 and 2, the verified solutions in the pool; got 3.",
        ),
        (
            lambda: estimate_genrm(POOL, [2], [3]),
            "V must lie between 1 and 2, the verifications of each solution; got 3.",
        ),
        (
            lambda: estimate_genrm(POOL, [2], [0]),
            "V must lie between 1 and 2, the verifications of each solution; got 0.",
        ),
        (
            lambda: estimate_genrm(Pool([[0]], [0]), [1], [1]),
            "genrm needs a pool with verdicts of shape (problems, solutions, verifications).",
        ),
        (
            lambda: estimate_genrm(Pool([[0]], [0], [[[1, 0.25]]]), [1], [1]),
            "genrm is exact for verdicts 0, 1 or NaN only; got p(yes) = 0.25 at problem 0, solution 0, "
            "verification 1: threshold the verdicts first.",
        ),
        (
            lambda: estimate_best_of_n([[0.1, np.nan]], [[True, False]], [1]),
            "scores holds NaN at problem 0, solution 1: every solution needs a score.",
        ),
        (
            lambda: estimate_best_of_n([0.1, 0.2], [True, False], [1]),
            "scores must be numbers of shape (problems, solutions); got float64 (2,).",
        ),
        (
            lambda: estimate_best_of_n([[0.1, 0.2]], [[1, 0]], [1]),
            "correct must be booleans of shape (1, 2); got int64 (1, 2).",
        ),
        (
            lambda: estimate_best_of_n([[0.1, 0.2]], [[True, False]], [3]),
            "S must lie between 1 and 2, the solutions in the pool; got 3.",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("scores", "finished", "sentence"),
    [
        ([[0.5]], [[1]], "finished must be booleans of shape (1, 1); got int64 (1, 1)."),
    ],
)
def test_scores_that_put_nothing_in_order_are_refused(scores, finished, sentence):
    with pytest.raises(DataError) as caught:
        rank_finished_first(scores, finished)
    assert str(caught.value) == sentence
