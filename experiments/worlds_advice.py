"""Worlds for `interval_coverage.py` in which a plan is made from few problems of a simulated world with an odd number.

The 200 problems of a world stand for its population, so that the truth is known exactly; a world's problems are drawn
from them with replacement. No world with an odd number had a part in the prior or in the settings of the rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from experiments.advice.prior import SIMULATED, SOLUTIONS, VERIFICATIONS, VERIFIED, estimate_world
from experiments.advice.worlds import draw_world
from isocompute.fits import AllocationOptions, build_verified_options, build_voting_options, compute_mean_interval
from isocompute.fits.choice.certainty import compute_best_probabilities, enclose_differences
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN, choose_recommendations
from isocompute.planner.prior import read_accuracy_prior

NUMBERS, SIZES, BUDGETS = range(1, 60, 2), (10, 20, 40, 100), (16.0, 64.0, 256.0)
SURE = 0.85, 0.95
"""A probability of being best in this range should be right in such a share of the worlds."""
Held = dict[str, bool | None]


def make_advice_world(problems: int) -> Callable[[np.random.Generator], Held]:
    """Make a world that checks what a plan says of its recommendation, from so many problems."""

    def simulate_advice(rng: np.random.Generator) -> Held:
        number, budget = int(rng.choice(NUMBERS)), float(rng.choice(BUDGETS))
        population = build_tables(number)
        truth = [table.accuracy.mean(axis=0) @ table.grid.weights for table in population]
        rows = rng.integers(0, len(population[0].accuracy), problems)
        tables = [AllocationOptions(t.strategy, t.accuracy[rows], t.grid) for t in population]
        posterior = compute_posterior(tables, read_accuracy_prior())
        (found,) = choose_recommendations(tables, posterior.compute_expected_accuracies(), [budget])
        assert found is not None, "each budget pays for a solution"
        chosen = [found.best, *(row for row in found.rows if row != found.best)]
        true = np.array([truth[row.table][row.allocation] for row in chosen])
        values = tables[chosen[0].table].compute_accuracies(np.array([chosen[0].allocation]))[:, 0]
        low, high = compute_mean_interval(values)
        shift = chosen[0].accuracy - values.mean()
        held: Held = {f"a plan's expected accuracy, {problems} problems": bool(low <= true[0] - shift <= high)}
        if len(chosen) > 1:
            rival = int(np.argmax([row.accuracy for row in chosen[1:]])) + 1
            lead_low, lead_high = enclose_differences(posterior, chosen, 0)[rival]
            held[f"a plan's lead over the next best, {problems} problems"] = bool(
                lead_low <= true[0] - true[rival] <= lead_high
            )
            for margin in (0.0, EQUIVALENCE_MARGIN):
                said = compute_best_probabilities(posterior, chosen, margin)[0]
                is_best = bool(true.max() - true[0] <= margin + 1e-9)
                name = f"P(best) said to be 0.85 to 0.95, margin {100 * margin:g}, {problems} problems"
                held[name] = is_best if SURE[0] <= said <= SURE[1] else None
        return held

    return simulate_advice


@cache
def build_tables(number: int) -> list[AllocationOptions]:
    """Return the options of each strategy over the problems of a world."""
    values, lam = estimate_world(number), draw_world(number).lam
    S, V = VERIFIED.tolist(), VERIFICATIONS.tolist()
    first, *others = np.split(values, np.cumsum([len(SOLUTIONS)] + [len(S) * len(V)] * (len(SIMULATED) - 2)), axis=1)
    tables = [build_voting_options(first, SOLUTIONS)]
    for name, part in zip(SIMULATED[1:], others, strict=True):
        surface: NDArray[np.float64] = part.reshape(len(part), len(S), len(V))
        tables.append(build_verified_options(surface, S, V, lam, name))
    return tables


ADVICE_WORLDS = {f"advice, {problems} problems": make_advice_world(problems) for problems in SIZES}
