"""Replays of pilots and of sweeps that stop early: the regret that they state beside the regret that happens.

    python -m experiments.advice.pilots [--replays 400] [--worlds 48]

Writes docs/pilots.md. Normal worlds are drawn from the planner's prior. The worlds with odd numbers are those that no
setting was chosen on; their tables are kept in runs/advice/worlds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.special import stdtrit
from statsmodels.stats.proportion import proportion_confint

from experiments.advice.prior import TABLES, estimate_world
from isocompute.fits.choice.posterior import update_prior
from isocompute.fits.choice.prepared_prior import prepare_prior
from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.fits.mean_intervals import compute_mean_interval
from isocompute.planner.evaluation.measured_tables import EVALUATION_BUDGETS
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.evaluation.regret import find_best_accuracies
from isocompute.planner.pilot.decision import build_decision
from isocompute.planner.pilot.expectation import simulate_regret
from isocompute.planner.pilot.tasks import TaskModel, build_typical_model
from isocompute.planner.prior import read_accuracy_prior
from isocompute.runners.sampling.sweep import list_batch_sizes

DOCS = Path(__file__).resolve().parents[2] / "docs" / "pilots.md"
SEED, POPULATION, LAMBDA = 20260116, 1000, 1.0
SHAPES = (PilotShape(10, 64, 64, 8), PilotShape(40, 64, 32, 4), PilotShape(100, 32, 32, 2), PilotShape(60, 128, 64, 4))
SWEPT, BUDGET, THRESHOLDS = PilotShape(228, 64, 32, 4), 64.0, (1.0, 0.5, 0.25)
Floats = NDArray[np.float64]
Draw = Callable[[int], Floats]


@dataclass
class Stop:
    """A sweep at the look at which it stopped.

    Args:
        problems: the number of problems.
        stated: the regret to expect, as stated.
        regret: the regret that happens.
        leads: whether the interval of each lead held.
        accuracy: whether the interval of the recommendation's accuracy held.
    """

    problems: int
    stated: float
    regret: float
    leads: list[bool]
    accuracy: bool


def draw_normal_world(model: TaskModel, number: int) -> Floats:
    """Draw (POPULATION, K) problems of a normal world; accuracies outside 0 … 1 are cut."""
    rng = np.random.default_rng((SEED, number))
    problems = model.draw_task(rng) + rng.standard_normal((POPULATION, model.within.shape[1])) @ model.within.T
    return np.clip(problems, 0, 1)


def replay_pilot(model: TaskModel, population: Floats, shape: PilotShape, rng: np.random.Generator) -> float:
    """Return the regret of a pilot's advice, the mean over the budgets, with the population as the task."""
    kept = np.concatenate(model.select_knots(shape))
    tables = model.build_pilot_tables(shape)
    ends, all_ends = (np.cumsum([len(t.grid.knots) for t in each])[:-1] for each in (tables, model.tables))
    noise = model.compute_problem_factors(shape)[:, model.within.shape[1] :][kept]
    values = population[rng.integers(0, len(population), shape.problems)][:, kept]
    values = values + rng.standard_normal((shape.problems, noise.shape[1])) @ noise.T
    measured = [replace(t, accuracy=v) for t, v in zip(tables, np.split(values, ends, axis=1), strict=True)]
    posterior = update_prior(prepare_prior(tables, read_accuracy_prior()), measured)
    truth = population.mean(axis=0)
    best = find_best_accuracies(model.tables, np.split(truth, all_ends), EVALUATION_BUDGETS)
    parts = np.split(truth[kept], ends)
    found = choose_recommendations(measured, posterior.compute_expected_accuracies(), EVALUATION_BUDGETS)
    scores = [parts[f.best.table] @ measured[f.best.table].grid.weights[:, f.best.allocation] for f in found if f]
    return float(np.mean(best - np.array(scores)))


def replay_sweep(model: TaskModel, population: Floats, rng: np.random.Generator) -> dict[float, Stop]:
    """Sample problems batch by batch, and return where a sweep stops, by threshold; 0 never stops early."""
    kept = np.concatenate(model.select_knots(SWEPT))
    tables = model.build_pilot_tables(SWEPT)
    ends = np.cumsum([len(t.grid.knots) for t in tables])[:-1]
    prior = prepare_prior(tables, read_accuracy_prior())
    drawn = population[rng.integers(0, len(population), SWEPT.problems)][:, kept]
    truth = np.split(population.mean(axis=0)[kept], ends)
    stops: dict[float, Stop] = {}
    for size in list_batch_sizes(SWEPT.problems):
        measured = [replace(t, accuracy=v) for t, v in zip(tables, np.split(drawn[:size], ends, axis=1), strict=True)]
        posterior = update_prior(prior, measured)
        stated = build_decision(posterior, BUDGET).compute_regret()
        last = size == SWEPT.problems
        due = [t for t in (*THRESHOLDS, 0.0) if t not in stops and (100 * stated < t or last)]
        if not due:
            continue
        found = choose_recommendations(measured, posterior.compute_expected_accuracies(), [BUDGET])[0]
        assert found is not None
        rows = [found.best, *(row for row in found.rows if row != found.best)]
        true = np.array([truth[r.table] @ measured[r.table].grid.weights[:, r.allocation] for r in rows])
        covariance = posterior.compute_covariance([(r.table, r.allocation) for r in rows])
        spread = np.sqrt(np.maximum(covariance[0, 0] + covariance.diagonal() - 2 * covariance[0], 0))
        reach = stdtrit(posterior.freedom, 0.975) * spread
        lead = np.array([rows[0].accuracy - r.accuracy for r in rows])
        values = measured[rows[0].table].compute_accuracies(np.array([rows[0].allocation]))[:, 0]
        low, high = (end + rows[0].accuracy - values.mean() for end in compute_mean_interval(values))
        best = find_best_accuracies(measured, truth, [BUDGET])[0]
        held = [bool(h) for h in (abs(true[0] - true - lead) <= reach)[1:]]
        stop = Stop(size, stated, float(best - true[0]), held, bool(low <= true[0] <= high))
        stops |= dict.fromkeys(due, stop)
    return stops


