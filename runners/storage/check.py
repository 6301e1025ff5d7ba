"""Check and repair of a run: damage, lost rows and missing rows."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isocompute.errors import DataError, RunError
from isocompute.runners import prompts
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.kinds import describe_unread_rows
from isocompute.runners.storage import validation
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.doubts import count_run_kinds
from isocompute.runners.storage.expected import ExpectedRows, Gap
from isocompute.runners.storage.files import MANIFEST_FILE
from isocompute.runners.storage.part_names import PART_FILE_PATTERN, select_parts
from isocompute.runners.storage.provenance import ImportedRun, extract_origin
from isocompute.runners.storage.row_states import RowStates
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
"""Rows that are checked at a time."""

MOST_STATES = 2**33
"""The most verifications of a sweep whose states are held in memory, a bit each."""

MAX_EXPECTED_ROWS = 10**6
"""The most solutions of a problem, or verifications of a solution, that a valid manifest requests."""


REMEDY_ADVICE = {
    REIMPORT: "import its source again",
    RESWEEP: "run its sweep again to write the missing problems",
}


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


def check_run(run: Run) -> CheckReport:
    """Check every part of a run. Nothing is changed; a sweep may be writing the run at the same time.

    Raises:
        RunError: there is no run.
    """
    return note_unread_rows(run, scan_run(run)[0])


def note_unread_rows(run: Run, report: CheckReport) -> CheckReport:
    """Return the report on a run with notes on unread answers and verdicts, which a damaged run does not tell."""
    unread = describe_unread_rows(*count_run_kinds(run), least=0.0) if report.is_whole else []
    return replace(report, notes=[*report.notes, *(sentence.rstrip(".") for sentence in unread)])


def repair_run(run: Run) -> CheckReport:
    """Set damaged parts aside as ``….damaged`` and keep their sound rows; a sweep samples the others again.

    A damaged manifest is not repaired, because nothing else says how the rows were made.

    Returns:
        The report from before the repair.

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
        report = note_unread_rows(run, report)
        set_aside_damaged_parts(run, parts)
    return report


def set_aside_damaged_parts(run: Run, parts: list[ExaminedPart]) -> None:
    """Set aside the parts with unsound rows, and rewrite their sound rows in the newest format."""
    if any(part.keys is not None and not part.sound.all() for part in parts):
        run.update_format()
    for part in parts:
        if part.keys is None:
            run.set_aside_part(part.path, part.table.schema.empty_table())
        elif not part.sound.all():
            run.set_aside_part(part.path, run.read_part(part.table, part.path).filter(pa.array(part.sound)))


def require_whole_run(run: Run) -> None:
    """Raise unless every row of a run is sound; called before numbers are read from it.

    A missing row is not damage.

    Raises:
        RunError: there is no run, or it cannot be read.
        DataError: it is damaged; the message says where.
    """
    report, _ = scan_run(run)
    refuse_damage(run, report.damage)


def set_aside_stray_judgements(run: Run) -> list[Damage]:
    """Set aside judgements of texts that a run does not hold; called before a sweep resumes it.

    A solution that was lost and sampled again may have another text, which the old judgements do not apply to. A store
    keeps its objects as they were written, so there it is done only if a part was set aside: otherwise a sweep would
    read all that is done before it goes on.

    Args:
        run: locked by this process.

    Returns:
        The damage that was set aside.

    Raises:
        DataError: the run is damaged in another way.
    """
    if not (run.local or has_damaged_parts(run)):
        return []
    report, parts = scan_run(run)
    refuse_damage(run, [damage for damage in report.damage if damage.remedy != RESWEEP and not damage.stray])
    set_aside_damaged_parts(run, parts)
    return [damage for damage in report.damage if damage.stray]


def has_damaged_parts(run: Run) -> bool:
    """Return whether a part of a run was set aside."""
    folders = (posixpath.join(run.root, table) for table in TABLES)
    return any(".damaged" in posixpath.basename(path) for folder in folders for path in run.fs.find(folder))


def refuse_damage(run: Run, damages: list[Damage]) -> None:
    """Raise if there is damage.

    Raises:
        DataError: the message names the first damage.
    """
    for damage in damages:
        link = " " if damage.what.startswith("cannot be read") else ": "
        advice = REMEDY_ADVICE.get(damage.remedy) or f"`isocompute check {run.path}` says what would be lost"
        raise DataError(f"{damage.path}{link}{damage.what}; {advice}.")


def collect_text_digests(table: RunTable, content: pa.Table) -> pa.ChunkedArray | None:
    """Return the digests of the texts that rows hold or judge; None for tables without texts."""
    if table is SOLUTIONS_TABLE:
        texts = content["text"].to_pylist()
        return pa.chunked_array([pa.array([None if t is None else digest_text(t) for t in texts], pa.string())])
    return content[validation.DIGEST_NAME] if table in JUDGEMENT_TABLES else None


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
            known, expected = validation.collect_known_texts(parts), ExpectedRows(config, states.problems)
            check = partial(validation.check_verification_batch, known=known, expected=expected, states=states)
            table_parts, part_damage = read_parts(run, table, listed[table.name], lenient, unanswered, check)
            verified = states
        else:
            table_parts, part_damage = read_parts(run, table, listed[table.name], lenient, unanswered)
            part_damage += validation.check_rows_together(table, [*parts, *table_parts], config)
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


