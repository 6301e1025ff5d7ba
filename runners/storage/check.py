"""Check and repair of a run."""

from __future__ import annotations

import posixpath
from dataclasses import replace

import pyarrow as pa

from isocompute.errors import DataError, RunError
from isocompute.runners.parsing.kinds import describe_unread_rows
from isocompute.runners.storage.doubts import count_run_kinds
from isocompute.runners.storage.examination import CheckReport, scan_run
from isocompute.runners.storage.examined_parts import REIMPORT, RESWEEP, Damage, ExaminedPart
from isocompute.runners.storage.manifest_check import check_manifest
from isocompute.runners.storage.provenance import ImportedRun
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import TABLES

REMEDY_ADVICE = {
    REIMPORT: "import its source again",
    RESWEEP: "run its sweep again to write the missing problems",
}


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
