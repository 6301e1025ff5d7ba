"""A model of how hard problems are, to extrapolate accuracies to more solutions than were sampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.bootstrap import compute_percentile_interval, resample_means
from isocompute.fits.estimators.selection import estimate_coverage
from isocompute.fits.estimators.voting import estimate_self_consistency
from isocompute.fits.laws.outvoting import compute_win_probability
from isocompute.fits.pool import Pool

_BOUND = 6.0  # of the logarithms of the parameters: data cannot distinguish a narrower or wider Beta from a limit
_NODES = 48, 32  # for p and r

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BetaBinomial:
    """The distribution of how hard a task's problems are, and of how their wrong answers spread.

    A solution is right with probability p ~ Beta(α, β), different for each problem. If it is not, it gives the
    problem's strongest wrong answer with probability r ~ Beta(c, d), independent of p, and otherwise an answer that
    no other solution gives.

    A real task may differ. Fitted on a quarter of the solutions and held against all of them (`check_extrapolation`),
    it is within 3 points on the traces of GPQA (64 problems, 32 of 128 solutions) for coverage and votes; on the lab
    (100 problems, 64 of 256) it is not: coverage at S = 256 is predicted 5.2 points too low [2.4, 9.7], votes 5.3 too
    high [-0.8, 11.2].

    Args:
        right: α, β.
        rival: c, d; None if no vote was modelled.
        reach: N, the solutions of each problem that it was fitted on. Up to there it can be checked; beyond, it rests
            on the shape of the Beta near p = 0, where the data say only that no solution was right.
        influence: (P, 2 or 4) what each problem moves the logarithms of the parameters by: the inverse information
            times its score; None where the parameters were given.
    """

    right: tuple[float, float]
    rival: tuple[float, float] | None
    reach: int
    influence: Floats | None = None

    def coverage(self, S: ArrayLike) -> Floats:
        """Probability that S solutions contain a right one: 1 - B(α, β+S) / B(α, β).

        Args:
            S: (n,) ≥ 1.

        Example:
            >>> BetaBinomial((1.0, 1.0), None, 64).coverage([1, 3])
            array([0.5 , 0.75])
        """
        from scipy.special import betaln

        alpha, beta = self.right
        return np.asarray(-np.expm1(betaln(alpha, beta + _check_sizes(S)) - betaln(alpha, beta)))

    def self_consistency(self, S: ArrayLike) -> Floats:
        """Accuracy of the majority vote over S solutions, ties uniform.

        The mean over p and r (Gauss-Jacobi) of the probability that the right answer gets more votes than its rival,
        plus half that of a tie. Where neither is given twice, all S answers differ, and each wins with
        probability 1/S: so that SC(1) = SC(2) = E p. Exact for each p and r up to S = 256; beyond, votes for the right
        answer minus votes for the rival are taken as normal with their mean and variance, which is within 0.001 of
        exact at 256 for parameters between 0.3 and 5. The quadrature is within 0.004 however large S is.

        Args:
            S: (n,) whole numbers ≥ 1.

        Raises:
            DataError: no vote was modelled.

        Example:
            >>> BetaBinomial((1.0, 1.0), (1.0, 1.0), 64).self_consistency([1, 2, 64]).round(3)
            array([0.5 , 0.5 , 0.69])
        """
        p, r, weight = self._mixture()
        return np.array([float((weight * compute_win_probability(p, r, int(size))).sum()) for size in _check_sizes(S)])

    def compute_limit(self) -> float:
        """Accuracy of the majority vote over ever more solutions: P(p > (1-p) r).

        Example:
            >>> round(BetaBinomial((1.0, 1.0), (1.0, 1.0), 64).compute_limit(), 4)
            0.6931
        """
        from scipy.special import betainc

        _, r, weight = self._mixture()
        return float((weight * betainc(*self.right[::-1], 1 / (1 + r))).sum())

    def warn_beyond_reach(self, S: float) -> str | None:
        """Return a warning about an extrapolation to S; None if S is within reach."""
        if self.reach >= S:
            return None
        return (
            f"S={S:,.0f} is {S / self.reach:,.3g} times the {self.reach} solutions that the difficulty of the problems "
            f"was fitted on: beyond {self.reach} the estimate rests on the Beta distribution, not on data."
        )

    def _mixture(self) -> tuple[Floats, Floats, Floats]:
        if self.rival is None:
            raise DataError("the model was fitted without wrong answers, so it cannot predict votes.")
        (p, in_p), (r, in_r) = (_beta_rule(n, *pair) for n, pair in zip(_NODES, (self.right, self.rival), strict=True))
        return p[:, None], r[None], in_p[:, None] * in_r


@dataclass(frozen=True, eq=False)
class ExtrapolationCheck:
    """The error of a model fitted on few solutions against what more solutions showed.

    Args:
        fitted_on: solutions of each problem that it was fitted on.
        S: (nS,).
        measured: (nS,) mean over problems, from the whole pool.
        predicted: (nS,) by the model.
        interval: low and high of predicted - measured, over problems.
    """

    fitted_on: int
    S: NDArray[np.int64]
    measured: Floats
    predicted: Floats
    interval: tuple[Floats, Floats]

    @property
    def error(self) -> Floats:
        """(nS,) predicted - measured."""
        return self.predicted - self.measured


def fit_beta_binomial(pool: Pool, solutions: int | None = None) -> BetaBinomial:
    """Fit the model by maximum likelihood to a pool's counts of right solutions, and of the strongest wrong answer.

    In the model a wrong answer that is given twice is the rival. Where none is given twice, the rival was given once or
    not at all, and either is possible. If other wrong answers repeat too, the largest count is taken, and r is
    somewhat too high.

    Args:
        pool: the sampled answers. An unparsed answer is wrong, and nobody's rival.
        solutions: use the first so many only.

    Raises:
        DataError: a single solution, or solutions that are all right or all wrong, which fit more than one Beta.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> right = rng.random((2000, 32)) < rng.beta(0.5, 1.0, (2000, 1))
        >>> model = fit_beta_binomial(Pool(np.where(right, 0, -1), np.zeros(2000, dtype=int)))
        >>> np.abs(np.subtract(model.right, (0.5, 1.0))).max() < 0.1
        np.True_
    """
    n = pool.solutions if solutions is None else solutions
    if not 2 <= n <= pool.solutions:
        raise DataError(f"solutions must lie between 2 and {pool.solutions}, those in the pool; got {n}.")
    right = pool.correct[:, :n].sum(axis=1)
    if not 0 < right.sum() < right.size * n:
        which = "every" if right.any() else "no"
        raise DataError(f"{which} solution of the pool is right, so its difficulty cannot be estimated.")
    wrong = np.where(pool.correct, -1, pool.answers)[:, :n]
    rival = np.array([np.unique(row[row >= 0], return_counts=True)[1].max(initial=0) for row in wrong])
    pairs, influences = [], []
    for votes, of, least in ((right, np.full_like(right, n), 0), (rival, n - right, 1)):
        if votes.max() > least:
            logs, influence = _fit_counts(votes, of, least)
            pairs.append((float(np.exp(logs[0])), float(np.exp(logs[1]))))
            influences.append(influence)
    return BetaBinomial(pairs[0], pairs[1] if len(pairs) > 1 else None, n, np.hstack(influences))


def resample_curve(model: BetaBinomial, curve: Callable[[BetaBinomial], Floats], weights: ArrayLike) -> Floats:
    """Return a curve of the model in replicates of its problems, without a new fit to each.

    The logarithms of the parameters move by the weighted mean of the problems' influence, and the curve's log-odds by
    their gradient times that (the infinitesimal jackknife; Efron & Tibshirani 1993, ch. 21).

    Args:
        model: from `fit_beta_binomial`.
        curve: (nS,) of the model, for instance ``lambda m: m.coverage(S)``.
        weights: (B, P) from `draw_bootstrap_weights`.

    Returns:
        (B, nS), within (0, 1).

    Raises:
        DataError: a model whose parameters were given, or weights for other problems.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> right = rng.random((300, 64)) < rng.beta(0.5, 1.0, (300, 1))
        >>> model = fit_beta_binomial(Pool(np.where(right, 0, -1), np.zeros(300, dtype=int)))
        >>> resample_curve(model, lambda m: m.coverage([16]), np.full((2, 300), 1 / 300)).shape
        (2, 1)
    """
    from scipy.special import expit, logit

    if model.influence is None:
        raise DataError("replicates need a model that was fitted to problems; this one's parameters were given.")

    def compute_log_odds(logs: Floats) -> Floats:
        pairs = [(float(a), float(b)) for a, b in np.exp(logs).reshape(-1, 2)]
        moved = BetaBinomial(pairs[0], pairs[1] if len(pairs) > 1 else None, model.reach)
        return np.asarray(logit(curve(moved)))

    at, step = np.log([*model.right, *(model.rival or ())]), 1e-4
    gradient = np.stack(
        [(compute_log_odds(at + e) - compute_log_odds(at - e)) / (2 * step) for e in step * np.eye(len(at))]
    )
    return np.asarray(expit(compute_log_odds(at) + resample_means(model.influence, weights) @ gradient))


def check_extrapolation(
    pool: Pool, S: ArrayLike, weights: ArrayLike, strategy: str = "coverage", level: float = 0.95
) -> ExtrapolationCheck:
    """Compare the model fitted on the first quarter of the solutions with what all of them show.

    Args:
        pool: the sampled answers, N ≥ 8 solutions of each problem.
        S: (nS,) whole numbers in 1..N.
        weights: (B, P) from `draw_bootstrap_weights`.
        strategy: "coverage" or "sc".
        level: of the intervals.

    Raises:
        DataError: too few solutions, or as `fit_beta_binomial` and the estimators.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> right = rng.random((300, 64)) < rng.beta(0.5, 1.0, (300, 1))
        >>> pool = Pool(np.where(right, 0, -1), np.zeros(300, dtype=int))
        >>> found = check_extrapolation(pool, [16, 64], np.full((2, 300), 1 / 300))
        >>> found.fitted_on, np.abs(found.error).max() < 0.02
        (16, np.True_)
    """
    if pool.solutions < 8:
        raise DataError(f"a comparison on held-out solutions needs at least 8 of each problem; got {pool.solutions}.")
    if strategy not in ("coverage", "sc"):
        raise DataError(f"the strategy must be 'coverage' or 'sc'; got {strategy!r}.")
    model = fit_beta_binomial(pool, pool.solutions // 4)
    measured = (estimate_coverage if strategy == "coverage" else estimate_self_consistency)(pool, S)

    def predict_curve(of: BetaBinomial) -> Floats:
        return of.coverage(S) if strategy == "coverage" else of.self_consistency(S)

    spread = resample_curve(model, predict_curve, weights) - resample_means(measured, weights)
    return ExtrapolationCheck(
        model.reach,
        np.asarray(S),
        measured.mean(axis=0),
        predict_curve(model),
        compute_percentile_interval(spread, level),
    )


def _check_sizes(S: ArrayLike) -> Floats:
    sizes = np.atleast_1d(np.asarray(S, dtype=float))
    if not (sizes >= 1).all():
        raise DataError(f"S must be at least 1; got {np.nanmin(sizes):g}.")
    return sizes


def _fit_counts(votes: NDArray[np.int64], of: NDArray[np.int64], least: int) -> tuple[Floats, Floats]:
    """Maximum likelihood of Beta-binomial counts, of which one of `least` or less is known only as that.

    Returns:
        (2,) logarithms of the parameters, (P, 2) each problem's influence on them.
    """
    from scipy.optimize import minimize

    pairs, where, times = np.unique(np.stack([votes, of]), axis=1, return_inverse=True, return_counts=True)
    hits, trials = pairs
    steps = 1e-4 * np.eye(2)

    def slopes(logs: Floats) -> Floats:
        ends = [(_log_likelihood(hits, trials, least, logs + step), _log_likelihood(hits, trials, least, logs - step))
                for step in steps]  # fmt: skip
        return np.stack([(up - down) / 2e-4 for up, down in ends], axis=1)

    found = minimize(
        lambda logs: -float(times @ _log_likelihood(hits, trials, least, logs)),
        np.zeros(2),
        jac=lambda logs: -(times @ slopes(logs)),
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * 2,
    ).x
    information = -np.stack([times @ (slopes(found + step) - slopes(found - step)) / 2e-4 for step in steps])
    return found, (slopes(found) @ np.linalg.pinv(information / times.sum()))[where.ravel()]


def _log_likelihood(hits: NDArray[np.int64], trials: NDArray[np.int64], least: int, logs: Floats) -> Floats:
    from scipy.special import betaln

    a, b = np.exp(logs)

    def log_chance(k: NDArray[np.int64]) -> Floats:
        ways = -np.log1p(trials) - betaln(k + 1, trials - k + 1)
        return np.asarray(ways + betaln(k + a, trials - k + b) - betaln(a, b))

    exactly = log_chance(hits)
    if least == 0:
        return exactly
    once = np.where(trials > 0, log_chance(np.minimum(1, trials)), -np.inf)
    return np.where(hits > least, exactly, np.logaddexp(log_chance(np.zeros_like(hits)), once))


@cache
def _beta_rule(n: int, a: float, b: float) -> tuple[Floats, Floats]:
    """Gauss-Jacobi nodes and weights for the mean over Beta(a, b)."""
    from scipy.special import roots_jacobi

    x, weight = roots_jacobi(n, b - 1, a - 1)
    return np.clip((x + 1) / 2, 1e-300, 1), weight / weight.sum()
