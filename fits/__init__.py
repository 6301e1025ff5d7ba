"""What a pool of sampled solutions and verdicts says: estimators, costs, frontiers, laws, intervals."""

from isocompute.fits.allocation import AllocationLaws, Law, allocation_laws
from isocompute.fits.beta_binomial import BetaBinomial, Extrapolated, beta_binomial, extrapolated
from isocompute.fits.bootstrap import (
    interval,
    layered_weights,
    resample,
    resampled_verdicts,
    resampling_weights,
    t_interval,
    verdict_layers,
)
from isocompute.fits.compute_optimal import ComputeOptimal, compute_optimal, stacked
from isocompute.fits.cost import Work, compute, counted, in_solutions, verification_ratio, verification_ratios
from isocompute.fits.crossover import Crossover, crossover, plateau, plateau_interval
from isocompute.fits.difficulty import (
    Difficulty,
    agreement,
    given,
    mean_verdict,
    oracle,
    pass_rate,
    quantile_levels,
)
from isocompute.fits.frontier import Frontier, evaluate, genrm_frontier, self_consistency_frontier
from isocompute.fits.fused import Fused, fused, fused_held_out
from isocompute.fits.held_out import Folds, enclosing_interval, folds, held_out, in_sample
from isocompute.fits.monte_carlo import Estimate, additive_vote, genrm_sampled, weighted
from isocompute.fits.options import Options, listed_options, verified_options, voting_options
from isocompute.fits.pool import Pool
from isocompute.fits.power_law import PowerLaw
from isocompute.fits.selection import best_of_n, coverage, finished_first
from isocompute.fits.surface import Smoother, coverage_curve, smoother
from isocompute.fits.verification import genrm, genrm_vote
from isocompute.fits.verifier import Verifier, verifier
from isocompute.fits.voting import self_consistency

__all__ = [
    "AllocationLaws",
    "BetaBinomial",
    "ComputeOptimal",
    "Crossover",
    "Difficulty",
    "Estimate",
    "Extrapolated",
    "Folds",
    "Frontier",
    "Fused",
    "Law",
    "Options",
    "Pool",
    "PowerLaw",
    "Smoother",
    "Verifier",
    "Work",
    "additive_vote",
    "agreement",
    "allocation_laws",
    "best_of_n",
    "beta_binomial",
    "compute",
    "compute_optimal",
    "counted",
    "coverage",
    "coverage_curve",
    "crossover",
    "enclosing_interval",
    "evaluate",
    "extrapolated",
    "finished_first",
    "folds",
    "fused",
    "fused_held_out",
    "genrm",
    "genrm_frontier",
    "genrm_sampled",
    "genrm_vote",
    "given",
    "held_out",
    "in_sample",
    "in_solutions",
    "interval",
    "layered_weights",
    "listed_options",
    "mean_verdict",
    "oracle",
    "pass_rate",
    "plateau",
    "plateau_interval",
    "quantile_levels",
    "resample",
    "resampled_verdicts",
    "resampling_weights",
    "self_consistency",
    "self_consistency_frontier",
    "smoother",
    "stacked",
    "t_interval",
    "verdict_layers",
    "verification_ratio",
    "verification_ratios",
    "verified_options",
    "verifier",
    "voting_options",
    "weighted",
]
