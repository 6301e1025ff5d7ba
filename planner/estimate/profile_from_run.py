"""Third pass, from a pool and its costs to a profile: what every strategy reaches over its allocations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocompute.fits import Pool, coverage, verifier
from isocompute.planner.estimate.costs import Costs, measure_costs, models_of
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.records import describe_problems
from isocompute.planner.estimate.searches import measure_searches
from isocompute.planner.profile import DIGITS, Curve, Model, Profile, Rates, Searches, Surface, rounded
from isocompute.planner.strategies.registry import STRATEGIES, Strategy, StrategyEstimate
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.provenance import Imported
from isocompute.runners.storage.run import Run

DRAWS = 32
"""How often the votes that are not exact are drawn."""
SEED = 20250402


def ladder(most: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12 … up to ``most``: the powers of two and what lies halfway, and the end.

    >>> ladder(16)
    [1, 2, 3, 4, 6, 8, 12, 16]
    """
    rungs = {n for power in range(most.bit_length()) for n in (2**power, 3 * 2**power // 2)} | {most}
    return sorted(n for n in rungs if 1 <= n <= most)


def profile_of_run(path: str, name: str, parameters: Sequence[float] = (), read: float = 1.0) -> Profile:
    """Estimate a run's accuracies over S and V: exactly, or where that cannot be by drawing, with the error it has.

    Args:
        path: its folder.
        name: the profile's.
        parameters: sizes of models that no folder tells, see `costs.sizes`.
        read: what a token that is read counts, where one that is decoded counts 1.

    Raises:
        RunError, DataError, EngineError: the run is missing, incomplete or damaged, or a checkpoint is.
    """
    run = Run(path)
    pool = read_pool(run)
    return build_profile(run, pool, measure_costs(pool, parameters, read), name)


def build_profile(run: Run, found: RunPool, costs: Costs, name: str) -> Profile:
    """Estimate every strategy that a pool can tell of.

    Args:
        run: says what is known of each problem.
        found: its pool.
        costs: of its rows.
        name: the profile's.
    """
    pool = found.pool
    doublings = [n for n in ladder(pool.solutions) if n & (n - 1) == 0 or n == pool.solutions]
    strategies: dict[str, Curve | Surface | Searches] = {}
    for strategy in STRATEGIES.values():
        if strategy.name == "sc" or strategy.can_use(pool, found.voted):
            strategies[strategy.name] = estimate_part(strategy, pool, found.voted)
    for strategy_name, tried in measure_searches(found, costs).items():
        strategies[strategy_name] = Searches(
            numbers=tried.numbers, seeds=tried.seeds, cost=tried.costs, accuracy=rounded(tried.accuracy)
        )
    lam = costs.lam if pool.verdicts is not None else None
    return Profile(
        name=name,
        description=describe(found),
        problems=pool.problems,
        models={
            role: Model(name=model, parameters=costs.sizes.parameters.get(role))
            for role, model in models_of(found.origin).items()
        },
        lam=lam,
        lambda_source=None if lam is None else lambda_source(costs),
        lambdas={} if pool.verdicts is None else costs.known_lambdas,
        rhos=costs.rhos,
        coverage=Curve(solutions=doublings, accuracy=rounded(coverage(pool, doublings))),
        verifier=None if pool.verdicts is None else rates(pool),
        strategies=strategies,
        warnings=[*left_out(found), *found.notes, *costs.notes, *unvoted(found), *between(pool)],
        per_problem=describe_problems(run, found),
    )


def estimate_part(strategy: Strategy, pool: Pool, voted: bool) -> Curve | Surface:
    """Estimate a strategy over the numbers that a profile holds, see `allocations`."""
    S, V = allocations(strategy, pool, voted)
    with STRATEGIES.blaming(strategy.name):
        found = estimate(strategy, pool, S, V)
        check_estimate(found, (pool.problems, len(S), *([len(V)] if V else [])))
    fields = {"solutions": S, "error": found.error, "parameters": dict(found.parameters)}
    accuracy = rounded(found.accuracy)
    return Surface(verifications=V, accuracy=accuracy, **fields) if V else Curve(accuracy=accuracy, **fields)


def check_estimate(found: StrategyEstimate, shape: tuple[int, ...]) -> None:
    """Raise unless an estimate holds a share for each problem and allocation.

    Raises:
        ValueError: its shape is another, or a value is not in 0 … 1.
    """
    if np.shape(found.accuracy) != shape:
        raise ValueError(f"its accuracies have the shape {np.shape(found.accuracy)}; they must have {shape}")
    rounded_off = np.round(found.accuracy, DIGITS)
    if not ((rounded_off >= 0) & (rounded_off <= 1)).all():
        raise ValueError("its accuracies must lie in 0 … 1")


def allocations(strategy: Strategy, pool: Pool, voted: bool = True) -> tuple[list[int], list[int]]:
    """Return the S and the V at which a strategy is estimated; no V of one without verifications."""
    if strategy.needs == "verifications":
        return ladder(pool.verified), ladder(pool.verifications)
    if strategy.needs == "scores":
        return ladder(pool.scored), []
    every = sorted({*range(1, min(pool.solutions, 16) + 1), *ladder(pool.solutions)})
    return (every if voted else [1]), []


def estimate(strategy: Strategy, pool: Pool, S: list[int], V: list[int]) -> StrategyEstimate:
    """Estimate a strategy with the seed of all profiles."""
    return strategy.load_estimator(pool, S, V, DRAWS, SEED)


def lambda_source(costs: Costs) -> str:
    """Say what λ rests on."""
    relative = costs.sizes.relative("verifier")
    text = f"completion tokens: {costs.verification_tokens:.1f} a verification, {costs.solution_tokens:.1f} a solution"
    return text + (f"; a verifier of {relative:.3g} times the parameters" if relative != 1 else "")


def rates(pool: Pool) -> Rates:
    """Return how good the verifier is; None where there is nothing to measure it on."""
    found = verifier(pool)
    return Rates.model_validate(
        {
            name: value if name == "unparsed" else [None if np.isnan(x) else round(x, DIGITS) for x in value]
            for name, value in vars(found).items()
        }
    )


def between(pool: Pool) -> list[str]:
    """Say that verdicts which are neither yes nor no are read as one of the two where estimates are exact."""
    if pool.verdicts is None or not (middle := (pool.verdicts > 0) & (pool.verdicts < 1)).any():
        return []
    parsed = (~np.isnan(pool.verdicts)).sum()
    return [
        f"{middle.sum():,} of {parsed:,} verdicts are probabilities; each counts as yes above 1/2, and as no "
        "otherwise, in genrm and genrm+vote."
    ]


def unvoted(run: RunPool) -> list[str]:
    """Say that votes cannot be counted where answers are unknown."""
    if run.voted:
        return []
    return ["The run says which solutions are right, not what they answer: no votes can be counted, so SC is known at "
            "one solution only."]  # fmt: skip


def describe(run: RunPool) -> str:
    """Say in a line what was measured."""
    pool, models = run.pool, models_of(run.origin)
    solver = models.get("solver", "an unnamed model")
    text = f"{solver} on {pool.problems} problems of {run.origin.task_name}, {pool.solutions} solutions each"
    if pool.verdicts is not None:
        verifier = models.get("verifier", "an unnamed model")
        text += f"; {verifier} verifying {pool.verified} of them {pool.verifications} times"
    if pool.scores is not None:
        text += f"; {models.get('scorer', models.get('verifier'))} scoring {pool.scored} of them"
    if names := searched_names(run):
        text += f"; searches: {', '.join(names)}"
    if isinstance(run.origin, Imported):
        return f"{text}; imported from {run.origin.format}"
    return text + ("" if run.origin.taken is None else f"; its solutions are those of {run.origin.taken.run}")


def left_out(run: RunPool) -> list[str]:
    """Say which problems have no place in the pool."""
    if not run.left_out:
        return []
    reason = next(iter(run.left_out.values()))
    count = len(run.left_out)
    return [f"{count} problem{'s are' if count > 1 else ' is'} left out because a row failed: {reason}."]


def searched_names(run: RunPool) -> list[str]:
    """Return the searches of a sweep, each with its rule of selection."""
    if not isinstance(run.origin, Sweep):
        return []
    return list(dict.fromkeys(f"{search.strategy}+{search.select}" for search in run.origin.searches))
