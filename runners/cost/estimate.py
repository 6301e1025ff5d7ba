"""From a sweep to its price: which rows are missing, how long they are, how large models are. No run is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from isocompute.runners import engines, scorers
from isocompute.runners.config.sweep import ModelRole, Sweep
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
    """Price what a run lacks.

    Tokens are the means of rows that the run has; without such rows, those of a sample; without one, ``max_tokens``
    bounds a solution and a verification, and what scores and searches take is unknown.

    Args:
        config: what would be sampled.
        prices: in dollars.
        rate: completion tokens a second; a sample's if not given.
        parameters: sizes of models that no folder here tells: the solver's, the verifier's, the scorer's, of those
            there are; the last one holds on.
        sample: on how many problems, drawn at random, to sample what the run does not tell, with the real models and
            in memory.
        load: what turns an engine's name, a model and its options into an engine.
        load_scorer: what turns a scorer's kind, a model and its options into a scorer.

    Raises:
        ConfigError, DataError, EngineError, RunError: as a sweep does; or no row of the sample came.
    """
    ready = prepare_sweep(config)
    ready.grader.close()  # nothing is graded
    config, run = ready.config, ready.run
    ids = [problem.problem_id for problem in ready.problems]
    requests = count_missing_rows(run, config, ids, () if ready.source is None else ready.source.failed_keys)
    known = measure_token_lengths(run, config, "run")
    rates = None if rate is None else {role: rate for role in requests if role != "scorer"}
    unpaced = any(count and role not in (rates or {}) for role, count in requests.items())
    if sample and any(requests.values()) and (unpaced or any(role not in known for role in requests)):
        some = Random(config.seed).sample(ids, min(sample, len(ids)))  # the first may be the easiest
        tried, measured = run_trial_sweep(config, some, load, load_scorer)
        known = tried | known
        rates = {role: measured[role] for role in requests} | (rates or {})
    sizes = find_model_sizes(config.all_models, parameters, ready.manifest["parameters"])
    bounds = {
        name: bound_lengths(role) for name, role in (("solver", config.solver), ("verifier", config.verifier)) if role
    }
    return price_requests(
        requests,
        {role: known.get(role) or bounds.get(role, UNKNOWN_LENGTHS) for role in requests},
        {role: sizes.get(role, sizes.get("solver")) for role in requests if role != "scorer"},
        rates,
        "sample" if rate is None else "given",
        prices,
        sizes.get("scorer"),
        config.scorer is not None and config.scorer.uses_verifier,
    )


def bound_lengths(role: ModelRole) -> TokenLengths:
    """Return the lengths that a role's rows may have."""
    return TokenLengths(None, None, float(role.max_tokens), "max_tokens", 0)
