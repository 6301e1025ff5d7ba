"""The Beta rule on votes weighted by verdicts."""

from __future__ import annotations

from isocompute.fits.policies.rules.beta import score_beta
from isocompute.fits.policies.stop_rule import StopRule

WEIGHTED_BETA = StopRule("weighted-beta", "probability that the leader leads", score_beta, is_weighted=True)
"""Verifies each solution once. v₁ and v₂ are sums of verdicts, so verdicts of no do not count as evidence."""
