"""Checks of a run's rows: of each row on its own, and against the other rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.verdicts import SKIPPED_FINISH_REASON
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.row_states import Mask, RowStates
from isocompute.runners.storage.schema import (
    DIGEST_COLUMN,
    GRADES_TABLE,
    JUDGEMENT_TABLES,
    NODES_TABLE,
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    WAITING_STATUS,
    RunTable,
)

DIGEST_NAME = DIGEST_COLUMN.name

RESULT_COLUMNS = ("answer", "correct", "verdict", "p_yes")
"""Columns that must be null in a failed row."""

UNIT_INTERVAL_COLUMNS = ("verdict", "p_yes", "score", "step_score")
"""Columns whose values lie in 0 … 1."""

LOWEST_NUMBERS = {"solution_id": 0, "verification_id": 0, "node_id": 1, "parent": 0, "round": 1}
"""The lowest value of each numbering column."""

REPAIR, RESTORE, RESWEEP, REIMPORT = "repair", "restore", "sweep", "import"
"""Remedies: set the part aside and sample its lost rows again; restore the file from a copy; run the sweep again, which
adds what is missing; import the source again."""

REPEATED_KEY = "with a key that appeared before"

IMPORT_NULL_COLUMNS = ("question", "gold")
"""Columns of problems that may be null in an import. In a sweep the gold may, of problems to be answered."""


@dataclass(frozen=True)
class Damage:
    """One fault of one file.

    Args:
        path: the file.
        what: the fault and the first row that has it.
        rows: the number of lost rows; None if unknown.
        remedy: `REPAIR`, `RESTORE`, `RESWEEP` or `REIMPORT`.
        stray: whether the rows judge texts that the run does not hold; a sweep sets such rows aside when it starts.
    """

    path: str
    what: str
    rows: int | None
    remedy: str
    stray: bool = False


@dataclass(eq=False)
class ExaminedPart:
    """A part under examination.

    Args:
        table: its table.
        path: its file.
        keys: the key columns; None if the part cannot be read.
        ok: mask of the rows whose status is ok.
        sound: mask of the valid rows; each damage that is found clears some.
        digests: digest of the text that each row holds or judges, null if unknown; None for tables without texts.
    """

    table: RunTable
    path: str
    keys: pa.Table | None
    ok: Mask
    sound: Mask
    digests: pa.ChunkedArray | None = None

    def drop_keys(self) -> None:
        """Drop what only checks against other rows need; the mask of a sound part takes no memory from then on."""
        assert self.keys is not None, "a part that cannot be read has none"
        self.keys = self.keys.schema.empty_table()  # a slice would keep the buffers
        self.ok, self.digests = np.empty(0, dtype=bool), None
        if self.sound.all():
            self.sound = np.broadcast_to(np.True_, self.sound.shape)


def find_impossible_rows(
    table: RunTable, content: pa.Table, imported: bool, unanswered: bool = False
) -> Iterator[tuple[str, Mask]]:
    """Yield each fault that a row can have on its own, with a mask of the rows that have it.

    Args:
        table: whose rows.
        content: the rows.
        imported: whether they were imported; some columns may then be null, such as the gold of a right solution.
        unanswered: whether right answers may be unknown; then it is unknown which solutions are right.
    """
    names = {column.name for column in table.columns}
    ok = (
        to_boolean_mask(pc.equal(content["status"], "ok"))
        if table.has_status
        else np.ones(content.num_rows, dtype=bool)
    )
    for column in table.columns:
        may_lack = imported or (unanswered and column.name == "gold")
        if not column.null or (column.name in IMPORT_NULL_COLUMNS and not may_lack):
            yield f"without {column.name}", to_boolean_mask(pc.is_null(content[column.name]))
    for name, lacking in find_unfilled_columns(table, content, ok, imported):
        if name == "correct" and unanswered:
            continue
        yield f"with status ok and no {name}", lacking
    for name in (column.name for column in table.columns):
        values = content[name]
        if name in UNIT_INTERVAL_COLUMNS:  # NaN is not null and counts as outside
            yield f"with a {name} outside 0 … 1", mark_outside_range(values)
        if name == "step_scores":  # in a row that is not ok they are another tool's, in its own range
            yield "with step_scores outside 0 … 1", ok & mark_invalid_steps(values)
        if name.endswith("_tokens"):
            yield f"with {name} below 0", to_boolean_mask(pc.less(values, 0))
        if name.endswith("seconds"):
            yield f"with {name} that are negative or not finite", mark_impossible_seconds(values)
        if name in RESULT_COLUMNS and table.has_status:
            yield f"with '{name}' and a status that is not ok", ~ok & to_boolean_mask(pc.is_valid(values))
        # Other tables of a sweep are compared with the sweep.
        if name in LOWEST_NUMBERS and (imported or table in (NODES_TABLE, GRADES_TABLE)):
            yield f"with a {name} below {LOWEST_NUMBERS[name]}", to_boolean_mask(pc.less(values, LOWEST_NUMBERS[name]))
    for column in table.columns:
        if column.within is not None:
            more = pc.greater(content[column.name], content[column.within])
            yield f"with more {column.name} than {column.within}", to_boolean_mask(more)
    if {"answer", "correct"} <= names and not imported:
        yield (
            "with correct = true and no answer",
            to_boolean_mask(content["correct"]) & to_boolean_mask(pc.is_null(content["answer"])),
        )
    if table is NODES_TABLE:
        yield (
            "with a parent that does not come before it",
            to_boolean_mask(pc.greater_equal(content["parent"], content["node_id"])),
        )
    if table is GRADES_TABLE and content.num_rows:
        yield (
            "with another grader than the first row",
            to_boolean_mask(pc.not_equal(content["grader"], content["grader"][0])),
        )


def find_unfilled_columns(table: RunTable, content: pa.Table, ok: Mask, imported: bool) -> Iterator[tuple[str, Mask]]:
    """Yield the columns that a row with status ok must fill, with a mask of the rows that do not."""

    def mark_null(name: str) -> Mask:
        return to_boolean_mask(pc.is_null(content[name]))

    if table in (SOLUTIONS_TABLE, SEARCHES_TABLE):
        yield "correct", ok & mark_null("correct")
    if table is SOLUTIONS_TABLE and not imported:
        yield "text", ok & mark_null("text")
    if table is VERIFICATIONS_TABLE and not imported:
        yield (
            "text",
            ok & mark_null("text") & ~to_boolean_mask(pc.equal(content["finish_reason"], SKIPPED_FINISH_REASON)),
        )
    if table is SCORES_TABLE:
        yield "step_scores", ok & mark_null("step_scores")
    if table is NODES_TABLE:
        yield "text", (ok | to_boolean_mask(pc.equal(content["status"], WAITING_STATUS))) & mark_null("text")
        yield "correct", ok & to_boolean_mask(pc.equal(content["fate"], "finished")) & mark_null("correct")


def mark_outside_range(values: pa.ChunkedArray | pa.Array) -> Mask:
    """Mark values outside 0 … 1; null means unknown and is not marked."""
    return to_boolean_mask(pc.invert(pc.and_(pc.greater_equal(values, 0), pc.less_equal(values, 1))))


def mark_impossible_seconds(values: pa.ChunkedArray) -> Mask:
    """Mark durations below 0, NaN or infinite; null means unknown and is not marked."""
    return to_boolean_mask(pc.invert(pc.and_(pc.greater_equal(values, 0), pc.less(values, np.inf))))


def mark_invalid_steps(scores: pa.ChunkedArray) -> Mask:
    """Mark rows with a step score that is null or outside 0 … 1; NaN is the valid score of a blank step."""
    lists = scores.combine_chunks()
    rows, steps = pc.list_parent_indices(lists), pc.list_flatten(lists)
    bad = to_boolean_mask(pc.is_null(steps)) | (mark_outside_range(steps) & ~to_boolean_mask(pc.is_nan(steps)))
    mask = np.zeros(len(scores), dtype=bool)
    mask[np.asarray(rows)[bad]] = True
    return mask


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


def get_part_digests(part: ExaminedPart) -> pa.ChunkedArray:
    """Return the digests of a part's rows, null where unknown."""
    return part.digests if part.digests is not None else pa.chunked_array([pa.nulls(len(part.sound), pa.string())])