def describe_pilots(model: TaskModel, name: str, draw: Draw, replays: int) -> list[str]:
    """Return the rows of the table of pilots."""
    lines = []
    for shape in SHAPES:
        stated = simulate_regret(model, shape, EVALUATION_BUDGETS, 200)
        happened = np.array(
            [
                replay_pilot(model, draw(i), shape, np.random.default_rng((SEED, i, 1)))
                for i in track(range(replays), f"{name}, {shape}")
            ]
        )
        error = happened.std(ddof=1) / np.sqrt(replays)
        lines.append(
            f"| {name} | {shape} | {100 * stated.mean:.2f} | {100 * happened.mean():.2f} ± {100 * error:.2f} "
            f"| {stated.mean / happened.mean():.2f} | {(happened > stated.high).mean():.0%} |"
        )
    return lines


def describe_stops(model: TaskModel, name: str, draw: Draw, replays: int) -> list[str]:
    """Return the rows of the table of sweeps that stop."""
    numbers = track(range(replays), f"{name}, sweeps")
    found = [replay_sweep(model, draw(i), np.random.default_rng((SEED, i, 2))) for i in numbers]
    lines = []
    for threshold in (*THRESHOLDS, 0.0):
        stops = [each[threshold] for each in found]
        stated, regret = (100 * np.mean([getattr(s, key) for s in stops]) for key in ("stated", "regret"))
        leads = np.mean([np.mean(s.leads) for s in stops])
        right = sum(s.accuracy for s in stops)
        low, high = proportion_confint(right, replays, method="wilson")
        rule = f"regret < {threshold:g}" if threshold else "never"
        lines.append(
            f"| {name} | {rule} | {np.mean([s.problems for s in stops]):.0f} | {stated:.2f} | {regret:.2f} "
            f"| {leads:.1%} | {right / replays:.1%} [{low:.1%}, {high:.1%}] |"
        )
    return lines


def main() -> None:
    """Replay and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replays", type=int, default=400)
    parser.add_argument("--worlds", type=int, default=48)
    given = parser.parse_args()
    model = build_typical_model(LAMBDA)
    numbers = range(1, given.worlds, 2)
    odd = [estimate_world(number) for number in track(numbers, f"worlds in {TABLES.name}")]
    draws: list[tuple[str, Draw]] = [
        ("normal", lambda i: draw_normal_world(model, i)),
        ("simulated, odd", lambda i: odd[i % len(odd)]),
    ]
    pilots = [line for name, draw in draws for line in describe_pilots(model, name, draw, given.replays)]
    stops = [line for name, draw in draws for line in describe_stops(model, name, draw, given.replays)]
    DOCS.write_text(TEXT.format(replays=given.replays, odd=len(odd), pilots="\n".join(pilots), stops="\n".join(stops)))


TEXT = """# Pilots: the regret that is stated, and the regret that happens

Made by `python -m experiments.advice.pilots`: {replays} replays a row, with λ = 1. Normal worlds are drawn from the
planner's prior. The odd worlds ({odd} of them, replayed with other problems) are simulated pools that no setting was
chosen on; half of them have distributions that the prior has never seen. Regret is in points of accuracy below the best
allocation in hindsight. It includes what the rule gives up on purpose: strategies within half a point are equivalent.

## Before a sweep

`isocompute pilot` states the regret of the advice at 8x to 512x, the mean over budgets. The stated number is for a task
of which nothing is known; the error is that of other replays of the same worlds. The last column is the share of
replays that lose more than what one task in ten is said to exceed. Normal worlds are cut at accuracies of 0 and 1,
which flattens their surfaces, so that pilots that measure few S or V lose less than is stated.

| worlds | pilot | stated | happened | ratio | beyond the stated 90 % |
|---|---|--:|--:|--:|--:|
{pilots}

## During a sweep

`sweep --until` looks after 20, 30, 45, 68 … problems of 64 solutions, 32 verified 4 times, and stops when the regret to
expect at 64x is low enough, or after 228 problems. Here regret is below the best of what was measured. Leads: share of
the 95 % intervals of the recommendation's lead over each other strategy that hold after the stop. Accuracy: the same of
the recommendation's accuracy, with a 95 % interval of that share. The stated regret is near what happens: 0.9 to 1.2
times for normal worlds, and up to 1.5 times for the odd ones, where a sweep stops late rather than early.

| worlds | stop | problems | stated | happened | leads | accuracy |
|---|---|--:|--:|--:|--:|--:|
{stops}
"""


if __name__ == "__main__":
    main()
