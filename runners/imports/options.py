"""The options of an import: everything but its source and its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import.

    Args:
        grader: a grader's name, or ``as-logged``; None for what the right answers suggest.
        columns: of a table: maps its column names to those of `table_columns.IMPORT_COLUMNS`.
        filter: of lm-eval: the filter whose answers are taken.
        scorer: of a log with several: the metric or scorer that says right or wrong.
        failed: what becomes of solutions that failed in the log: ``drop`` leaves them out of estimates, ``wrong``
            counts them as wrong.
        deinterleave: of search-and-learn: whether to put completions back under their own problems, in files from
            before January 2025.
        task: the task's name, whatever the log says.
        model: the name of the model that solved, whatever the log says.
        problems_with: problems with fewer solutions are left out; all are kept if not given.
    """

    grader: str | None = None
    columns: Mapping[str, str] | None = None
    filter: str | None = None
    scorer: str | None = None
    failed: str = "drop"
    deinterleave: bool = False
    task: str | None = None
    model: str | None = None
    problems_with: int | None = None
