"""Whether a run is whole: what is damaged, what would be lost with it, and what would be asked for again."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isocompute.errors import DataError, RunError
from isocompute.runners import prompts
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage import validation
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.expected import ExpectedRows, Gap
from isocompute.runners.storage.files import MANIFEST_FILE
from isocompute.runners.storage.provenance import ImportedRun, extract_origin
from isocompute.runners.storage.run import PART_FILE_PATTERN, Run
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
from isocompute.runners.storage.validation import (
    REIMPORT,
    REPAIR,
    RESTORE,
    RESWEEP,
    Damage,
    ExaminedPart,
    select_sound_rows,
)

CHECK_BATCH_ROWS = 50_000
"""Rows that are looked at together."""

MAX_EXPECTED_ROWS = 10**6
"""Solutions of a problem, or verifications of a solution, beyond which a manifest is not believed."""


REMEDY_ADVICE = {
    REIMPORT: "import its source again",
    RESWEEP: "run its sweep again, which writes the problems that are missing",
}


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Args:
        run: the folder.
        rows: rows of each table that can be believed, failed ones among them.
        damage: everything that is wrong; empty if the run is whole.
        missing: what a sweep would ask for: lost with the damage, failed, or not asked for yet.
        notes: what is worth knowing and harms nothing.
    """

    run: str
    rows: dict[str, int]
    damage: list[Damage]
    missing: dict[str, list[Gap]]
    notes: list[str]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage


def check_run(run: Run) -> CheckReport:
    """Examine every part of a run. Nothing is changed, and a sweep may be writing it meanwhile.

    Raises:
        RunError: there is no run.
    """
    return scan_run(run)[0]


def repair_run(run: Run) -> CheckReport:
    """Set damaged parts aside as ``….damaged`` and keep their sound rows; a sweep asks for the others again.

    A damaged manifest stays as it is: nothing else says what the rows were made with.

    Returns:
        What was found before.

    Raises:
        RunError: there is no run, it was imported, or another process is writing it.
    """
    check_run(run)
    if isinstance(check_manifest(run, True)[0], ImportedRun):
        raise RunError(
            f"The run at '{run.path}' was imported: what is lost cannot be sampled again; import its source again."
        )
    with run.lock():
        report, parts = scan_run(run)
        set_aside_damaged_parts(run, parts)
    return report


def set_aside_damaged_parts(run: Run, parts: list[ExaminedPart]) -> None:
    """Set aside the parts with rows that cannot be believed, and keep their other rows, in parts of today's format."""
    if any(part.keys is not None and not part.sound.all() for part in parts):
        run.update_format()
    for part in parts:
        if part.keys is None:
            run.set_aside_part(part.path, part.table.schema.empty_table())
        elif not part.sound.all():
            run.set_aside_part(part.path, run.read_part(part.table, part.path).filter(pa.array(part.sound)))


def require_whole_run(run: Run) -> None:
    """Raise unless every row of a run can be believed: before numbers are read off it.

    A row that is missing is no damage.

    Raises:
        RunError: there is no run, or it cannot be read.
        DataError: it is damaged; says where.
    """
    report, _ = scan_run(run)
    refuse_damage(run, report.damage)


def set_aside_stray_judgements(run: Run) -> list[Damage]:
    """Set aside the judgements of texts that a run does not hold: before a sweep goes on with it.

    A solution that was lost and sampled again may read differently, and what was said of the old one is not true of it.

    Args:
        run: held by this process.

    Returns:
        What was set aside.

    Raises:
        DataError: the run is damaged in another way.
    """
    report, parts = scan_run(run)
    refuse_damage(run, [damage for damage in report.damage if damage.remedy != RESWEEP and not damage.stray])
    set_aside_damaged_parts(run, parts)
    return [damage for damage in report.damage if damage.stray]


def refuse_damage(run: Run, damages: list[Damage]) -> None:
    """Raise if there is damage.

    Raises:
        DataError: says where the first is.
    """
    for damage in damages:
        link = " " if damage.what.startswith("cannot be read") else ": "
        advice = REMEDY_ADVICE.get(damage.remedy) or f"`isocompute check {run.path}` says what would be lost"
        raise DataError(f"{damage.path}{link}{damage.what}; {advice}.")


