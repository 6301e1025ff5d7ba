"""The regret of the advice: pilots are drawn from a pool repeatedly, and the advice is scored on the other problems.

The regret of an advice is the accuracy of the best allocation in hindsight within the budget minus that of the advised
one, both on problems that were not in the pilot. The best allocation in hindsight is chosen on the problems that it is
scored on, so that a planner with full knowledge of the task has some regret too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.posterior import update_prior
from isocompute.fits.choice.prepared_prior import PreparedPrior, prepare_prior
from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.fits.choice.selectors import find_uninformed_tables
from isocompute.planner.evaluation.measured_pool import EVALUATION_SEED, MeasuredPool
from isocompute.planner.evaluation.measured_tables import MeasuredTables
from isocompute.planner.evaluation.pilots import PilotShape, check_shape
from isocompute.planner.evaluation.rules import REFERENCE_RULES, Allocation, WeighedAllocation
from isocompute.planner.prior import read_accuracy_prior

ADVICE = "advice"
EVALUATION_SPLITS = 200
MOST_SPLITS = 10**5
"""The most pilots that an evaluation draws; it may take hours."""

SplitRegret = dict[str, Floats]
"""Rule → (nC,) accuracy below the best allocation in hindsight, of one split; ``advice`` is the planner's."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The regret of the advice and of rules that need no pilot.

    Args:
        shape: the shape of the pilots.
        cost_share: the cost of a pilot as a share of the whole pool's.
        budgets: (nC,) in x.
        regret: rule → (splits, nC) accuracy below the best allocation in hindsight; ``advice`` is the planner's.
    """

    shape: PilotShape
    cost_share: float
    budgets: tuple[float, ...]
    regret: Mapping[str, Floats]

    @property
    def splits(self) -> int:
        """The number of pilots."""
        return len(self.regret[ADVICE])

    @property
    def best_fixed_rule(self) -> str:
        """The rule without a pilot that has the lowest mean regret, chosen in hindsight."""
        rules = [name for name in self.regret if name != ADVICE]
        return min(rules, key=lambda name: float(self.regret[name].mean()))

    @property
    def reported_rules(self) -> list[str]:
        """The rules that are reported: the advice, always SC, the published law, and the best fixed rule."""
        references = [name for name in REFERENCE_RULES if name in self.regret]
        return list(dict.fromkeys([ADVICE, *references, self.best_fixed_rule]))

    def summarise(self, rule: str) -> RegretSummary:
        """Summarise the regret of a rule over splits and budgets."""
        return summarise_regret(self.regret[rule])

    def summarise_budgets(self, rule: str) -> list[RegretSummary]:
        """Summarise the regret of a rule over splits, at each budget."""
        return [summarise_regret(column[:, None]) for column in self.regret[rule].T]


@dataclass(frozen=True)
class RegretSummary:
    """The regret of a rule in numbers.

    Args:
        mean: mean over splits and budgets.
        error: its standard error over splits, NaN with one split. It is that of other splits of the same problems, not
            of other problems.
        percentile_90: the 90th percentile over splits and budgets.
    """

    mean: float
    error: float
    percentile_90: float


def summarise_regret(regret: Floats) -> RegretSummary:
    """Summarise regrets.

    Args:
        regret: (splits, nC) regrets.

    Example:
        >>> summary = summarise_regret(np.array([[0.01, 0.03], [0.0, 0.0]]))
        >>> round(summary.mean, 6), round(summary.error, 6), round(summary.percentile_90, 6)
        (0.01, 0.01, 0.024)
    """
    error = regret.mean(axis=1).std(ddof=1) / np.sqrt(len(regret)) if len(regret) > 1 else np.nan
    return RegretSummary(float(regret.mean()), float(error), float(np.quantile(regret, 0.9)))


def evaluate_pool(
    measured: MeasuredPool,
    shape: PilotShape,
    splits: int = EVALUATION_SPLITS,
    seed: int = EVALUATION_SEED,
    report: Callable[[int], None] | None = None,
) -> Evaluation:
    """Evaluate the advice that pilots of one shape give, at the budgets of the pool.

    Args:
        measured: the pool, and the options of each strategy over it.
        shape: the shape of the pilots.
        splits: how many pilots to draw, at least 1.
        seed: seed of the splits; each split has its own.
        report: function that is called with the number of finished splits after each.

    Raises:
        DataError: the shape does not fit the pool.
    """
    check_shape(shape, measured.pool)
    rows: list[SplitRegret] = []
    for split in range(splits):
        rows.append(evaluate_split(measured, shape, split, seed))
        if report is not None:
            report(split + 1)
    regret = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return Evaluation(shape, measured.compute_cost_share(shape), measured.budgets, regret)


def evaluate_split(measured: MeasuredPool, shape: PilotShape, split: int, seed: int = EVALUATION_SEED) -> SplitRegret:
    """Draw one pilot, and score the advice that it gives and the fixed rules on the other problems.

    The advice is that of `planner.plan`: expected accuracies as `compute_posterior` estimates them, and the rule
    of `choose_recommendations`. It is scored with the tables of the whole pool; a fused vote is scored under the
    exponent κ that was learnt on the whole pool without the scored problem, not under the pilot's.

    Args:
        measured: the pool.
        shape: a shape that fits it.
        split: number of the split, which selects its random numbers.
        seed: seed of all splits.
    """
    rng = np.random.default_rng((seed, split))
    problems, others = split_problems(measured, shape.problems, rng)
    strata, clusters = (None if labels is None else labels[problems] for labels in (measured.strata, measured.clusters))
    tables = measured.estimate_pilot(problems, shape, rng)
    advised = choose_advised_allocations(tables, measured.budgets, strata, clusters)
    return measure_regret(measured, others, {ADVICE: list(map(measured.weigh, advised)), **measured.fixed_rules})


def split_problems(measured: MeasuredTables, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw the problems of a pilot, and return them and those that score its advice.

    Clusters are drawn whole until the pilot has enough problems; what is left of the last one scores nothing.

    Raises:
        DataError: the pilot has problems of every cluster, or of fewer than two.
    """
    clusters = np.arange(measured.problems) if measured.clusters is None else measured.clusters
    problems = np.sort(np.argsort(rng.permutation(clusters.max() + 1)[clusters], kind="stable")[:count])
    others = np.flatnonzero(~np.isin(clusters, clusters[problems]))
    if not len(others) or len(np.unique(clusters[problems])) < 2:
        total = len(np.unique(clusters))
        if total < 3:
            raise DataError(
                "An evaluation takes at least 3 clusters of problems, 2 for the pilot and 1 to score its advice on; "
                f"this run has {total}."
            )
        if len(others):
            raise DataError(
                f"A pilot of {count} problems lies in one cluster, and takes at least 2; draw more problems."
            )
        raise DataError(
            f"A pilot of {count} problems touches all {total} clusters, so that none is left to score its advice on; "
            "draw fewer problems."
        )
    return problems, others


