"""Stop when the leader is probably the more frequent of the two leading answers."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc

from isocompute.fits.arrays import Floats
from isocompute.fits.policies.stop_rule import StopRule
from isocompute.fits.policies.vote_track import VoteTrack


def score_beta(track: VoteTrack) -> Floats:
    """Return P(p > 1/2) for p ~ Beta(v₁ + 1, v₂ + 1), where v₁ and v₂ are the totals of the two leading answers.

    The stopping criterion of Adaptive-Consistency (Aggarwal et al. 2023, arXiv 2305.11860, section 3, "Beta"). As it
    reads only two answers, others that are close behind do not delay it.

    """
    top = track.most + 1
    is_larger = track.first.size > top**2  # than the table of all pairs; not for a single problem
    if is_larger and all(np.array_equal(totals, np.round(totals)) for totals in (track.first, track.second)):
        votes = np.arange(top, dtype=float)  # whole totals repeat, so each pair is computed once
        table = betainc(votes + 1, votes[:, None] + 1, 0.5)
        return np.asarray(table[track.first.astype(np.int32), track.second.astype(np.int32)])
    return np.asarray(betainc(track.second + 1, track.first + 1, 0.5))


BETA = StopRule("beta", "probability that the leader leads", score_beta)
