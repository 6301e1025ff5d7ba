"""The rules that stop by votes, by name."""

from __future__ import annotations

from isocompute.fits.policies.rules.beta import BETA
from isocompute.fits.policies.rules.certain import CERTAIN
from isocompute.fits.policies.rules.doubling import DOUBLING
from isocompute.fits.policies.rules.weighted_beta import WEIGHTED_BETA
from isocompute.fits.policies.rules.window import WINDOW
from isocompute.fits.policies.stop_rule import StopRule

STOP_RULES: dict[str, StopRule] = {rule.name: rule for rule in (CERTAIN, BETA, WINDOW, DOUBLING, WEIGHTED_BETA)}
"""Name → rule."""