def check_manifest(run: Run, begun: bool) -> tuple[Sweep | ImportedRun | None, list[Damage], list[str]]:
    """Return the sweep or import in the manifest, its damage, and notes on changed prompts and the source run."""
    try:
        manifest = run.read_manifest()
        config = extract_origin(manifest, run.path)
        if isinstance(config, Sweep) and count_largest_rows(config) > MAX_EXPECTED_ROWS:
            raise DataError(f"The manifest of '{run.path}' requests more than {MAX_EXPECTED_ROWS:,} rows of one kind.")
    except (DataError, RunError) as error:
        if isinstance(error, RunError) and (not begun or run.exists):  # the latter: another format, or unreadable
            raise
        path = posixpath.join(run.root, MANIFEST_FILE)
        return None, [Damage(path, extract_error_reason(path, error), None, RESTORE)], []
    notes = []
    prompt_entries = manifest.get("prompts")
    for prompt in prompt_entries.values() if isinstance(prompt_entries, dict) else ():
        name, sha256 = (prompt.get("name"), prompt.get("sha256")) if isinstance(prompt, dict) else (None, None)
        if name in prompts.list_prompts() and sha256 != prompts.load_prompt(name, needs=()).template_hash:
            notes.append(
                f"the prompt '{name}' has changed since this run was made; the run can be fitted, but no rows can be "
                "added to it"
            )
    if isinstance(config, Sweep) and config.source_run is not None:
        failed = f", {config.source_run.failed:,} of which failed there" if config.source_run.failed else ""
        notes.append(
            f"its solutions were taken from '{config.source_run.run}'{failed}; a sweep takes missing ones from that "
            "run and samples none"
        )
    return config, [], notes


def is_imported_table(config: Sweep, table: RunTable) -> bool:
    """Return whether a sweep took a table's rows from an import, so that some of their columns may be null."""
    return (
        table in (PROBLEMS_TABLE, SOLUTIONS_TABLE)
        and config.source_run is not None
        and config.source_run.is_from_import
    )


def count_largest_rows(config: Sweep) -> int:
    """Return the most rows of a kind that a sweep requests for one problem or one solution."""
    return max(config.solution_count, config.verifications, sum(ExpectedRows(config).seeds.values()))


def find_incomplete_tables(run: Run, imported: ImportedRun, parts: list[ExaminedPart]) -> list[Damage]:
    """Return the tables whose number of rows is not the imported one, unless a damaged part explains it."""
    damage = []
    for name, rows in imported.rows.items():
        table_parts = [part for part in parts if part.table.name == name]
        row_count = sum(len(part.sound) for part in table_parts)
        if row_count != rows and all(part.keys is not None for part in table_parts):
            what = f"{row_count:,} rows, but {rows:,} were imported"
            damage.append(Damage(posixpath.join(run.root, name), what, max(rows - row_count, 0), REIMPORT))
    return damage


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
        ok = validation.to_boolean_mask(pc.equal(content["status"], "ok")) if table.has_status else every
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
    faults = validation.find_impossible_rows(table, rows, imported, unanswered)
    return [damage for what, bad in faults for damage in validation.mark_lost_rows(parts, bad, what)]


def extract_error_reason(path: str, error: Exception) -> str:
    """Return an error's message without the file's name and the advice to run a check."""
    return str(error).splitlines()[0].removeprefix(path).lstrip(": ").partition("; `isocompute")[0].rstrip(".")


def read_footer_row_count(run: Run, path: str) -> int | None:
    """Return the number of rows in a damaged part's footer; None if the footer cannot be read."""
    try:
        with run.open_part(path, []) as file:
            return int(pq.ParquetFile(file).metadata.num_rows)
    except (pa.ArrowException, OSError, DataError):
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


def describe_stray_files(run: Run) -> list[str]:
    """Return notes on files that are in the tables' folders and are not parts."""
    paths = [path for table in TABLES for path in run.fs.find(posixpath.join(run.root, table))]
    retired = [path for table in TABLES for path in list_retired_paths(paths, posixpath.join(run.root, table))]
    paths = [path for path in paths if not PART_FILE_PATTERN.search(path)]
    descriptions = {
        ".tmp": "unfinished, from a sweep that is running or was killed; the next sweep removes leftovers",
        ".damaged": "set aside earlier; delete what you no longer need",
        "": "with an unknown name, not read",
    }
    joined = "in joined parts and not read; the next `isocompute compact` deletes them"
    notes = [f"{len(retired):,} part{'s' if len(retired) > 1 else ''} {joined}: {retired[0]}"] if retired else []
    for end, description in descriptions.items():
        matches = [
            path for path in paths if next(mark for mark in descriptions if mark in posixpath.basename(path)) == end
        ]
        if matches:
            notes.append(f"{len(matches):,} file{'s' if len(matches) > 1 else ''} {description}: {matches[0]}")
    return notes


def list_retired_paths(paths: list[str], folder: str) -> list[str]:
    """Return the paths of a table's parts whose rows are in joined ones."""
    return [part.path for part in select_parts(path for path in paths if path.startswith(f"{folder}/"))[1]]
