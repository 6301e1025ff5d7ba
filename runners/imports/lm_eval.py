"""The format of lm-evaluation-harness: the lines of ``samples_TASK_DATE.jsonl``, one for each document and filter.

    doc_id, doc, target, arguments, resps, filtered_resps, filter, metrics, and a key for each metric

``resps`` holds the texts of a generating task, ``repeats`` of them for each document: they are the solutions.
``filtered_resps`` holds a filter's outputs: one for each text, or, after a vote, a single one. The first filter of the
file is used unless another is named. The metric that says right or wrong is the first of `CORRECTNESS_METRICS` among
the metrics of a line, unless another is named; of several texts it is their share of right ones. Which ones is known
where as many outputs equal the target as are right by an exact match. A log without such a metric is refused, unless a
grader of texts is named. Documents that share a number are told apart by their content. Programs (pass@1) get no
answers, since only running them shows whether two are equal. Source: github.com/EleutherAI/lm-evaluation-harness at
4e7e0d4 (evaluator.py, loggers/evaluation_tracker.py). Tokens are not logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import read_probability_field, read_text_field
from isocompute.runners.imports.lm_eval_documents import DocumentNames, read_lm_eval_question
from isocompute.runners.imports.lm_eval_outputs import FilterOutputs, read_filtered_responses
from isocompute.runners.imports.rows import (
    PROGRAMS_NOTE,
    ImportedMetadata,
    ImportedProblem,
    ImportedRow,
    ImportedSolution,
)
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.parsing.printable import format_error_value

SAMPLES_FILE_PATTERN = re.compile(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.:-]+\.jsonl")

LM_EVAL_INVALID = "[invalid]"
"""Output of an extracting filter that found nothing."""

CORRECTNESS_METRICS = re.compile(
    r"exact_match(?:[_,].*)?|em|acc|accuracy|pass@1|pass_at_1|math_verify|is_correct|correct|strict_match|flexible_match"
)
"""Metrics that say right or wrong; the first that a line has is used."""

PROGRAM_METRICS = re.compile(r"pass(?:@|_at_)\d+")
"""Those of them that run programs, which are never compared with each other."""

LINE_KEYS = frozenset(
    [
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "filter",
        "metrics",
        "doc_hash",
        "prompt_hash",
        "target_hash",
    ]
)
"""Keys of a line that are no metrics."""


def read_lm_eval_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of one task.

    Raises:
        DataError: there are several files, the task samples nothing, or a line does not hold the expected data; the
            message says which.
    """
    files = source.find_files(".jsonl", pattern="samples_*.jsonl")
    if len(files) > 1:
        raise DataError(f"'{source.path}' holds several tasks or dates; name one: {', '.join(f.name for f in files)}.")
    if match := SAMPLES_FILE_PATTERN.fullmatch(files[0].name):
        yield ImportedMetadata(task=match[1])
    is_share = False
    chosen, filters, metrics = source.filter, dict[str, None](), dict[str, None]()
    documents, outputs, read_metrics = DocumentNames(), FilterOutputs(), dict[str, None]()
    for where, row in source.read_json_lines(files[0]):
        filtered = read_text_field(row, "filter", where) or "none"
        filters[filtered] = None
        chosen = chosen or filtered
        document = documents.name_document(row, where)
        if filtered != chosen:
            continue
        metric = choose_metric(row, source, where)
        if documents.take_document(document, row, where):
            question, gold = read_lm_eval_question(row, where), documents.targets[document]
            yield ImportedProblem(document, where, question, gold)
        read_metrics.update({metric: None} if metric is not None else {})
        responses = list_responses(row, where)
        outputs.add_document(row, responses, None if metric is None else read_share(row, metric, where))
        for solution in read_lm_eval_solutions(document, row, responses, metric, source, where):
            is_share = is_share or solution.is_share
            if metric is not None and solution.correct is not None:
                metrics[metric] = None
            yield solution
    if source.filter is not None and source.filter not in filters:
        raise DataError(f"{files[0]} has no filter '{source.filter}'; it has: {', '.join(filters)}.")
    if len(filters) > 1:
        names = ", ".join(filters)
        source.notes.append(
            f"The answers are those of the filter '{chosen}'; the log has {names}; see --filter (filter= in Python)."
        )
    source.notes += documents.describe_documents(str(chosen))
    source.notes += outputs.describe_outputs(str(chosen), list(read_metrics))
    if is_share:
        source.notes.append(
            "Of several texts the log says how many are right, and not which; as logged, they have no texts."
        )
    named = [metric for metric in metrics if metric != "none"]
    if named:
        source.notes.append(
            f"Right or wrong, as logged, is what '{', '.join(named)}' says; --scorer (scorer= in Python) names another."
        )
    if any(PROGRAM_METRICS.fullmatch(metric) for metric in metrics):
        source.notes.append(PROGRAMS_NOTE)


