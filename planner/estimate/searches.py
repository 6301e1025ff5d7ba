"""From a run's searches to allocations: what each was set by, what it cost, and what it reached on each problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits import ModelWork, count_row_tokens
from isocompute.planner.estimate.costs import ModelSizes, RunCosts, get_token_columns, measure_scoring_work, price_works
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.schema import SEARCHES_TABLE

SEARCH_SHAPE = {"n": "N", "beam_width": "M", "lookahead": "k"}
"""What sets an allocation apart, and what it is called."""


@dataclass(frozen=True, eq=False)
class MeasuredSearches:
    """One strategy's searches whose answers were selected by one rule: A allocations on P problems.

    Args:
        numbers: N, and where the strategy has them M, the width, and k, the lookahead; (A,) each.
        seeds: (A,) how often each problem was searched.
        costs: (A,) in x by way of counting, means over problems and seeds; None where unknown.
        accuracy: (P, A) means over seeds. They scatter as answers of so many seeds do, so what is between problems
            holds both spreads, and so does every interval over problems.
    """

    numbers: dict[str, list[int]]
    seeds: list[int]
    costs: dict[str, list[float | None]]
    accuracy: NDArray[np.float64]


def measure_searches(run: RunPool, costs: RunCosts) -> dict[str, MeasuredSearches]:
    """Return the searches by strategy and rule, such as ``beam+weighted``, in the order of the sweep.

    Raises:
        DataError: searches took no tokens.
    """
    origin = run.origin
    if not isinstance(origin, Sweep) or origin.scorer is None or not origin.searches or run.rows.searches.empty:
        return {}
    shapes = [(*shape, search.seeds, search.select) for shape, search in origin.searches_by_shape.items()]
    wanted = pd.DataFrame(shapes, columns=["strategy", *SEARCH_SHAPE, "seeds", "select"])
    searches = run.select_rows(run.rows.searches).merge(wanted, on=["strategy", *SEARCH_SHAPE])
    writes = origin.scorer.uses_verifier
    names = dict.fromkeys(f"{search.strategy}+{search.select}" for search in origin.searches)
    found = {}
    for name in names:
        strategy, rule = name.split("+")
        own = searches[(searches["strategy"] == strategy) & (searches["select"] == rule)]
        numbers: dict[str, list[int]] = {label: [] for label in SEARCH_SHAPE.values()}
        seeds, spent, reached = [], list[dict[str, float | None]](), []
        for _, rows in own.groupby(list(SEARCH_SHAPE)):
            for column, label in SEARCH_SHAPE.items():
                numbers[label].append(int(rows[column].iloc[0]))
            seeds.append(int(rows["seeds"].iloc[0]))
            spent.append(price_works(measure_search_work(rows, costs.sizes, writes), costs.solution_work))
            if 0.0 in spent[-1].values():
                raise DataError(f"The searches {name} of '{run.path}' took no tokens; without any they cost nothing.")
            by_problem = rows["correct"].astype(float).groupby(rows["problem_id"]).mean()
            reached.append(by_problem.loc[run.problem_ids])
        found[name] = MeasuredSearches(
            numbers={label: column for label, column in numbers.items() if any(column)},
            seeds=seeds,
            costs={way: [cost[way] for cost in spent] for way in spent[0]},
            accuracy=np.stack([column.to_numpy() for column in reached], axis=1),
        )
    return found


def measure_search_work(searches: pd.DataFrame, known: ModelSizes, writes: bool) -> list[ModelWork]:
    """Return what the solver and the scorer did in searches, row by row; the scorer meets a token once anew."""
    solved = ModelWork(
        count_row_tokens(*get_token_columns(searches, SEARCHES_TABLE.tokens), read=known.read_token_weight)
    )
    return [solved, measure_scoring_work(searches, searches["generated_tokens"], known, writes)]
