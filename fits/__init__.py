"""Estimators, costs, choices, scaling laws and intervals over a pool of sampled solutions and verdicts.

A module is loaded when a name of it is first used, because each command needs few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocompute.fits.bootstrap import (
        compute_percentile_interval,
        compute_t_interval,
        draw_bootstrap_weights,
        resample_means,
    )
    from isocompute.fits.choice.compute_optimal import (
        ComputeOptimalPolicy,
        SingleChoice,
        add_charge,
        choose_compute_optimal,
        score_single_choice,
        stack_options,
    )
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
        cut_pool,
        order_seen_first,
    )
    from isocompute.fits.estimators.additive_vote import (
        estimate_additive_vote,
        estimate_additive_votes,
        estimate_weighted_vote,
    )
    from isocompute.fits.estimators.fused import (
        FusedEstimate,
        estimate_fused_vote,
        estimate_verdict_votes,
        fit_fused_vote,
    )
    from isocompute.fits.estimators.monte_carlo import SampledEstimate, estimate_genrm_sampled
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
    from isocompute.fits.laws.crossover import Crossover, find_crossover
    from isocompute.fits.laws.extrapolation import Extrapolation, extrapolate_accuracy, extrapolate_coverage
    from isocompute.fits.laws.plateau import find_plateau, find_plateau_interval
    from isocompute.fits.laws.power_law import PowerLaw
    from isocompute.fits.laws.surface import SurfaceSmoother, fit_smoother
    from isocompute.fits.mean_intervals import compute_difference_interval, compute_mean_interval
    from isocompute.fits.pool import Pool, compute_problem_keys
    from isocompute.fits.power import PairedPower, compute_paired_power

PUBLIC = {
    "AllocationLaw": "isocompute.fits.laws.allocation",
    "AllocationLaws": "isocompute.fits.laws.allocation",
    "AllocationOptions": "isocompute.fits.choice.options",
    "ComputeOptimalPolicy": "isocompute.fits.choice.compute_optimal",
    "Crossover": "isocompute.fits.laws.crossover",
    "DifficultyLevels": "isocompute.fits.difficulty",
    "Extrapolation": "isocompute.fits.laws.extrapolation",
    "Folds": "isocompute.fits.choice.held_out",
    "FusedEstimate": "isocompute.fits.estimators.fused",
    "ModelWork": "isocompute.fits.cost",
    "PairedPower": "isocompute.fits.power",
    "Pool": "isocompute.fits.pool",
    "PowerLaw": "isocompute.fits.laws.power_law",
    "ProblemGroups": "isocompute.fits.groups",
    "SampledEstimate": "isocompute.fits.estimators.monte_carlo",
    "SingleChoice": "isocompute.fits.choice.compute_optimal",
    "SurfaceSmoother": "isocompute.fits.laws.surface",
    "VerifierEstimate": "isocompute.fits.estimators.verifier",
    "add_charge": "isocompute.fits.choice.compute_optimal",
    "assign_agreement_levels": "isocompute.fits.difficulty",
    "assign_given_levels": "isocompute.fits.difficulty",
    "assign_oracle_levels": "isocompute.fits.difficulty",
    "assign_pass_rate_levels": "isocompute.fits.difficulty",
    "assign_quantile_levels": "isocompute.fits.difficulty",
    "assign_verdict_levels": "isocompute.fits.difficulty",
    "build_listed_options": "isocompute.fits.choice.options",
    "build_verified_options": "isocompute.fits.choice.options",
    "build_voting_options": "isocompute.fits.choice.options",
    "choose_compute_optimal": "isocompute.fits.choice.compute_optimal",
    "code_problem_groups": "isocompute.fits.groups",
    "compute_allocation_cost": "isocompute.fits.cost",
    "compute_difference_interval": "isocompute.fits.mean_intervals",
    "compute_enclosing_interval": "isocompute.fits.choice.held_out",
    "compute_mean_interval": "isocompute.fits.mean_intervals",
    "compute_paired_power": "isocompute.fits.power",
    "compute_percentile_interval": "isocompute.fits.bootstrap",
    "compute_problem_keys": "isocompute.fits.pool",
    "compute_t_interval": "isocompute.fits.bootstrap",
    "compute_verification_ratio": "isocompute.fits.cost",
    "compute_verification_ratios": "isocompute.fits.cost",
    "convert_to_solutions": "isocompute.fits.cost",
    "count_row_tokens": "isocompute.fits.cost",
    "cut_pool": "isocompute.fits.difficulty",
    "draw_bootstrap_weights": "isocompute.fits.bootstrap",
    "estimate_additive_vote": "isocompute.fits.estimators.additive_vote",
    "estimate_additive_votes": "isocompute.fits.estimators.additive_vote",
    "estimate_best_of_n": "isocompute.fits.estimators.selection",
    "estimate_coverage": "isocompute.fits.estimators.selection",
    "estimate_coverage_of_counts": "isocompute.fits.estimators.selection",
    "estimate_fused_vote": "isocompute.fits.estimators.fused",
    "estimate_genrm": "isocompute.fits.estimators.verification",
    "estimate_genrm_sampled": "isocompute.fits.estimators.monte_carlo",
    "estimate_genrm_vote": "isocompute.fits.estimators.verification",
    "estimate_self_consistency": "isocompute.fits.estimators.voting",
    "estimate_verdict_votes": "isocompute.fits.estimators.fused",
    "estimate_weighted_vote": "isocompute.fits.estimators.additive_vote",
    "extrapolate_accuracy": "isocompute.fits.laws.extrapolation",
    "extrapolate_coverage": "isocompute.fits.laws.extrapolation",
    "find_crossover": "isocompute.fits.laws.crossover",
    "find_plateau": "isocompute.fits.laws.plateau",
    "find_plateau_interval": "isocompute.fits.laws.plateau",
    "fit_allocation_laws": "isocompute.fits.laws.allocation",
    "fit_fused_vote": "isocompute.fits.estimators.fused",
    "fit_smoother": "isocompute.fits.laws.surface",
    "measure_verifier": "isocompute.fits.estimators.verifier",
    "order_seen_first": "isocompute.fits.difficulty",
    "rank_finished_first": "isocompute.fits.estimators.selection",
    "resample_means": "isocompute.fits.bootstrap",
    "score_held_out": "isocompute.fits.choice.held_out",
    "score_in_sample": "isocompute.fits.choice.held_out",
    "score_single_choice": "isocompute.fits.choice.compute_optimal",
    "split_folds": "isocompute.fits.choice.held_out",
    "stack_options": "isocompute.fits.choice.compute_optimal",
}
"""The public names, with the module of each."""

__all__ = [
    "AllocationLaw",
    "AllocationLaws",
    "AllocationOptions",
    "ComputeOptimalPolicy",
    "Crossover",
    "DifficultyLevels",
    "Extrapolation",
    "Folds",
    "FusedEstimate",
    "ModelWork",
    "PairedPower",
    "Pool",
    "PowerLaw",
    "ProblemGroups",
    "SampledEstimate",
    "SingleChoice",
    "SurfaceSmoother",
    "VerifierEstimate",
    "add_charge",
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
    "compute_problem_keys",
    "compute_t_interval",
    "compute_verification_ratio",
    "compute_verification_ratios",
    "convert_to_solutions",
    "count_row_tokens",
    "cut_pool",
    "draw_bootstrap_weights",
    "estimate_additive_vote",
    "estimate_additive_votes",
    "estimate_best_of_n",
    "estimate_coverage",
    "estimate_coverage_of_counts",
    "estimate_fused_vote",
    "estimate_genrm",
    "estimate_genrm_sampled",
    "estimate_genrm_vote",
    "estimate_self_consistency",
    "estimate_verdict_votes",
    "estimate_weighted_vote",
    "extrapolate_accuracy",
    "extrapolate_coverage",
    "find_crossover",
    "find_plateau",
    "find_plateau_interval",
    "fit_allocation_laws",
    "fit_fused_vote",
    "fit_smoother",
    "measure_verifier",
    "order_seen_first",
    "rank_finished_first",
    "resample_means",
    "score_held_out",
    "score_in_sample",
    "score_single_choice",
    "split_folds",
    "stack_options",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used; a former name is that of another, with a warning."""
    from importlib import import_module

    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    from isocompute.fits.former_names import FORMER_NAMES

    if name not in FORMER_NAMES:
        raise AttributeError(f"module 'isocompute.fits' has no attribute '{name}'")
    import warnings

    today = FORMER_NAMES[name]
    message = f"isocompute.fits.{name} is now called {today}; the next release removes the old name."
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return __getattr__(today)


def __dir__() -> list[str]:
    return __all__
