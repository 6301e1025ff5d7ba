"""Searches to run next: a size that advice rests on, a size beyond the last that was run, or more seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import yaml

from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.estimate.searches import SEARCH_SHAPE
from isocompute.planner.pilot.decision import SMALLEST_GAIN, Decision
from isocompute.planner.profile import Profile, Searches
from isocompute.planner.strategies.search_sizes import find_neighbours
from isocompute.planner.strategy_option import StrategyOption
from isocompute.runners.config.search import SearchConfig
from isocompute.runners.config.sweep import Sweep


@dataclass(frozen=True)
class SearchRequest:
    """Searches that could be run.

    Args:
        strategy: the search and its rule of selection, such as ``dvts+weighted``.
        numbers: the allocation: N slots, width M and lookahead k.
        seeds: seeds of each problem that it has afterwards.
        reason: why, in a sentence.
        cost: what the searches cost in total, in x; None outside of the sizes that were run, where it is unknown.
        gain: how much lower the expected regret of the decision is afterwards; None where that is unknown.
        entries: what the search's entry under ``searches`` in the sweep file becomes, in YAML.
    """

    strategy: str
    numbers: dict[str, int]
    seeds: int
    reason: str
    cost: float | None
    gain: float | None
    entries: str

    @property
    def rows(self) -> str:
        """The searches in words, such as ``dvts+weighted N=32 M=4, 3 seeds``."""
        numbers = " ".join(f"{name}={number}" for name, number in self.numbers.items())
        return f"{self.strategy} {numbers}, {self.seeds} seed{'s' if self.seeds > 1 else ''}"


def list_search_requests(
    run: RunPool, profile: Profile, decision: Decision, options: Sequence[StrategyOption], budget: float
) -> tuple[SearchRequest, ...]:
    """List the searches that are worth running for a decision, those of the recommended strategy first.

    - A size that was not run, where the recommendation rests on it, or where running it lowers the expected regret by
      `SMALLEST_GAIN`.
    - Twice the largest size, where it is recommended and the budget would pay for more; half of the smallest, where it
      is recommended although the budget pays for the next one. What these reach and cost is unknown.
    - Twice the seeds of a size, where that lowers the expected regret by `SMALLEST_GAIN`; a second seed of what is
      recommended, where there is one only, so that the spread over seeds is unknown.

    Args:
        run: the run's pool.
        profile: its profile.
        decision: the decision at the budget.
        options: the strategies within the budget as a plan shows them, the recommended one first.
        budget: the budget, in x.
    """
    found = []
    for place, option in enumerate(options):
        part, config = profile.strategies.get(option.strategy), find_search_config(run, option)
        if not isinstance(part, Searches) or config is None:
            continue
        if option.interpolated:
            found += _request_size(profile, part, config, decision, option, is_best=place == 0)
            continue
        found += _request_seeds(run, profile, part, config, decision, option, is_best=place == 0)
        if place == 0:
            found += _request_beyond(part, config, option, profile.counting, budget)
    return tuple(found)


def find_search_config(run: RunPool, option: StrategyOption) -> SearchConfig | None:
    """Return the entry of the sweep file that an option's search, or its neighbours in size, comes from; None if none.

    Sizes of one search may stand in several entries; the first is returned that has a neighbour's shape.
    """
    if not isinstance(run.origin, Sweep):
        return None
    M, k = option.numbers.get("M", 0), option.numbers.get("k", 0)
    matching = [
        search
        for search in run.origin.searches
        if f"{search.strategy}+{search.select}" == option.strategy
        and all((shape.width, shape.lookahead) == (M, k) for shape in search.shapes)
    ]
    return next((search for search in matching if option.numbers["N"] in search.n), next(iter(matching), None))


def _request_size(
    profile: Profile, part: Searches, config: SearchConfig, decision: Decision, option: StrategyOption, is_best: bool
) -> list[SearchRequest]:
    """Request a size that was not run, if advice rests on it or it gains enough."""
    neighbours = find_neighbours(part, option.numbers)
    assert neighbours is not None, "an interpolated size lies between two that were run"
    low, high = neighbours
    gain = decision.compute_gain_of_running(decision.find_allocation(option.strategy, option.compute))
    if not is_best and gain < SMALLEST_GAIN:
        return []
    rests = "the recommendation rests on it" if is_best else "it may be better than what is recommended"
    reason = f"N={option.numbers['N']} was not run, and is interpolated between N={low} and N={high}; {rests}"
    cost = option.compute * config.seeds * profile.problems
    return [_build_request(config, option, option.numbers["N"], config.seeds, reason, cost, gain)]


def _request_seeds(
    run: RunPool,
    profile: Profile,
    part: Searches,
    config: SearchConfig,
    decision: Decision,
    option: StrategyOption,
    is_best: bool,
) -> list[SearchRequest]:
    """Request twice the seeds of a size that was run, if that gains enough, or if there is one seed only."""
    spread = measure_seed_variance(run, option)
    at = next(i for i in range(len(part.seeds)) if all(part.numbers[n][i] == v for n, v in option.numbers.items()))
    seeds = part.seeds[at]
    cost = option.compute * seeds * profile.problems
    if spread is None:
        reason = "with one seed, how much the answers differ from seed to seed is unknown"
        return [_build_request(config, option, option.numbers["N"], 2, reason, cost, None)] if is_best else []
    less = spread * (1 / seeds - 1 / (2 * seeds)) / profile.problems
    gain = decision.compute_gain_of_repeating(option.strategy, option.compute, less)
    if gain < SMALLEST_GAIN:
        return []
    share = 100 * np.sqrt(spread / seeds / profile.problems)
    reason = f"seeds alone make its mean accuracy vary by ±{1.96 * share:.1f} points"
    return [_build_request(config, option, option.numbers["N"], 2 * seeds, reason, cost, gain)]


def _request_beyond(
    part: Searches, config: SearchConfig, option: StrategyOption, counting: str, budget: float
) -> list[SearchRequest]:
    """Request a size beyond those that were run, if the recommended one is the last on its side."""
    N, M = option.numbers["N"], option.numbers.get("M", 0)
    if "N" in option.at_limit:
        reason = f"N={N} is the largest that was run, and the budget would pay for more"
        return [_build_request(config, option, 2 * N, config.seeds, reason, None, None)]
    others = {name: number for name, number in option.numbers.items() if name != "N"}
    costs = part.get_costs(counting) or []
    chain = [
        (part.numbers["N"][at], cost)
        for at, cost in enumerate(costs)
        if all(part.numbers[name][at] == number for name, number in others.items())
    ]
    larger = [cost for size, cost in sorted(chain) if size > N]
    half, smallest = N // 2, min(size for size, _ in chain)
    if smallest < N or N % 2 or half < max(M, 1) or not larger or larger[0] > budget:
        return []
    reason = f"N={N} is the smallest that was run, and does as well as larger ones"
    return [_build_request(config, option, half, config.seeds, reason, None, None)]


def measure_seed_variance(run: RunPool, option: StrategyOption) -> float | None:
    """Return the variance over seeds of a search's answers, right or wrong, mean over problems; None with one seed."""
    searches = run.select_rows(run.rows.searches)
    kept = searches["strategy"] == option.strategy.partition("+")[0]
    for column, name in SEARCH_SHAPE.items():
        kept &= searches[column] == option.numbers.get(name, 0)
    variance = searches[kept]["correct"].astype(float).groupby(searches[kept]["problem_id"]).var(ddof=1)
    return None if variance.isna().any() or not len(variance) else float(variance.mean())


def _build_request(
    config: SearchConfig,
    option: StrategyOption,
    size: int,
    seeds: int,
    reason: str,
    cost: float | None,
    gain: float | None,
) -> SearchRequest:
    """Return a request for one size of a search, with the entries that stand for its entry afterwards."""
    if seeds == config.seeds:
        entries = [config.model_copy(update={"n": tuple(sorted({*config.n, size}))})]
    else:  # the other sizes keep their seeds
        others = tuple(n for n in config.n if n != size)
        entries = [config.model_copy(update={"n": others})] if others else []
        entries.append(config.model_copy(update={"n": (size,), "seeds": seeds}))
    text = "\n".join(f"- {_write_entry(entry)}" for entry in entries)
    return SearchRequest(option.strategy, option.numbers | {"N": size}, seeds, reason, cost, gain, text)


def _write_entry(entry: SearchConfig) -> str:
    """Return an entry as one line of YAML, without what is the default."""
    content = entry.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(content, default_flow_style=True, width=math.inf, sort_keys=False).strip()
