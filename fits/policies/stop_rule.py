"""The form of a rule that samples and votes: after which votes it stops, and the settings to choose from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.vote_track import VoteTrack

Score = Callable[[VoteTrack], Floats]
"""A function of the votes; returns (P, R, n) scores. A rule stops when its score reaches its threshold."""
ListChecks = Callable[[int, int], Ints]
"""A function of the full budget n and the width of sampling; returns the numbers of solutions after which to check."""
ListThresholds = Callable[[int], Floats]
"""A function of the full budget n; returns thresholds to choose from, from those that stop early to never stopping."""
Settings = tuple[Floats, Ints]
"""(T,) thresholds, and (T,) limits: the most solutions under each of them."""


def list_waves(most: int, width: int) -> Ints:
    """Return the numbers of solutions after each wave of `width`; the last wave may be smaller.

    >>> list_waves(most=10, width=4)
    array([ 4,  8, 10])
    """
    return np.asarray(np.minimum(np.arange(width, most + width, width), most))


def list_probabilities(most: int) -> Floats:
    """Return probabilities whose doubt falls from 1/2 by √2 each, to 2⁻¹⁴, and one that no rule reaches.

    >>> list_probabilities(most=64)[[0, 1, 2, -2, -1]].round(4)
    array([0.5   , 0.6464, 0.75  , 0.9999, 2.    ])
    """
    return np.append(1 - 2.0 ** -np.arange(1, 14.1, 0.5), 2.0)


def list_counts(most: int) -> Floats:
    """Return whole numbers from 1 to `most`, each about a tenth larger than the one before.

    >>> list_counts(most=16)[-4:]
    array([12., 13., 15., 16.])
    """
    return np.unique(np.round(np.geomspace(1, most, 2 + int(np.log(most) / np.log(1.1)))))


def list_limits(most: int) -> Ints:
    """Return the powers of two below the full budget, and the full budget.

    >>> list_limits(most=12)
    array([ 1,  2,  4,  8, 12])
    """
    powers = 2 ** np.arange(int(most).bit_length())
    return np.append(powers[powers < most], most)


@dataclass(frozen=True)
class StopRule:
    """A rule that samples solutions and stops by their votes, with one parameter.

    Args:
        name: its name.
        parameter: what its threshold means, in words.
        score: its score after each solution; it stops when the score is at least the threshold, or at the full budget.
        is_weighted: whether each solution is verified once, and votes with its verdict.
        checks: the numbers of solutions after which it looks at the votes.
        list_thresholds: the thresholds to choose from for a full budget.
        is_limit: whether the threshold is the most solutions that the rule samples.
    """

    name: str
    parameter: str
    score: Score
    is_weighted: bool = False
    checks: ListChecks = list_waves
    list_thresholds: ListThresholds = list_probabilities
    is_limit: bool = False

    def list_settings(self, most: int) -> Settings:
        """Return the settings to choose from for a full budget; the last one never stops before it.

        With a small limit a strict threshold costs as little as a lax one with the full budget, and is often more
        accurate. With each limit of `list_limits` go the thresholds that so many equal answers reach before it, and
        one that is never reached, with which all solutions are sampled. Where the threshold is itself the most
        solutions, it is the limit.

        Args:
            most: solutions of the full budget.
        """
        thresholds = self.list_thresholds(most)
        if self.is_limit:
            return thresholds, np.ceil(thresholds).astype(np.int64)
        scores, checks = self._score_equal_answers(most), self.checks(most, 1)
        parts = []
        for limit in list_limits(most):
            highest = scores[checks[checks < limit] - 1].max(initial=-np.inf)
            parts.append((np.append(thresholds[:-1][thresholds[:-1] <= highest], thresholds[-1]), limit))
        limits = np.concatenate([np.full(len(values), limit) for values, limit in parts])
        return np.concatenate([values for values, _ in parts]), limits

    def _score_equal_answers(self, most: int) -> Floats:
        """Return (most,) the scores after 1, 2, … equal answers, the highest that so many solutions reach."""
        count = np.arange(1, most + 1)[None, None]
        votes, none = count.astype(float), np.zeros(count.shape)
        track = VoteTrack(votes, none, none, none, count.astype(np.int32), int(self.is_weighted))
        return np.asarray(self.score(track)[0, 0])
