"""Stop when the last answers agree."""

from __future__ import annotations

from isocompute.fits.arrays import Floats
from isocompute.fits.policies.stop_rule import StopRule, list_counts
from isocompute.fits.policies.vote_track import VoteTrack


def score_window(track: VoteTrack) -> Floats:
    """Return how many answers in a row are equal, up to now.

    Early-stopping self-consistency (Li et al. 2024, arXiv 2401.10480, algorithm 1) samples windows of w solutions,
    stops when the answers of one agree, and takes the vote of all solutions so far. Sampled in waves of w, this is that
    rule; in smaller waves the window moves along.
    """
    return track.repeats.astype(float)


WINDOW = StopRule("window", "answers in a row that must agree", score_window, list_thresholds=list_counts)
