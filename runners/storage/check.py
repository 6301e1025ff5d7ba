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
from isocompute.runners.storage.expected import Expected, Gap
from isocompute.runners.storage.files import MANIFEST
from isocompute.runners.storage.provenance import Imported, origin_of
from isocompute.runners.storage.run import PART, Run
from isocompute.runners.storage.schema import (
    JUDGEMENTS,
    PROBLEMS,
    SCORES,
    SEARCHES,
    SOLUTIONS,
    TABLES,
    VERIFICATIONS,
    Table,
)
from isocompute.runners.storage.validation import REIMPORT, REPAIR, RESTORE, RESWEEP, Damage, Part, believed

BATCH = 50_000
"""Rows that are looked at together."""

LARGEST = 10**6
"""Solutions of a problem, or verifications of a solution, beyond which a manifest is not believed."""


ADVICE = {
    REIMPORT: "import its source again",
    RESWEEP: "run its sweep again, which writes the problems that are missing",
}


@dataclass(frozen=True)
class Report:
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
    def whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage


def check(run: Run) -> Report:
    """Examine every part of a run. Nothing is changed, and a sweep may be writing it meanwhile.

    Raises:
        RunError: there is no run.
    """
    return examine(run)[0]


def repair(run: Run) -> Report:
    """Set damaged parts aside as ``….damaged`` and keep their sound rows; a sweep asks for the others again.

    A damaged manifest stays as it is: nothing else says what the rows were made with.

    Returns:
        What was found before.

    Raises:
        RunError: there is no run, it was imported, or another process is writing it.
    """
    check(run)
    if isinstance(asked(run, True)[0], Imported):
        raise RunError(
            f"The run at '{run.path}' was imported: what is lost cannot be sampled again; import its source again."
        )
    with run.lock():
        report, parts = examine(run)
        set_aside(run, parts)
    return report


def set_aside(run: Run, parts: list[Part]) -> None:
    """Set aside the parts with rows that cannot be believed, and keep their other rows, in parts of today's format."""
    if any(part.keys is not None and not part.sound.all() for part in parts):
        run.adopt_format()
    for part in parts:
        if part.keys is None:
            run.set_aside(part.path, part.table.schema.empty_table())
        elif not part.sound.all():
            run.set_aside(part.path, run.read_part(part.table, part.path).filter(pa.array(part.sound)))


def require_whole(run: Run) -> None:
    """Raise unless every row of a run can be believed: before numbers are read off it.

    A row that is missing is no damage.

    Raises:
        RunError: there is no run, or it cannot be read.
        DataError: it is damaged; says where.
    """
    report, _ = examine(run)
    refuse(run, report.damage)


def mend(run: Run) -> list[Damage]:
    """Set aside the judgements of texts that a run does not hold: before a sweep goes on with it.

    A solution that was lost and sampled again may read differently, and what was said of the old one is not true of it.

    Args:
        run: held by this process.

    Returns:
        What was set aside.

    Raises:
        DataError: the run is damaged in another way.
    """
    report, parts = examine(run)
    refuse(run, [damage for damage in report.damage if damage.remedy != RESWEEP and not damage.stray])
    set_aside(run, parts)
    return [damage for damage in report.damage if damage.stray]


def refuse(run: Run, damages: list[Damage]) -> None:
    """Raise if there is damage.

    Raises:
        DataError: says where the first is.
    """
    for damage in damages:
        link = " " if damage.what.startswith("cannot be read") else ": "
        advice = ADVICE.get(damage.remedy) or f"`isocompute check {run.path}` says what would be lost"
        raise DataError(f"{damage.path}{link}{damage.what}; {advice}.")


def digests(table: Table, content: pa.Table) -> pa.ChunkedArray | None:
    """Return the digests of the texts that rows hold or judge."""
    if table is SOLUTIONS:
        texts = content["text"].to_pylist()
        return pa.chunked_array([pa.array([None if t is None else digest_text(t) for t in texts], pa.string())])
    return content[validation.DIGEST] if table in JUDGEMENTS else None


def examine(run: Run) -> tuple[Report, list[Part]]:
    """Return what is wrong with a run, and its parts, each with its sound rows."""
    # What speaks of other rows is listed before them, and what was asked for is read last: a sweep that writes
    # meanwhile leaves no verification without its solution, and no row beyond what was asked for.
    listed = {table.name: run.parts(table) for table in reversed(TABLES.values())}
    origin, damage, notes = asked(run, any(listed.values()))
    config = origin if isinstance(origin, Sweep) else None
    imported = isinstance(origin, Imported)
    parts: list[Part] = []
    for table in TABLES.values():
        lenient = imported or (config is not None and from_import(config, table))
        found, wrong = read(run, table, listed[table.name], lenient)
        parts += found
        damage += [*wrong, *validation.together(table, parts, config)]
    if isinstance(origin, Imported):
        damage = [replace(one, remedy=REIMPORT) for one in [*damage, *lacking(run, origin, parts)]]
    places = {part.path: i for i, part in enumerate(parts)}
    damage.sort(key=lambda one: places.get(one.path, -1))
    rows = {name: sum(int(p.sound.sum()) for p in parts if p.table.name == name) for name in TABLES if listed[name]}
    missing = {} if config is None else gaps(parts, config)
    return Report(run.path, rows, damage, missing, notes + strays(run)), parts


