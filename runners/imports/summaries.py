"""The summaries of an import: what was imported, how it was graded, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from isocompute.runners.storage.log_comparison import LogComparison
from isocompute.runners.storage.provenance import ImportedRun


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
        notes: doubts about the source, in sentences.
    """

    run: str
    imported: ImportedRun
    grader: str
    refused: int
    failures: dict[str, int]
    columns: dict[str, str]
    ignored_columns: list[str]
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
    """

    where: str
    name: str
    task: str
    files: int
    sha256: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    ignored_columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
