"""Progress of runs: rows, failures, tokens and accuracy. Runs are only read, and may be written at the same time."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from isocompute.errors import DataError, RunError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.check import require_whole_run
from isocompute.runners.storage.doubts import count_run_kinds
from isocompute.runners.storage.expected import count_expected_rows
from isocompute.runners.storage.files import MANIFEST_FILE
from isocompute.runners.storage.locking import LOCK_FILE_PATTERN
from isocompute.runners.storage.part_names import PART_FILE_PATTERN
from isocompute.runners.storage.provenance import ImportedRun, extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.run_folder import retry_gone_parts
from isocompute.runners.storage.scan import scan_last_rows
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    TABLES,
    VERIFICATIONS_TABLE,
    RunTable,
)

MOST_FOLDERS = 10_000
"""The most folders that are searched for runs, so that the search of a whole system ends."""
PROGRESS_TOKENS = ("prompt", "cached", "completion")
"""The kinds of tokens counted, in the order of `RunTable.tokens`."""


@dataclass(frozen=True)
class TableProgress:
    """Progress of one table.

    Args:
        done: rows with status ok.
        asked: rows that the sweep requests, or that were imported.
        failures: rows whose last attempt failed, by reason, the most frequent first.
        tokens: prompt, cached and completion tokens over the rows that report them; None if no row does.
        untold: number of rows with status ok that do not report them.
    """

    done: int
    asked: int
    failures: dict[str, int]
    tokens: dict[str, int | None]
    untold: dict[str, int]


@dataclass(frozen=True)
class RunProgress:
    """Progress of a run.

    Args:
        run: the run's folder.
        task: the task's name or file.
        imported: the format it was imported from; None if it was swept.
        solutions_from: the run that its solutions were taken from; None if it has its own.
        models: the known models by role.
        problems: number of problems.
        solutions: progress of the solutions.
        verifications: progress of the verifications.
        scores: progress of the scored solutions; the tokens are the scorer's.
        searches: progress of the searches; the tokens are the solver's.
        answers: number of solutions of each kind, see `count_solution_kinds`.
        verdicts: number of verifications of each kind, see `count_verification_kinds`.
        accuracy: mean accuracy of the existing solutions; None without solutions.
        search_accuracy: mean accuracy of the ended searches; None without searches.
        written: time of the last write of a part; None if the store does not report it.
    """

    run: str
    task: str
    imported: str | None
    solutions_from: str | None
    models: dict[str, str]
    problems: int
    solutions: TableProgress
    verifications: TableProgress
    scores: TableProgress
    searches: TableProgress
    answers: dict[str, int]
    verdicts: dict[str, int]
    accuracy: float | None
    search_accuracy: float | None
    written: datetime | None


@dataclass(frozen=True)
class UnreadableRun:
    """A run that cannot be read, and the reason."""

    run: str
    reason: str


def list_run_progress(folder: str) -> list[RunProgress | UnreadableRun]:
    """Return the progress of each run in a folder and its subfolders.

    Raises:
        RunError: the folder does not exist.
    """
    progress: list[RunProgress | UnreadableRun] = []
    for run in find_runs(folder):
        try:
            progress.append(measure_run_progress(run))
        except (DataError, RunError) as error:
            progress.append(UnreadableRun(run.path, str(error)))
    return progress


def find_runs(folder: str) -> Iterator[Run]:
    """Yield the runs in a folder and its subfolders by name; hidden folders and the inside of runs are skipped.

    Raises:
        RunError: the folder does not exist.
    """
    top = Run(folder)
    if not top.is_folder:
        raise RunError(f"There is no folder '{folder}' to look for runs in.")
    for root in list(find_run_folders(top, top.root, set())):  # before the first one is read: there may be too many
        inside = root.removeprefix(top.root).lstrip("/")
        yield Run(inside if top.path == "." and inside else posixpath.join(top.path, inside) if inside else top.path)


def find_run_folders(top: Run, folder: str, seen: set[object]) -> Iterator[str]:
    """Yield the folders that are runs; links are followed, but no folder is visited twice.

    Raises:
        RunError: there are more than `MOST_FOLDERS` folders.
    """
    try:
        place = os.stat(folder) if top.local else None
        identity = folder if place is None else (place.st_dev, place.st_ino)
        if identity in seen:
            return
        seen.add(identity)
        inside, folders = list_folder(top, folder)
    except OSError:  # not readable, or deleted since
        return
    if len(seen) > MOST_FOLDERS:
        raise RunError(
            f"There are more than {MOST_FOLDERS:,} folders in '{top.path}', the most that are searched for runs; "
            "name a folder that is nearer to them."
        )
    if is_run_folder(top, inside):
        yield folder
        return
    for path in folders:
        if not posixpath.basename(path).startswith("."):
            yield from find_run_folders(top, path, seen)


def list_folder(top: Run, folder: str) -> tuple[list[str], list[str]]:
    """Return the paths in a folder, and those of them that are folders, by name."""
    if not top.local:
        inside = sorted(top.fs.ls(folder, detail=False))
        return inside, [path for path in inside if top.fs.isdir(path)]
    with os.scandir(folder) as entries:  # says what is a folder without a look at each
        found = sorted((posixpath.join(folder, entry.name), is_folder_entry(entry)) for entry in entries)
    return [path for path, _ in found], [path for path, is_folder in found if is_folder]


def is_folder_entry(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one; False if that cannot be found out."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_run_folder(top: Run, inside: list[str]) -> bool:
    """Return whether a folder's content is a run's: a manifest beside a table or a lock, or a table's parts."""
    names = {posixpath.basename(path): path for path in inside}
    tables = [names[name] for name in TABLES if name in names and top.fs.isdir(names[name])]
    if MANIFEST_FILE in names and (tables or any(map(LOCK_FILE_PATTERN.fullmatch, names))):
        return True
    return any(PART_FILE_PATTERN.search(path) for table in tables for path in top.fs.ls(table, detail=False))


