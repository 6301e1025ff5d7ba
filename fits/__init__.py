"""Estimators, costs, choices, scaling laws and intervals over a pool of sampled solutions and verdicts."""

from isocompute.fits.bootstrap import (
    compute_percentile_interval,
    compute_t_interval,
    draw_bootstrap_weights,
    resample_means,
)
from isocompute.fits.choice.compute_optimal import ComputeOptimalPolicy, choose_compute_optimal, stack_options
from isocompute.fits.choice.held_out import (
    Folds,
    compute_enclosing_interval,
    score_held_out,
    score_in_sample,
    split_folds,
)
from isocompute.fits.choice.options import (
    AllocationOptions,
    build_listed_options,
    build_verified_options,
    build_voting_options,
)
from isocompute.fits.cost import (
    ModelWork,
    compute_allocation_cost,
    compute_verification_ratio,
    compute_verification_ratios,
    convert_to_solutions,
    count_row_tokens,
)
from isocompute.fits.difficulty import (
    DifficultyLevels,
    assign_agreement_levels,
    assign_given_levels,
    assign_oracle_levels,
    assign_pass_rate_levels,
    assign_quantile_levels,
    assign_verdict_levels,
)
from isocompute.fits.estimators.fused import FusedEstimate, estimate_fused_vote, fit_fused_vote
from isocompute.fits.estimators.monte_carlo import (
    SampledEstimate,
    estimate_additive_vote,
    estimate_genrm_sampled,
    estimate_weighted_vote,
)
from isocompute.fits.estimators.selection import (
    estimate_best_of_n,
    estimate_coverage,
    estimate_coverage_of_counts,
    rank_finished_first,
)
from isocompute.fits.estimators.verification import estimate_genrm, estimate_genrm_vote
from isocompute.fits.estimators.verifier import VerifierEstimate, measure_verifier
from isocompute.fits.estimators.voting import estimate_self_consistency
from isocompute.fits.groups import ProblemGroups, code_problem_groups
from isocompute.fits.laws.allocation import AllocationLaw, AllocationLaws, fit_allocation_laws
from isocompute.fits.laws.crossover import Crossover, find_crossover, find_plateau, find_plateau_interval
from isocompute.fits.laws.power_law import PowerLaw
from isocompute.fits.laws.surface import SurfaceSmoother, fit_smoother
from isocompute.fits.mean_intervals import compute_difference_interval, compute_mean_interval
from isocompute.fits.pool import Pool
from isocompute.fits.power import PairedPower, compute_paired_power

__all__ = [
    "AllocationLaw",
    "AllocationLaws",
    "AllocationOptions",
    "ComputeOptimalPolicy",
    "Crossover",
    "DifficultyLevels",
    "Folds",
    "FusedEstimate",
    "ModelWork",
    "PairedPower",
    "Pool",
    "PowerLaw",
    "ProblemGroups",
    "SampledEstimate",
    "SurfaceSmoother",
    "VerifierEstimate",
    "assign_agreement_levels",
    "assign_given_levels",
    "assign_oracle_levels",
    "assign_pass_rate_levels",
    "assign_quantile_levels",
    "assign_verdict_levels",
    "build_listed_options",
    "build_verified_options",
    "build_voting_options",
    "choose_compute_optimal",
    "code_problem_groups",
    "compute_allocation_cost",
    "compute_difference_interval",
    "compute_enclosing_interval",
    "compute_mean_interval",
    "compute_paired_power",
    "compute_percentile_interval",
    "compute_t_interval",
    "compute_verification_ratio",
    "compute_verification_ratios",
    "convert_to_solutions",
    "count_row_tokens",
    "draw_bootstrap_weights",
    "estimate_additive_vote",
    "estimate_best_of_n",
    "estimate_coverage",
    "estimate_coverage_of_counts",
    "estimate_fused_vote",
    "estimate_genrm",
    "estimate_genrm_sampled",
    "estimate_genrm_vote",
    "estimate_self_consistency",
    "estimate_weighted_vote",
    "find_crossover",
    "find_plateau",
    "find_plateau_interval",
    "fit_allocation_laws",
    "fit_fused_vote",
    "fit_smoother",
    "measure_verifier",
    "rank_finished_first",
    "resample_means",
    "score_held_out",
    "score_in_sample",
    "split_folds",
    "stack_options",
]


def __getattr__(name: str) -> object:
    """Return the object that a former name stands for, with a warning."""
    from isocompute.fits.former_names import FORMER_NAMES

    if name not in FORMER_NAMES:
        raise AttributeError(f"module 'isocompute.fits' has no attribute '{name}'")
    import warnings

    today = FORMER_NAMES[name]
    message = f"isocompute.fits.{name} is now called {today}; the next release removes the old name."
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return globals()[today]


def __dir__() -> list[str]:
    return __all__
