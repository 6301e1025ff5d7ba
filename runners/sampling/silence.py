"""Detection of models that write only empty texts.

A single empty text may be valid, because a model may end at once. A whole batch of empty texts comes from a broken
checkpoint, a wrong chat template or a fault of the server. With status ok such rows would count as wrong answers, so
they are turned into failures.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from isocompute.runners.engines import Completion, Request
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.run_folder import retry_gone_parts
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE, RunTable

SILENT_BATCH_SIZE, SILENT_BATCH_PROBLEMS = 32, 4
"""The number of consecutive empty texts, and of problems among them, from which they are failures. Several problems are
required because a model may have nothing to say to one problem, whose solutions come one after another."""

SCAN_BATCH_ROWS = 1000
"""Rows of a run that are scanned at a time."""

EngineOutcome = tuple[Request, Completion]


def reject_silent_batches(outcomes: Iterator[EngineOutcome], spoken: set[str]) -> Iterator[EngineOutcome]:
    """Pass on an engine's completions; turn empty texts into failures if the model writes nothing else.

    Each table is treated separately. A completion with status ok and a blank text is held. A text that is not blank
    releases the held ones unchanged. After `SILENT_BATCH_SIZE` consecutive blank texts of at least
    `SILENT_BATCH_PROBLEMS` problems, the held ones are passed on as failures, and so are later ones until a text that
    is not blank. At the end of the stream, held completions are ok if the table is in ``spoken``, and failures
    otherwise. A failed completion is passed on at once and neither ends nor extends a sequence of blank ones.

    Holding blocks nothing: requests are added only for solutions with text, and a blank solution is never verified. If
    the engine fails or the consumer stops, held completions are lost; their rows are missing in the run and the next
    start samples them again.

    Args:
        outcomes: requests with their completions, as an engine's ``run`` yields them; closed with this one.
        spoken: names of the tables in which the run has a text that is not blank; further ones are added to it.
    """
    held: defaultdict[str, list[EngineOutcome]] = defaultdict(list)
    row: Counter[str] = Counter()
    problems: defaultdict[str, set[str]] = defaultdict(set)
    try:
        for request, completion in outcomes:
            table = request.key[0].name
            if completion.status != "ok":
                yield request, completion
            elif (completion.text or "").strip():
                spoken.add(table)
                row[table] = 0
                problems[table].clear()
                yield from held.pop(table, ())
                yield request, completion
            else:
                row[table] += 1
                problems[table].add(request.key[1])
                held[table].append((request, completion))
                if row[table] >= SILENT_BATCH_SIZE and len(problems[table]) >= SILENT_BATCH_PROBLEMS:
                    yield from mark_blank_completions(held.pop(table), SILENT_BATCH_SIZE)
        for table, blank in held.items():
            yield from blank if table in spoken else mark_blank_completions(blank, len(blank))
    finally:
        if (close := getattr(outcomes, "close", None)) is not None:
            close()


def mark_blank_completions(blank: list[EngineOutcome], count: int) -> Iterator[EngineOutcome]:
    """Yield completions without text as failures; their token counts are kept.

    Args:
        blank: requests with their completions.
        count: number of consecutive empty texts.
    """
    texts = "the only text is empty" if count == 1 else f"{count} texts in a row are empty"
    for request, completion in blank:
        yield request, replace(completion, text=None, status=f"the model wrote nothing: {texts}")


def find_tables_with_text(run: Run) -> set[str]:
    """Return the names of the tables in which a run has a row with status ok and a text that is not blank.

    Reading stops at the first such row of a table, usually near its start.

    Raises:
        DataError: a part is damaged.
        RunError: the disk or the store refuses to read a part.
    """
    tables = (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)
    return retry_gone_parts(lambda: {table.name for table in tables if any(_scan_row_texts(run, table))})


def _scan_row_texts(run: Run, table: RunTable) -> Iterator[bool]:
    """Yield for each row of a table whether its status is ok and its text not blank."""
    for path in run.list_parts(table):
        for rows in run.read_part(table, path, ["text", "status"]).to_batches(max_chunksize=SCAN_BATCH_ROWS):
            for text, status in zip(rows["text"].to_pylist(), rows["status"].to_pylist(), strict=True):
                yield status == "ok" and bool((text or "").strip())