def choose_metric(row: dict[str, Any], source: ImportSource, where: str) -> str | None:
    """Return the metric of a line that says right or wrong; None if it has none and a grader reads the texts.

    Raises:
        DataError: the line has not the wanted one, or has only metrics that say something else.
    """
    names, wanted = list_metrics(row), source.scorer
    if wanted is not None:
        if wanted not in row:
            raise DataError(f"{where}: there is no metric '{wanted}'; there are: {', '.join(names) or 'none'}.")
        if PROGRAM_METRICS.fullmatch(wanted) and not CORRECTNESS_METRICS.fullmatch(wanted):
            raise DataError(
                f"{where}: the metric '{wanted}' says how likely one of several texts is right, not which or how many; "
                "choose pass@1 with --scorer (scorer= in Python)."
            )
        return wanted
    known = next((name for name in names if CORRECTNESS_METRICS.fullmatch(name) and name in row), None)
    if known is None and names and not source.has_text_grader:
        raise DataError(
            f"{where}: none of the metrics is known to say right or wrong: {', '.join(names)}; choose one with "
            "--scorer (scorer= in Python), or name a grader of the texts with --grader (grader=)."
        )
    return known


def list_metrics(row: dict[str, Any]) -> list[str]:
    """Return the names of a line's metrics."""
    listed = row.get("metrics")
    return list(map(str, listed)) if isinstance(listed, list) else [key for key in row if key not in LINE_KEYS]


def list_responses(row: dict[str, Any], where: str) -> list[str]:
    """Return a document's texts.

    Raises:
        DataError: there are none, as in a task that compares likelihoods.
    """
    requests = row.get("resps")
    if not isinstance(requests, list) or len(requests) != 1 or not isinstance(requests[0], list) or not requests[0]:
        raise DataError(
            f"{where}: 'resps' must hold the texts of one request; it is "
            f"{format_error_value(requests)}.{NO_SAMPLES_HINT}"
        )
    responses = requests[0]
    if not all(isinstance(each, str) for each in responses):
        raise DataError(f"{where}: 'resps' must hold texts; it holds {format_error_value(responses)}.{NO_SAMPLES_HINT}")
    return responses


def read_lm_eval_solutions(
    document: str, row: dict[str, Any], responses: list[str], metric: str | None, source: ImportSource, where: str
) -> Iterator[ImportedSolution]:
    """Yield a document's solutions.

    Raises:
        DataError: the metric says neither right nor wrong.
    """
    answers = read_filtered_responses(row, len(responses))
    share = None if metric is None else read_share(row, metric, where)
    judges_all = len(responses) == 1 or (answers is not None and share is not None)
    right = None if share is None or not judges_all else share * len(responses)
    if right is not None and abs(right - round(right)) > 1e-6:
        right = None
    if metric is not None and not source.has_text_grader and (share is None or (judges_all and right is None)):
        raise DataError(
            f"{where}: the metric '{metric}' is {format_error_value(row[metric])}, which says neither right nor wrong; "
            "choose another with --scorer (scorer= in Python), or name a grader of the texts with --grader (grader=)."
        )
    count = None if right is None else round(right)
    which = None if count is None else find_right_responses(row, answers or [], count, len(responses), str(metric))
    for i, response in enumerate(responses):
        is_hidden = answers is None or answers[i] == LM_EVAL_INVALID or PROGRAM_METRICS.fullmatch(metric or "")
        answer = None if answers is None or is_hidden else answers[i]
        correct = None if count is None else i < count if which is None else which[i]
        is_share = count is not None and which is None
        yield ImportedSolution(document, f"{where}, response {i}", response, answer, correct, is_share=is_share)


def find_right_responses(row: dict[str, Any], answers: list[str], count: int, n: int, metric: str) -> list[bool] | None:
    """Return which of n responses are right if ``count`` of them are; None if the line does not tell."""
    if count in (0, n):
        return [count == n] * n
    equal = [answer == row.get("target") for answer in answers]
    return equal if metric.startswith("exact_match") and sum(equal) == count else None


def read_share(row: dict[str, Any], metric: str, where: str) -> float | None:
    """Return what a metric says, from 0 to 1; None if it is something else."""
    value = row.get(metric)
    if isinstance(value, bool) or (isinstance(value, int | float) and 0 <= value <= 1):
        return float(value)
    return read_probability_field(row, metric, where) if isinstance(value, str) else None


NO_SAMPLES_HINT = " Tasks that compare likelihoods sample nothing."
