"""lm-evaluation-harness: ``samples_TASK_DATE.jsonl``, which ``--log_samples`` writes; a line a document and filter.

    doc_id, doc, target, arguments, resps, filtered_resps, filter, metrics, and a key for each metric

``resps`` holds the texts of a generating task, ``repeats`` of them a document: they are the solutions. What a filter
made of them is under ``filtered_resps``: one for each of them, or, after a vote, one in all. Of several filters the
first in the file is taken. Read in github.com/EleutherAI/lm-evaluation-harness at 4e7e0d4 (evaluator.py,
loggers/evaluation_tracker.py). Tokens are not logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import bare, block, chance, name, text
from isocompute.runners.imports.rows import About, Problem, Row, Solution
from isocompute.runners.imports.source import Source
from isocompute.runners.parsing.printable import shown

NAMED = re.compile(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.:-]+\.jsonl")

INVALID = "[invalid]"
"""What a filter that extracts writes where it finds nothing."""

METRICS = ("exact_match", "acc")
"""What tells right from wrong, the first of them that a line has."""


def lm_eval_rows(source: Source) -> Iterator[Row]:
    """Yield the rows of one task.

    Raises:
        DataError: several files, a task that samples nothing, or a line that does not hold what it should; says which.
    """
    files = source.files(".jsonl", pattern="samples_*.jsonl")
    if len(files) > 1:
        raise DataError(f"'{source.path}' holds several tasks or dates; name one: {', '.join(f.name for f in files)}.")
    if said := NAMED.fullmatch(files[0].name):
        yield About(task=said[1])
    first: str | None = None
    for where, row in source.lines(files[0]):
        filtered = text(row, "filter", where) or "none"
        first = first or filtered
        if filtered == first:
            document = name(row, "doc_id", where)
            gold = text(row, "target", where)
            yield Problem(document, where, question(row, where), gold)
            yield from solution_rows(document, row, gold, where)


def question(row: dict[str, Any], where: str) -> str | None:
    """Return the prompt: the first argument of the first request, a text or the messages of a chat as JSON."""
    asked = block(block(row, "arguments", where), "gen_args_0", where).get("arg_0")
    return asked if isinstance(asked, str) else None


def solution_rows(document: str, row: dict[str, Any], gold: str | None, where: str) -> Iterator[Row]:
    """Yield what a model wrote on a document.

    Raises:
        DataError: it wrote nothing, as in a task that compares likelihoods.
    """
    requests = row.get("resps")
    if not isinstance(requests, list) or len(requests) != 1 or not isinstance(requests[0], list) or not requests[0]:
        raise DataError(f"{where}: 'resps' must hold the texts of one request; it is {shown(requests)}.{SAMPLED}")
    said = requests[0]
    if not all(isinstance(each, str) for each in said):
        raise DataError(f"{where}: 'resps' must hold texts; it holds {shown(said)}.{SAMPLED}")
    answers = each_filtered(row, len(said))
    metric = next((name for name in METRICS if name in row), None)
    for i, written in enumerate(said):
        here = f"{where}, response {i}"
        answer = None if answers is None or answers[i] == INVALID else answers[i]
        correct = None
        if len(said) == 1 and metric:  # of several the metric speaks of what a filter made of them
            score = chance(row, metric, here)
            correct = None if score not in (0.0, 1.0) else bool(score)
        elif answers is not None and gold is not None:
            correct = answer == bare(gold)
        yield Solution(document, here, written, answer, correct)


SAMPLED = " Tasks that compare likelihoods sample nothing."


def each_filtered(row: dict[str, Any], n: int) -> list[str] | None:
    """Return what the filter made of each response; None if it made one of them all."""
    held = row.get("filtered_resps")
    made = held[0] if isinstance(held, list) and len(held) == 1 else None
    if isinstance(made, str) and n == 1:
        return [made]
    if isinstance(made, list) and len(made) == n and all(isinstance(each, str) for each in made):
        return made
    return None
