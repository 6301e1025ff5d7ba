"""What other tools logged, as a run: a file a format, and what makes a run of any of them."""

from isocompute.runners.imports.formats import FORMATS, FormatEntry
from isocompute.runners.imports.gathering import Summary
from isocompute.runners.imports.importing import import_run
from isocompute.runners.imports.rows import About, Problem, Row, Search, Solution, Verification
from isocompute.runners.imports.source import Source

__all__ = [
    "FORMATS", "About", "FormatEntry", "Problem", "Row", "Search", "Solution", "Source", "Summary", "Verification",
    "import_run",
]  # fmt: skip
