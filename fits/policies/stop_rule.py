"""The form of a rule that samples and votes: after which votes it stops."""

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
