"""Import of another tool's log as a run, completely or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from isocompute.errors import ConfigError
from isocompute.runners.imports.formats import IMPORT_FORMATS, FormatEntry, normalise_import_format
from isocompute.runners.imports.gathering import ImportWriter
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
    deinterleave: bool = False,
    *,
    task: str | None = None,
    model: str | None = None,
    problems_with: int | None = None,
) -> ImportSummary:
    """Import another tool's log as a run, completely or not at all.

    Texts are graded by the named grader, or by the one that the right answers suggest. Without texts or right answers,
    the tool's own answers and judgements are used, as with the grader ``as-logged``.

    Args:
        name: one of `IMPORT_FORMATS`.
        path: the file or folder.
        run: the run's folder, which must not exist yet.
        grader: a grader's name, or ``as-logged``.
        columns: of a table: maps its column names to those of `table_columns.IMPORT_COLUMNS`.
        progress: called with the bytes read so far and in total.
        filter: of lm-eval: the filter whose answers are taken.
        scorer: of lm-eval and inspect-ai: the metric or scorer that says right or wrong.
        failed: what becomes of solutions that failed in the log: ``drop`` leaves them out of estimates, ``wrong``
            counts them as wrong.
        deinterleave: of search-and-learn: whether to put completions back under their own problems, in files from
            before January 2025.
        task: the task's name, whatever the log says.
        model: the name of the model that solved, whatever the log says.
        problems_with: problems with fewer solutions are left out; all are kept if not given.

    Raises:
        ConfigError: the format or grader is unknown, or an argument is given for a format without it.
        DataError: the source does not hold the expected data; the message says where.
        RunError: the run's folder exists already, or cannot be written.
    """
    name = normalise_import_format(name)
    format = IMPORT_FORMATS[name]
    for option, given, has_option in (
        ("columns", columns, "has_columns"),
        ("filter", filter, "has_filters"),
        ("scorer", scorer, "has_scorers"),
        ("deinterleave", deinterleave, "can_deinterleave"),
    ):
        if given and not getattr(format, has_option):
            named = [other for other, entry in IMPORT_FORMATS.items() if getattr(entry, has_option)]
            only = f"formats {', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else f"format {named[0]}"
            raise ConfigError(f"--{option} is only for the {only}.")
    if failed not in FAILED_CHOICES:
        raise ConfigError(f"--failed is '{failed}'; it must be one of {', '.join(FAILED_CHOICES)}.")
    for option, given in (("task", task), ("model", model)):
        if given is not None and not given.strip():
            raise ConfigError(f"--{option} is {format_error_value(given)}; it must be a name.")
    source, target = ImportSource(path, columns, filter, scorer, deinterleave, grader), Run(run)
    short: list[str] = []
    counts: dict[str, int] = {}
    if problems_with is not None:
        counted = ImportSource(path, columns, filter, scorer, deinterleave, grader)
        counts = count_solutions(format, name, counted, failed == "wrong", grader in (None, LOGGED_GRADER))
        short = find_short_problems(counts, problems_with, f"'{path}'")
    left_out = frozenset(short)
    with (
        build_hidden_run(target, "import", "importing") as hidden,
        ImportWriter(hidden, name, grader, failed, ImportedMetadata(task, model)) as writer,
    ):
        with IMPORT_FORMATS.wrap_plugin_errors(name):
            for row in format.adapter_function(source):
                if isinstance(row, ImportedMetadata) or row.problem_id not in left_out:
                    writer.take_row(row)
                if progress is not None:
                    progress(source.bytes_read, source.total_bytes)
        return writer.finish(summarise_source(source, problems_with, short, len(counts)), target.path)


def count_solutions(
    format: FormatEntry, name: str, source: ImportSource, counts_failed: bool, needs_judgement: bool
) -> dict[str, int]:
    """Return the number of usable solutions of each problem of a source.

    Args:
        format: the format.
        name: its name.
        source: the source, which is read once.
        counts_failed: whether solutions that failed in the log count.
        needs_judgement: whether solutions that the log does not judge fail.
    """
    counts: Counter[str] = Counter()
    with IMPORT_FORMATS.wrap_plugin_errors(name):
        for row in format.adapter_function(source):
            if isinstance(row, ImportedProblem):
                counts[row.problem_id] += 0
            elif isinstance(row, ImportedSolution):
                is_usable = row.status == "ok" and not (needs_judgement and row.unjudged)
                counts[row.problem_id] += counts_failed or is_usable
    return dict(counts)
