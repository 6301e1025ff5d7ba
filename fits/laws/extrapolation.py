"""Accuracy of more solutions than were sampled, by the model that predicts best on held-out solutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.bootstrap import compute_t_interval
from isocompute.fits.estimators.selection import estimate_coverage
from isocompute.fits.estimators.voting import estimate_self_consistency, label_answers, sum_by_problem
from isocompute.fits.laws.outvoting import compute_win_probability
from isocompute.fits.pool import Pool

MIN_EXTRAPOLATED_SOLUTIONS = 16
"""With fewer solutions of each problem, a quarter of them shows too little of how votes fall."""
EXTRAPOLATION_METHODS = {
    "mixture": "a nonparametric distribution of how hard problems are",
    "plug-in": "each problem's own shares of answers",
    "dirichlet": "each problem's own shares of answers, uncertain as a Dirichlet distribution",
    "curve": "a power curve through the measured accuracies",
    "beta": "a Beta distribution of how hard problems are",
}
"""The models, each with its description."""

_CHECKS = (4, 2)  # models are fitted on each quarter and each half of the solutions, and predict for all
_DRAWS = 200  # samples of votes for each problem and S
_NODES = 33, 17  # for the probability p of the right answer and the share r of the rival in the rest
_ROUNDS = 100  # of EM; the likelihood is flat near its maximum, and more rounds only make the distribution rougher
_CURVE_EXPONENTS = np.geomspace(0.1, 3, 60)
_ROUNDING_ERROR = 1e-20  # a sum of squares up to this is taken for zero

Predictor = Callable[[Pool, Ints], Floats]


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """Accuracies at numbers of solutions beyond those that were sampled.

    Args:
        S: (nS,) numbers of solutions.
        accuracy: (P, nS) of each problem.
        method: one of `EXTRAPOLATION_METHODS`.
        error: root mean square of the method's errors in the mean accuracy, fitted on a quarter or a half of the
            solutions and held against all of them: the error to expect at two to four times the measured S. The method
            is the one with the least, so it is a little too low.
        errors: the same of every method, by name.
        measured_to: N, the number of solutions of each problem.
    """

    S: NDArray[np.int64]
    accuracy: Floats
    method: str
    error: float
    errors: Mapping[str, float]
    measured_to: int

    def compute_interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Compute intervals (nS,) of the mean accuracy: Student's over problems, widened by the method's error.

        Half the width is √(h² + e²), with h that of Student's interval, and e = h's share of a normal error of size
        `error`, 1.96 · error at 95 %.
        """
        from scipy.special import ndtri

        low, high = compute_t_interval(self.accuracy, level)
        reach = np.hypot((high - low) / 2, ndtri((1 + level) / 2) * self.error)
        middle = self.accuracy.mean(axis=0)
        return np.maximum(middle - reach, 0.0), np.minimum(middle + reach, 1.0)


def extrapolate_accuracy(pool: Pool, S: ArrayLike) -> Extrapolation:
    """Predict the accuracy of a majority vote over more solutions than were sampled.

    Four models are fitted on each quarter and each half of the solutions, and predict the accuracy of all N. The one
    whose mean accuracies were off least is fitted on all solutions:

    - mixture: the right answer has probability p, and its strongest rival (1-p)r, with (p, r) from a distribution on a
      grid that is estimated by EM (the nonparametric maximum likelihood of Kiefer & Wolfowitz 1956); a problem's
      accuracy is the mean over its posterior.
    - plug-in: votes are drawn with replacement from the problem's own answers.
    - dirichlet: the same, with shares drawn from a Dirichlet distribution whose parameters are the counts of answers.
    - curve: a + b·S^-c, fitted to the mean accuracies at powers of two from S = 2.

    The same answers give the same bytes in any order of problems.

    Args:
        pool: the sampled answers, N ≥ 16 of each problem.
        S: (nS,) whole numbers ≥ N.

    Raises:
        DataError: too few solutions, or an S below N.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> right = rng.random((200, 64)) < rng.beta(2, 2, (200, 1))
        >>> found = extrapolate_accuracy(Pool(np.where(right, 0, 1), np.zeros(200, dtype=int)), [256])
        >>> found.method in EXTRAPOLATION_METHODS, found.error < 0.05
        (True, True)
    """
    return _extrapolate(pool, S, build_voting_predictors(), estimate_self_consistency)


def build_voting_predictors() -> dict[str, Predictor]:
    """Return the models of a vote's accuracy: functions of a pool and (nS,) numbers of solutions, by name."""
    return {
        "mixture": _predict_by_mixture,
        "plug-in": partial(_predict_by_votes, uncertain=False),
        "dirichlet": partial(_predict_by_votes, uncertain=True),
        "curve": partial(_predict_by_curve, estimate_self_consistency),
    }


