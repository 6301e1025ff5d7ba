"""The end of an import: its manifest, and the summary with the doubts about it."""

from __future__ import annotations

import isocompute
from isocompute.errors import DataError
from isocompute.runners.imports.gathering import REPORTABLE_COLUMNS, ImportWriter
from isocompute.runners.imports.summaries import ImportSummary, SourceSummary
from isocompute.runners.parsing.verdicts import VERDICT_READER
from isocompute.runners.storage.doubts import describe_doubts, explain_missing_votes
from isocompute.runners.storage.imported_scores import describe_missing_scores
from isocompute.runners.storage.log_comparison import compare_with_log
from isocompute.runners.storage.logged_grades import describe_split_verdicts, grade_logged_answers
from isocompute.runners.storage.provenance import GOLD_AS_GIVEN, ImportedRun
from isocompute.runners.storage.run import RUN_FORMAT
from isocompute.runners.storage.schema import (
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
)
from isocompute.runners.storage.unequal import describe_few_solutions
from isocompute.terminal import make_printable


def finish_import(writer: ImportWriter, source: SourceSummary, run: str) -> ImportSummary:
    """Write what waits, and the manifest, and return the summary.

    Args:
        writer: the writer of the rows.
        source: the source.
        run: the run's folder, for the summary.

    Raises:
        DataError: the source holds no solutions.
    """
    writer.write_remaining_rows()
    if not writer.rows[SOLUTIONS_TABLE] + writer.rows[SEARCHES_TABLE]:
        raise DataError(f"{source.where} holds no solutions.")
    imported = build_import_record(writer, source)
    has_verdict_texts = (VERIFICATIONS_TABLE, "text") in writer.reported_columns
    writer.run.write_manifest(
        {
            "format": RUN_FORMAT,
            "isocompute": isocompute.__version__,
            "imported": imported.model_dump(mode="json"),
            "grader": writer.grading.title,
            "gold": GOLD_AS_GIVEN,
            "verdicts": VERDICT_READER if has_verdict_texts else writer.grading.logged,
        }
    )
    notes, refused = check_grades(writer, imported)
    solutions = writer.run.read_frame(SOLUTIONS_TABLE, ["problem_id", "solution_id", "answer", "correct", "status"])
    scores = writer.run.read_frame(SCORES_TABLE, ["problem_id", "solution_id", "step_scores"])
    return ImportSummary(
        run=run,
        imported=imported,
        grader=str(writer.grading.title),
        refused=refused,
        failures=dict(writer.failures.most_common()),
        columns=source.columns,
        ignored_columns=source.ignored_columns,
        choices=writer.choices.compare_choices(solutions, scores),
        notes=[
            *describe_given_names(writer),
            *source.notes,
            *describe_column_doubts(writer),
            *notes,
            *describe_missing_scores(writer.sampled, writer.scored),
        ],
        **vars(compare_with_log(writer.run)),
    )


def build_import_record(writer: ImportWriter, source: SourceSummary) -> ImportedRun:
    """Return what the manifest says of the source and of the rows."""
    about = writer.about
    return ImportedRun(
        format=writer.format,
        files=source.files,
        source=source.name,
        sha256=source.sha256,
        task=clean_display_name(about.task or source.task),
        solver=about.solver and clean_display_name(about.solver),
        verifier=about.verifier and clean_display_name(about.verifier),
        aggregate=about.aggregate,
        rows={
            table.name: writer.rows[table]
            for table in REPORTABLE_COLUMNS
            if table is not SCORES_TABLE or writer.rows[table]
        },
        unknown=tuple(
            f"{table.name}.{column}"
            for table, columns in REPORTABLE_COLUMNS.items()
            for column in columns
            if writer.rows[table] and (table, column) not in writer.reported_columns
        ),
        problems_with=source.problems_with,
        short_problems=source.short_problems,
        failed=writer.options.failed,
        shares=writer.has_shares,
    )


def check_grades(writer: ImportWriter, imported: ImportedRun) -> tuple[list[str], int]:
    """Group logged answers, and return notes on the grades and the number of refused comparisons."""
    columns = ["problem_id", "answer", "correct", "completion_tokens", "status"]
    solutions = writer.run.read_frame(SOLUTIONS_TABLE, columns)
    sampled = solutions[solutions["status"].eq("ok")]
    missing_votes = explain_missing_votes(sampled, imported)
    notes = [] if missing_votes is None else [missing_votes]
    refused = writer.grading.refused_count
    if writer.grading.grader is None and missing_votes is None:
        split, refused = grade_logged_answers(writer.run, writer.grading.logged)
        notes += describe_split_verdicts(split)
        solutions = writer.run.read_frame(SOLUTIONS_TABLE, columns)
        sampled = solutions[solutions["status"].eq("ok")]
    doubts = describe_doubts(sampled, str(writer.grading.title), missing_votes is None)
    counts = {str(name): int(count) for name, count in sampled.groupby("problem_id").size().items()}
    return [*notes, *doubts, *describe_few_solutions(counts)], refused


def describe_given_names(writer: ImportWriter) -> list[str]:
    """Return sentences on names that were given in the place of the log's."""
    names = [
        ("task", writer.logged_names.task, writer.options.task),
        ("model", writer.logged_names.solver, writer.options.model),
    ]
    return [
        f"The log names the {what} '{clean_display_name(logged)}'; the run has the given name."
        for what, logged, given in names
        if logged and given and logged != given
    ]


def describe_column_doubts(writer: ImportWriter) -> list[str]:
    """Return what makes it doubtful that a table's columns were read as they were meant, in sentences."""
    sampled = {problem: count for (problem, *rest), count in writer.numbers.items() if not rest and count > 1}
    answers = [writer.raw_answers.get(problem, set()) for problem in sampled]
    is_same = len(sampled) > 1 and all(len(each) == 1 and None not in each for each in answers)
    if writer.format != "table" or not is_same:
        return []
    return [
        "Every problem has the same answer in all its solutions. If that column is the right answer, import it with "
        "--columns answer=gold (columns= in Python)."
    ]


def clean_display_name(name: str) -> str:
    """Return a name on one line, cut short, without characters that move a terminal's cursor."""
    return make_printable(name, keep="")[:200]
