"""The fit of the model of answers to problems whose right answers are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import betaln, digamma, expit, gammaln, logit, logsumexp, softmax

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.answer_counts import AnswerCounts, count_answers
from isocompute.fits.policies.answer_model import AnswerModel
from isocompute.fits.pool import Pool

PRIOR_MODES = (0.8, 0.8, 0.25, 1.0, 0.8, 0.8, 0.4, 2.0)
"""Of a, b, d, θ, ra, rb, wa, wb. The prior is normal on their logs (on the logit of d)."""
PRIOR_DEVIATION = 1.5
FIT_STEPS = 400
LEAST_GAIN, LEAST_SHARE = 1e-3, 2.220446049250313e-09
"""The search ends when a step gains less than this in log P, or than this share of log P, which grows with verdicts."""
STEEP, MOST_SEARCHES = 100.0, 5
"""Another search begins where one ends at a steeper slope in a code, up to so many in all. Many verdicts make valleys
so narrow that a search, which remembers the slopes of its last steps, takes a short step for the last one."""
MOST_CODE = np.log(1e6)
"""Codes beyond this size count as this one, so that parameters, and ratios of d and of the shares of kinds, lie within
10⁻⁶ … 10⁶. A Beta of such numbers is its mean ± 0.001, or all at its ends. Between parameters that are larger still no
verdicts can tell, and differences of log Γ at them are rounding alone, which the search would take for likelihood."""


def fit_answer_model(pools: Pool | Sequence[Pool], kinds: int = 3) -> AnswerModel:
    """Fit the model of answers by maximum a posteriori.

    It maximises Σ_problems log Σ_kinds P(kind, solutions, verdicts, which answer is right), plus the log of the prior.
    All solutions and verdicts of the pools are used. The result does not depend on how they are listed. Without any
    parsed answer it is the prior's mode.

    Args:
        pools: problems whose right answers are known, with or without verdicts.
        kinds: K.

    Raises:
        DataError: fewer than one kind.
    """
    if kinds < 1:
        raise DataError(f"kinds must be at least 1; got {kinds}.")
    counts = _join_counts([count_answers(pool) for pool in ([pools] if isinstance(pools, Pool) else pools)])
    likelihood, start = _Likelihood(counts), _start_parameters(kinds, 1.0)
    share = LEAST_GAIN / max(likelihood.compute_loss(start)[0], 1.0)
    for _ in range(MOST_SEARCHES):
        found = minimize(
            likelihood.compute_loss,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": FIT_STEPS, "ftol": min(share, LEAST_SHARE)},
        )
        start = found.x
        if np.abs(found.jac).max() <= STEEP:
            break
    read = counts.yes.sum() + counts.no.sum()
    return AnswerModel(_decode_parameters(start), float(read / (read + counts.unread)) if counts.unread else 1.0)


def _join_counts(parts: list[AnswerCounts]) -> AnswerCounts:
    """Return the counts of all parts, their problems in the order of what is counted."""
    each = [
        np.stack([part.is_right, part.votes, part.yes, part.no])[:, part.problem == p]
        for part in parts
        for p in range(part.problems)
    ]
    each.sort(key=lambda table: (table.shape[1], table.tobytes()))
    is_right, votes, yes, no = np.concatenate(each, axis=1)
    problem = np.repeat(np.arange(len(each)), [table.shape[1] for table in each])
    unread = sum(part.unread for part in parts)
    return AnswerCounts(problem, votes, yes, no, is_right.astype(bool), len(each), unread)


def _start_parameters(kinds: int, spread: float) -> NDArray[np.float64]:
    """Return (9K,) coded parameters: the prior's modes, with kinds whose solutions are right more or less often."""
    coded = np.tile(np.append(_code_modes(), 0.0), (kinds, 1))
    easier = spread * np.linspace(1, -1, kinds) if kinds > 1 else np.zeros(1)
    coded[:, 0] += easier
    coded[:, 1] -= easier
    return coded.ravel()


def _code_modes() -> Floats:
    modes = np.log(PRIOR_MODES)
    modes[2] = logit(PRIOR_MODES[2])
    return np.asarray(modes)


def _decode_parameters(coded: Floats) -> Floats:
    """Return the (K, 9) table of coded parameters, within the limits of `MOST_CODE`."""
    coded = np.clip(coded, -MOST_CODE, MOST_CODE).reshape(-1, 9)
    table = np.exp(coded)
    table[:, 2] = expit(coded[:, 2])
    table[:, 8] = softmax(coded[:, 8])
    return np.asarray(table)


