"""Checks of what the manifest of a run says, and of files that are no parts."""

from __future__ import annotations

import posixpath

from isocompute.errors import DataError, RunError
from isocompute.runners import prompts
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.printable import describe_reason
from isocompute.runners.storage.examined_parts import REIMPORT, RESTORE, Damage, ExaminedPart
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.files import MANIFEST_FILE
from isocompute.runners.storage.part_names import PART_FILE_PATTERN, select_parts
from isocompute.runners.storage.provenance import ImportedRun, extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, TABLES, RunTable

MAX_EXPECTED_ROWS = 10**6
"""The most solutions of a problem, or verifications of a solution, that a valid manifest requests."""


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


def extract_error_reason(path: str, error: Exception) -> str:
    """Return an error's message without the file's name and the advice to run a check."""
    return describe_reason(error).removeprefix(path).lstrip(": ").partition("; `isocompute")[0].rstrip(".")


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
