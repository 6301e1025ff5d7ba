"""Conversion of a run's searches to allocations with their costs and their accuracy on each problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits import ModelWork, count_row_tokens
from isocompute.planner.estimate.costs import ModelSizes, RunCosts, get_token_columns, measure_scoring_work, price_works
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.estimate.records import TOKEN_FIELDS
from isocompute.planner.estimate.search_reads import READ_COLUMNS, measure_search_reads
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SCORER_TOKENS, SEARCHES_TABLE

SEARCH_SHAPE = {"n": "N", "beam_width": "M", "lookahead": "k"}
"""The columns that distinguish the allocations of a search, and their names in a profile."""
PAIRS = ("decoded_pairs", "read_pairs")
SEARCH_TOKENS = {
    "solver": dict(zip((*TOKEN_FIELDS[:3], *PAIRS), (*SEARCHES_TABLE.tokens, *READ_COLUMNS[:2]), strict=True))
    | {"seconds": "seconds"},
    "scorer": dict(zip((*TOKEN_FIELDS[:3], *PAIRS), (*SCORER_TOKENS, *READ_COLUMNS[2:]), strict=True)),
}
"""The columns of searches by role, under their names in `TokenMeans`; pairs are those of `READ_COLUMNS`."""


@dataclass(frozen=True, eq=False)
class MeasuredSearches:
    """The searches of one strategy under one rule of selection: A allocations on P problems.

    Args:
        numbers: the allocations, (A,) each: N slots, and width M and lookahead k where the strategy has them.
        seeds: (A,) number of searches of each problem.
        costs: (A,) in x, by way of counting tokens, means over problems and seeds; None where unknown.
        tokens: by role, columns of `TokenMeans`, (A,) means of a search; the solver's seconds are those of the search.
            Beside them pairs of a token and an earlier one that it reads, see `measure_search_reads`.
        accuracy: (P, A) means over seeds. Their spread between problems includes the spread between seeds, and so does
            every interval over problems.
    """

    numbers: dict[str, list[int]]
    seeds: list[int]
    costs: dict[str, list[float | None]]
    tokens: dict[str, dict[str, list[float | None]]]
    accuracy: NDArray[np.float64]


def measure_searches(run: RunPool, costs: RunCosts) -> dict[str, MeasuredSearches]:
    """Return the searches by strategy and rule of selection, such as ``beam+weighted``, in the order of the sweep.

    Raises:
        DataError: the searches of an allocation used no tokens, so that they would cost nothing.
    """
    origin = run.origin
    if not isinstance(origin, Sweep) or origin.scorer is None or not origin.searches or run.rows.searches.empty:
        return {}
    shapes = [
        (*shape, search.seeds, search.select, search.revision_prompt is not None)
        for shape, search in origin.searches_by_shape.items()
    ]
    run_searches = pd.DataFrame(shapes, columns=["strategy", *SEARCH_SHAPE, "seeds", "select", "revised"])
    searches = run.select_rows(run.rows.searches).merge(run_searches, on=["strategy", *SEARCH_SHAPE])
    prompts = run.rows.solutions.groupby("problem_id")["prompt_tokens"].mean()
    searches = searches.join(measure_search_reads(Run(run.path), searches, prompts))
    writes = origin.scorer.uses_verifier
    names = dict.fromkeys(f"{search.strategy}+{search.select}" for search in origin.searches)
    parts = {}
    for name in names:
        strategy, rule = name.split("+")
        matching = searches[(searches["strategy"] == strategy) & (searches["select"] == rule)]
        numbers: dict[str, list[int]] = {label: [] for label in SEARCH_SHAPE.values()}
        seeds, prices, accuracies = [], list[dict[str, float | None]](), []
        tokens: dict[str, dict[str, list[float | None]]] = {
            role: {field: [] for field in columns} for role, columns in SEARCH_TOKENS.items()
        }
        for _, rows in matching.groupby(list(SEARCH_SHAPE)):
            for column, label in SEARCH_SHAPE.items():
                numbers[label].append(int(rows[column].iloc[0]))
            seeds.append(int(rows["seeds"].iloc[0]))
            prices.append(price_works(measure_search_work(rows, costs.sizes, writes), costs.solution_work))
            if 0.0 in prices[-1].values():
                raise DataError(f"The searches {name} of '{run.path}' record zero tokens, so their cost is not valid.")
            for role, columns in SEARCH_TOKENS.items():
                for field, column in columns.items():
                    tokens[role][field].append(average_column(rows[column]))
            by_problem = rows["correct"].astype(float).groupby(rows["problem_id"]).mean()
            accuracies.append(by_problem.loc[run.problem_ids])
        parts[name] = MeasuredSearches(
            numbers={label: column for label, column in numbers.items() if any(column)},
            seeds=seeds,
            costs={way: [cost[way] for cost in prices] for way in prices[0]},
            tokens=tokens,
            accuracy=np.stack([column.to_numpy() for column in accuracies], axis=1),
        )
    return parts


def average_column(values: pd.Series) -> float | None:
    """Return the mean of a column; None if a value is missing."""
    return None if values.isna().any() else round(float(values.astype(float).mean()), 3)


def measure_search_work(searches: pd.DataFrame, known: ModelSizes, writes: bool) -> list[ModelWork]:
    """Return the work of the solver and of the scorer in searches, row by row.

    Each generated token counts once as new to the scorer.
    """
    solved = ModelWork(
        count_row_tokens(*get_token_columns(searches, SEARCHES_TABLE.tokens), read=known.read_token_weight)
    )
    return [solved, measure_scoring_work(searches, searches["generated_tokens"], known, writes)]
