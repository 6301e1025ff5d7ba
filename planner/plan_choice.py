"""The plan's choice scored on problems that it was not made on, so that other policies can be compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isocompute.fits import AllocationOptions, SingleChoice, split_folds
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.choice.posterior import update_prior
from isocompute.fits.choice.prepared_prior import PreparedPrior, prepare_prior
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN, Recommendation, choose_recommendations
from isocompute.fits.choice.selectors import find_uninformed_tables
from isocompute.planner.prior import read_accuracy_prior

CHOICE_SPLITS = 4
"""The number of times that the problems are split into folds; each fold takes an estimate of all expectations."""


def score_plan_choice(
    options: Sequence[AllocationOptions],
    budgets: Sequence[float],
    clusters: Ints | None = None,
    strata: Ints | None = None,
    margin: float = EQUIVALENCE_MARGIN,
) -> SingleChoice:
    """Score the choice that a plan makes at each budget, with each problem's accuracy under it.

    Args:
        options: options of n strategies over P ≥ 2 problems.
        budgets: (nC,) compute per problem, in x.
        clusters: (P,) cluster of each problem, which are held out whole; None if each problem is its own.
        strata: (P,) level of each problem, as a plan takes it; None if it is unknown.
        margin: difference in expected accuracy within which the plan takes the cheapest strategy; 0 for the most
            accurate one.

    Raises:
        DataError: fewer than 2 clusters.
    """
    P = len(options[0].accuracy)
    groups = np.arange(P) if clusters is None else clusters
    folds = split_folds(P, splits=CHOICE_SPLITS, clusters=clusters)
    prior = prepare_prior(options, read_accuracy_prior())
    held_out = np.zeros((P, len(budgets)))
    for train, test in zip(folds.train, folds.test, strict=True):
        held_out[test] += _score_choices(
            options, _choose_from_problems(options, prior, train, budgets, groups, strata, margin), test
        )
    found = _choose_from_problems(options, prior, np.ones(P, dtype=bool), budgets, groups, strata, margin)
    in_sample = _score_choices(options, found, np.ones(P, dtype=bool))
    return SingleChoice(held_out / CHOICE_SPLITS, in_sample, [_describe_choice(options, each) for each in found])


def _choose_from_problems(
    options: Sequence[AllocationOptions],
    prior: PreparedPrior,
    problems: np.ndarray,
    budgets: Sequence[float],
    clusters: Ints,
    strata: Ints | None,
    margin: float,
) -> list[Recommendation | None]:
    """Return what is recommended within each budget from some of the problems."""
    tables = [replace(option, accuracy=option.accuracy[problems]) for option in options]
    if len(np.unique(clusters[problems])) < 2:  # nothing can be said of chance, so the measured means decide
        expected = [table.accuracy.mean(axis=0) @ table.grid.weights for table in tables]
    else:
        levels = None if strata is None else strata[problems]
        expected = update_prior(prior, tables, levels, clusters[problems]).compute_expected_accuracies()
    uninformed = find_uninformed_tables(tables, clusters[problems])
    return choose_recommendations(tables, expected, budgets, margin, uninformed)


def _score_choices(
    options: Sequence[AllocationOptions], found: Sequence[Recommendation | None], problems: np.ndarray
) -> Floats:
    """Return (problems, nC) the accuracies under the recommendations; NaN where there is none."""
    columns = [
        np.full(problems.sum(), np.nan)
        if each is None
        else options[each.best.table].compute_accuracies(np.array([each.best.allocation]), problems)[:, 0]
        for each in found
    ]
    return np.stack(columns, axis=1)


def _describe_choice(options: Sequence[AllocationOptions], found: Recommendation | None) -> str | None:
    """Return a recommendation in words; None where there is none."""
    if found is None:
        return None
    table = options[found.best.table]
    return f"{table.strategy} {table.label_allocation(found.best.allocation)}"
