"""The rows to add to a run next: what sharpens the decision at a budget most per unit of cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocompute.errors import DataError
from isocompute.planner.budget import format_compute
from isocompute.planner.compare import compare_strategies, compute_expected_accuracies
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.finished import find_finished_problems
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.evaluation.pilots import PilotShape, get_full_shape
from isocompute.planner.pilot.additions import list_additions
from isocompute.planner.pilot.decision import SMALLEST_GAIN, Decision, build_decision
from isocompute.planner.pilot.noise import measure_sampling_noise
from isocompute.planner.pilot.search_requests import SearchRequest, list_search_requests
from isocompute.planner.pilot.tasks import choose_run_lambda
from isocompute.planner.power import POWER_BUDGET
from isocompute.planner.profile import COUNTING_WAYS, Profile
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.runners.parsing.printable import format_count
from isocompute.runners.storage.files import describe_place
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE

DOMINATED_PROBABILITY = 0.05
"""Strategies and depths that are near the best with a lower probability can be dropped."""


@dataclass(frozen=True)
class NextOption:
    """Rows that could be added.

    Args:
        rows: the rows in words.
        shape: the whole run afterwards; with problems of other samples, the added ones.
        cost: what the rows cost in total, in x.
        regret: the regret to expect of the decision afterwards, 0 … 1.
        gain: how much lower that is than now.
    """

    rows: str
    shape: PilotShape
    cost: float
    regret: float
    gain: float

    @property
    def gain_per_cost(self) -> float:
        """Points of regret that 1,000x remove."""
        return 100_000 * self.gain / self.cost


@dataclass(frozen=True)
class NextRows:
    """The options of a run, the best first.

    Args:
        run: its path.
        shape: what is measured.
        cost: what that cost in total, in x.
        budget: the budget of the decision, in x.
        highest_cost: the cost of the dearest measured allocation, in x.
        lam: λ.
        regret: the regret to expect of the decision now, 0 … 1.
        recommended: the allocation that a plan recommends now.
        options: the options, by what they gain per cost.
        dominated: strategies that are hardly near the best.
        enough_solutions: the smallest S that is enough: with allocations up to it the best is reached almost surely.
        enough_verifications: the same of V; 0 if no verifications are needed.
        unfinished: number of problems that are left out because rows are missing or failed.
        unpriced: strategies that need scores or searches, whose rows are in no cost of an option.
        searches: searches that are worth running.
    """

    run: str
    shape: PilotShape
    cost: float
    budget: float
    highest_cost: float
    lam: float
    regret: float
    recommended: str
    options: tuple[NextOption, ...]
    dominated: tuple[str, ...]
    enough_solutions: int
    enough_verifications: int
    unfinished: int
    unpriced: tuple[str, ...] = ()
    searches: tuple[SearchRequest, ...] = ()

    @property
    def best(self) -> NextOption | None:
        """The rows to add; None if none are worth it."""
        return next((option for option in self.options if option.gain >= SMALLEST_GAIN), None)

    @property
    def warnings(self) -> list[str]:
        """The limits of the options, in sentences."""
        sentences = [
            "Values beyond the measured S and V are not counted on: what more of them would allow is unknown.",
        ]
        if self.budget > self.highest_cost:
            sentences.append(
                f"The budget of {format_compute(self.budget)} lies above the dearest measured allocation, "
                f"{format_compute(self.highest_cost)}; the decision is between those that were measured."
            )
        if self.unpriced:
            sentences.append(f"The scores and searches of {', '.join(self.unpriced)} are not in the costs.")
        if self.unfinished:
            left_out = "1 problem is" if self.unfinished == 1 else f"{self.unfinished:,} problems are"
            sentences.append(f"{left_out} left out because rows are missing or failed.")
        return sentences


def find_next_rows(path: str, budget: float | None = None, lam: float | str | None = None) -> NextRows:
    """Find the rows that sharpen the decision of a run most per unit of cost.

    Args:
        path: the run's folder; it may be unfinished.
        budget: the budget of the decision, in x; the highest that was measured if not given, up to 128x.
        lam: λ as a number, or a way of counting tokens.

    Raises:
        RunError, DataError: the run is missing or damaged, or has fewer than 2 finished problems, or λ is unknown.
        BudgetError: the budget pays for nothing.
    """
    run = Run(path)
    finished = find_finished_problems(run)
    if len(finished) < 2:
        has = format_count(len(finished), "finished problem")
        raise DataError(f"The run {describe_place(path)} has {has}; a decision takes at least 2.")
    pool = read_pool(run, only=finished)
    unfinished = len(run.read_keys(PROBLEMS_TABLE)) - len(pool.problem_ids)
    price = choose_run_lambda(pool, lam)
    profile = build_profile(run, pool, measure_costs(pool), path)
    if isinstance(lam, str) and lam in COUNTING_WAYS:
        profile = profile.use_counting(lam)
    return rank_next_rows(pool, profile, price, budget, unfinished)


def rank_next_rows(
    run: RunPool, profile: Profile, lam: float, budget: float | None = None, unfinished: int = 0
) -> NextRows:
    """Rank the rows that could be added to a pool, see `find_next_rows`.

    Args:
        run: the run's pool.
        profile: its profile, from which a plan would recommend.
        lam: λ; any positive number without verifications.
        budget: the budget of the decision, in x.
        unfinished: number of problems that are not in the pool.
    """
    expected = compute_expected_accuracies(profile, lam)
    if expected.posterior is None:
        raise DataError(f"The run {describe_place(run.path)} has one independent problem; a decision takes at least 2.")
    highest = max(table.highest_cost for table in expected.tables)
    budget = min(POWER_BUDGET, highest) if budget is None else budget
    decision = build_decision(expected.posterior, budget, profile.clusters)
    shape = get_full_shape(run.pool)
    noise = measure_sampling_noise(run.pool, expected.tables)
    now = decision.compute_regret()
    options = []
    unpriced = tuple(name for name in decision.strategies if not _is_sampled(name))
    enough = (_find_enough(decision, 0), _find_enough(decision, 1))
    # A search or a score may need other rows, so that with them no rows are taken to be needless.
    kept = (shape.solutions, shape.verifications) if unpriced else enough
    for rows, after, cost, chance in list_additions(decision, shape, noise, lam, kept):
        regret = min(decision.compute_regret_after(chance), now)  # a draw's error aside, more rows never harm
        options.append(NextOption(rows, after, cost, regret, now - regret))
    options.sort(key=lambda option: (-option.gain / option.cost, option.cost))
    searches: tuple[SearchRequest, ...] = ()
    if profile.searches:
        shown = compare_strategies(profile, budget, lam, expected).options
        searches = list_search_requests(run, profile, decision, shown, budget)
    return NextRows(
        run=run.path,
        shape=shape,
        cost=shape.compute_cost(lam),
        budget=budget,
        highest_cost=highest,
        lam=lam,
        regret=now,
        recommended=decision.recommended,
        options=tuple(options),
        dominated=find_dominated_strategies(decision),
        enough_solutions=enough[0],
        enough_verifications=enough[1],
        unfinished=unfinished,
        unpriced=unpriced,
        searches=searches,
    )


def find_dominated_strategies(decision: Decision) -> tuple[str, ...]:
    """Return the strategies that are within the equivalence margin of the best with a low probability."""
    return tuple(
        name
        for index, name in enumerate(decision.strategies)
        if decision.compute_near_best(decision.table == index) < DOMINATED_PROBABILITY
    )


def _find_enough(decision: Decision, column: int) -> int:
    """Return the smallest S (column 0) or V (column 1) up to which some allocation is near the best almost surely."""
    limits = np.unique(decision.numbers[:, column])
    low, high = 0, len(limits) - 1
    while low < high:
        middle = (low + high) // 2
        reached = decision.compute_near_best(decision.numbers[:, column] <= limits[middle]) >= 1 - DOMINATED_PROBABILITY
        low, high = (low, middle) if reached else (middle + 1, high)
    return int(limits[low])


def _is_sampled(strategy: str) -> bool:
    """Return whether a strategy needs no rows but solutions and verifications."""
    return strategy in STRATEGIES and STRATEGIES[strategy].needs != "scores"
