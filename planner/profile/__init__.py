"""Profiles: the measurements that a fit writes and the planner reads."""

from isocompute.planner.profile.files import check_profile_output, find_bundled_profiles, read_profile, upgrade_profile
from isocompute.planner.profile.parts import (
    ACCURACY_DIGITS,
    Curve,
    ModelRecord,
    ProblemRecord,
    PublishedMultiples,
    RateEntry,
    Searches,
    Surface,
    TokenMeans,
    UnknownPart,
    VerifierRates,
    round_accuracies,
)
from isocompute.planner.profile.profile import (
    COUNTING_WAYS,
    UNKNOWN_LAMBDA_WARNING,
    Profile,
    apply_costs,
    apply_lambda,
    check_lambda,
    check_rho,
    read_lambda,
)

__all__ = [
    "ACCURACY_DIGITS",
    "COUNTING_WAYS",
    "UNKNOWN_LAMBDA_WARNING",
    "Curve",
    "ModelRecord",
    "ProblemRecord",
    "Profile",
    "PublishedMultiples",
    "RateEntry",
    "Searches",
    "Surface",
    "TokenMeans",
    "UnknownPart",
    "VerifierRates",
    "apply_costs",
    "apply_lambda",
    "check_lambda",
    "check_profile_output",
    "check_rho",
    "find_bundled_profiles",
    "read_lambda",
    "read_profile",
    "round_accuracies",
    "upgrade_profile",
]
