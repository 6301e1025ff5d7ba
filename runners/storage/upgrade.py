"""Upgrade of a run of format 1 to the newest format, written beside the old run."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import isocompute
from isocompute.errors import DataError, EngineError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.model_size import count_checkpoint_parameters
from isocompute.runners.storage.building import build_hidden_run
from isocompute.runners.storage.check import require_whole_run
from isocompute.runners.storage.imported_scores import extract_solution_scores
from isocompute.runners.storage.manifest import collect_given_sizes, hash_checkpoint
from isocompute.runners.storage.provenance import (
    GOLD_AS_GIVEN,
    UPGRADED_KEY,
    ImportedRun,
    extract_model_sizes,
    extract_origin,
)
from isocompute.runners.storage.run import RUN_FORMAT, Run
from isocompute.runners.storage.schema import LOGGED_COLUMNS, SCORES_TABLE, SOLUTIONS_TABLE, TABLES, RunTable


@dataclass(frozen=True)
class UpgradedRun:
    """The result of an upgrade.

    Args:
        run: the new folder.
        before: the old run's format.
        rows: number of rows of each table, failed ones included.
        moved: number of solutions whose step scores were moved to `scores`.
        parameters: the model sizes in the new run, by role.
        unknown: values that the old run lacks and the new format has, as ``table.column`` or ``parameters.role``.
    """

    run: str
    before: int
    rows: dict[str, int]
    moved: int
    parameters: dict[str, float]
    unknown: tuple[str, ...]


def upgrade_run(source: Run, target: Run) -> UpgradedRun | None:
    """Write a run in the newest format, whole or not at all.

    Rows, failures, keys and the order of parts are kept; other files beside the tables are not copied. Values that the
    old run lacks stay unknown, except model sizes: they are read from the checkpoint's folder if its weights are still
    those that the run was made with.

    Args:
        source: the old run, which may be incomplete; it is not changed.
        target: the place of the new run; it must not exist yet.

    Returns:
        The result; None if the run has the newest format already and nothing was written.

    Raises:
        RunError: there is no run, the target exists, or it cannot be written.
        DataError: the old run is damaged.
    """
    manifest = source.read_manifest()
    old_format = manifest.get("format", 1)
    if old_format >= RUN_FORMAT and not any(
        is_former_part(source, table, path) for table, path in list_run_parts(source)
    ):
        return None
    origin = extract_origin(manifest, source.path)
    with build_hidden_run(target, "upgrade", "upgrading") as hidden:
        require_whole_run(source)
        rows, filled_columns = copy_parts(source, hidden)
        moved = move_scores(source, hidden, origin)
        if moved:
            rows[SCORES_TABLE.name] = rows.get(SCORES_TABLE.name, 0) + moved
        parameters = find_recorded_sizes(manifest, origin, source.path)
        hidden.write_manifest(build_upgraded_manifest(manifest, origin, parameters, moved))
    unknown = [
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.columns
        if column.later
        and rows.get(table.name)
        and (table.name, column.name) not in filled_columns
        and (column not in LOGGED_COLUMNS or isinstance(origin, ImportedRun))
    ]
    unknown += [] if manifest.get("gold") == GOLD_AS_GIVEN else ["problems.gold as it was given"]
    unknown += [f"parameters.{role}" for role in get_origin_models(origin) if role not in parameters]
    ordered = {name: rows[name] for name in TABLES if name in rows}
    return UpgradedRun(target.path, old_format, ordered, moved, parameters, tuple(unknown))


def list_run_parts(run: Run) -> Iterator[tuple[RunTable, str]]:
    """Yield every part of a run; tables come before those they refer to, as a sweep may be adding rows."""
    for table in reversed(TABLES.values()):
        for path in run.list_parts(table):
            yield table, path


def is_former_part(run: Run, table: RunTable, path: str) -> bool:
    """Return whether a part's columns are not the present ones."""
    with run.open_part(path, []) as file:
        return set(pq.read_schema(file).names) != set(table.schema.names)


