"""Expected accuracy of Best-of-N with a generative verifier: S solutions with V verifications each."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.estimators.quadrature import build_quadrature_rule, build_quadrature_rules, count_quadrature_nodes
from isocompute.fits.estimators.subsets import check_subset_sizes, compute_binomials, group_subset_sizes
from isocompute.fits.estimators.voting import label_answers, sum_by_problem
from isocompute.fits.pool import Pool
from isocompute.fits.verdict_codes import VerdictTallies

# Subset sizes share an evaluation as long as each is at least exp(-2) as likely as the most likely one. A value read
# off a circle has a fixed absolute error, and is divided by the probability of its size.
_SHARED_TILT_DEPTH = 2.0
# The most cells of the score levels of the kinds of some problems, so that they fit into memory.
_LEVEL_CELLS = 2**23
# Terms below this probability are skipped; it is small compared with rounding errors.
_NEGLIGIBLE = 1e-16

# What `estimate_genrm_vote` returned for each pool in use: it is also the known mean of a control variate.
_KNOWN: WeakKeyDictionary[Pool, dict[tuple[tuple[int, ...], tuple[int, ...]], NDArray[np.float64]]]
_KNOWN = WeakKeyDictionary()


def estimate_genrm(pool: Pool, S: ArrayLike, V: ArrayLike) -> NDArray[np.float64]:
    """Compute the expected accuracy of the best mean verdict among S solutions with V verifications (GenRM Best-of-N).

    Draws S of the K verified solutions without replacement, and V of the verdicts of each (all if it has fewer). A
    solution's score is the mean of its parsed verdicts; it is 0 without a parsed verdict or a parsed answer. The
    highest score wins; ties are broken uniformly among solutions. This follows Singhi et al. 2025 (arXiv 2504.01005),
    whose estimate takes the first V verdicts instead. Exact: with B_j = P(score_j < ℓ) and p_j = P(score_j = ℓ),

        Σ_ℓ Σ_i right_i p_i ∫₀¹ e_{S-1}({B_j + t·p_j}, j ≠ i) dt / C(K, S)

    where e is the elementary symmetric polynomial and the integral breaks ties. All terms are positive.
    Gauss-Legendre with min(⌈S/2⌉, 3√S) nodes is exact to rounding up to S = 36, to 1e-12 at S = 256 and to 3e-12 at
    S = 1024.

    Args:
        pool: sampled answers with verdicts 0, 1 or NaN.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.

    Returns:
        (P, nS, nV) accuracies. S=1 is the fraction of right solutions at every V.

    Raises:
        DataError: no verdicts, verdicts between 0 and 1, or S or V empty, not integers, or out of range.

    Example:
        >>> pool = Pool(answers=[[0, 1]], gold=[0], verdicts=[[[1, 1], [1, 0]]])
        >>> estimate_genrm(pool, S=[1, 2], V=[1, 2])[0]
        array([[0.5 , 0.5 ],
               [0.75, 1.  ]])
    """
    from isocompute.fits.estimators.kernels import count_selection_wins

    kind_counts, kind_of_solution = _group_solutions(pool, "genrm")
    S = check_subset_sizes(S, pool.verified_solutions, "S", "verified solutions in the pool")
    V = check_subset_sizes(V, pool.verifications, "V", "verifications of each solution")
    correct = pool.correct[:, : pool.verified_solutions]
    order = np.lexsort((kind_of_solution, correct), axis=1)  # wrong solutions first
    kind_of_solution = np.take_along_axis(kind_of_solution, order, axis=1)
    wrong = pool.verified_solutions - correct.sum(axis=1)
    accuracy = np.empty((pool.problems, len(S), len(V)))
    for v, size in enumerate(V.tolist()):
        for part, kinds, below, at_level in _split_by_levels(kind_counts, kind_of_solution, size):
            for q, at in group_subset_sizes(pool.verified_solutions, S):
                largest = int(S[at].max())
                subsets = compute_binomials(pool.verified_solutions, largest, q)[pool.verified_solutions, S[at]]
                nodes, weights = build_quadrature_rule(count_quadrature_nodes(largest - 1))
                wins = count_selection_wins(kinds, wrong[part], below, at_level, nodes, weights, S[at], q)
                accuracy[part, at, v] = wins / subsets
    return np.minimum(accuracy, 1.0)


def estimate_genrm_vote(pool: Pool, S: ArrayLike, V: ArrayLike) -> NDArray[np.float64]:
    """Compute the expected accuracy of a vote among the solutions that tie for the best mean verdict (genrm+vote).

    Draws and scores are those of `estimate_genrm`. The most frequent answer of the tied solutions wins; ties among
    answers are broken uniformly. Unparsed answers have score 0: they cost but never win. Exact: at score level ℓ,
    with B_i = P(score_i < ℓ) and p_i = P(score_i = ℓ), let A_a(z; j) be the polynomial in the size of the subset
    for exactly j solutions of answer a at the level and its others below: the coefficient of x^j in
    Π_i [1 + (B_i + p_i·x)·z] over its solutions. The right answer wins with k votes in

        Σ_ℓ Σ_k A_right(z; k) · (1+z)^u · Π_wrong [Σ_{j<k} A_a(z; j) + y·A_a(z; k)],

    with u unparsed solutions, and ∫₀¹ dy for the ties as in `estimate_self_consistency`. The coefficient of z^S is
    computed as a mean over a circle. Its radius makes size S likely, so few points are enough. Levels and k that
    contribute less than 1e-16 are skipped; the value at the circle's positive point bounds the values at all others.

    Args:
        pool: sampled answers with verdicts 0, 1 or NaN.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.

    Returns:
        (P, nS, nV) accuracies, to about 1e-12. S=1 is the fraction of right solutions at every V.

    Raises:
        DataError: no verdicts, verdicts between 0 and 1, or S or V empty, not integers, or out of range.

    Example:
        >>> pool = Pool(answers=[[0, 0, 1]], gold=[0], verdicts=[[[1], [1], [1]]])
        >>> estimate_genrm(pool, S=[3], V=[1]).round(4), estimate_genrm_vote(pool, S=[3], V=[1])
        (array([[[0.6667]]]), array([[[1.]]]))
    """
    _require_verdicts(pool, "genrm_vote")
    S = check_subset_sizes(S, pool.verified_solutions, "S", "verified solutions in the pool")
    V = check_subset_sizes(V, pool.verifications, "V", "verifications of each solution")
    known, sizes = _KNOWN.setdefault(pool, {}), (tuple(S.tolist()), tuple(V.tolist()))
    if sizes not in known:
        known[sizes] = _compute_genrm_vote(pool, S, V)
    return known[sizes].copy()


def _compute_genrm_vote(pool: Pool, S: NDArray[np.int64], V: NDArray[np.int64]) -> NDArray[np.float64]:
    from isocompute.fits.estimators.kernels_tied import compute_tied_vote_wins

    pool, problem_of_row = pool.split_right_answers()
    kind_counts, kind_of_solution = _group_solutions(pool, "genrm_vote")
    label, counts = label_answers(pool, pool.verified_solutions)
    # By answer, unparsed ones last, and by kind, so that the order of the solutions does not change a byte.
    order = np.lexsort((kind_of_solution, np.where(label == -1, counts.shape[1], label)), axis=1)
    kind_of_solution = np.take_along_axis(kind_of_solution, order, axis=1)
    accuracy = np.empty((pool.problems, len(S), len(V)))
    for q, at in group_subset_sizes(pool.verified_solutions, S, _SHARED_TILT_DEPTH):
        z, read, rarest = _build_circle(pool.verified_solutions, S[at], q)
        largest = int(S[at].max())
        nodes, weights = build_quadrature_rules(count_quadrature_nodes(largest))
        for v, size in enumerate(V.tolist()):
            wins = [
                compute_tied_vote_wins(
                    kinds, counts[part], below, at_level, z, q, largest, _NEGLIGIBLE * rarest, nodes, weights
                )
                for part, kinds, below, at_level in _split_by_levels(kind_counts, kind_of_solution, size)
            ]
            accuracy[:, at, v] = (np.concatenate(wins) @ read).real  # at once, so that rounding is the same
    return np.clip(sum_by_problem(accuracy, problem_of_row), 0.0, 1.0)


def _build_circle(
    n: int, S: NDArray[np.int64], q: float
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], float]:
    """Return the points to evaluate a polynomial of Bernoulli(q) subsets at, and the weights that give its S-terms.

    The mean of F(z)·z^-S over m roots of unity is the coefficient of z^S plus those of S ± m, S ± 2m, …; m is the
    smallest for which the latter are negligible. F has real coefficients, so half the circle is enough.

    Returns:
        z: (m//2 + 1,) points, the first is 1; read: (m//2 + 1, nS), where the real part of F(z) @ read is the share of
        S-subsets; the probability of the rarest S.
    """
    # The probabilities of the sizes 0 … n, with zeros on both sides so that S - m and S + m are always valid indices.
    chance = np.concatenate([np.zeros(n + 1), compute_binomials(n, n, q)[n], np.zeros(n + 1)])
    at = S + n + 1  # the positions of the sizes S
    m = next(m for m in range(1, n + 2) if (chance[at - m] + chance[at + m] <= _NEGLIGIBLE * chance[at]).all())
    turn = np.arange(m // 2 + 1)
    # A point off the real axis stands for its conjugate too, which is not evaluated.
    multiplicity = np.where((turn == 0) | (2 * turn == m), 1, 2)
    z = np.exp(2j * np.pi * turn / m)
    # turn · S is reduced modulo m while it is an integer: the angle stays small, and its rounding error with it.
    read = multiplicity[:, None] * np.exp(-2j * np.pi * (np.outer(turn, S) % m) / m) / (m * chance[at])
    return z, read, float(chance[at].min())


def _require_verdicts(pool: Pool, estimator: str) -> tuple[VerdictTallies, NDArray[np.int64]]:
    if pool.tallies is None or pool.judged is None:
        raise DataError(f"{estimator} needs a pool with verdicts of shape (problems, solutions, verifications).")
    return pool.tallies, pool.judged


def _group_solutions(pool: Pool, estimator: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group solutions by their verdicts.

    Returns:
        (T, 3) counts of yes, no and unparsed verdicts of each kind of solution; (P, K) the kind of each solution.
        Solutions with an unparsed answer count as without verdicts: 0, 0, 0.
    """
    tallies, judged = _require_verdicts(pool, estimator)
    if pool.has_probabilities:
        codes = np.asarray(pool.verdict_codes)
        p, k, m = np.argwhere((codes > 0) & (codes < 1))[0]
        raise DataError(
            f"{estimator} is exact for verdicts 0, 1 or NaN only; got p(yes) = {codes[p, k, m]} at problem {p}, "
            f"solution {k}, verification {m}: threshold the verdicts first."
        )
    tally = np.stack([tallies.yes, tallies.no, judged])
    tally[2] -= tally[0] + tally[1]  # verdicts that are neither yes nor no could not be parsed
    tally[:, pool.answers[:, : pool.verified_solutions] == -1] = 0
    # Three counts become one integer, because np.unique is faster on integers than on rows.
    box = (tallies.verifications + 1,) * 3
    found, kind = np.unique(np.ravel_multi_index(tuple(tally), box).ravel(), return_inverse=True)
    return np.stack(np.unravel_index(found, box), axis=1), kind.reshape(judged.shape)


def _split_by_levels(
    kinds: NDArray[np.int64], kind_of_solution: NDArray[np.int64], V: int
) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Yield parts of the problems with `_compute_score_levels` of their kinds, so that the levels fit into memory.

    Yields:
        The part, the rows of its solutions (P, K) in the levels, and the levels.
    """
    most = max(V, int(kinds.sum(axis=1).max()))
    cells = V * V  # more than there are levels, about V² · 3/π²
    problems = len(kind_of_solution)
    size = problems
    if len(kinds) * cells > _LEVEL_CELLS:
        size = max(1, _LEVEL_CELLS // (min(kind_of_solution.shape[1], len(kinds)) * cells))
    for start in range(0, problems, size):
        part = slice(start, start + size)
        used, rows = np.unique(kind_of_solution[part], return_inverse=True)
        yield part, rows.reshape(-1, kind_of_solution.shape[1]), *_compute_score_levels(kinds[used], V, most)


def _compute_score_levels(
    kinds: NDArray[np.int64], V: int, most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the score distribution of each kind of solution under a random V-subset of its verdicts.

    A kind with m verdicts gets i yes and j no, hence the score i/(i+j), with probability
    C(yes, i) C(no, j) C(unparsed, V-i-j) / C(m, V). If it has fewer than V verdicts, all m are taken.

    Args:
        kinds: (T, 3) counts of yes, no and unparsed.
        V: size of the subset.
        most: at least V and the largest number of verdicts; of the same one, equal kinds have the same bytes.

    Returns:
        below, at: (T, L) probabilities of a score less than, and equal to, each level that occurs.
    """
    # Every pair of i yes and j no; several pairs can have the same score, such as 1 of 2 and 2 of 4.
    i, j = np.indices((V + 1, V + 1))
    inside = i + j <= V
    i, j = i[inside], j[inside]
    values, level = np.unique(i / np.maximum(i + j, 1), return_inverse=True)
    ways = compute_binomials(most, V, V / (most + 1))  # the tilt cancels in the ratio below
    at = np.empty((len(kinds), len(values)))
    for t, (yes, no, unparsed) in enumerate(kinds):
        verdicts = yes + no + unparsed
        drawn = min(V, verdicts)
        joint = ways[yes, i] * ways[no, j] * ways[unparsed, np.maximum(drawn - i - j, 0)] / ways[verdicts, drawn]
        joint[i + j > drawn] = 0.0  # more yes and no than verdicts are drawn
        at[t] = np.bincount(level, joint, len(values))
    at = np.ascontiguousarray(at[:, at.any(axis=0)])  # otherwise the kernels are compiled again for each layout
    return np.cumsum(at, axis=1) - at, at