def mark_lost_rows(
    parts: list[ExaminedPart], bad: Mask, what: str, remedy: str = REPAIR, stray: bool = False
) -> Iterator[Damage]:
    """Yield the damage of each part that has bad rows; unless another sweep mends them, they are no longer sound."""
    start = 0
    for part in parts:
        lost = bad[start : start + len(part.sound)] & part.sound
        start += len(part.sound)
        if part.keys is None or not lost.any():
            continue
        count = int(lost.sum())
        key = tuple(part.keys.slice(int(lost.argmax()), 1).to_pylist()[0].values())
        text = f"{count:,} row{'s' if count > 1 else ''} {what}; the first: {key}"
        if remedy == REPAIR:
            part.sound &= ~lost
        yield Damage(part.path, text, count if remedy == REPAIR else 0, remedy, stray)


def select_sound_rows(parts: list[ExaminedPart], table: RunTable) -> pa.Table:
    """Return the keys of a table's rows that are ok and sound; for solutions also the digests of their texts."""
    fields = [table.schema.field(name) for name in table.key_names]
    fields += [pa.field(DIGEST_NAME, pa.string())] if table is SOLUTIONS_TABLE else []
    selected = []
    for part in parts:
        if part.table is table and part.keys is not None:
            content = (
                part.keys.append_column(DIGEST_NAME, get_part_digests(part)) if table is SOLUTIONS_TABLE else part.keys
            )
            selected.append(content.filter(pa.array(part.ok & part.sound)))
    return pa.concat_tables([pa.schema(fields).empty_table(), *selected])


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


def to_boolean_mask(values: pa.ChunkedArray | pa.Array) -> Mask:
    """Return a Boolean column as an array; null becomes False."""
    known = pc.fill_null(values, False)
    return np.asarray(known.to_numpy() if isinstance(known, pa.ChunkedArray) else known.to_numpy(zero_copy_only=False))
