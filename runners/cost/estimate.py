"""Price estimate of a sweep, from its missing rows, their lengths and the model sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from isocompute.runners import engines, scorers
from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.model_size import find_model_sizes
from isocompute.runners.cost.price import UNKNOWN_LENGTHS, PriceEstimate, TokenLengths, UnitPrices, price_requests
from isocompute.runners.cost.sample import run_trial_sweep
from isocompute.runners.cost.token_stats import count_missing_rows, measure_token_lengths
from isocompute.runners.engines import Engine
from isocompute.runners.sampling.preparing import prepare_sweep
from isocompute.runners.scorers import Scorer


def quote_sweep(
    config: Sweep,
    prices: UnitPrices | None = None,
    rate: float | None = None,
    parameters: Sequence[float] = (),
    sample: int = 0,
    load: Callable[..., Engine] = engines.load_engine,
    load_scorer: Callable[..., Scorer] = scorers.load_scorer,
) -> PriceEstimate:
    """Return the price of the rows that a run lacks. The run is not changed.

    Lengths are the means of the run's rows; without such rows, those of a sample; without a sample, ``max_tokens``
    bounds solutions and verifications, and the tokens of scores and searches are unknown.

    Args:
        config: the sweep.
        prices: in dollars.
        rate: completion tokens a second; the sample's if None.
        parameters: sizes of the models whose size is not known otherwise, in the order of the roles present: solver,
            verifier, scorer; the last one holds for the remaining roles.
        sample: number of problems, drawn at random, to sample in memory with the real models if lengths or rates are
            unknown; 0 for no sample.
        load: returns the engine for an engine's name, a model and its options.
        load_scorer: returns the scorer for a scorer's kind, a model and its options.

    Raises:
        ConfigError, DataError, EngineError, RunError: as `run_sweep`; EngineError also if the sample gave no row.
    """
    ready = prepare_sweep(config)
    ready.grader.close()  # nothing is graded
    config, run = ready.config, ready.run
    ids = [problem.problem_id for problem in ready.problems]
    requests = count_missing_rows(run, config, ids, () if ready.source is None else ready.source.failed_keys)
    run_lengths = measure_token_lengths(run, config, "run")
    rates = None if rate is None else {role: rate for role in requests if role != "scorer"}
    lacks_rate = any(count and role not in (rates or {}) for role, count in requests.items())
    if sample and any(requests.values()) and (lacks_rate or any(role not in run_lengths for role in requests)):
        sample_ids = Random(config.seed).sample(ids, min(sample, len(ids)))  # the first may be the easiest
        sample_lengths, sample_rates = run_trial_sweep(config, sample_ids, load, load_scorer)
        run_lengths = sample_lengths | run_lengths
        rates = {role: sample_rates[role] for role in requests} | (rates or {})
    sizes = find_model_sizes(config.all_models, parameters, ready.manifest["parameters"])
    bounds = {
        name: bound_lengths(role) for name, role in (("solver", config.solver), ("verifier", config.verifier)) if role
    }
    return price_requests(
        requests,
        {role: run_lengths.get(role) or bounds.get(role, UNKNOWN_LENGTHS) for role in requests},
        {role: sizes.get(role, sizes.get("solver")) for role in requests if role != "scorer"},
        rates,
        "sample" if rate is None else "given",
        prices,
        sizes.get("scorer"),
        config.scorer is not None and config.scorer.uses_verifier,
    )


def bound_lengths(role: ModelRole) -> TokenLengths:
    """Return the upper bound of a role's lengths."""
    return TokenLengths(None, None, float(role.max_tokens), "max_tokens", 0)
