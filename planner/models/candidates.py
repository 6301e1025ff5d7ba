"""The best allocation of each strategy of a model within a budget, in the unit of a cost model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.options import AllocationOptions
from isocompute.planner.compare import ExpectedAccuracies, compute_expected_accuracies
from isocompute.planner.costs.latency import compute_table_latency
from isocompute.planner.costs.models import RequestCosts
from isocompute.planner.costs.request import PlanRequest
from isocompute.planner.costs.usage import UnknownCostError
from isocompute.planner.priced_plan import apply_cost_model
from isocompute.planner.profile import Profile

_ROUNDING = 1 + 1e-12


@dataclass(frozen=True, eq=False)
class Candidate:
    """An allocation of a model, or of a cascade of two, that a budget pays for.

    Args:
        model: name of the model, or of the two models of a cascade.
        strategy: its strategy; ``cascade`` for a cascade.
        numbers: its numbers; S and V, those of a search, or those of a cascade.
        settings: the allocation in words.
        cost: its mean cost per problem, in the unit of the cost model.
        accuracy: the accuracy to expect on new problems.
        values: (P,) measured accuracy of each shared problem.
        is_informative: whether its verdicts or scores were shown to tell right from wrong.
    """

    model: str
    strategy: str
    numbers: Mapping[str, int]
    settings: str
    cost: float
    accuracy: float
    values: Floats
    is_informative: bool = True


@dataclass(frozen=True, eq=False)
class PricedModel:
    """A model's strategies, with costs in the unit of a cost model.

    Args:
        name: name of the model.
        profile: its profile on the shared problems, priced under the cost model.
        costs: costs of its requests.
        tables: the options of each strategy; costs are in the unit, and allocations in their order.
        expected: for each table (A,) the expected accuracy of each allocation.
        informative: for each table whether its selector was shown to tell right from wrong.
        notes: strategies that are left out, in sentences.
    """

    name: str
    profile: Profile
    costs: RequestCosts
    tables: tuple[AllocationOptions, ...]
    expected: tuple[Floats, ...]
    informative: tuple[bool, ...]
    notes: tuple[str, ...] = ()

    def list_candidates(self, budget: float) -> list[Candidate]:
        """Return the best allocation of each strategy within a budget; ties go to the cheapest."""
        found = []
        for table, expected, informative in zip(self.tables, self.expected, self.informative, strict=True):
            paid = np.flatnonzero(table.grid.cost <= budget * _ROUNDING)
            if len(paid):
                best = int(paid[np.argmax(expected[paid])])
                found.append(self.describe_allocation(table, expected, best, informative))
        return found

    def describe_allocation(
        self, table: AllocationOptions, expected: Floats, at: int, informative: bool = True
    ) -> Candidate:
        """Return one allocation of a table as a candidate."""
        return Candidate(
            model=self.name,
            strategy=table.strategy,
            numbers={name: int(column[at]) for name, column in table.grid.numbers.items()},
            settings=table.label_allocation(at),
            cost=float(table.grid.cost[at]),
            accuracy=float(np.clip(expected[at], 0, 1)),
            values=table.compute_accuracies(np.array([at]))[:, 0],
            is_informative=informative,
        )


def price_model(name: str, profile: Profile, request: PlanRequest, model: str) -> PricedModel:
    """Return a model's strategies with costs under a cost model.

    Args:
        name: name of the model.
        profile: its profile on the shared problems.
        request: prices, device and batch.
        model: the cost model.

    Raises:
        DataError: a solution has no known cost, or there are fewer than two independent problems.
    """
    priced, lam, costs = apply_cost_model(profile, model, request)
    expected = compute_expected_accuracies(priced, priced.lam if lam is None else lam, between=False)
    if expected.posterior is None:
        raise DataError("Models are compared on at least two independent problems.")
    informative = tuple(index not in expected.uninformed for index in range(len(expected.tables)))
    if model == "seconds":
        return _order_by_latency(name, priced, costs, expected, informative)
    solution = costs.get_mean("solver")
    if not solution:
        raise DataError(f"The cost of a solution of {name} is unknown under the cost model {model}.")
    tables = tuple(
        replace(table, grid=replace(table.grid, cost=table.grid.cost * solution)) for table in expected.tables
    )
    return PricedModel(name, priced, costs, tables, tuple(expected.accuracy), informative)


def _order_by_latency(
    name: str, profile: Profile, costs: RequestCosts, expected: ExpectedAccuracies, informative: tuple[bool, ...]
) -> PricedModel:
    """Return a model's strategies with their latencies as costs; a strategy of unknown latency is left out."""
    tables, accuracy, kept, notes = [], [], [], []
    for table, values, is_informative in zip(expected.tables, expected.accuracy, informative, strict=True):
        try:
            latency = compute_table_latency(profile, table)
        except UnknownCostError as error:
            notes.append(f"{name}: {table.strategy} is left out, because its latency is unknown: {error}.")
            continue
        order = np.argsort(latency, kind="stable")
        tables.append(table.select_allocations(order, latency[order]))
        accuracy.append(values[order])
        kept.append(is_informative)
    if not tables or tables[0].strategy != "sc":
        raise DataError(f"The latency of a solution of {name} is unknown. {' '.join(notes[:1])}")
    return PricedModel(name, profile, costs, tuple(tables), tuple(accuracy), tuple(kept), tuple(notes))