def extrapolate_coverage(pool: Pool, S: ArrayLike) -> Extrapolation:
    """Predict the share of problems that at least one of S solutions solves, beyond the solutions that were sampled.

    A problem that one of the sampled solutions solves stays solved. Methods, arguments and errors are otherwise those
    of `extrapolate_accuracy`, with p from a Beta distribution (maximum likelihood) in place of Dirichlet shares.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> right = rng.random((200, 64)) < rng.beta(0.5, 2, (200, 1))
        >>> found = extrapolate_coverage(Pool(np.where(right, 0, 1), np.zeros(200, dtype=int)), [128, 256])
        >>> found.accuracy.shape, bool((np.diff(found.accuracy.mean(axis=0)) >= 0).all())
        ((200, 2), True)
    """
    return _extrapolate(pool, S, build_coverage_predictors(), estimate_coverage)


def build_coverage_predictors() -> dict[str, Predictor]:
    """Return the models of coverage, as `build_voting_predictors`."""
    models: dict[str, Predictor] = {
        "mixture": _predict_coverage_by_mixture,
        "plug-in": _predict_coverage_by_share,
        "curve": partial(_predict_by_curve, estimate_coverage),
        "beta": _predict_coverage_by_beta,
    }
    return {name: partial(_keep_solved, model) for name, model in models.items()}