def collect_text_digests(table: RunTable, content: pa.Table) -> pa.ChunkedArray | None:
    """Return the digests of the texts that rows hold or judge."""
    if table is SOLUTIONS_TABLE:
        texts = content["text"].to_pylist()
        return pa.chunked_array([pa.array([None if t is None else digest_text(t) for t in texts], pa.string())])
    return content[validation.DIGEST_NAME] if table in JUDGEMENT_TABLES else None


def scan_run(run: Run) -> tuple[CheckReport, list[ExaminedPart]]:
    """Return what is wrong with a run, and its parts, each with its sound rows."""
    # What speaks of other rows is listed before them, and what was asked for is read last: a sweep that writes
    # meanwhile leaves no verification without its solution, and no row beyond what was asked for.
    listed = {table.name: run.list_parts(table) for table in reversed(TABLES.values())}
    origin, damage, notes = check_manifest(run, any(listed.values()))
    config = origin if isinstance(origin, Sweep) else None
    imported = isinstance(origin, ImportedRun)
    parts: list[ExaminedPart] = []
    for table in TABLES.values():
        lenient = imported or (config is not None and is_imported_table(config, table))
        found, wrong = read_parts(run, table, listed[table.name], lenient)
        parts += found
        damage += [*wrong, *validation.check_rows_together(table, parts, config)]
    if isinstance(origin, ImportedRun):
        damage = [replace(one, remedy=REIMPORT) for one in [*damage, *find_incomplete_tables(run, origin, parts)]]
    places = {part.path: i for i, part in enumerate(parts)}
    damage.sort(key=lambda one: places.get(one.path, -1))
    rows = {name: sum(int(p.sound.sum()) for p in parts if p.table.name == name) for name in TABLES if listed[name]}
    missing = {} if config is None else collect_gaps(parts, config)
    return CheckReport(run.path, rows, damage, missing, notes + describe_stray_files(run)), parts


def check_manifest(run: Run, begun: bool) -> tuple[Sweep | ImportedRun | None, list[Damage], list[str]]:
    """Return what the manifest asks for, or what is wrong with it, and which prompts are no longer those shipped."""
    try:
        manifest = run.read_manifest()
        config = extract_origin(manifest, run.path)
        if isinstance(config, Sweep) and count_largest_rows(config) > MAX_EXPECTED_ROWS:
            raise DataError(f"The manifest of '{run.path}' asks for more than {MAX_EXPECTED_ROWS:,} rows of a kind.")
    except (DataError, RunError) as error:
        if isinstance(error, RunError) and (not begun or run.exists):  # the latter: of another format, or unreadable
            raise
        path = posixpath.join(run.root, MANIFEST_FILE)
        return None, [Damage(path, extract_error_reason(path, error), None, RESTORE)], []
    notes = []
    said = manifest.get("prompts")
    for prompt in said.values() if isinstance(said, dict) else ():
        name, sha256 = (prompt.get("name"), prompt.get("sha256")) if isinstance(prompt, dict) else (None, None)
        if name in prompts.list_prompts() and sha256 != prompts.load_prompt(name, needs=()).template_hash:
            notes.append(f"the prompt '{name}' was another when this run was made; it can be fitted, not added to")
    if isinstance(config, Sweep) and config.source_run is not None:
        failed = f", {config.source_run.failed:,} of which failed there" if config.source_run.failed else ""
        notes.append(
            f"its solutions are those of '{config.source_run.run}'{failed}: a sweep asks that run for what is "
            "missing of "
            "them, and no model"
        )
    return config, [], notes


def is_imported_table(config: Sweep, table: RunTable) -> bool:
    """Return whether a sweep took a table's rows from an import, so that they may lack what an import may lack."""
    return (
        table in (PROBLEMS_TABLE, SOLUTIONS_TABLE)
        and config.source_run is not None
        and config.source_run.is_from_import
    )


def count_largest_rows(config: Sweep) -> int:
    """Return how many rows of a kind a sweep asks for at most: of a problem, or of a solution."""
    return max(config.solution_count, config.verifications, sum(ExpectedRows(config).seeds.values()))


