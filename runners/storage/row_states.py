"""The rows of a numbered table that a run has, a bit for each row that a sweep requests.

The keys that a sweep requests form a box, problems × solutions × verifications, so a key is a place in an array. A run
of 100 million verifications takes 12.5 MB here, where its keys as tuples would take 20 GB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.limits import require_memory
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.scan import scan_table
from isocompute.runners.storage.schema import RunTable

READ_BITS = 2**20
"""The most bits that are looked through at a time; a multiple of 8."""

Mask = NDArray[np.bool_]


class RowStates:
    """The keys in a box of problems and numbers that have a row whose status is ok.

    Args:
        problems: ids of the problems.
        sizes: the number of values of each numbering column of the table; the numbers start at 0.

    Example:
        >>> states = RowStates(["a", "b"], [2])
        >>> rows = pa.table({"problem_id": ["a", "a", "b"], "solution_id": pa.array([0, 0, 5], pa.int32())})
        >>> states.add_rows(states.locate_rows(rows), np.array([False, True, True])).tolist()  # a 0 failed, then not
        [False, False, False]
        >>> ("a", 0) in states, ("a", 1) in states, states.count_ok()
        (True, False, 1)
    """

    def __init__(self, problems: Sequence[str], sizes: Sequence[int]) -> None:
        self.problems, self.sizes = list(problems), tuple(sizes)
        self.rows = math.prod((len(self.problems), *self.sizes))
        require_memory(self.rows / 8, f"The states of {self.rows:,} rows that are requested")
        self._known = pa.array(self.problems, pa.string())
        self._positions = {name: at for at, name in enumerate(self.problems)}
        self._bits: NDArray[np.uint8] = np.zeros(-(-self.rows // 8), dtype=np.uint8)  # the lowest bit first

    def locate_rows(self, rows: pa.Table) -> NDArray[np.int64]:
        """Return the place of each row's key in the flat box; -1 for a key outside of it.

        Args:
            rows: the problem's id, and then the numbering columns, or the first of them: then the box has only these.
        """
        problem, *numbers = rows.columns
        found = pc.fill_null(pc.index_in(problem, value_set=self._known), -1)
        place = np.asarray(found.to_numpy(), dtype=np.int64)
        is_outside = place < 0
        for column, size in zip(numbers, self.sizes, strict=False):
            number = pc.fill_null(column, -1).to_numpy()
            is_outside |= (number < 0) | (number >= size)
            place = place * size + number
        place[is_outside] = -1
        return place

    def add_rows(self, places: NDArray[np.int64], ok: Mask) -> Mask:
        """Add rows in the order of writing, and mark those whose key an earlier row with status ok has.

        Marked rows, and those whose place is -1, change nothing.

        Args:
            places: the place of each row, see `locate_rows`.
            ok: whether the status of each is ok.
        """
        inside = np.flatnonzero(places >= 0)
        order = inside[np.argsort(places[inside], kind="stable")]  # the rows of a key stay in their order
        at, is_ok = places[order], ok[order]
        new = np.append(True, at[1:] != at[:-1])[: len(at)]
        earlier: NDArray[np.int64] = np.cumsum(is_ok) - is_ok
        before_key = np.maximum.accumulate(np.where(new, earlier, 0)) if len(at) else earlier
        repeated = (earlier > before_key) | (self._bits[at >> 3] >> (at & 7) & 1).astype(bool)
        self._set_bits(at[is_ok & ~repeated])
        mask = np.zeros(len(places), dtype=bool)
        mask[order[repeated]] = True
        return mask

    def _set_bits(self, places: NDArray[np.int64]) -> None:
        """Note the rows at ascending places."""
        if len(places):
            byte, bits = places >> 3, np.left_shift(1, places & 7).astype(np.uint8)
            first = np.flatnonzero(np.append(True, byte[1:] != byte[:-1]))
            self._bits[byte[first]] |= np.bitwise_or.reduceat(bits, first)

    def _read_bits(self, start: int, stop: int) -> Mask:
        """Return whether each key from a place to another one has a row that is ok."""
        bits = np.unpackbits(self._bits[start // 8 : -(-stop // 8)], bitorder="little")
        return bits[start % 8 : start % 8 + stop - start].astype(bool)

    def _read_blocks(self) -> Iterator[tuple[int, Mask]]:
        """Yield whether each key has a row that is ok, `READ_BITS` at a time, after the place of the first."""
        for start in range(0, self.rows, READ_BITS):
            yield start, self._read_bits(start, min(start + READ_BITS, self.rows))

    def count_ok(self) -> int:
        """Return the number of rows whose status is ok."""
        return sum(int(np.count_nonzero(bits)) for _, bits in self._read_blocks())

    def find_missing(self, problem: str, *start: int) -> Iterator[tuple[Any, ...]]:
        """Yield the keys without a row that is ok, of a problem, or of a solution of it."""
        if problem in self._positions and all(0 <= at < size for at, size in zip(start, self.sizes, strict=False)):
            place, rest = self._positions[problem], self.sizes[len(start) :]
            for number, size in zip(start, self.sizes, strict=False):
                place = place * size + number
            each = math.prod(rest)
            lacking = np.argwhere(~self._read_bits(place * each, (place + 1) * each).reshape(rest))
            yield from ((problem, *start, *numbers) for numbers in lacking.tolist())

    def count_missing(self) -> int:
        """Return the number of keys without a row that is ok."""
        return self.rows - self.count_ok()

    def mark_incomplete(self) -> Mask:
        """Mark (P, S) the solutions that lack a row that is ok."""
        solutions, *rest = self.sizes
        each = math.prod(self.sizes)
        lacking = np.zeros((len(self.problems), solutions), dtype=bool)
        for p in range(len(self.problems)):
            lacking[p] = ~self._read_bits(p * each, (p + 1) * each).reshape(solutions, math.prod(rest)).all(axis=1)
        return lacking

    def find_gap_ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first and the last place of each range of keys without a row that is ok."""
        edges, is_gap = [np.empty(0, dtype=np.int64)], False
        for start, bits in self._read_blocks():
            lacks = ~bits
            edges.append(start + np.flatnonzero(lacks != np.append(is_gap, lacks[:-1])))
            is_gap = bool(lacks[-1])
        ends = np.concatenate([*edges, [self.rows] if is_gap else []]).astype(np.int64)
        return ends[::2], ends[1::2] - 1

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, tuple) or key[0] not in self._positions or len(key) != 1 + len(self.sizes):
            return False
        return all(0 <= n < size for n, size in zip(key[1:], self.sizes, strict=True)) and not any(
            self.find_missing(*key)
        )


def read_row_states(run: Run, table: RunTable, problems: Sequence[str], sizes: Sequence[int]) -> RowStates:
    """Read which rows of a numbered table a run has; rows outside the box are passed over.

    Args:
        run: the run.
        table: solutions, verifications or scores.
        problems: ids of the problems.
        sizes: the number of values of each numbering column, see `ExpectedRows.get_axis_sizes`.

    Raises:
        DataError: a part is damaged, or a key occurs twice.
        RunError: a part cannot be read.
    """
    states = RowStates(problems, sizes if problems else [0] * (table.key - 1))
    if not states.rows:
        return states
    for batch in scan_table(run, table, [*table.key_names, "status"]):
        keys = batch.select(table.key_names)
        ok = np.asarray(pc.equal(batch["status"], "ok").to_numpy(), dtype=bool)
        if (repeated := states.add_rows(states.locate_rows(keys), ok)).any():
            key = tuple(keys.slice(int(repeated.argmax()), 1).to_pylist()[0].values())
            raise DataError(
                f"{run.path}/{table.name} holds the row {key} twice, but keys must be unique; {run._advice}."
            )
    return states
