"""Checks of the rows of a run against other rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.examined_parts import (
    DIGEST_NAME,
    RESWEEP,
    Damage,
    ExaminedPart,
    get_part_digests,
    mark_lost_rows,
    select_sound_rows,
)
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.row_states import Mask, RowStates
from isocompute.runners.storage.row_values import to_boolean_mask
from isocompute.runners.storage.schema import (
    JUDGEMENT_TABLES,
    NODES_TABLE,
    PROBLEMS_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)

REPEATED_KEY = "with a key that appeared before"


def check_rows_together(table: RunTable, every: list[ExaminedPart], config: Sweep | None) -> Iterator[Damage]:
    """Yield the faults of a table's rows against other rows: not requested, without the row they refer to, or repeated.

    Args:
        table: whose rows.
        every: the parts of this table and of those it refers to; the latter are already examined.
        config: the sweep, if it is known.
    """
    parts = [part for part in every if part.table is table and part.keys is not None]
    if not parts:
        return
    keys = pa.concat_tables([part.keys for part in parts])
    expected = None if config is None else ExpectedRows(config)
    if expected is not None:
        yield from mark_unrequested_rows(parts, keys, table, expected)
    if table in (SOLUTIONS_TABLE, NODES_TABLE, SEARCHES_TABLE):
        known = pc.unique(select_sound_rows(every, PROBLEMS_TABLE)["problem_id"])
        orphans = ~to_boolean_mask(pc.is_in(keys["problem_id"], value_set=known))
        yield from mark_lost_rows(parts, orphans, "of a problem that does not exist", RESWEEP)
    if table in (NODES_TABLE, SEARCHES_TABLE) and expected is not None:
        frame = keys.select(SEARCHES_TABLE.key_names).to_pandas(integer_object_nulls=True)
        yield from mark_lost_rows(
            parts, ~expected.mark_expected_searches(frame).to_numpy(), "of a search that was not requested"
        )
    if table is NODES_TABLE:
        valid = np.concatenate([part.ok & part.sound for part in parts])
        yield from mark_lost_rows(parts, mark_orphan_nodes(keys, valid), "after a node that does not exist")
    if table in JUDGEMENT_TABLES:
        yield from check_judged_texts(parts, keys, collect_known_texts(every))
    ok, sound = np.concatenate([p.ok for p in parts]), np.concatenate([p.sound for p in parts])
    yield from mark_lost_rows(parts, mark_repeated_keys(keys, ok, sound), REPEATED_KEY)


def check_verification_batch(
    parts: list[ExaminedPart], known: KnownTexts, expected: ExpectedRows, states: RowStates
) -> Iterator[Damage]:
    """Yield the faults of some parts of verifications against other rows, as `check_rows_together` does for all parts.

    Afterwards the parts have no keys, so that memory does not grow with the rows; `states` has those of sound rows.

    Args:
        parts: the next parts in the order of writing.
        known: the solutions' texts.
        expected: the requested rows.
        states: the state of each requested key after the parts before; the sound rows of these are added.
    """
    parts = [part for part in parts if part.keys is not None]
    if not parts:
        return
    keys = pa.concat_tables([part.keys for part in parts])
    yield from mark_unrequested_rows(parts, keys, VERIFICATIONS_TABLE, expected)
    yield from check_judged_texts(parts, keys, known)
    ok, sound = np.concatenate([p.ok for p in parts]), np.concatenate([p.sound for p in parts])
    places = np.where(sound, states.locate_rows(keys), -1)
    yield from mark_lost_rows(parts, states.add_rows(places, ok), REPEATED_KEY)
    for part in parts:
        part.drop_keys()


def mark_unrequested_rows(
    parts: list[ExaminedPart], keys: pa.Table, table: RunTable, expected: ExpectedRows
) -> Iterator[Damage]:
    """Yield the damage of rows whose numbers are not requested."""
    for name, limit in expected.get_axis_sizes(table).items():
        beyond = pc.or_(pc.less(keys[name], 0), pc.greater_equal(keys[name], limit))
        yield from mark_lost_rows(parts, to_boolean_mask(beyond), f"with a {name} outside the {limit:,} requested")


@dataclass(frozen=True, eq=False)
class KnownTexts:
    """The digests of the texts of solutions that are ok and sound.

    Args:
        problems: ids of their problems.
        codes: (n,) each solution's problem and number, as `encode_solution_keys` numbers them, in ascending order.
        digests: the digest of each one's text.
    """

    problems: pa.Array
    codes: NDArray[np.int64]
    digests: pa.ChunkedArray

    def mark_unknown(self, codes: NDArray[np.int64]) -> Mask:
        """Mark the judgements of solutions that are not known, by the numbers of the solutions."""
        return ~self._mark_known(codes)

    def mark_changed(self, codes: NDArray[np.int64], digests: pa.ChunkedArray) -> Mask:
        """Mark the judgements whose text is not their solution's present one.

        Args:
            codes: the number of each judgement's solution.
            digests: the digest of the judged text; null if unknown.
        """
        mask = np.zeros(len(codes), dtype=bool)
        comparable = to_boolean_mask(pc.is_valid(digests)) & self._mark_known(codes)
        if comparable.any():
            own = self.digests.take(pa.array(np.searchsorted(self.codes, codes[comparable])))
            mask[comparable] = to_boolean_mask(pc.not_equal(digests.filter(pa.array(comparable)), own))
        return mask

    def _mark_known(self, codes: NDArray[np.int64]) -> Mask:
        place = np.minimum(np.searchsorted(self.codes, codes), max(len(self.codes) - 1, 0))
        return self.codes[place] == codes if len(self.codes) else np.zeros(len(codes), dtype=bool)


def collect_known_texts(every: list[ExaminedPart]) -> KnownTexts:
    """Return the digests of the texts of a run's solutions, from its examined parts."""
    solutions = select_sound_rows(every, SOLUTIONS_TABLE)
    problems = pc.unique(solutions["problem_id"])
    codes = encode_solution_keys(solutions, problems)
    order = np.argsort(codes, kind="stable")
    return KnownTexts(problems, codes[order], solutions[DIGEST_NAME].take(pa.array(order)))