def measure_regret(
    measured: MeasuredTables, problems: Ints, chosen: Mapping[str, Sequence[WeighedAllocation]]
) -> SplitRegret:
    """Return how far rules are below the best allocation in hindsight, on some problems.

    Args:
        measured: the options of each strategy.
        problems: (n,) the indices of the problems.
        chosen: rule → its allocation at each budget.
    """
    means = {table.strategy: table.accuracy[problems].mean(axis=0) for table in measured.tables}
    best = find_best_accuracies(measured.tables, list(means.values()), measured.budgets)
    return {
        name: best - np.array([allocation.compute_accuracy(means) for allocation in allocations])
        for name, allocations in chosen.items()
    }


def choose_advised_allocations(
    tables: Sequence[AllocationOptions],
    budgets: Sequence[float],
    strata: Ints | None = None,
    clusters: Ints | None = None,
    prepared: PreparedPrior | None = None,
) -> list[Allocation]:
    """Return what the planner advises within each budget, from the tables of a pilot.

    Args:
        tables: options of each strategy over the n problems of the pilot.
        budgets: in x.
        strata: (n,) level of each problem; None if it is unknown.
        clusters: (n,) cluster of each problem; None if each is its own.
        prepared: the planner's prior at the knots of the tables; it is prepared if not given.

    Raises:
        DataError: a budget pays for nothing.
    """
    prior = prepare_prior(tables, read_accuracy_prior()) if prepared is None else prepared
    expected = update_prior(prior, tables, strata, clusters).compute_expected_accuracies()
    recommended = choose_recommendations(tables, expected, budgets, uninformed=find_uninformed_tables(tables, clusters))
    advised = []
    for budget, found in zip(budgets, recommended, strict=True):
        if found is None:
            raise DataError(f"The pilot has no allocation that a budget of {budget:g}x pays for.")
        table = tables[found.best.table]
        numbers = {name: int(column[found.best.allocation]) for name, column in table.grid.numbers.items()}
        advised.append(Allocation(table.strategy, numbers))
    return advised


def find_best_accuracies(
    tables: Sequence[AllocationOptions], means: Sequence[Floats], budgets: Sequence[float]
) -> Floats:
    """Return (nC,) the highest accuracy of any allocation within each budget."""
    best = np.full(len(budgets), -np.inf)
    for table, mean in zip(tables, means, strict=True):
        highest = np.maximum.accumulate(mean @ table.grid.weights)
        paid = np.searchsorted(table.grid.cost, np.asarray(budgets) * (1 + 1e-12), side="right")
        best = np.maximum(best, np.where(paid > 0, highest[np.maximum(paid - 1, 0)], -np.inf))
    return best
