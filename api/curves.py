"""Accuracy curves: one strategy at several numbers of solutions and verifications, as a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isocompute.api.runs import RunSource, open_run
from isocompute.errors import ConfigError, DataError
from isocompute.fits import compute_percentile_interval, draw_bootstrap_weights, resample_means
from isocompute.planner.estimate.costs import RunCosts, measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_strategy, list_allocations
from isocompute.planner.estimate.searches import measure_searches
from isocompute.planner.profile import COUNTING_WAYS, check_lambda, check_rho, read_lambda
from isocompute.planner.strategies.registry import STRATEGIES, is_search
from isocompute.runners.parsing.printable import format_error_value

if TYPE_CHECKING:
    import pandas as pd

    from isocompute.planner.strategies.registry import Strategy


def curve(
    run: RunSource,
    strategy: str = "sc",
    S: Sequence[int] | int | None = None,
    V: Sequence[int] | int | None = None,
    *,
    lam: float | str | None = None,
    rho: float | None = None,
) -> pd.DataFrame:
    """Estimate the accuracy of a strategy at several numbers of solutions and verifications.

    Args:
        run: a run, or its path.
        strategy: a strategy's name, such as ``sc`` or ``weighted``, or a search with its rule, ``beam+weighted``.
        S: numbers of solutions; a ladder up to the pool's if not given. A search has the numbers that were run.
        V: numbers of verifications of each; a ladder if not given. Only of strategies that need verifications.
        lam: λ as a number, or a way of counting tokens: completion, prompts or cached; by completion tokens if not
            given.
        rho: ρ, the cost of scoring a solution in solutions; as the run says if not given.

    Returns:
        A row for each allocation: strategy, S, V, compute (x; NaN where λ or ρ is unknown), accuracy, its 95 % interval
        over problems (low, high; NaN of one problem), problems.

    Raises:
        ConfigError: the strategy is unknown.
        DataError: the run does not hold what the strategy needs, or a number is beyond the pool.
        RunError: the run is missing or incomplete.
    """
    import pandas as pd

    numbers: dict[str, Any]
    opened = open_run(run)
    if not isinstance(strategy, str) or not (strategy in STRATEGIES or is_search(strategy)):
        raise ConfigError(f"strategy={format_error_value(strategy)} is unknown; there are {STRATEGIES.names_as_text}.")
    run_pool = read_pool(opened._run)
    costs = measure_costs(run_pool)
    way, known_lam = choose_counting(costs, lam)
    if is_search(strategy):
        search_part = measure_searches(run_pool, costs).get(strategy)
        if search_part is None:
            raise DataError(f"The run at '{opened.path}' has no searches '{strategy}'.")
        accuracy = np.asarray(search_part.accuracy)
        numbers = {"S": [None] * accuracy.shape[1], "V": [None] * accuracy.shape[1], **search_part.numbers}
        compute = [np.nan if x is None else x for x in search_part.costs[way]]
    else:
        entry = STRATEGIES[strategy]
        if not entry.can_use(run_pool.pool, run_pool.has_answers):
            reason = run_pool.missing_votes if entry.needs == "solutions" else None
            raise DataError(
                reason or f"The run at '{opened.path}' does not hold what '{strategy}' needs: {entry.needs}."
            )
        usual_S, usual_V = list_allocations(entry, run_pool.pool, run_pool.has_answers)
        S, V = check_numbers(S, "S", usual_S), check_numbers(V, "V", usual_V)
        accuracy = estimate_strategy(entry, run_pool.pool, S, V).accuracy.reshape(run_pool.pool.problems, -1)
        grid: list[tuple[int, int | None]] = [(s, v) for s in S for v in (V or (None,))]
        numbers = {"S": [s for s, _ in grid], "V": [v or 0 for _, v in grid]}
        known_rho = costs.rhos.get(way) if rho is None else check_rho(rho)
        compute = [price_allocation(entry, s, v, known_lam, known_rho) for s, v in grid]
    low, high = np.full((2, accuracy.shape[1]), np.nan)
    if run_pool.pool.problems > 1:
        weights = draw_bootstrap_weights(run_pool.pool.problems, 4000, 128)
        low, high = compute_percentile_interval(resample_means(accuracy, weights))
    return pd.DataFrame(
        {
            "strategy": strategy,
            **{name: pd.array(column, dtype="Int64") for name, column in numbers.items()},
            "compute": compute,
            "accuracy": accuracy.mean(axis=0),
            "low": low,
            "high": high,
            "problems": run_pool.pool.problems,
        }
    )


def choose_counting(costs: RunCosts, lam: float | str | None) -> tuple[str, float | None]:
    """Return the way of counting tokens, and λ; None where λ is unknown.

    Raises:
        DataError: ``lam`` is neither a positive number nor a way of counting tokens.
    """
    if isinstance(lam, str) and lam in COUNTING_WAYS:
        return lam, costs.known_lambdas.get(lam)
    return "completion", costs.lam if lam is None else check_lambda(read_lambda(lam))


def check_numbers(requested: Sequence[int] | int | None, name: str, default: list[int]) -> list[int]:
    """Return the numbers that were given, or the usual ones.

    Raises:
        DataError: one is not a whole number, or is beyond the pool; or there is no use for them.
    """
    if requested is None:
        return default
    if not default:
        raise DataError(f"{name} has no meaning for this strategy; leave it out.")
    numbers = np.asarray(requested).ravel().tolist()
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 1 <= number <= default[-1]:
            raise DataError(
                f"{name} must hold whole numbers from 1 to {default[-1]}; it holds {format_error_value(number)}."
            )
    return [int(number) for number in numbers] or default


def price_allocation(entry: Strategy, S: int, V: int | None, lam: float | None, rho: float | None) -> float:
    """Return what an allocation costs in x: S, S(1 + λV) or S(1 + ρ); NaN where the cost is unknown."""
    extra = {"solutions": 0.0, "verifications": None if lam is None else lam * (V or 0), "scores": rho}[entry.needs]
    return float("nan") if extra is None else S * (1 + extra)