def _extrapolate(pool: Pool, S: ArrayLike, methods: dict[str, Predictor], measure: Predictor) -> Extrapolation:
    N, sizes = pool.solutions, np.atleast_1d(np.asarray(S))
    if N < MIN_EXTRAPOLATED_SOLUTIONS:
        raise DataError(
            f"extrapolation needs at least {MIN_EXTRAPOLATED_SOLUTIONS} solutions of each problem; got {N}."
        )
    if sizes.dtype.kind not in "iu" or sizes.ndim != 1 or not sizes.size or sizes.min() < N:
        raise DataError(f"S must be whole numbers from {N}, the measured solutions; got {S!r}.")
    missed: dict[str, list[float]] = {name: [] for name in methods}
    all_of_them = np.array([N])
    truth = _average_problems(measure(pool, all_of_them))
    for parts in _CHECKS:
        for part in range(parts):
            own = Pool(pool.answers[:, part * (N // parts) : (part + 1) * (N // parts)], pool.gold)
            for name, predict in methods.items():
                missed[name].append(_average_problems(predict(own, all_of_them)) - truth)
    errors = {name: float(np.sqrt(np.mean(np.square(each)))) for name, each in missed.items()}
    best = min(errors, key=lambda name: round(errors[name], 9))
    accuracy = np.clip(methods[best](pool, sizes.astype(np.int64)), 0, 1)
    return Extrapolation(sizes.astype(np.int64), accuracy, best, errors[best], errors, N)


def _average_problems(accuracy: Floats) -> float:
    """Return the mean of (P, 1) accuracies, to the same bits in any order of problems."""
    return math.fsum(accuracy.ravel().tolist()) / accuracy.size


def _count_votes(pool: Pool) -> tuple[Ints, Ints, Ints]:
    """Return counts (rows, 1+A) of the right and the wrong answers, of unparsed ones, and the problem of each row."""
    rows, problem_of_row = pool.split_right_answers()
    _, counts = label_answers(rows, rows.solutions)
    return counts, rows.solutions - counts.sum(axis=1), problem_of_row


def _average_over_mixture(log_likelihood: Floats, values: Floats) -> Floats:
    """Return each row's posterior mean of some values under the mixing distribution that EM finds on a grid.

    Args:
        log_likelihood: (rows, nodes) of each row's counts.
        values: (nodes, nS) at the nodes of the grid.

    Returns:
        (rows, nS).
    """
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    # Equal rows are computed once, and in the order of their values, so that the order of problems changes no bit.
    unique, back, times = np.unique(likelihood, axis=0, return_inverse=True, return_counts=True)
    weight = np.full(likelihood.shape[1], 1 / likelihood.shape[1])
    for _ in range(_ROUNDS):
        posterior = unique * weight
        posterior /= posterior.sum(axis=1, keepdims=True)
        weight = times @ posterior / times.sum()
    posterior = unique * weight
    posterior /= posterior.sum(axis=1, keepdims=True)
    return np.asarray((posterior @ values)[back.ravel()])


def _build_nodes(n: int) -> Floats:
    """Return n values in (0, 1), closer together towards the ends."""
    return np.asarray(np.clip(np.sin(np.linspace(0, np.pi / 2, n)) ** 2, 1e-6, 1 - 1e-6))


def _predict_by_mixture(pool: Pool, S: Ints) -> Floats:
    counts, unparsed, problem_of_row = _count_votes(pool)
    p, r = (grid.ravel() for grid in np.meshgrid(*map(_build_nodes, _NODES), indexing="ij"))
    right, rival = counts[:, 0, None], counts[:, 1, None]
    rest = (counts[:, 2:].sum(axis=1) + unparsed)[:, None]
    wins = np.stack([compute_win_probability(p, r, int(size)) for size in S], axis=1)
    likelihood = right * np.log(p) + rival * np.log((1 - p) * r) + rest * np.log((1 - p) * (1 - r))
    return sum_by_problem(_average_over_mixture(likelihood, wins), problem_of_row)


def _predict_by_votes(pool: Pool, S: Ints, uncertain: bool) -> Floats:
    counts, unparsed, problem_of_row = _count_votes(pool)
    found = np.empty((len(counts), len(S)))
    for row, (own, unread) in enumerate(zip(counts, unparsed, strict=True)):
        answers = own[: max(1, int((own[1:] > 0).sum()) + 1)]  # the right one, then the wrong ones that occur
        if own[0] == 0 or own[0] == own.sum() + unread:
            found[row] = float(own[0] > 0)
            continue
        shares = np.append(answers, unread).astype(float)
        rng = np.random.default_rng([*answers.tolist(), int(unread)])  # by content, whatever the order of problems
        drawn = rng.standard_gamma(np.tile(shares, (_DRAWS, 1))) if uncertain else np.tile(shares, (_DRAWS, 1))
        drawn /= drawn.sum(axis=1, keepdims=True)
        for column, size in enumerate(S):
            votes = rng.multinomial(int(size), drawn)[:, :-1]
            top = votes.max(axis=1, keepdims=True)
            wins = np.asarray((votes[:, 0] == top[:, 0]) & (top[:, 0] > 0))
            found[row, column] = (wins / (votes == top).sum(axis=1)).mean()
    return sum_by_problem(found, problem_of_row)


def _predict_by_curve(measure: Predictor, pool: Pool, S: Ints) -> Floats:
    at = np.append(2 ** np.arange(1, int(np.log2(pool.solutions)) + 1), pool.solutions)
    measured = measure(pool, at)
    mean = np.array([_average_problems(column) for column in measured.T])
    last, level = measured[:, -1:], mean[-1]
    at, mean = at[:-1].astype(float), mean[:-1]
    fits = []
    for exponent in _CURVE_EXPONENTS:
        solve = np.linalg.pinv(np.stack([np.ones(len(at)), at**-exponent], axis=1))
        height, slope = solve @ mean
        missed = float(np.square(height + slope * at**-exponent - mean).sum())
        # Two points fit every exponent, up to rounding errors. Ties go to the largest, which gains least beyond them.
        fits.append((max(missed, _ROUNDING_ERROR), -exponent, height, slope))
    _, opposite, height, slope = min(fits)
    exponent = -opposite
    target = np.clip(height + slope * S.astype(float) ** -exponent, 0, 1)
    # The curve is one of means. What it gains over the last measured mean goes to the problems in proportion to what
    # they lack, what it loses in proportion to what they have.
    up, down = np.maximum(target - level, 0), np.maximum(level - target, 0)
    return np.asarray(last + (1 - last) * up / max(1 - level, 1e-12) - last * down / max(level, 1e-12))


def _keep_solved(predict: Predictor, pool: Pool, S: Ints) -> Floats:
    solved = np.asarray(pool.correct.any(axis=1))[:, None]
    return np.asarray(np.maximum(predict(pool, S), solved))


def _predict_coverage_by_mixture(pool: Pool, S: Ints) -> Floats:
    right, p = pool.correct.sum(axis=1)[:, None], _build_nodes(8 * _NODES[0])
    likelihood = right * np.log(p) + (pool.solutions - right) * np.log1p(-p)
    return _average_over_mixture(likelihood, -np.expm1(S * np.log1p(-p)[:, None]))


def _predict_coverage_by_share(pool: Pool, S: Ints) -> Floats:
    return np.asarray(1 - (1 - pool.correct.mean(axis=1)[:, None]) ** S)


def _predict_coverage_by_beta(pool: Pool, S: Ints) -> Floats:
    """Return 1 - B(α+c, β+n-c+S) / B(α+c, β+n-c) of each problem, with c right ones of n solutions."""
    from scipy.optimize import minimize
    from scipy.special import betaln

    right = pool.correct.sum(axis=1)
    wrong = pool.solutions - right
    counts, times = np.unique(right, return_counts=True)

    def compute_loss(logs: Floats) -> float:
        alpha, beta = np.exp(logs)
        return float(-(times * (betaln(counts + alpha, pool.solutions - counts + beta) - betaln(alpha, beta))).sum())

    alpha, beta = np.exp(minimize(compute_loss, np.zeros(2), method="L-BFGS-B", bounds=[(-6.0, 6.0)] * 2).x)
    a, b = right[:, None] + alpha, wrong[:, None] + beta
    return np.asarray(-np.expm1(betaln(a, b + S) - betaln(a, b)))
