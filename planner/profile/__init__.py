"""Profiles: the measurements that a fit writes and the planner reads."""

from isocompute.planner.profile.accuracies import (
    ACCURACY_DIGITS,
    Curve,
    ExtrapolatedCurve,
    Searches,
    Surface,
    UnknownPart,
    round_accuracies,
)
from isocompute.planner.profile.cost_numbers import COUNTING_WAYS, check_costs, check_lambda, check_rho, read_lambda
from isocompute.planner.profile.files import check_profile_output, find_bundled_profiles, read_profile, upgrade_profile
from isocompute.planner.profile.length_caps import LengthCaps
from isocompute.planner.profile.missing_rows import MissingRows
from isocompute.planner.profile.model_records import (
    TIME_LEVELS,
    LoadPoint,
    ModelRecord,
    RateEntry,
    TimeSpread,
    VerifierRates,
)
from isocompute.planner.profile.policy_part import PolicyPart
from isocompute.planner.profile.problem_records import ProblemRecord, TokenMeans, code_clusters, select_strata
from isocompute.planner.profile.profile import UNKNOWN_LAMBDA_WARNING, Profile, apply_costs, apply_lambda
from isocompute.planner.profile.published import PublishedMultiples
from isocompute.planner.profile.settled_votes import SettledVotes

__all__ = [
    "ACCURACY_DIGITS",
    "COUNTING_WAYS",
    "TIME_LEVELS",
    "UNKNOWN_LAMBDA_WARNING",
    "Curve",
    "ExtrapolatedCurve",
    "LengthCaps",
    "LoadPoint",
    "MissingRows",
    "ModelRecord",
    "PolicyPart",
    "ProblemRecord",
    "Profile",
    "PublishedMultiples",
    "RateEntry",
    "Searches",
    "SettledVotes",
    "Surface",
    "TimeSpread",
    "TokenMeans",
    "UnknownPart",
    "VerifierRates",
    "apply_costs",
    "apply_lambda",
    "check_costs",
    "check_lambda",
    "check_profile_output",
    "check_rho",
    "code_clusters",
    "find_bundled_profiles",
    "read_lambda",
    "read_profile",
    "round_accuracies",
    "select_strata",
    "upgrade_profile",
]
