"""The answer of one problem's samples under a strategy: the rule whose expected accuracy the estimators give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.estimators.selection import rank_finished_first

RULES = ("sc", "genrm", "genrm+vote", "weighted", "fused", "bon", "prm-weighted")
"""The strategies whose rule is known here."""

TIE_SHARE = 1e-9
"""Totals nearer than this share of what they sum are tied, as in `fits.estimate_additive_vote`."""

ODDS_PRIOR = 0.1
"""The count added to the yes and the no of a solution before their odds, as in `fits.estimate_fused_vote`."""


@dataclass(frozen=True, eq=False)
class AnswerSupport:
    """The support of each answer, and its probability of being chosen when ties are drawn uniformly.

    Args:
        support: (A,) votes, weights, or the best score, by answer code.
        probability: (A,) of being chosen; they sum to 1, or to less where a solution without an answer may be chosen.
    """

    support: Floats
    probability: Floats


def weigh_answers(
    strategy: str,
    answers: Ints,
    verdicts: Floats | None,
    scores: Floats | None,
    trust: float = 1.0,
    finished: NDArray[np.bool_] | None = None,
) -> AnswerSupport:
    """Return the support of each answer under a strategy that uses all samples of one problem.

    Args:
        strategy: one of `RULES`.
        answers: (N,) codes 0 … A-1, -1 where no answer could be read.
        verdicts: (N, M) in 0 … 1, NaN where unparsed or not there; of strategies that need verifications.
        scores: (N,) in 0 … 1, NaN where there is none; of strategies that need scores.
        trust: κ of the fused vote.
        finished: (N,) whether a solution is complete: in ``bon`` one that was cut ranks below; all are if not given.

    Example:
        >>> weigh_answers("sc", np.array([0, 1, 1, -1]), None, None).support
        array([1., 2.])
    """
    count = int(answers.max()) + 1
    read = answers >= 0
    if strategy == "sc":
        return _choose_heaviest(np.ones(len(answers)), answers, count)
    if strategy in ("bon", "prm-weighted"):
        assert scores is not None
        if strategy == "prm-weighted":
            return _choose_heaviest(np.nan_to_num(scores), answers, count)
        complete = np.ones(len(scores), dtype=bool) if finished is None else finished
        ranks = rank_finished_first(scores[None], complete[None])[0]
        best_solutions = _choose_best_solutions(ranks, answers, count)
        return AnswerSupport(
            np.where(best_solutions.support < 0, np.nan, best_solutions.support), best_solutions.probability
        )
    assert verdicts is not None
    decided = np.where(np.isnan(verdicts), np.nan, verdicts > 0.5) if strategy.startswith("genrm") else verdicts
    parsed = (~np.isnan(decided)).sum(axis=1)
    sums = np.nansum(decided, axis=1)
    means = np.where(read, sums / np.maximum(parsed, 1), 0.0)
    if strategy == "genrm":
        return _choose_best_solutions(means, answers, count)
    if strategy == "genrm+vote":
        tied = read & (means >= means.max() - TIE_SHARE)
        if not tied.any():  # every solution at the best mean is without an answer
            return AnswerSupport(np.zeros(count), np.zeros(count))
        return _choose_heaviest(np.ones(len(answers)), np.where(tied, answers, -1), count)
    if strategy == "weighted":
        return _choose_heaviest(means, answers, count)
    odds = ((sums + ODDS_PRIOR) / (parsed - sums + ODDS_PRIOR)) ** trust
    return _choose_heaviest(odds, answers, count)


def _choose_heaviest(weights: Floats, answers: Ints, count: int) -> AnswerSupport:
    """Return the totals by answer; the heaviest of the answers that are there share the choice."""
    read = answers >= 0
    totals = np.bincount(answers[read], weights[read], count).astype(float)
    is_present = np.bincount(answers[read], minlength=count) > 0
    if not is_present.any():
        return AnswerSupport(totals, np.zeros(count))
    slack = TIE_SHARE * max(float(np.abs(weights[read]).sum()), 1e-300)
    tied = is_present & (totals >= totals[is_present].max() - slack)
    return AnswerSupport(totals, tied / tied.sum())


def _choose_best_solutions(ranks: Floats, answers: Ints, count: int) -> AnswerSupport:
    """Return the best rank by answer; the solutions with the best rank share the choice, those without answer too."""
    tied = ranks >= ranks.max() - TIE_SHARE
    won = np.bincount(answers[tied & (answers >= 0)], minlength=count)
    support = np.full(count, -np.inf)
    np.maximum.at(support, answers[answers >= 0], ranks[answers >= 0])
    return AnswerSupport(support, won / tied.sum())


def describe_samples(answers: Sequence[str | None], *parts: Floats | None) -> list[str]:
    """Return the samples of a problem in words, sorted, for `draw_answer`.

    Args:
        answers: (N,) the answer of each solution; None where none could be read.
        parts: (N,) or (N, M) scores or verdicts of each solution; their order within a solution does not matter.
    """
    rows = ([sorted(map(repr, row)) for row in np.atleast_2d(part.T).T] for part in parts if part is not None)
    return sorted(map(repr, zip(answers, *rows, strict=True)))


def draw_answer(probability: Floats, samples: list[str], seed: int) -> int | None:
    """Return the answer that is drawn; None if it is a solution without an answer.

    The draw depends on the seed and on the samples, so that ties of different problems do not all fall to one side
    under one seed.

    Args:
        probability: of each answer.
        samples: the samples in words, sorted.
        seed: 0 or more.
    """
    digest = int.from_bytes(sha256("\n".join(samples).encode()).digest()[:8], "big")
    place = int(np.searchsorted(np.cumsum(probability), np.random.default_rng([seed, digest]).random(), side="right"))
    if place < len(probability):
        return place
    return int(np.flatnonzero(probability)[-1]) if probability.sum() > 1 - 1e-9 else None
