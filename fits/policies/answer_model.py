"""A model of votes and verdicts with few parameters, which says how probable it is that each answer is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, gammaln, logsumexp

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats

COLUMNS = ("a", "b", "d", "theta", "ra", "rb", "wa", "wb", "share")
"""The parameters of a kind of problems."""


@dataclass(frozen=True, eq=False)
class AnswerModel:
    """A mixture of K kinds of problems, which say how votes and verdicts arise.

    In a problem of a kind

    - a solution is right with probability p ~ Beta(a, b);
    - wrong answers repeat as in a Pitman–Yor process with discount d and concentration θ: after n wrong solutions with
      m different answers, the next wrong one repeats an answer with v votes with probability (v - d)/(θ + n), and has a
      new answer with probability (θ + dm)/(θ + n) (Pitman & Yor 1997);
    - a verdict on a right solution says yes with probability q ~ Beta(ra, rb), one on a solution with a wrong answer
      with a probability drawn for this answer from Beta(wa, wb).

    Verdicts on solutions with the same answer are exchangeable: what counts is how many of them said yes. A problem's
    right answer is one answer. Unparsed answers and unreadable verdicts say nothing.

    Args:
        table: (K, 9) the columns `COLUMNS`: a, b, θ, ra, rb, wa, wb > 0, 0 < d < 1, and the share of the kind.
        read: share of the verdicts that could be read, in [0, 1]; 1 where there were none.

    Raises:
        DataError: a wrong shape, or a parameter out of range.

    Example:
        >>> model = AnswerModel(np.array([[1, 1, 0.2, 1, 4, 1, 1, 4, 1.0]]), read=1.0)
        >>> right, unseen = model.compute_right_probabilities(votes=[2, 2], yes=[2, 0], no=[0, 2])
        >>> right.round(3).tolist(), round(unseen, 3)
        ([0.945, 0.009], 0.045)
    """

    table: Floats
    read: float

    def __post_init__(self) -> None:
        table = np.array(self.table, dtype=float)
        if table.ndim != 2 or not len(table) or table.shape[1] != len(COLUMNS):
            raise DataError(f"table must have the shape (kinds, {len(COLUMNS)}); got {table.shape}.")
        if not (np.isfinite(table) & (table > 0)).all():
            raise DataError("the parameters of the model of answers must be positive numbers.")
        if not (table[:, 2] < 1).all():
            raise DataError("the discount d must be less than 1.")
        if abs(table[:, 8].sum() - 1) > 1e-6:
            raise DataError(f"the shares of the kinds must sum to 1; got {table[:, 8].sum():g}.")
        if not 0 <= self.read <= 1:
            raise DataError(f"the share of verdicts that can be read must lie in [0, 1]; got {self.read:g}.")
        table.setflags(write=False)
        object.__setattr__(self, "table", table)

    @property
    def kinds(self) -> int:
        """K, the number of kinds."""
        return len(self.table)

    def compute_log_joint(self, votes: ArrayLike, yes: ArrayLike, no: ArrayLike) -> tuple[Floats, Floats]:
        """Return the log probability of a problem's kind, right answer, solutions and verdicts in their order.

        Args:
            votes: (A,) of each answer.
            yes: (A,) verdicts on its solutions that say yes.
            no: (A,) those that say no.

        Returns:
            joint: (K, A) answer a is the right one; -∞ for an answer without votes.
            none: (K,) none of them is.
        """
        n, yes, no = (np.asarray(each, dtype=float) for each in (votes, yes, no))
        a, b, d, theta, ra, rb, wa, wb, share = (column[:, None] for column in self.table.T)
        is_seen = n > 0
        total, answers = n.sum(), is_seen.sum()
        if not answers:
            return np.full((self.kinds, len(n)), -np.inf), np.log(share[:, 0])
        repeats = np.where(is_seen, gammaln(np.maximum(n, 1) - d) - gammaln(1 - d), 0.0)
        said = betaln(wa + yes, wb + no) - betaln(wa, wb)

        def compute_partition(wrong: Floats, many: Floats) -> Floats:
            """Log probability that wrong solutions have many answers, without the answers' repeats."""
            new = many * np.log(d) + gammaln(theta / d + many) - gammaln(theta / d)  # Π (θ + d i), i < many
            found = new - np.log(theta) - gammaln(theta + wrong) + gammaln(theta + 1)
            return np.asarray(np.where(many > 0, found, 0.0))

        of_wrong = compute_partition(np.full(1, total), np.full(1, float(answers))) + (repeats + said).sum(
            axis=1, keepdims=True
        )
        none = np.log(share) + betaln(a, b + total) - betaln(a, b) + of_wrong
        others = compute_partition(total - n, np.full(len(n), answers - 1.0))
        others = others + (repeats + said).sum(axis=1, keepdims=True) - repeats - said
        right = betaln(a + n, b + total - n) - betaln(a, b) + betaln(ra + yes, rb + no) - betaln(ra, rb)
        joint = np.where(is_seen, np.log(share) + right + others, -np.inf)
        return np.asarray(joint), np.asarray(none[:, 0])

    def compute_right_probabilities(self, votes: ArrayLike, yes: ArrayLike, no: ArrayLike) -> tuple[Floats, float]:
        """Return (A,) P(right) of each answer, and the probability that the right answer was not yet seen."""
        joint, none = self.compute_log_joint(votes, yes, no)
        whole = logsumexp(np.concatenate([joint.ravel(), none]))
        return np.exp(logsumexp(joint, axis=0) - whole), float(np.exp(logsumexp(none) - whole))