def copy_parts(source: Run, hidden: Run) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """Rewrite every part under its name.

    Returns:
        The number of rows of each table, and the columns that have a value, as pairs of table and column.
    """
    rows: dict[str, int] = {}
    filled_columns: set[tuple[str, str]] = set()
    for table, path in list_run_parts(source):
        content = source.read_part(table, path)
        hidden.write_part(table, posixpath.basename(path), content)
        rows[table.name] = rows.get(table.name, 0) + content.num_rows
        filled_columns |= {(table.name, name) for name in content.column_names if pc.count(content[name]).as_py()}
    return rows, filled_columns


def move_scores(source: Run, hidden: Run, origin: Sweep | ImportedRun) -> int:
    """Write the step scores stored with an import's solutions as rows of `scores`; return their number.

    Raises:
        DataError: a sweep's solutions have step scores, which no sweep writes.
    """
    scored = hidden.read_table(SCORES_TABLE, SCORES_TABLE.key_names)
    keys = set(zip(*(column.to_pylist() for column in scored.columns), strict=True))
    rows: pa.Table = extract_solution_scores(source, keys)
    if rows.num_rows and isinstance(origin, Sweep):
        raise DataError(
            f"The run at '{source.path}' has step_scores in {SOLUTIONS_TABLE.name}, which no sweep writes, so their "
            "origin is unknown and they cannot be upgraded; move them to a separate run."
        )
    writer = hidden.open_writer(SCORES_TABLE, seconds=1e9)
    writer.add_rows(rows.to_pylist())
    writer.flush()
    return int(rows.num_rows)


def get_origin_models(origin: Sweep | ImportedRun) -> dict[str, str]:
    """Return a run's models by role."""
    return origin.all_models if isinstance(origin, Sweep) else origin.models


def find_recorded_sizes(manifest: dict[str, Any], origin: Sweep | ImportedRun, run: str) -> dict[str, float]:
    """Return the models' known parameter counts, by role.

    They come from the manifest or its sweep, or else from a local checkpoint whose weights have the manifest's hashes.
    """
    sizes = extract_model_sizes(manifest, run)
    if isinstance(origin, ImportedRun):
        return sizes
    models = manifest.get("models")
    items = models.items() if isinstance(models, dict) else ()
    hashes = {origin.all_models[role]: one for role, one in items if role in origin.all_models}
    sizes = collect_given_sizes(origin) | sizes
    for role, model in origin.all_models.items():
        try:
            size = None if role in sizes or model not in hashes else count_checkpoint_parameters(model)
            if size is not None and hash_checkpoint(model) == hashes[model]:
                sizes[role] = size
        except (EngineError, OSError):  # the checkpoint cannot be read: its size stays unknown
            continue
    return {role: sizes[role] for role in sizes if role in origin.all_models}


def build_upgraded_manifest(
    manifest: dict[str, Any], origin: Sweep | ImportedRun, parameters: dict[str, float], moved: int
) -> dict[str, Any]:
    """Return the manifest of the new run: the old one's entries, the model sizes, and the record of the upgrade."""
    upgraded = {UPGRADED_KEY: {"format": manifest.get("format", 1), "isocompute": isocompute.__version__}}
    new = {**upgraded, **manifest, "format": max(RUN_FORMAT, manifest.get("format", 1))}
    if isinstance(origin, Sweep):
        return {**new, "parameters": parameters}
    rows = origin.rows | ({SCORES_TABLE.name: origin.rows.get(SCORES_TABLE.name, 0) + moved} if moved else {})
    unknown = [rename_column(name) for name in origin.unknown]
    unknown += [f"{SCORES_TABLE.name}.{name}" for name in SCORES_TABLE.tokens[:2]] if moved else []
    imported = origin.model_copy(update={"rows": rows, "unknown": tuple(dict.fromkeys(unknown))})
    return {**new, "imported": {**manifest["imported"], **imported.model_dump(mode="json")}}


def rename_column(name: str) -> str:
    """Return the present name of a ``table.column`` of format 1.

    >>> rename_column("searches.scored_tokens"), rename_column("searches.steps")
    ('searches.scorer_prompt_tokens', 'searches.steps')
    """
    table, _, column = name.partition(".")
    now = {c.formerly: c.name for c in TABLES[table].columns if c.formerly} if table in TABLES else {}
    return f"{table}.{now.get(column, column)}"
