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


def list_waves(most: int, width: int) -> Ints:
    """Return the numbers of solutions after each wave of `width`; the last wave may be smaller.

    >>> list_waves(most=10, width=4)
    array([ 4,  8, 10])
    """
    return np.asarray(np.minimum(np.arange(width, most + width, width), most))


@dataclass(frozen=True)
class StopRule:
    """A rule that samples solutions and stops by their votes, with one parameter.

    Args:
        name: its name.
        parameter: what its threshold means, in words.
        score: its score after each solution; it stops when the score is at least the threshold, or at the full budget.
        is_weighted: whether each solution is verified once, and votes with its verdict.
        checks: the numbers of solutions after which it looks at the votes.
    """

    name: str
    parameter: str
    score: Score
    is_weighted: bool = False
    checks: ListChecks = list_waves