def check_judged_texts(parts: list[ExaminedPart], keys: pa.Table, known: KnownTexts) -> Iterator[Damage]:
    """Yield the damage of judgements of solutions that do not exist, or of other texts than these have."""
    codes = encode_solution_keys(keys, known.problems)
    yield from mark_lost_rows(
        parts, known.mark_unknown(codes), "of a solution that does not exist or failed", stray=True
    )
    digests = pa.chunked_array([chunk for part in parts for chunk in get_part_digests(part).chunks], pa.string())
    yield from mark_lost_rows(
        parts, known.mark_changed(codes, digests), "of a text that differs from its solution's", stray=True
    )


def mark_repeated_keys(keys: pa.Table, ok: Mask, sound: Mask) -> Mask:
    """Mark the sound rows whose key occurs earlier in a sound row with status ok.

    A failed row may precede others with its key; those are its retries.
    """
    sound_rows = np.flatnonzero(sound)
    if not sound_rows.size:
        return np.zeros(len(sound), dtype=bool)
    columns = keys.filter(pa.array(sound)).columns
    codes = [pc.index_in(column, value_set=pc.unique(column)).to_numpy() for column in columns]
    order = np.lexsort(codes)  # stable: the rows of a key stay in the order in which they were written
    new = np.append(True, np.any([code[order][1:] != code[order][:-1] for code in codes], axis=0))
    earlier = np.cumsum(ok[sound_rows[order]]) - ok[sound_rows[order]]
    before_key = np.maximum.accumulate(np.where(new, earlier, 0))
    bad = np.zeros(len(sound), dtype=bool)
    bad[sound_rows[order]] = earlier > before_key
    return bad


def encode_solution_keys(keys: pa.Table, names: pa.Array) -> NDArray[np.int64]:
    """Return each row's problem and solution as one number; negative for a problem that is not in ``names``."""
    problem = pc.fill_null(pc.index_in(keys["problem_id"], value_set=names), -1).to_numpy().astype(np.int64)
    solution = pc.fill_null(keys["solution_id"], 0).to_numpy().astype(np.uint32)
    return np.asarray((problem << 32) | solution)


def mark_orphan_nodes(keys: pa.Table, valid: Mask) -> Mask:
    """Mark the nodes numbered after a node that their search lacks.

    The missing node may be sampled with another result, and later nodes would not fit it.
    """
    frame = keys.to_pandas()[valid]
    place = frame.groupby(SEARCHES_TABLE.key_names)["node_id"].rank(method="dense")
    mask = np.zeros(len(valid), dtype=bool)
    mask[valid] = (place != frame["node_id"]).to_numpy()
    return mask
