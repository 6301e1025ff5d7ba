"""Double the number of solutions until they agree."""

from __future__ import annotations

import numpy as np

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.stop_rule import StopRule
from isocompute.fits.policies.vote_track import VoteTrack


def list_doublings(most: int, width: int) -> Ints:
    """Return 2, 4, 8 … and the full budget; the width of sampling changes nothing.

    >>> list_doublings(most=12, width=1)
    array([ 2,  4,  8, 12])
    """
    powers = 2 ** np.arange(1, max(int(most - 1).bit_length(), 1))
    return np.append(powers[powers < most], most)


def score_doubling(track: VoteTrack) -> Floats:
    """Return the share of the solutions that agree with the leader; unparsed ones do not.

    The rule of its_hub (pull requests 262 and 266) stops at 0.75.
    """
    return np.asarray(track.first / np.arange(1, track.most + 1))


def list_shares(most: int) -> Floats:
    """Return shares from 0.3 to 1 in steps of 0.05, and one that is never reached."""
    return np.append(np.linspace(0.3, 1, 15), 2.0)


DOUBLING = StopRule(
    "doubling", "share of the solutions that agree", score_doubling, checks=list_doublings, list_thresholds=list_shares
)
