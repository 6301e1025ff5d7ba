"""Stop when no further votes can change the answer."""

from __future__ import annotations

import numpy as np

from isocompute.fits.arrays import Floats
from isocompute.fits.policies.stop_rule import StopRule, list_counts
from isocompute.fits.policies.vote_track import VoteTrack


def score_certain(track: VoteTrack) -> Floats:
    """Return the largest budget within which the leader cannot be overtaken or tied.

    After n votes with a lead of d, N - n others cannot undo it if d > N - n, that is up to N = n + d - 1.
    """
    n = np.arange(1, track.most + 1)
    return np.asarray(n + np.maximum(track.first - track.second - 1, 0))


CERTAIN = StopRule(
    "certain",
    "budget of solutions within which the leader cannot be overtaken",
    score_certain,
    list_thresholds=list_counts,
    is_limit=True,
)
"""Its parameter is the budget N, up to the full budget: it stops at the latest after N solutions, with their answer."""
