"""Imports of other tools' logs as runs: a module for each format, and the code that writes a run from any of them."""

from isocompute.runners.imports.formats import IMPORT_FORMATS, FormatEntry
from isocompute.runners.imports.importing import import_logged_run
from isocompute.runners.imports.options import ImportOptions
from isocompute.runners.imports.rows import (
    ImportedChoice,
    ImportedMetadata,
    ImportedProblem,
    ImportedRow,
    ImportedSearch,
    ImportedSolution,
    ImportedVerification,
)
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.imports.summaries import ImportSummary

__all__ = [
    "IMPORT_FORMATS",
    "FormatEntry",
    "ImportOptions",
    "ImportSource",
    "ImportSummary",
    "ImportedChoice",
    "ImportedMetadata",
    "ImportedProblem",
    "ImportedRow",
    "ImportedSearch",
    "ImportedSolution",
    "ImportedVerification",
    "import_logged_run",
]  # fmt: skip
