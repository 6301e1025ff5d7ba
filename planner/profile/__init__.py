"""Profiles: what a fit leaves for the planner."""

from isocompute.planner.profile.files import bundled, check_profile_output, read, upgrade_profile
from isocompute.planner.profile.parts import (
    DIGITS,
    Curve,
    Measure,
    Model,
    ProblemRecord,
    Rates,
    Searches,
    Surface,
    Tokens,
    Unknown,
    rounded,
)
from isocompute.planner.profile.profile import UNPRICED, WAYS, Profile, positive

__all__ = [
    "DIGITS",
    "UNPRICED",
    "WAYS",
    "Curve",
    "Measure",
    "Model",
    "ProblemRecord",
    "Profile",
    "Rates",
    "Searches",
    "Surface",
    "Tokens",
    "Unknown",
    "bundled",
    "check_profile_output",
    "positive",
    "read",
    "rounded",
    "upgrade_profile",
]