class _Likelihood:
    """The posterior's negative logarithm and its gradient. Equal counts are computed once."""

    def __init__(self, counts: AnswerCounts) -> None:
        right, problems = counts.is_right, counts.problems
        self.total = np.bincount(counts.problem, counts.votes, problems)
        self.right = np.bincount(counts.problem[right], counts.votes[right], problems)
        self.right_yes = np.bincount(counts.problem[right], counts.yes[right], problems)
        self.right_no = np.bincount(counts.problem[right], counts.no[right], problems)
        self.answers = np.bincount(counts.problem[~right], minlength=problems)  # wrong ones
        self.votes, self.with_votes = _count_rows(counts.votes[~right, None], counts.problem[~right], problems)
        said = np.stack([counts.yes, counts.no], axis=1)[~right]
        self.said, self.with_said = _count_rows(said, counts.problem[~right], problems)

    def compute_loss(self, coded: Floats) -> tuple[float, Floats]:
        """Return the loss and its (9K,) gradient in the coded parameters."""
        table = _decode_parameters(coded)
        likelihood = np.empty((len(table), len(self.total)))
        slopes = np.empty((len(table), 8, len(self.total)))
        for k, row in enumerate(table):
            likelihood[k], slopes[k] = self._compute_kind(row)
        joint = likelihood + np.log(table[:, 8:])
        each = logsumexp(joint, axis=0)
        belongs = np.exp(joint - each)  # (K, P)
        scale = table[:, :8].copy()  # from the slope in a parameter to that in its code
        scale[:, 2] *= 1 - table[:, 2]
        slope = np.empty_like(table)
        slope[:, :8] = np.einsum("kp,kcp->kc", belongs, slopes) * scale
        slope[:, 8] = belongs.sum(axis=1) - len(self.total) * table[:, 8]
        slope[np.abs(coded.reshape(-1, 9)) > MOST_CODE] = 0.0  # the prior alone goes on
        off = coded.reshape(-1, 9) - np.append(_code_modes(), 0.0)
        slope -= off / PRIOR_DEVIATION**2
        return float((off**2).sum() / (2 * PRIOR_DEVIATION**2) - each.sum()), -slope.ravel()

    def _compute_kind(self, row: Floats) -> tuple[Floats, Floats]:
        """Return (P,) the log likelihood in a kind, and its (8, P) slopes in the parameters."""
        a, b, d, theta, ra, rb, wa, wb = row[:8]
        slopes = np.empty((8, len(self.total)))
        wrong = self.total - self.right
        votes, slopes[0], slopes[1] = _compute_beta(a, b, self.right, wrong)
        said_right, slopes[4], slopes[5] = _compute_beta(ra, rb, self.right_yes, self.right_no)
        said, by_wa, by_wb = _compute_beta(wa, wb, self.said[:, 0], self.said[:, 1])
        slopes[6], slopes[7] = self.with_said @ by_wa, self.with_said @ by_wb
        n = self.votes[:, 0]
        repeats = self.with_votes @ (gammaln(n - d) - gammaln(1 - d))
        m, some = self.answers, self.answers > 0
        ratio = theta / d
        steps = digamma(ratio + m) - digamma(ratio)
        new = m * np.log(d) + gammaln(ratio + m) - gammaln(ratio) - np.log(theta)
        partition = np.where(some, new - gammaln(theta + np.maximum(wrong, 1)) + gammaln(theta + 1), 0.0)
        slopes[2] = some * (m / d - ratio / d * steps) + self.with_votes @ (digamma(1 - d) - digamma(n - d))
        slopes[3] = some * (steps / d - 1 / theta - digamma(theta + np.maximum(wrong, 1)) + digamma(theta + 1))
        return votes + said_right + self.with_said @ said + repeats + partition, slopes


def _compute_beta(a: float, b: float, yes: Ints | Floats, no: Ints | Floats) -> tuple[Floats, Floats, Floats]:
    """Return the log probability of yes and no in their order under Beta(a, b), and its slopes in a and b."""
    both = digamma(a + b) - digamma(a + b + yes + no)
    return (
        betaln(a + yes, b + no) - betaln(a, b),
        digamma(a + yes) - digamma(a) + both,
        digamma(b + no) - digamma(b) + both,
    )


def _count_rows(values: Ints, problem: Ints, problems: int) -> tuple[Ints, csr_matrix]:
    """Return the different rows of values, and (P, rows) how often each problem has them."""
    rows, at = np.unique(values, axis=0, return_inverse=True)
    return rows, csr_matrix((np.ones(len(at)), (problem, at.ravel())), shape=(problems, len(rows)))