def measure_run_progress(run: Run) -> RunProgress:
    """Return the progress of a run.

    Raises:
        RunError, DataError: there is no run, or it cannot be read.
    """
    return retry_gone_parts(lambda: measure_listed_progress(run))


def measure_listed_progress(run: Run) -> RunProgress:
    """Return what `measure_run_progress` does.

    Raises:
        GonePartError: a part was joined with others meanwhile.
    """
    manifest = run.read_manifest()
    origin = extract_origin(manifest, run.path)
    require_whole_run(run)
    problems = [name for (name,) in run.read_keys(PROBLEMS_TABLE)]
    solutions, searches = (
        read_token_rows(run, SOLUTIONS_TABLE, "correct"),
        read_token_rows(run, SEARCHES_TABLE, "correct"),
    )
    correct = solutions.loc[solutions["status"] == "ok", "correct"].dropna()
    answers, verdicts = count_run_kinds(run)
    expected = {} if is_policy_run(origin) else count_expected_rows(origin, problems)
    search_grades = searches.loc[searches["status"] == "ok", "correct"].dropna()
    return RunProgress(
        run=run.path,
        task=origin.task_name,
        imported=origin.format if isinstance(origin, ImportedRun) else None,
        solutions_from=origin.source_run.run if isinstance(origin, Sweep) and origin.source_run is not None else None,
        models=origin.models,
        problems=len(problems),
        solutions=measure_table_progress([solutions], expected.get("solutions")),
        verifications=measure_table_progress(scan_token_rows(run, VERIFICATIONS_TABLE), expected.get("verifications")),
        scores=measure_table_progress([read_token_rows(run, SCORES_TABLE)], expected.get("scores", 0)),
        searches=measure_table_progress([searches], expected.get("searches", 0)),
        answers=answers,
        verdicts=verdicts,
        search_accuracy=float(search_grades.astype(float).mean()) if len(search_grades) else None,
        accuracy=float(correct.astype(float).mean()) if len(correct) else None,
        written=find_last_write(run),
    )


def is_policy_run(origin: Sweep | ImportedRun) -> bool:
    """Return whether a policy decided which rows of a run were sampled, so that it has all that were asked for."""
    return isinstance(origin, Sweep) and origin.policy is not None


def read_token_rows(run: Run, table: RunTable, *columns: str) -> pd.DataFrame:
    """Return a table's rows with their status and their tokens by kind."""
    frame = run.read_frame(table, ["status", *table.tokens, *columns])
    return frame.rename(columns=dict(zip(table.tokens, PROGRESS_TOKENS, strict=True)))


def scan_token_rows(run: Run, table: RunTable) -> Iterator[pd.DataFrame]:
    """Yield a table's rows as `read_token_rows` returns them, in batches, so that memory does not grow with the run."""
    for batch in scan_last_rows(run, table, ["status", *table.tokens]):
        yield batch.rename_columns(["status", *PROGRESS_TOKENS]).to_pandas()


def measure_table_progress(frames: Iterable[pd.DataFrame], asked: int | None) -> TableProgress:
    """Return a table's numbers of rows, failures and tokens.

    Args:
        frames: its rows, see `read_token_rows`.
        asked: rows that are requested; all rows if None.
    """
    rows, failed = Counter[bool](), Counter[str]()
    known, tokens, untold = Counter[str](), Counter[str](), Counter[str]()
    for frame in frames:
        is_ok = frame["status"] == "ok"
        rows.update({True: int(is_ok.sum()), False: int((~is_ok).sum())})
        failed.update({str(reason): int(count) for reason, count in frame.loc[~is_ok, "status"].value_counts().items()})
        for kind in PROGRESS_TOKENS:
            counts = frame[kind].dropna()
            known[kind] += len(counts)
            tokens[kind] += int(counts.sum())
            untold[kind] += int(frame.loc[is_ok, kind].isna().sum())
    return TableProgress(
        done=rows[True],
        asked=rows.total() if asked is None else asked,
        failures=dict(sorted(failed.items(), key=lambda each: (-each[1], each[0]))),
        tokens={kind: tokens[kind] if known[kind] else None for kind in PROGRESS_TOKENS},
        untold={kind: untold[kind] for kind in PROGRESS_TOKENS},
    )


def find_last_write(run: Run) -> datetime | None:
    """Return the time at which the last part of a run was written; None if unknown."""
    moments = []
    try:
        for path in (path for table in TABLES.values() for path in run.list_parts(table)[-1:]):
            with suppress(FileNotFoundError):  # joined with others meanwhile
                moments.append(run.fs.modified(path))
    except NotImplementedError:
        return None
    return max((m if m.tzinfo else m.replace(tzinfo=UTC) for m in moments), default=None)
