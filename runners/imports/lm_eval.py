"""The format of lm-evaluation-harness: the lines of ``samples_TASK_DATE.jsonl``, one for each document and filter.

    doc_id, doc, target, arguments, resps, filtered_resps, filter, metrics, and a key for each metric

``resps`` holds the texts of a generating task, ``repeats`` of them for each document: they are the solutions.
``filtered_resps`` holds a filter's outputs: one for each text, or, after a vote, a single one. If there are several
filters, the first in the file is used. Source: github.com/EleutherAI/lm-evaluation-harness at 4e7e0d4 (evaluator.py,
loggers/evaluation_tracker.py). Tokens are not logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import (
    extract_gold_answer,
    read_block_field,
    read_name_field,
    read_probability_field,
    read_text_field,
)
from isocompute.runners.imports.rows import ImportedMetadata, ImportedProblem, ImportedRow, ImportedSolution
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.parsing.printable import format_error_value

SAMPLES_FILE_PATTERN = re.compile(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.:-]+\.jsonl")

LM_EVAL_INVALID = "[invalid]"
"""Output of an extracting filter that found nothing."""

CORRECTNESS_METRICS = ("exact_match", "acc")
"""Metrics that say right or wrong; the first that a line has is used."""


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
    first: str | None = None
    for where, row in source.read_json_lines(files[0]):
        filtered = read_text_field(row, "filter", where) or "none"
        first = first or filtered
        if filtered == first:
            document = read_name_field(row, "doc_id", where)
            gold = read_text_field(row, "target", where)
            yield ImportedProblem(document, where, read_lm_eval_question(row, where), gold)
            yield from read_lm_eval_solutions(document, row, gold, where)


def read_lm_eval_question(row: dict[str, Any], where: str) -> str | None:
    """Return the prompt: the first argument of the first request, a text or the messages of a chat as JSON."""
    prompt = read_block_field(read_block_field(row, "arguments", where), "gen_args_0", where).get("arg_0")
    return prompt if isinstance(prompt, str) else None


def read_lm_eval_solutions(document: str, row: dict[str, Any], gold: str | None, where: str) -> Iterator[ImportedRow]:
    """Yield a document's solutions.

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
    answers = read_filtered_responses(row, len(responses))
    metric = next((name for name in CORRECTNESS_METRICS if name in row), None)
    for i, response in enumerate(responses):
        here = f"{where}, response {i}"
        answer = None if answers is None or answers[i] == LM_EVAL_INVALID else answers[i]
        correct = None
        if len(responses) == 1 and metric:  # of several responses the metric may judge the filter's single output
            score = read_probability_field(row, metric, here)
            correct = None if score not in (0.0, 1.0) else bool(score)
        elif answers is not None and gold is not None:
            correct = answer == extract_gold_answer(gold)
        yield ImportedSolution(document, here, response, answer, correct)


NO_SAMPLES_HINT = " Tasks that compare likelihoods sample nothing."


def read_filtered_responses(row: dict[str, Any], n: int) -> list[str] | None:
    """Return the filter's output for each response; None if it has a single output for all."""
    filtered = row.get("filtered_resps")
    output = filtered[0] if isinstance(filtered, list) and len(filtered) == 1 else None
    if isinstance(output, str) and n == 1:
        return [output]
    if isinstance(output, list) and len(output) == n and all(isinstance(each, str) for each in output):
        return output
    return None
