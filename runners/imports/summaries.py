"""The summaries of an import: what was imported, how it was graded, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path

from isocompute.runners.imports.logged_choices import ChoiceComparison
from isocompute.runners.imports.packed import strip_file_ending
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.storage.files import open_regular_file
from isocompute.runners.storage.log_comparison import LogComparison
from isocompute.runners.storage.provenance import ImportedRun
from isocompute.runners.storage.unequal import describe_short_problems


@dataclass(frozen=True)
class ImportSummary(LogComparison):
    """The summary of an import, and its grades beside those of the log.

    Args:
        run: the run's folder.
        imported: the import's record in the manifest.
        grader: name and version of the grader.
        refused: answers that could not be compared within the limits on time and memory.
        failures: failed solutions by reason; they are left out of estimates, or count as wrong if that was asked for.
        columns: of a table, the columns that were read, with their names here.
        ignored_columns: of a table, its other columns.
        choices: the tool's own choices among the solutions, beside those by the same rules here.
        notes: doubts about the source, in sentences.
    """

    run: str
    imported: ImportedRun
    grader: str
    refused: int
    failures: dict[str, int]
    columns: dict[str, str]
    ignored_columns: list[str]
    choices: list[ChoiceComparison]
    notes: list[str]


@dataclass(frozen=True)
class SourceSummary:
    """The source of an import, as its manifest stores it.

    Args:
        where: description of the source, for errors.
        name: name of the file or the folder.
        task: name of the task if the source gives none.
        files: the number of files.
        sha256: digest of a single file.
        columns: of a table, the columns that are read, with their names here.
        ignored_columns: of a table, its other columns.
        notes: what was chosen in the source, in sentences.
        problems_with: the fewest solutions of a problem that is kept; None if all are.
        short_problems: the number of problems that were left out for it.
    """

    where: str
    name: str
    task: str
    files: int
    sha256: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    ignored_columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems_with: int | None = None
    short_problems: int = 0


def summarise_source(
    source: ImportSource, problems_with: int | None = None, short: list[str] | None = None, problems: int = 0
) -> SourceSummary:
    """Return what a manifest says of a file or folder.

    Args:
        source: the file or folder.
        problems_with: the fewest solutions of a problem that is kept, if that was asked for.
        short: the problems that were left out for it.
        problems: the number of problems with them.
    """
    place = source.path.resolve()
    digest = hash_source_file(source.path) if source.path.is_file() else None
    ignored = [column for column in source.seen_columns if column not in source.used_columns]
    used = dict(source.used_columns)
    notes = [*source.notes, *([describe_short_problems(short, problems, problems_with or 0)] if short else [])]
    return SourceSummary(
        f"'{source.path}'",
        place.name,
        strip_file_ending(place),
        source.file_count,
        digest,
        used,
        ignored,
        notes,
        problems_with,
        len(short or ()),
    )


def hash_source_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with open_regular_file(path) as file:
        return file_digest(file, "sha256").hexdigest()
