"""Import of another tool's log as a run, completely or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isocompute.errors import ConfigError
from isocompute.runners.imports.formats import IMPORT_FORMATS, normalise_import_format
from isocompute.runners.imports.gathering import ImportWriter, summarise_source
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.imports.summaries import ImportSummary
from isocompute.runners.storage.building import build_hidden_run
from isocompute.runners.storage.run import Run

FAILED_CHOICES = ("drop", "wrong")
"""The choices for solutions that failed in the log."""


def import_logged_run(
    name: str,
    path: str,
    run: str,
    grader: str | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    filter: str | None = None,
    scorer: str | None = None,
    failed: str = "drop",
) -> ImportSummary:
    """Import another tool's log as a run, completely or not at all.

    Texts are graded by the named grader, or by the one that the right answers suggest. Without texts or right answers,
    the tool's own answers and judgements are used, as with the grader ``as-logged``.

    Args:
        name: one of `IMPORT_FORMATS`.
        path: the file or folder.
        run: the run's folder, which must not exist yet.
        grader: a grader's name, or ``as-logged``.
        columns: of a table: maps its column names to those of `long_table.IMPORT_COLUMNS`.
        progress: called with the bytes read so far and in total.
        filter: of lm-eval: the filter whose answers are taken.
        scorer: of lm-eval and inspect-ai: the metric or scorer that says right or wrong.
        failed: what becomes of solutions that failed in the log: ``drop`` leaves them out of estimates, ``wrong``
            counts them as wrong.

    Raises:
        ConfigError: the format or grader is unknown, or columns are given for a format without them.
        DataError: the source does not hold the expected data; the message says where.
        RunError: the run's folder exists already, or cannot be written.
    """
    name = normalise_import_format(name)
    format = IMPORT_FORMATS[name]
    if columns and not format.has_columns:
        named = ", ".join(other for other, entry in IMPORT_FORMATS.items() if entry.has_columns)
        raise ConfigError(f"--columns is only for the format '{named}'; other formats have fixed keys.")
    if (filter or scorer) and not format.has_scorers:
        named = " and ".join(other for other, entry in IMPORT_FORMATS.items() if entry.has_scorers)
        raise ConfigError(f"--filter and --scorer are only for the formats {named}.")
    if failed not in FAILED_CHOICES:
        raise ConfigError(f"--failed is '{failed}'; it must be one of {', '.join(FAILED_CHOICES)}.")
    source, target = ImportSource(path, columns, filter, scorer, grader), Run(run)
    with (
        build_hidden_run(target, "import", "importing") as hidden,
        ImportWriter(hidden, name, grader, failed) as writer,
    ):
        with IMPORT_FORMATS.wrap_plugin_errors(name):
            for row in format.adapter_function(source):
                writer.take_row(row)
                if progress is not None:
                    progress(source.bytes_read, source.total_bytes)
        return writer.finish(summarise_source(source), target.path)