def asked(run: Run, begun: bool) -> tuple[Sweep | Imported | None, list[Damage], list[str]]:
    """Return what the manifest asks for, or what is wrong with it, and which prompts are no longer those shipped."""
    try:
        manifest = run.manifest()
        config = origin_of(manifest, run.path)
        if isinstance(config, Sweep) and most_rows(config) > LARGEST:
            raise DataError(f"The manifest of '{run.path}' asks for more than {LARGEST:,} rows of a kind.")
    except (DataError, RunError) as error:
        if isinstance(error, RunError) and (not begun or run.exists):  # the latter: of another format, or unreadable
            raise
        path = posixpath.join(run.root, MANIFEST)
        return None, [Damage(path, said_of(path, error), None, RESTORE)], []
    notes = []
    said = manifest.get("prompts")
    for prompt in said.values() if isinstance(said, dict) else ():
        name, sha256 = (prompt.get("name"), prompt.get("sha256")) if isinstance(prompt, dict) else (None, None)
        if name in prompts.names() and sha256 != prompts.load(name, needs=()).hash:
            notes.append(f"the prompt '{name}' was another when this run was made; it can be fitted, not added to")
    if isinstance(config, Sweep) and config.taken is not None:
        failed = f", {config.taken.failed:,} of which failed there" if config.taken.failed else ""
        notes.append(
            f"its solutions are those of '{config.taken.run}'{failed}: a sweep asks that run for what is missing of "
            "them, and no model"
        )
    return config, [], notes


def from_import(config: Sweep, table: Table) -> bool:
    """Return whether a sweep took a table's rows from an import, so that they may lack what an import may lack."""
    return table in (PROBLEMS, SOLUTIONS) and config.taken is not None and config.taken.from_import


def most_rows(config: Sweep) -> int:
    """Return how many rows of a kind a sweep asks for at most: of a problem, or of a solution."""
    return max(config.asked_solutions, config.verifications, sum(Expected(config).seeds.values()))


def lacking(run: Run, imported: Imported, parts: list[Part]) -> list[Damage]:
    """Return which tables have another number of rows than was imported, where no part says why."""
    damage = []
    for name, rows in imported.rows.items():
        there = [part for part in parts if part.table.name == name]
        found = sum(len(part.sound) for part in there)
        if found != rows and all(part.keys is not None for part in there):
            what = f"{found:,} rows, and {rows:,} were imported"
            damage.append(Damage(posixpath.join(run.root, name), what, max(rows - found, 0), REIMPORT))
    return damage


def read(run: Run, table: Table, paths: list[str], imported: bool) -> tuple[list[Part], list[Damage]]:
    """Read parts, all of each, and look at their values row by row; small parts together, which is much faster."""
    parts: list[Part] = []
    damage: list[Damage] = []
    batch: list[tuple[Part, pa.Table]] = []
    for path in paths:
        try:
            content = run.read_part(table, path)
            content.validate(full=True)  # texts that are not UTF-8
        except (DataError, pa.ArrowInvalid) as error:
            parts.append(Part(table, path, None, np.empty(0, dtype=bool), np.empty(0, dtype=bool)))
            damage.append(Damage(path, said_of(path, error), footer(run, path), REPAIR))
            continue
        every = np.ones(content.num_rows, dtype=bool)
        ok = validation.truth(pc.equal(content["status"], "ok")) if table.retried else every
        parts.append(Part(table, path, content.select(table.key_names), ok, every.copy(), digests(table, content)))
        batch.append((parts[-1], content))
        if sum(content.num_rows for _, content in batch) >= BATCH:
            damage += values(table, batch, imported)
            batch = []
    return parts, damage + values(table, batch, imported)


def values(table: Table, batch: list[tuple[Part, pa.Table]], imported: bool) -> list[Damage]:
    """Return what is wrong with the values of parts."""
    if not batch:
        return []
    parts = [part for part, _ in batch]
    found = validation.impossible(table, pa.concat_tables([content for _, content in batch]), imported)
    return [damage for what, bad in found for damage in validation.lose(parts, bad, what)]


def said_of(path: str, error: Exception) -> str:
    """Return what an error says of a file, without the file's name and the advice to check it."""
    return str(error).splitlines()[0].removeprefix(path).lstrip(": ").partition("; `isocompute")[0].rstrip(".")


def footer(run: Run, path: str) -> int | None:
    """Return how many rows a damaged part says it has; None if it does not even say that."""
    try:
        with run.fs.open(path, "rb") as file:
            return int(pq.ParquetFile(file).metadata.num_rows)
    except (pa.ArrowException, OSError):
        return None


def gaps(parts: list[Part], config: Sweep) -> dict[str, list[Gap]]:
    """Return the rows that were asked for and are not there."""
    expected = Expected(config, believed(parts, PROBLEMS)["problem_id"].to_pylist())
    tables = [table for table in (SOLUTIONS, VERIFICATIONS, SCORES) if expected.numbers(table)]
    tables += [SEARCHES] if config.searches else []
    return {table.name: expected.gaps(table, believed(parts, table)) for table in tables}


def strays(run: Run) -> list[str]:
    """Say which files stand beside the parts."""
    paths = [path for table in TABLES for path in run.fs.find(posixpath.join(run.root, table))]
    paths = [path for path in paths if not PART.search(path)]
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
