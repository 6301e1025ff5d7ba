"""What a pool of sampled solutions and verdicts says: estimators, costs, frontiers, laws, intervals."""

from isocompute.fits.bootstrap import (
    interval,
    resample,
    resampling_weights,
    t_interval,
)
from isocompute.fits.choice.compute_optimal import ComputeOptimal, compute_optimal, stacked
from isocompute.fits.choice.held_out import Folds, enclosing_interval, folds, held_out, in_sample
from isocompute.fits.choice.options import Options, listed_options, verified_options, voting_options
from isocompute.fits.cost import Work, compute, counted, in_solutions, verification_ratio, verification_ratios
from isocompute.fits.difficulty import (
    Difficulty,
    agreement,
    given,
    mean_verdict,
    oracle,
    pass_rate,
    quantile_levels,
)
from isocompute.fits.estimators.fused import Fused, fused, fused_held_out
from isocompute.fits.estimators.monte_carlo import Estimate, additive_vote, genrm_sampled, weighted
from isocompute.fits.estimators.selection import best_of_n, coverage, finished_first
from isocompute.fits.estimators.verification import genrm, genrm_vote
from isocompute.fits.estimators.verifier import Verifier, verifier
from isocompute.fits.estimators.voting import self_consistency
from isocompute.fits.laws.allocation import AllocationLaws, Law, allocation_laws
from isocompute.fits.laws.crossover import Crossover, crossover, plateau, plateau_interval
from isocompute.fits.laws.power_law import PowerLaw
from isocompute.fits.laws.surface import Smoother, smoother
from isocompute.fits.pool import Pool
from isocompute.fits.power import PairedPower, paired_power

__all__ = [
    "AllocationLaws",
    "ComputeOptimal",
    "Crossover",
    "Difficulty",
    "Estimate",
    "Folds",
    "Fused",
    "Law",
    "Options",
    "PairedPower",
    "Pool",
    "PowerLaw",
    "Smoother",
    "Verifier",
    "Work",
    "additive_vote",
    "agreement",
    "allocation_laws",
    "best_of_n",
    "compute",
    "compute_optimal",
    "counted",
    "coverage",
    "crossover",
    "enclosing_interval",
    "finished_first",
    "folds",
    "fused",
    "fused_held_out",
    "genrm",
    "genrm_sampled",
    "genrm_vote",
    "given",
    "held_out",
    "in_sample",
    "in_solutions",
    "interval",
    "listed_options",
    "mean_verdict",
    "oracle",
    "paired_power",
    "pass_rate",
    "plateau",
    "plateau_interval",
    "quantile_levels",
    "resample",
    "resampling_weights",
    "self_consistency",
    "smoother",
    "stacked",
    "t_interval",
    "verification_ratio",
    "verification_ratios",
    "verified_options",
    "verifier",
    "voting_options",
    "weighted",
]
