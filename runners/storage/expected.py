"""The rows that a sweep requests, and which of them are missing.

Solutions, verifications and scores are numbered from 0, so a table's rows form a box: problems × solutions ×
verifications. Searches form a list: shapes × problems × seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from isocompute.errors import RunError
from isocompute.runners.config.search import SearchShape
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.provenance import ImportedRun
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)

RowKey = tuple[Any, ...]


@dataclass(frozen=True)
class Gap:
    """Consecutive missing rows, from one key to another in the order of the keys."""

    first: RowKey
    last: RowKey
    rows: int


@dataclass(frozen=True)
class ExpectedRows:
    """The rows that a sweep requests for some problems.

    Args:
        sweep: the sweep.
        problems: ids of the problems in the sweep's order.
    """

    sweep: Sweep
    problems: Sequence[str] = ()

    def get_axis_sizes(self, table: RunTable) -> dict[str, int]:
        """Return the number of values of each numbering column of a table, for one problem.

        The result is empty for tables that are not numbered, and for scores if none are requested.
        """
        sweep = self.sweep
        if table is SOLUTIONS_TABLE:
            return {"solution_id": sweep.solution_count}
        if table is VERIFICATIONS_TABLE:
            return {"solution_id": sweep.to_verify, "verification_id": sweep.verifications}
        return {"solution_id": sweep.scored} if table is SCORES_TABLE and sweep.scored else {}

    @cached_property
    def seeds(self) -> dict[SearchShape, int]:
        """The number of seeds of each search shape."""
        return {shape: search.seeds for shape, search in self.sweep.searches_by_shape.items()}

    @cached_property
    def _known_problems(self) -> frozenset[str]:
        return frozenset(self.problems)

    def count_rows(self, table: RunTable) -> int:
        """Return the number of requested rows of a table; 0 for tables that are not requested themselves."""
        if table is PROBLEMS_TABLE:
            return len(self.problems)
        if table is SEARCHES_TABLE:
            return len(self.problems) * sum(self.seeds.values())
        numbers = self.get_axis_sizes(table)
        return len(self.problems) * math.prod(numbers.values()) if numbers else 0

    def enumerate_keys(self, table: RunTable, start: RowKey = ()) -> Iterator[RowKey]:
        """Yield the keys of the requested rows in order.

        Args:
            table: the table.
            start: the first values of the keys, such as a problem and a solution; ignored for searches.
        """
        if table is SEARCHES_TABLE:
            for shape, seeds in self.seeds.items():
                yield from ((problem, *shape, seed) for problem in self.problems for seed in range(seeds))
            return
        axes = [range(size) for size in self.get_axis_sizes(table).values()]
        if not axes or (start and start[0] not in self._known_problems):
            return
        if any(number not in axis for number, axis in zip(start[1:], axes, strict=False)):
            return
        fixed: list[Sequence[Any]] = [(value,) for value in start] or [self.problems]
        yield from product(*fixed, *axes[len(fixed) - 1 :])

    def find_missing_keys(self, table: RunTable, existing: Set[RowKey], start: RowKey = ()) -> Iterator[RowKey]:
        """Yield the keys of the requested rows that are not in ``existing``, in the order of `enumerate_keys`."""
        return (key for key in self.enumerate_keys(table, start) if key not in existing)

    def select_rows(self, table: RunTable, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the requested rows of a frame in their order."""
        inside = frame["problem_id"].isin(list(self.problems))
        for name, size in self.get_axis_sizes(table).items():
            inside &= frame[name].between(0, size - 1)
        if table is SEARCHES_TABLE:
            inside &= self.mark_expected_searches(frame)
        return frame[inside]

    def mark_expected_searches(self, frame: pd.DataFrame) -> pd.Series:
        """Mark the rows of searches, or of their nodes, that belong to a requested search."""
        columns = SEARCHES_TABLE.key_names[1:]
        keys = frame[columns].itertuples(index=False, name=None)
        known: dict[RowKey, bool] = {}
        mask = []
        for key in keys:
            if key not in known:
                *shape, seed = key
                known[key] = seed is not None and 0 <= seed < self.seeds.get(SearchShape(*shape), 0)
            mask.append(known[key])
        return pd.Series(mask, index=frame.index, dtype=bool)

    def require_rows(
        self, run: Run, table: RunTable, columns: Sequence[str], failed: Set[RowKey] = frozenset()
    ) -> pd.DataFrame:
        """Read the requested rows; those of numbered tables are sorted by key.

        Args:
            run: the run.
            table: the table.
            columns: the columns to read.
            failed: problem and number of the solutions that failed, of which there are no other rows.

        Raises:
            RunError: rows are missing.
        """
        frame = self.select_rows(table, run.read_frame(table, list(columns)))
        expected = self.count_rows(table)
        if failed:
            keys = zip(frame["problem_id"], frame["solution_id"], strict=True)
            frame = frame[np.array([key not in failed for key in keys], dtype=bool)]
            first, *others = self.get_axis_sizes(table).values() or (0,)
            expected -= sum(number < first for _, number in failed) * math.prod(others)
        self.refuse_missing_rows(run, table, len(frame), expected)
        if table is SEARCHES_TABLE:
            return frame
        order = pd.Categorical(frame["problem_id"], categories=list(self.problems), ordered=True)
        by = ["problem_id", *table.key_names[1:]]
        return frame.assign(problem_id=order).sort_values(by, kind="stable", ignore_index=True)

    def refuse_missing_rows(self, run: Run, table: RunTable, rows: int, expected: int) -> None:
        """Raise unless a run has as many rows of a table as are expected.

        Raises:
            RunError: it has fewer.
        """
        if rows < expected:
            raise RunError(
                f"The run at '{run.path}' is not complete: it has {rows:,} of {expected:,} {table.name}; "
                "run its sweep again to complete it."
            )

    def find_gaps(self, table: RunTable, keys: pa.Table) -> list[Gap]:
        """Return the requested rows that are missing; rows with consecutive keys form one gap.

        Args:
            table: the table.
            keys: keys of the existing rows; in a numbered table all of them must be requested.
        """
        if table is SEARCHES_TABLE:
            return self._find_search_gaps(keys)
        numbers = self.get_axis_sizes(table)
        names = sorted(self.problems)
        known = pa.array(names, pa.string())
        shape = (len(names), *numbers.values())
        keys = keys.filter(pc.is_in(keys["problem_id"], value_set=known))
        places = [pc.index_in(keys["problem_id"], value_set=known), *(keys[name] for name in numbers)]
        existing = np.sort(np.ravel_multi_index([place.to_numpy() for place in places], shape))
        ends = np.concatenate([[-1], existing, [math.prod(shape)]])
        before = np.flatnonzero(np.diff(ends) > 1)
        return self.list_gaps(table, ends[before] + 1, ends[before + 1] - 1)

    def list_gaps(self, table: RunTable, first: NDArray[np.int64], last: NDArray[np.int64]) -> list[Gap]:
        """Return gaps of a numbered table from the places of their ends in the box of keys, problems sorted by id."""
        names = sorted(self.problems)
        shape = (len(names), *self.get_axis_sizes(table).values())
        keys = [
            [(names[p], *row) for p, *row in np.transpose(np.unravel_index(place, shape)).tolist()]
            for place in (first, last)
        ]
        return [Gap(*gap) for gap in zip(*keys, (last - first + 1).tolist(), strict=True)]

    def _find_search_gaps(self, keys: pa.Table) -> list[Gap]:
        existing = {tuple(row.values()) for row in keys.to_pylist()}
        gaps: list[Gap] = []
        after = True
        for key in sorted(self.enumerate_keys(SEARCHES_TABLE)):
            if key in existing:
                after = True
            elif after:
                gaps, after = [*gaps, Gap(key, key, 1)], False
            else:
                gaps[-1] = Gap(gaps[-1].first, key, gaps[-1].rows + 1)
        return gaps


def count_expected_rows(origin: Sweep | ImportedRun, problems: Sequence[str]) -> dict[str, int]:
    """Return the expected number of rows of each table: as the sweep requests, or as imported."""
    if isinstance(origin, ImportedRun):
        return dict(origin.rows)
    expected = ExpectedRows(origin, problems)
    return {
        table.name: expected.count_rows(table)
        for table in (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE, SEARCHES_TABLE)
    }
