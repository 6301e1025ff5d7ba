"""Examination of a run: the damage in its parts, and the rows that are missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isocompute.errors import DataError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.examined_parts import (
    DIGEST_NAME,
    REIMPORT,
    REPAIR,
    Damage,
    ExaminedPart,
    mark_lost_rows,
    select_sound_rows,
)
from isocompute.runners.storage.expected import ExpectedRows, Gap
from isocompute.runners.storage.manifest_check import (
    check_manifest,
    describe_stray_files,
    extract_error_reason,
    find_incomplete_tables,
    is_imported_table,
)
from isocompute.runners.storage.parquet_sizes import PARQUET_ERRORS
from isocompute.runners.storage.provenance import ImportedRun
from isocompute.runners.storage.row_relations import (
    check_rows_together,
    check_verification_batch,
    collect_known_texts,
)
from isocompute.runners.storage.row_states import RowStates
from isocompute.runners.storage.row_values import find_impossible_rows, to_boolean_mask
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.run_folder import GonePartError, retry_gone_parts
from isocompute.runners.storage.schema import (
    JUDGEMENT_TABLES,
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    TABLES,
    VERIFICATIONS_TABLE,
    RunTable,
)

CHECK_BATCH_ROWS = 50_000
"""Rows that are checked at a time."""

MOST_STATES = 2**33
"""The most verifications of a sweep whose states are held in memory, a bit each."""


@dataclass(frozen=True)
class CheckReport:
    """The result of a check.

    Args:
        run: the run's folder.
        rows: number of sound rows of each table, failed ones included.
        damage: all damage; empty if the run is whole.
        missing: gaps that a sweep would fill: lost rows, failed rows, and rows not sampled yet.
        notes: harmless observations.
    """

    run: str
    rows: dict[str, int]
    damage: list[Damage]
    missing: dict[str, list[Gap]]
    notes: list[str]

    @property
    def is_whole(self) -> bool:
        """True if nothing is damaged."""
        return not self.damage


def scan_run(run: Run) -> tuple[CheckReport, list[ExaminedPart]]:
    """Return the report on a run, and its parts with their sound rows."""
    return retry_gone_parts(lambda: scan_listed_parts(run))


def scan_listed_parts(run: Run) -> tuple[CheckReport, list[ExaminedPart]]:
    """Return what `scan_run` does.

    Raises:
        GonePartError: a part was joined with others meanwhile.
    """
    # A sweep may be writing. Tables are listed before the tables that they refer to, so that every verification finds
    # its solution. The manifest is read last, so that no row exceeds it.
    listed = {table.name: run.list_parts(table) for table in reversed(TABLES.values())}
    origin, damage, notes = check_manifest(run, any(listed.values()))
    config = origin if isinstance(origin, Sweep) else None
    imported = isinstance(origin, ImportedRun)
    parts: list[ExaminedPart] = []
    verified: RowStates | None = None
    for table in TABLES.values():
        lenient = imported or (config is not None and is_imported_table(config, table))
        unanswered = config is not None and config.is_unanswered
        states = prepare_states(config, parts) if table is VERIFICATIONS_TABLE else None
        if config is not None and states is not None:
            known, expected = collect_known_texts(parts), ExpectedRows(config, states.problems)
            check = partial(check_verification_batch, known=known, expected=expected, states=states)
            table_parts, part_damage = read_parts(run, table, listed[table.name], lenient, unanswered, check)
            verified = states
        else:
            table_parts, part_damage = read_parts(run, table, listed[table.name], lenient, unanswered)
            part_damage += check_rows_together(table, [*parts, *table_parts], config)
        parts += table_parts
        damage += part_damage
    if isinstance(origin, ImportedRun):
        damage = [replace(one, remedy=REIMPORT) for one in [*damage, *find_incomplete_tables(run, origin, parts)]]
    places = {part.path: i for i, part in enumerate(parts)}
    damage.sort(key=lambda one: places.get(one.path, -1))
    rows = {name: sum(int(p.sound.sum()) for p in parts if p.table.name == name) for name in TABLES if listed[name]}
    missing = {} if config is None or config.policy is not None else collect_gaps(parts, config, verified)
    return CheckReport(run.path, rows, damage, missing, notes + describe_stray_files(run)), parts


def prepare_states(config: Sweep | None, parts: list[ExaminedPart]) -> RowStates | None:
    """Return where the states of verifications are noted as they are read; None if that would take too much memory.

    Args:
        config: the sweep, if it is known; the keys of imports may be any numbers.
        parts: the examined problems.
    """
    if config is None:
        return None
    problems = sorted(select_sound_rows(parts, PROBLEMS_TABLE)["problem_id"].to_pylist())
    sizes = list(ExpectedRows(config).get_axis_sizes(VERIFICATIONS_TABLE).values())
    return RowStates(problems, sizes) if len(problems) * math.prod(sizes) <= MOST_STATES else None


def read_parts(
    run: Run,
    table: RunTable,
    paths: list[str],
    imported: bool,
    unanswered: bool,
    check: Callable[[list[ExaminedPart]], Iterator[Damage]] = lambda parts: iter(()),
) -> tuple[list[ExaminedPart], list[Damage]]:
    """Read parts and check their values; small parts are checked together, which is much faster.

    Args:
        run: the run.
        table: the table.
        paths: its parts.
        imported: whether the rows were imported, see `find_impossible_rows`.
        unanswered: whether right answers may be unknown.
        check: a further check, of some parts at a time.
    """
    parts: list[ExaminedPart] = []
    damage: list[Damage] = []
    batch: list[tuple[ExaminedPart, pa.Table]] = []
    for path in paths:
        try:
            content = run.read_part(table, path)
            content.validate(full=True)  # raises if a text is not UTF-8
        except GonePartError:
            raise
        except (DataError, pa.ArrowInvalid) as error:
            parts.append(ExaminedPart(table, path, None, np.empty(0, dtype=bool), np.empty(0, dtype=bool)))
            damage.append(Damage(path, extract_error_reason(path, error), read_footer_row_count(run, path), REPAIR))
            continue
        every = np.ones(content.num_rows, dtype=bool)
        ok = to_boolean_mask(pc.equal(content["status"], "ok")) if table.has_status else every
        parts.append(
            ExaminedPart(
                table, path, content.select(table.key_names), ok, every.copy(), collect_text_digests(table, content)
            )
        )
        batch.append((parts[-1], content))
        if sum(content.num_rows for _, content in batch) >= CHECK_BATCH_ROWS:
            damage += [*check_part_values(table, batch, imported, unanswered), *check([part for part, _ in batch])]
            batch = []
    damage += [*check_part_values(table, batch, imported, unanswered), *check([part for part, _ in batch])]
    return parts, damage


def check_part_values(
    table: RunTable, batch: list[tuple[ExaminedPart, pa.Table]], imported: bool, unanswered: bool
) -> list[Damage]:
    """Return the damage in the values of parts."""
    if not batch:
        return []
    parts = [part for part, _ in batch]
    rows = pa.concat_tables([content for _, content in batch])
    faults = find_impossible_rows(table, rows, imported, unanswered)
    return [damage for what, bad in faults for damage in mark_lost_rows(parts, bad, what)]


def collect_text_digests(table: RunTable, content: pa.Table) -> pa.ChunkedArray | None:
    """Return the digests of the texts that rows hold or judge; None for tables without texts."""
    if table is SOLUTIONS_TABLE:
        texts = content["text"].to_pylist()
        return pa.chunked_array([pa.array([None if t is None else digest_text(t) for t in texts], pa.string())])
    return content[DIGEST_NAME] if table in JUDGEMENT_TABLES else None


def read_footer_row_count(run: Run, path: str) -> int | None:
    """Return the number of rows in a damaged part's footer; None if the footer cannot be read."""
    try:
        with run.open_part(path, []) as file:
            return int(pq.ParquetFile(file).metadata.num_rows)
    except (*PARQUET_ERRORS, DataError):
        return None


def collect_gaps(parts: list[ExaminedPart], config: Sweep, verified: RowStates | None = None) -> dict[str, list[Gap]]:
    """Return the requested rows that are missing.

    Args:
        parts: the examined parts.
        config: the sweep.
        verified: the states of the verifications, if their parts have no keys any more.
    """
    expected = ExpectedRows(config, select_sound_rows(parts, PROBLEMS_TABLE)["problem_id"].to_pylist())
    tables = [table for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE) if expected.get_axis_sizes(table)]
    tables += [SEARCHES_TABLE] if config.searches else []
    return {
        table.name: expected.list_gaps(table, *verified.find_gap_ends())
        if table is VERIFICATIONS_TABLE and verified is not None
        else expected.find_gaps(table, select_sound_rows(parts, table))
        for table in tables
    }