def find_incomplete_tables(run: Run, imported: ImportedRun, parts: list[ExaminedPart]) -> list[Damage]:
    """Return which tables have another number of rows than was imported, where no part says why."""
    damage = []
    for name, rows in imported.rows.items():
        there = [part for part in parts if part.table.name == name]
        found = sum(len(part.sound) for part in there)
        if found != rows and all(part.keys is not None for part in there):
            what = f"{found:,} rows, and {rows:,} were imported"
            damage.append(Damage(posixpath.join(run.root, name), what, max(rows - found, 0), REIMPORT))
    return damage


def read_parts(run: Run, table: RunTable, paths: list[str], imported: bool) -> tuple[list[ExaminedPart], list[Damage]]:
    """Read parts, all of each, and look at their values row by row; small parts together, which is much faster."""
    parts: list[ExaminedPart] = []
    damage: list[Damage] = []
    batch: list[tuple[ExaminedPart, pa.Table]] = []
    for path in paths:
        try:
            content = run.read_part(table, path)
            content.validate(full=True)  # texts that are not UTF-8
        except (DataError, pa.ArrowInvalid) as error:
            parts.append(ExaminedPart(table, path, None, np.empty(0, dtype=bool), np.empty(0, dtype=bool)))
            damage.append(Damage(path, extract_error_reason(path, error), read_footer_row_count(run, path), REPAIR))
            continue
        every = np.ones(content.num_rows, dtype=bool)
        ok = validation.to_boolean_mask(pc.equal(content["status"], "ok")) if table.has_status else every
        parts.append(
            ExaminedPart(
                table, path, content.select(table.key_names), ok, every.copy(), collect_text_digests(table, content)
            )
        )
        batch.append((parts[-1], content))
        if sum(content.num_rows for _, content in batch) >= CHECK_BATCH_ROWS:
            damage += check_part_values(table, batch, imported)
            batch = []
    return parts, damage + check_part_values(table, batch, imported)


def check_part_values(table: RunTable, batch: list[tuple[ExaminedPart, pa.Table]], imported: bool) -> list[Damage]:
    """Return what is wrong with the values of parts."""
    if not batch:
        return []
    parts = [part for part, _ in batch]
    found = validation.find_impossible_rows(table, pa.concat_tables([content for _, content in batch]), imported)
    return [damage for what, bad in found for damage in validation.mark_lost_rows(parts, bad, what)]


def extract_error_reason(path: str, error: Exception) -> str:
    """Return what an error says of a file, without the file's name and the advice to check it."""
    return str(error).splitlines()[0].removeprefix(path).lstrip(": ").partition("; `isocompute")[0].rstrip(".")


def read_footer_row_count(run: Run, path: str) -> int | None:
    """Return how many rows a damaged part says it has; None if it does not even say that."""
    try:
        with run.fs.open(path, "rb") as file:
            return int(pq.ParquetFile(file).metadata.num_rows)
    except (pa.ArrowException, OSError):
        return None


def collect_gaps(parts: list[ExaminedPart], config: Sweep) -> dict[str, list[Gap]]:
    """Return the rows that were asked for and are not there."""
    expected = ExpectedRows(config, select_sound_rows(parts, PROBLEMS_TABLE)["problem_id"].to_pylist())
    tables = [table for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE) if expected.get_axis_sizes(table)]
    tables += [SEARCHES_TABLE] if config.searches else []
    return {table.name: expected.find_gaps(table, select_sound_rows(parts, table)) for table in tables}


def describe_stray_files(run: Run) -> list[str]:
    """Say which files stand beside the parts."""
    paths = [path for table in TABLES for path in run.fs.find(posixpath.join(run.root, table))]
    paths = [path for path in paths if not PART_FILE_PATTERN.search(path)]
    said = {
        ".tmp": "half-written, by a sweep that is at it or was killed; the next sweep removes what is left",
        ".damaged": "set aside before; delete what is not needed any more",
        "": "not a part, and not read",
    }
    notes = []
    for end, what in said.items():
        found = [path for path in paths if next(mark for mark in said if mark in posixpath.basename(path)) == end]
        if found:
            notes.append(f"{len(found):,} file{'s' if len(found) > 1 else ''} {what}: {found[0]}")
    return notes
