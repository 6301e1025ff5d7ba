"""Import of another tool's log as a run, completely or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from isocompute.errors import ConfigError
from isocompute.runners.imports.finishing import finish_import
from isocompute.runners.imports.formats import IMPORT_FORMATS, normalise_import_format
from isocompute.runners.imports.gathering import ImportWriter
from isocompute.runners.imports.options import ImportOptions
from isocompute.runners.imports.rows import ImportedMetadata, ImportedProblem, ImportedSolution
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.imports.summaries import ImportSummary, summarise_source
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.building import build_hidden_run
from isocompute.runners.storage.provenance import LOGGED_GRADER
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.unequal import find_short_problems

FAILED_CHOICES = ("drop", "wrong")
"""The choices for solutions that failed in the log."""

OPTIONS_OF_FORMATS = {
    "columns": "has_columns",
    "filter": "has_filters",
    "scorer": "has_scorers",
    "deinterleave": "can_deinterleave",
}
"""Options that only some formats have, with the property of a format that says so."""


def import_logged_run(
    format: str,
    path: str,
    run: str,
    options: ImportOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Import another tool's log as a run, completely or not at all.

    Texts are graded by the named grader, or by the one that the right answers suggest. Without texts or right answers,
    the tool's own answers and judgements are used, as with the grader ``as-logged``.

    Args:
        format: one of `IMPORT_FORMATS`.
        path: the file or folder.
        run: the run's folder, which must not exist yet.
        options: the options.
        progress: called with the bytes read so far and in total.

    Raises:
        ConfigError: the format or grader is unknown, or an option is given for a format without it.
        DataError: the source does not hold the expected data; the message says where.
        RunError: the run's folder exists already, or cannot be written.
    """
    name, options = normalise_import_format(format), options or ImportOptions()
    validate_import_options(options, name)
    source, target = ImportSource(path, options), Run(run)
    short: list[str] = []
    counts: dict[str, int] = {}
    if options.problems_with is not None:
        counts = count_solutions(name, path, options)
        short = find_short_problems(counts, options.problems_with, f"'{path}'")
    left_out = frozenset(short)
    with (
        build_hidden_run(target, "import", "importing") as hidden,
        ImportWriter(hidden, name, options) as writer,
    ):
        with IMPORT_FORMATS.wrap_plugin_errors(name):
            for row in IMPORT_FORMATS[name].adapter_function(source):
                if isinstance(row, ImportedMetadata) or row.problem_id not in left_out:
                    writer.take_row(row)
                if progress is not None:
                    progress(source.bytes_read, source.total_bytes)
        return finish_import(writer, summarise_source(source, options.problems_with, short, len(counts)), target.path)


def validate_import_options(options: ImportOptions, format: str) -> None:
    """Raise if an option is not one of a format, or has no meaning.

    Raises:
        ConfigError: the message names the option.
    """
    for option, has_option in OPTIONS_OF_FORMATS.items():
        if getattr(options, option) and not getattr(IMPORT_FORMATS[format], has_option):
            named = [other for other, entry in IMPORT_FORMATS.items() if getattr(entry, has_option)]
            only = f"formats {', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else f"format {named[0]}"
            raise ConfigError(f"--{option} ({option}= in Python) is only for the {only}.")
    if options.failed not in FAILED_CHOICES:
        raise ConfigError(
            f"--failed (failed= in Python) is '{options.failed}'; it must be one of {', '.join(FAILED_CHOICES)}."
        )
    for option in ("task", "model"):
        given = getattr(options, option)
        if given is not None and not given.strip():
            raise ConfigError(f"--{option} ({option}= in Python) is {format_error_value(given)}; it must be a name.")


def count_solutions(name: str, path: str, options: ImportOptions) -> dict[str, int]:
    """Return the number of usable solutions of each problem of a source, which is read once for it.

    Solutions that failed in the log count if they count as wrong. Those that the log does not judge fail unless a
    grader is named.

    Args:
        name: the format.
        path: the file or folder.
        options: the options.
    """
    counts: Counter[str] = Counter()
    needs_judgement = options.grader in (None, LOGGED_GRADER)
    with IMPORT_FORMATS.wrap_plugin_errors(name):
        for row in IMPORT_FORMATS[name].adapter_function(ImportSource(path, options)):
            if isinstance(row, ImportedProblem):
                counts[row.problem_id] += 0
            elif isinstance(row, ImportedSolution):
                is_usable = row.status == "ok" and not (needs_judgement and row.unjudged)
                counts[row.problem_id] += options.failed == "wrong" or is_usable
    return dict(counts)
