"""The rows to add to a run next: what sharpens the decision at a budget most per unit of cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.planner.estimate.finished import find_finished_problems
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.evaluation.pilots import PilotShape, get_full_shape
from isocompute.planner.pilot.decision import Decision, build_decision
from isocompute.planner.pilot.noise import SamplingNoise, measure_sampling_noise
from isocompute.planner.pilot.tasks import choose_run_lambda, estimate_doubling_options
from isocompute.planner.prior import read_accuracy_prior
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE

DOMINATED_PROBABILITY = 0.05
"""Strategies and depths that are near the best with a lower probability can be dropped."""
SMALLEST_GAIN = 0.0005
"""Rows that reduce the expected regret by less are not worth adding: a twentieth of a point."""
_MORE_PROBLEMS = (0.25, 1.0)


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
        lam: λ.
        regret: the regret to expect of the decision now, 0 … 1.
        recommended: the allocation that is recommended now.
        options: the options, by what they gain per cost.
        dominated: strategies that are hardly near the best.
        enough_solutions: the smallest S that is enough: with allocations up to it the best is reached almost surely.
        enough_verifications: the same of V; 0 if no verifications are needed.
        unfinished: number of problems that are left out because rows are missing or failed.
    """

    run: str
    shape: PilotShape
    cost: float
    budget: float
    lam: float
    regret: float
    recommended: str
    options: tuple[NextOption, ...]
    dominated: tuple[str, ...]
    enough_solutions: int
    enough_verifications: int
    unfinished: int

    @property
    def best(self) -> NextOption | None:
        """The rows to add; None if none are worth it."""
        return self.options[0] if self.options and self.options[0].gain >= SMALLEST_GAIN else None

    @property
    def warnings(self) -> list[str]:
        """The limits of the options, in sentences."""
        sentences = [
            "Values beyond the measured S and V are not counted on: what more of them would allow is unknown.",
        ]
        if self.unfinished:
            sentences.append(f"{self.unfinished} problems are left out because rows are missing or failed.")
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
        raise DataError(f"The run at '{path}' has {len(finished)} finished problems; a decision takes at least 2.")
    pool = read_pool(run, only=finished)
    unfinished = len(run.read_keys(PROBLEMS_TABLE)) - len(pool.problem_ids)
    return rank_next_rows(pool, choose_run_lambda(pool, lam), budget, unfinished)


def rank_next_rows(run: RunPool, lam: float, budget: float | None = None, unfinished: int = 0) -> NextRows:
    """Rank the rows that could be added to a pool, see `find_next_rows`.

    Args:
        run: the run's pool.
        lam: λ.
        budget: the budget of the decision, in x.
        unfinished: number of problems that are not in the pool.
    """
    tables = estimate_doubling_options(run, lam)
    posterior = compute_posterior(tables, read_accuracy_prior())
    highest = max(table.highest_cost for table in tables)
    budget = min(128.0, highest) if budget is None else budget
    decision = build_decision(posterior, budget)
    shape = get_full_shape(run.pool)
    noise = measure_sampling_noise(run.pool, tables)
    now = decision.compute_regret()
    options = []
    enough = [_find_enough(decision, column) for column in range(2)]
    for rows, after, cost, chance in list_additions(decision, shape, noise, lam, (enough[0], enough[1])):
        regret = min(decision.compute_regret_after(chance), now)  # a draw's error aside, more rows never harm
        options.append(NextOption(rows, after, cost, regret, now - regret))
    options.sort(key=lambda option: (-option.gain / option.cost, option.cost))
    return NextRows(
        run=run.path,
        shape=shape,
        cost=shape.compute_cost(lam),
        budget=budget,
        lam=lam,
        regret=now,
        recommended=_name_recommended(decision),
        options=tuple(options),
        dominated=find_dominated_strategies(decision),
        enough_solutions=enough[0],
        enough_verifications=enough[1],
        unfinished=unfinished,
    )


def list_additions(
    decision: Decision, shape: PilotShape, noise: SamplingNoise, lam: float, enough: tuple[int, int]
) -> Iterator[tuple[str, PilotShape, float, Floats]]:
    """List what can be added: words, the shape, the cost in x, and (d, d) the chance of the means afterwards.

    Problems with the same samples or only with those that are enough, twice the solutions, twice the verified ones, or
    twice the verdicts.

    Args:
        decision: the decision.
        shape: what is measured.
        noise: the sampling noise of a problem.
        lam: λ.
        enough: the S and the V that are enough.
    """
    directions = decision.posterior.projection
    spread = decision.posterior.chance * shape.problems  # of one problem

    def compute_noise(samples: PilotShape) -> Floats:
        return np.asarray(directions.T @ sum(noise.compute_covariances(samples)) @ directions)

    def replace_samples(samples: PilotShape) -> Floats:
        """Return the covariance of a problem with other samples; noise is measured apart, so it is kept positive."""
        values, vectors = np.linalg.eigh(spread + compute_noise(samples) - compute_noise(shape))
        return np.asarray(vectors * np.clip(values, 1e-9, None) @ vectors.T)

    one = replace(shape, problems=1)
    lean = limit_samples(one, *enough)
    for part in _MORE_PROBLEMS:
        added = max(round(part * shape.problems), 1)
        yield (
            f"{added} more problems",
            replace(shape, problems=shape.problems + added),
            replace(one, problems=added).compute_cost(lam),
            spread / (shape.problems + added),
        )
        if lean != one:
            precision = np.linalg.inv(spread / shape.problems) + np.linalg.inv(replace_samples(lean) / added)
            whole = replace(lean, problems=added)
            words = f"{added} more problems with N={lean.solutions}"
            words += f" K={lean.verified} M={lean.verifications}" if lean.verified else ", none verified"
            yield words, whole, whole.compute_cost(lam), np.linalg.inv(precision)
    deeper = [(f"N={2 * shape.solutions}", replace(shape, solutions=2 * shape.solutions))]
    if shape.verified:
        deeper.append((f"M={2 * shape.verifications}", replace(shape, verifications=2 * shape.verifications)))
        if 2 * shape.verified <= shape.solutions:
            deeper.append((f"K={2 * shape.verified}", replace(shape, verified=2 * shape.verified)))
    for name, after in deeper:
        cost = after.compute_cost(lam) - shape.compute_cost(lam)
        yield f"{name} on the same problems", after, cost, replace_samples(after) / shape.problems


def limit_samples(samples: PilotShape, S: int, V: int) -> PilotShape:
    """Return the samples of a problem without those beyond the powers of two that hold S and V.

    Example:
        >>> limit_samples(PilotShape(1, 256, 64, 32), 53, 3)
        PilotShape(problems=1, solutions=64, verified=64, verifications=4)
    """
    solutions = min(samples.solutions, 1 << (S - 1).bit_length())
    if not V or not samples.verified:
        return replace(samples, solutions=solutions, verified=0, verifications=0)
    verifications = min(samples.verifications, 1 << (V - 1).bit_length())
    return replace(samples, solutions=solutions, verified=min(samples.verified, solutions), verifications=verifications)


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


def _name_recommended(decision: Decision) -> str:
    S, V = decision.numbers[decision.chosen]
    return f"{decision.strategies[decision.table[decision.chosen]]} S={S}" + (f" V={V}" if V else "")
